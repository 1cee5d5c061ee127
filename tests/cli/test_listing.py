"""`smttask store list` as a user and a script meet it."""

import json
import os
import pty
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from smttask import RSView
from smttask.cli import main
from smttask.cli.filters import FILTERS
from smttask.testing import scratch_project

TASKS = """
from dataclasses import dataclass

from smttask import RecordedTask


@dataclass(frozen=True)
class Model:
    sigma: float


@RecordedTask
def Fit(model: Model, window: str = "hann") -> float:
    print("fitting", window)
    if model.sigma < 0:
        raise ValueError("negative")
    return model.sigma


@RecordedTask
def Square(x: float) -> float:
    return x**2
"""


@pytest.fixture
def lab(tmp_path):
    """Runs a to e by age: Fit of sigma 0.1 and 0.2, a crashed one, Square twice, the last tagged good."""
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        tasks = scratch.load("tasks")
        tasks.Fit(tasks.Model(0.1), reason="first look").run()
        tasks.Fit(tasks.Model(0.2), "flat", reason="second look").run()
        with pytest.raises(ValueError, match="negative"):
            tasks.Fit(tasks.Model(-1.0)).run()
        tasks.Square(1.0).run()
        tasks.Square(2.0).run()
        RSView(scratch.project)[0:1].add_tag("good")
        RSView(scratch.project)[1:2].add_tag("bad")
        yield scratch


def call(*args, status=0):
    done = CliRunner().invoke(main, ["store", "list", *args])
    assert done.exit_code == status, (done.stdout, done.stderr, done.exception)
    return done


def found(lab, *args):
    """Names of the records that are listed, by age."""
    names = dict(zip(reversed(lab.project.records.labels()), "abcde", strict=True))
    lines = call("--json", *args).stdout.splitlines()
    return "".join(sorted(names[json.loads(line)["label"]] for line in lines))


def test_every_filter_is_an_option(lab):
    """As those of RSView; those given several times must all hold."""
    labels = lab.project.records.labels()[::-1]
    commit, year = RSView(lab.project).latest.version, labels[0][:4]
    chosen = {
        ("--label", labels[1][:-2]): "b",
        ("--label", "*" + labels[1][-4:]): "b",
        ("--task", "Square"): "de",
        ("--task", "tasks.Fit"): "abc",
        ("--status", "crashed"): "c",
        ("--status", "crashed", "--status", "finished"): "abcde",
        ("--tag", "good"): "e",
        ("--tag", "good", "--tags", "bad"): "",
        ("--tag-or", "good", "--tags-or", "bad"): "de",
        ("--tag-not", "good", "--tags-not", "bad"): "abc",
        ("--since", year): "abcde",
        ("--after", "2100-01-01"): "",
        ("--before", year): "",
        ("--on", year): "abcde",
        ("--reason", "look"): "ab",
        ("--reason", "look", "--reason", "sec"): "b",
        ("--outcome", "negative"): "c",
        ("--user", "no such user"): "",
        ("--version", commit[:8]): "abcde",
        ("--script", "tasks.py"): "abcde",
        ("--output", "Square/"): "de",
        ("--stdout-stderr", "flat"): "b",
        ("--match", labels[0], "--but", "model.sigma"): "ac",
        ("--match", labels[0]): "a",
    }
    assert {options: found(lab, *options) for options in chosen} == chosen
    tried = {word for options in chosen for word in options}
    assert set(FILTERS) - tried == {"--param"}


@pytest.mark.parametrize(
    ("comparison", "names"),
    [
        ("model.sigma=0.1", "a"),
        ("model.sigma == 0.1", "a"),
        ("model.sigma>=0.1", "ab"),
        ("model.sigma>0.1", "b"),
        ("model.sigma<=0.1", "ac"),
        ("model.sigma<0.1", "c"),
        ("model.sigma~=0.1000000001", "a"),
        ("window=flat", "b"),
        ('window="flat"', "b"),
        ("x=1", "d"),
    ],
)
def test_inputs_are_compared(lab, comparison, names):
    """By dotted path, with JSON or text."""
    assert found(lab, "--param", comparison) == names


@pytest.mark.parametrize("text", ["x", "=1", "x!=1", ""])
def test_what_is_no_comparison_is_wrong_usage(lab, text):
    """The message shows one."""
    assert "such as 'model.sigma>=0.1'" in call("--param", text, status=2).stderr


def test_values_that_make_no_sense_are_told(lab):
    """Moments, values without an order, a record to match that there is not; --but without --match."""
    assert "is no moment" in call("--since", "yesterday", status=1).stderr
    assert "cannot be ordered" in call("--param", "x>true", status=1).stderr
    assert "There is no record 'gone'." in call("--match", "gone", status=1).stderr
    assert "--but needs --match" in call("--but", "x", status=2).stderr


def test_a_misspelt_input_is_told(lab):
    """On stderr, with the nearest, and no line of our code; not where the value alone finds nothing."""
    done = lab.smttask("store", "list", "--task", "Fit", "--param", "windoww=hann")
    assert done.stdout == "0 records\n"
    assert done.stderr.startswith("Warning: ")
    assert "did you mean 'window'?" in done.stderr
    assert ".py" not in done.stderr
    assert lab.smttask("store", "list", "--param", "window=none").stderr == ""


def test_columns_are_chosen(lab):
    """Fields, and inputs by dotted path; empty where a run lacks them."""
    lines = call("--columns", "task,model.sigma,x,status").stdout.splitlines()
    assert lines[0].split() == ["task", "model.sigma", "x", "status"]
    assert lines[1].split() == ["Square", "2.0", "finished"]
    assert lines[4].split() == ["Fit", "0.2", "finished"]
    rows = [
        json.loads(line)
        for line in call("--json", "--columns", "started,window,inputs.x").stdout.splitlines()
    ]
    assert [row["window"] for row in rows] == [None, None, "hann", "flat", "hann"]
    assert [row["inputs.x"] for row in rows] == [2.0, 1.0, None, None, None]
    assert rows[0]["started"].endswith("+00:00")


def test_columns_that_there_are_not_are_wrong_usage(lab):
    """The message lists what there is."""
    told = call("--columns", "label,sigmma", status=2).stderr
    assert "'sigmma' is no field" in told
    assert "did you mean 'model.sigma'" in call("--columns", "label,model.sgima", status=2).stderr
    assert "inputs: model, model.sigma, window, x" in told
    assert "names no column" in call("--columns", ",", status=2).stderr
    assert "give one of them" in call("--columns", "x", "--long", status=2).stderr


def test_the_long_form_shows_all_of_each_record(lab):
    """As `show` does, with an empty line between."""
    first, second, rest = call("--long", "--task", "Fit", "-n", "2").stdout.split("\n\n")
    assert "  input window  'hann'" in first
    assert "  reason        second look" in second
    shown = CliRunner().invoke(main, ["store", "show", first.partition("\n")[0]]).stdout
    assert shown.rstrip("\n") == first
    assert "  output    Fit/" in second
    assert rest == "3 records; 2 shown, --all shows the others\n"


def test_a_traceback_is_shown_with_its_indentation(lab):
    """What a run printed looks as it was printed."""
    label = RSView(lab.project).filter.tags("crashed").latest.label
    shown = CliRunner().invoke(main, ["store", "show", label]).stdout
    assert '\n        raise ValueError("negative")\n    ValueError: negative' in shown


def test_the_order_can_be_turned(lab):
    """Oldest first; -n counts from there."""
    labels = lab.project.records.labels()
    lines = call("--reverse", "-n", "2", "--columns", "label").stdout.splitlines()
    assert lines == ["label", *labels[:2:-1], "5 records; 2 shown, --all shows the others"]


def in_terminal(lab, *args, **environment):
    """What `store list` writes to a terminal of ten lines."""
    mine, theirs = pty.openpty()
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("SMTTASK_", "NO_COLOR"))}
    # a script as pager, so that it is known to have been called
    pager = lab.root / "pager.sh"
    pager.write_text("#!/bin/sh\necho PAGER\nexec cat\n")
    pager.chmod(0o755)
    settings = {"PAGER": str(pager), "LINES": "4", "COLUMNS": "200", "TERM": "xterm", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "smttask", "store", "list", *args],
        cwd=lab.root,
        env={**plain, **settings},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            part = os.read(mine, 65536)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        written += part
    os.close(mine)
    assert process.wait(timeout=60) == 0
    return written.decode().replace("\r\n", "\n")


def test_a_long_list_opens_in_the_pager_of_a_terminal(lab):
    """Not with --no-pager, an empty PAGER, or a list that fits; never in a pipe or for JSON."""
    assert in_terminal(lab).startswith("PAGER\n")
    assert "PAGER" not in in_terminal(lab, "--no-pager")
    assert "PAGER" not in in_terminal(lab, PAGER="")
    assert "PAGER" not in in_terminal(lab, "-n", "1", LINES="20")
    assert "PAGER" not in in_terminal(lab, "--json")
    assert "PAGER" not in lab.smttask("store", "list", PAGER="false", LINES="2").stdout


def test_a_terminal_shows_what_came_of_runs_in_colour(lab):
    """Unless NO_COLOR is set; never in a pipe."""
    assert "\x1b[31mcrashed" in in_terminal(lab, "--no-pager")
    assert "\x1b" not in in_terminal(lab, "--no-pager", NO_COLOR="1")
    assert "\x1b" not in in_terminal(lab, "--no-pager", TERM="dumb")
    assert "\x1b" not in lab.smttask("store", "list").stdout


def test_a_reader_that_stops_early_is_no_failure(lab):
    """As in `smttask store list | head -1`."""
    done = subprocess.run(
        f"{sys.executable} -m smttask store list --all --json | head -1",
        cwd=lab.root,
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["task"] == "Square"
    assert done.stderr == ""


def test_a_list_needs_no_pandas(lab):
    """Nor anything else that takes long to import and is of no use here."""
    code = (
        "import sys\nfrom smttask.cli import main\n"
        "try:\n    main(['store', 'list'])\n"
        "finally:\n    heavy = {'pandas', 'django', 'git', 'networkx', 'matplotlib'}\n"
        "    print(sorted(heavy & set(sys.modules)))"
    )
    assert lab.run(code).stdout.splitlines()[-1] == "[]"
