"""The live table of a run, drawn for terminals of any size."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from smttask.executors.live import LiveDisplay
from smttask.executors.outcome import Outcome
from smttask.executors.work import Work
from smttask.headway import Position

COLOUR = r"\x1b\[(?:3|9)"
NAME = "t/Analyze__88aa01b1c2d3e4f5a6b7.taskdesc.json"


def display(width=120, height=30, **more):
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=height, **more)
    return LiveDisplay(console)


def picture(shown):
    """The lines of the table as it would be drawn now."""
    console = shown._console
    with console.capture() as drawn:
        console.print(shown._picture(shown.begin + 100.0), end="")
    return drawn.get().splitlines()


def busy(shown, n=2, name=NAME, **facts):
    shown.planned(n, is_all=True)
    for worker in range(1, n + 1):
        shown.started(worker, Work(name))
        shown.underway[worker].begin = shown.begin + worker
        shown.watched(worker, facts)
    return shown


FACTS = {
    "why": "differs in model.sigma",
    "task": "Load",
    "memory_bytes": 150_000_000,
    "progress": Position(((1, 4, "epochs"), (50, 100, "batches")), 30.0).to_message(),
}


def test_a_row_tells_all_of_a_task():
    """Worker, task and the input that is computed, why, how far, memory, since when; below, the sums."""
    first, _, total = picture(busy(display(160, no_color=True), **FACTS))
    for part in ("worker 1", "Analyze__88aa01 ← Load", "differs in model.sigma", "━━━╸"):
        assert part in first
    assert first.split("  ")[-3:] == ["1 of 4 epochs, 50 of 100 batches", "150.0 MB", "1 min 39 s"]
    for part in ("0/2", "2 running", "50 s left", "300.0 MB"):
        assert part in total


@pytest.mark.parametrize("width", [5, 20, 59, 60, 80, 99, 100, 120, 300])
def test_no_line_is_longer_than_the_terminal(width):
    """What has no room is cut or left out, and names in wide letters count double."""
    shown = busy(display(width), name="t/分析分析分析分析分析分析分析分析分析.taskdesc.json", **FACTS)
    lines = picture(shown)
    assert len(lines) == 3
    assert max(map(cell_len, map(plain, lines))) <= width


def plain(line):
    """`line` without the colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


@pytest.mark.parametrize(("height", "n_lines"), [(30, 14), (10, 9), (3, 1), (1, 1)])
def test_the_table_leaves_room_in_low_terminals(height, n_lines):
    """The oldest tasks are shown, in the order of their workers, and the others counted."""
    lines = picture(busy(display(120, height), n=100))
    assert len(lines) == n_lines
    assert "100 running" in lines[-1]
    if n_lines > 3:
        assert "worker 1 " in plain(lines[0])
        assert lines[-2] == f"and {100 - (n_lines - 2)} more"


def test_names_are_no_markup_and_cannot_steer_the_terminal():
    """Brackets stay, control characters do not."""
    shown = busy(display(120, no_color=True), name="[red]a[red]\x1b[2J\n.taskdesc.json", why="[bold]\x07")
    first, *_ = picture(shown)
    assert "[red]a[red]\ufffd[2J" in first
    assert "[bold]\ufffd" in first


def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch):
    """The variable NO_COLOR."""
    monkeypatch.setenv("NO_COLOR", "1")
    shown = busy(display(color_system="truecolor"), **FACTS)
    assert not re.search(COLOUR, picture(shown)[0])
    monkeypatch.delenv("NO_COLOR")
    shown = busy(display(color_system="truecolor"), **FACTS)
    assert re.search(COLOUR, picture(shown)[0])


def test_a_thousand_failures_do_not_flood_the_terminal():
    """Twenty lines above the table; the summary has them all."""
    shown = display(no_color=True)
    with shown:
        for number in range(1000):
            shown.finished(Outcome(f"A__{number}", "failed", error="ValueError: no"))
    text = shown._console.file.getvalue()
    assert text.count("ValueError: no") == 20
    assert text.count("Further failures are told in the end.") == 1


def test_the_table_follows_the_size_of_the_terminal():
    """From one drawing to the next."""
    shown = busy(display(160, no_color=True), **FACTS)
    assert "worker 1" in picture(shown)[0]
    shown._console.width = 40
    assert "worker 1" not in picture(shown)[0]
    assert picture(shown)[0].endswith("38%")


def test_output_of_tasks_stands_above_with_its_indentation():
    """Line by line."""
    shown = display(no_color=True)
    shown.output("def f():\n    return \x1b[31m1")
    assert shown._console.file.getvalue() == "def f():\n    return \ufffd[31m1\n"
