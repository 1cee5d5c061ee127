from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from smttask import RSView
from smttask.records.record import Record
from smttask.testing import scratch_project


def printed(item: Any, *, colours: bool = False) -> str:
    """What rich prints for `item`, on a wide terminal."""
    file = io.StringIO()
    Console(file=file, width=200, force_terminal=colours, color_system="standard" if colours else None).print(
        item
    )
    return file.getvalue()


def test_rich_prints_a_view_with_statuses_in_colour(lab: SimpleNamespace) -> None:
    """Labels stay whole, a crashed run is red and a finished one green."""
    shown = printed(lab.view, colours=True)
    assert all(label in shown for label in lab.view.labels())
    assert "\x1b[1;31mcrashed" in shown
    assert "\x1b[32mfinished" in shown
    assert "7 records of 'scratch', newest first" in printed(lab.view)


def test_rich_prints_a_record_and_its_dependencies(lab: SimpleNamespace) -> None:
    """Fields have a row each, and distributions their version."""
    record = lab.view.filter.task(lab.deep)[0]
    assert "Model(sigma=0.25, n=3)" in printed(record)
    assert "\x1b[32mfinished" in printed(record, colours=True)
    assert "numpy" in printed(record.dependencies)
    assert printed(lab.view.compare(lab.view[0], lab.view[0])).count(lab.view[0].label) == 2


def test_brackets_in_a_reason_are_no_styles(tmp_path: Path) -> None:
    """What a user wrote is printed as it is, letter by letter; control characters are not."""
    with scratch_project(tmp_path / "p") as scratch:
        record = Record(label="a", timestamp=datetime.now(UTC), reason="[red]x[/red] [/] \x1b[31m")
        scratch.project.records.open_record(record)
        assert "[red]x[/red] [/] \ufffd[31m" in printed(RSView())
        assert "[red]x[/red] [/] \ufffd[31m" in printed(RSView()[0])


def test_rich_prints_in_any_case(lab: SimpleNamespace) -> None:
    """Where a filter fails its error stands in place of the table."""
    assert "cannot be shown: ZeroDivisionError" in printed(lab.view.filter(lambda record: 1 / 0))


@pytest.mark.parametrize("status", ["finished", "crashed", "killed", "running"])
def test_the_source_of_a_run_is_highlighted(lab: SimpleNamespace, status: str) -> None:
    """Statuses of all kinds have a style, and source text is printed in colours."""
    from smttask.view.terminal import STATUS_STYLES

    assert STATUS_STYLES[status]
    assert "\x1b[" in printed(lab.view[0].task_code, colours=True)
