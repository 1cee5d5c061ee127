"""`smttask debug` and `smttask smt` as a user meets them."""

import json

import pytest
from click.testing import CliRunner

from smttask.cli import main
from smttask.testing import scratch_project

TASKS = """
from smttask import RecordedTask


@RecordedTask
def Square(x: float, n: int = 2) -> float:
    return x**n
"""


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path, {"tasks.py": TASKS}) as scratch:
        yield scratch


def smttask(*args, status=0):
    done = CliRunner().invoke(main, args)
    assert done.exit_code == status, (done.stdout, done.stderr, done.exception)
    return done.stdout if status == 0 else done.stdout + done.stderr


def test_a_description_is_shown_and_searched(lab):
    """As text, and by path."""
    path = str(lab.load("tasks").Square(3.5).save(lab.root / "todo"))
    assert "  x: 3.5\n  n: 2  (default)\n" in smttask("debug", "humanize", path)
    told = smttask("debug", "key-parents", "3.5", path)
    assert told.endswith(".inputs.x: 3.5\n")
    assert list(json.loads(smttask("debug", "key-parents", "3.5", path, "--json")).values()) == ["3.5"]
    assert "contains 'sigma'" in smttask("debug", "key-parents", "sigma", path, status=1)
    assert "gone.json cannot be read." in smttask("debug", "humanize", "gone.json", status=1)


def test_runs_and_descriptions_are_compared(lab):
    """Two labels, two files, or one of each."""
    tasks = lab.load("tasks")
    one, two = tasks.Square(1.0), tasks.Square(2.0)
    for task in (one, two):
        task.run()
    path = str(two.save(lab.root / "todo"))
    assert "x: 1.0 -> 2.0" in smttask("debug", "compare", one.record.label, two.record.label)
    assert "x: " in smttask("debug", "compare", one.record.label, path)
    assert "all inputs are equal" in smttask("debug", "compare", two.record.label, path)
    assert "There is no record 'nothing'." in smttask("debug", "compare", "nothing", path, status=1)


def test_smt_passes_everything_on_to_sumatra(lab):
    """Options, output and exit status are Sumatra's."""
    task = lab.load("tasks").Square(1.0)
    task.run()
    assert lab.smttask("smt", "list").stdout.split() == [task.record.label]
    assert task.record.label in lab.smttask("smt", "list", "--long").stdout
    assert lab.smttask("smt", "no-such-command", check=False).returncode != 0


def test_help_has_examples():
    """Of each command."""
    for words in (["debug", "humanize"], ["debug", "key-parents"], ["debug", "compare"], ["smt"]):
        assert f"smttask {' '.join(words)}" in smttask(*words, "--help")
