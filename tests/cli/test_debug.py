"""`smttask debug` as a user meets it."""

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


def test_scripts_read_descriptions_and_comparisons_as_json(lab):
    """The same that people read as text."""
    tasks = lab.load("tasks")
    one, two = tasks.Square(1.0), tasks.Square(2.0, reason="again")
    for task in (one, two):
        task.run()
    path = str(two.save(lab.root / "todo"))
    shown = json.loads(smttask("debug", "humanize", path, "--json"))
    assert shown["task"] == two.digest
    assert shown["tasks"] == [
        {"digest": two.digest, "name": "Square", "module": "tasks", "reason": "again"}
        | {"inputs": {"x": "2.0", "n": "2"}, "defaults": ["n"]}
    ]
    difference = {"kind": "input", "name": "x", "old": "1.0", "new": "2.0"}
    runs = json.loads(smttask("debug", "compare", one.record.label, two.record.label, "--json"))
    assert runs == {
        "labels": [one.record.label, two.record.label],
        "differences": [{**difference, "within": ""}],
    }
    files = json.loads(smttask("debug", "compare", one.record.label, path, "--json"))
    assert files == {"labels": [one.record.label, path], "differences": [difference]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not whole JSON."),
        ('{"a": 1}', "is no task description."),
        ('{"format": 99, "task": "a", "tasks": {"a": {}}}', "has format 99."),
        ('{"format": 1, "task": "a", "tasks": {}}', "the entry of the task itself is missing"),
    ],
)
def test_files_that_are_no_descriptions_are_told(lab, text, told):
    """One message that names the file; the same when they are compared."""
    path = lab.root / "x.json"
    path.write_text(text)
    for words in (["humanize", str(path)], ["compare", str(path), str(path)]):
        message = smttask("debug", *words, status=1)
        assert told in message
        assert str(path) in message
