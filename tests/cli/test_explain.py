"""`smttask explain` as a user meets it."""

import json

import pytest

from smttask.testing import scratch_project

TASKS = """
from smttask import RecordedTask

@RecordedTask
def Square(x: int) -> int:
    return x * x
"""


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield scratch


def test_each_file_is_explained(lab):
    """Hits and misses with their reasons; the files stay."""
    tasks = lab.load("tasks")
    tasks.Square(1).run()
    for x in (1, 2):
        tasks.Square(x).save(lab.root / "todo")
    done = lab.smttask("explain", "todo")
    assert f"hit   Square ({tasks.Square(1).digest}): stored\n" in done.stdout
    assert f"miss  Square ({tasks.Square(2).digest}): not run with these inputs; " in done.stdout
    assert "\n  x: 1 -> 2\n" in done.stdout
    assert len(list((lab.root / "todo").iterdir())) == 2


def test_json_is_an_object_a_line(lab):
    """For scripts: everything that the text tells."""
    path = lab.load("tasks").Square(3).save(lab.root / "todo")
    [line] = lab.smttask("explain", "--json", str(path)).stdout.splitlines()
    facts = json.loads(line)
    assert (facts["path"], facts["task"], facts["hit"]) == (str(path), "Square", False)
    assert (facts["reason"], facts["differences"]) == ("never run", [])


def test_a_file_that_cannot_be_read_does_not_stop_the_others(lab):
    """Exit status 1; the error is told."""
    path = lab.load("tasks").Square(3).save(lab.root / "todo")
    (lab.root / "todo" / "bad.taskdesc.json").write_text("{")
    done = lab.smttask("explain", "todo", "gone.taskdesc.json", check=False)
    assert done.returncode == 1
    assert "bad.taskdesc.json is not whole JSON." in done.stderr
    assert done.stdout.splitlines() == [
        f"miss  Square ({path.name.partition('__')[2].partition('.')[0]}): never run",
        "gone  gone.taskdesc.json",
    ]


def test_no_files_are_an_error(lab):
    """The message says how to write some."""
    (lab.root / "todo").mkdir()
    done = lab.smttask("explain", "todo", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There are no description files to explain.\n  searched: todo")
