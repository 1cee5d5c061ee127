"""Tasks of scripts and notebooks, recorded with their source."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from smttask import config
from smttask.errors import ResultNotFoundError
from smttask.storage.manifest import read_head, read_rest
from smttask.testing import ScratchProject

SCRIPT = """
from smttask import Join, RecordedTask, config
config.allow_main = True
def offset() -> int:
    return 10

@RecordedTask
def Add(x: int) -> int:
    return x + offset()

task = Add(1, reason="try")
print(task.run(record=True), task.last_hit, Join(task).run())
"""

# What IPython does with a cell: compiled under a name of its own, its text left for tracebacks.
CELLS = """
import linecache, sys
import smttask
smttask.config.allow_main = True
main = vars(sys.modules["__main__"])

def run_cell(number, text):
    name = f"<ipython-input-{number}>"
    linecache.cache[name] = len(text), None, text.splitlines(True), name
    exec(compile(text, name, "exec"), main)

HELPER = "def offset():\\n    return 10\\n"
BEGIN = "from smttask import RecordedTask\\n@RecordedTask\\n"
TASK = BEGIN + "def Add(x: int) -> int:\\n    return x + offset()\\n"
run_cell(1, HELPER)
run_cell(2, TASK)
run_cell(3, "task = Add(1); print(task.run(), task.last_hit, task.run(), task.last_hit)")
run_cell(4, TASK.replace("x +", "2 * x +"))
run_cell(5, "task = Add(1); print(task.run(), task.last_hit)")
run_cell(6, TASK)
run_cell(7, "task = Add(1); print(task.run(), task.last_hit)")
run_cell(8, "print(task.record.task == task, task.record.main_file)")
"""


def run_script(lab: ScratchProject) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-B", "script.py"], cwd=lab.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def sources(lab: ScratchProject, name: str) -> list[str]:
    """The source that stands with each result of a task, oldest first."""
    data = lab.project.data
    manifests = sorted((lab.root / "data/run_dump" / name).glob("[!.]*.json"))
    return [data.get_text(read_rest(read_head(path))["source"], ".py") for path in manifests]


def test_a_script_is_recorded_with_its_source_committed_or_not(scratch: Any) -> None:
    """The result is found again while the script is the same; an edited one computes, git unasked."""
    lab = scratch({"script.py": SCRIPT})
    assert run_script(lab) == ["11 computed [11]"]
    assert run_script(lab) == ["11 disk [11]"]
    edited = SCRIPT.replace("return 10", "return 20")
    lab.write({"script.py": edited}, commit=False)
    assert run_script(lab) == ["21 computed [21]"]
    lab.write({"script.py": SCRIPT}, commit=False)
    assert run_script(lab) == ["11 disk [11]"]
    assert sources(lab, "Add") == [SCRIPT, edited]
    records = list(lab.project.records.records())
    assert {(record.main_file, record.status) for record in records} == {("script.py", "finished")}
    assert sorted(record.task for record in records) == ["Add", "Add", "Join", "Join"]


def test_other_files_must_still_be_committed(scratch: Any) -> None:
    """Only the script itself is kept otherwise."""
    lab = scratch({"script.py": SCRIPT, "other.py": ""})
    lab.write({"other.py": "x = 1"}, commit=False)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=lab.root, capture_output=True, text=True, check=False
    )
    assert "changed: other.py" in done.stderr
    assert "UncommittedChangesError" in done.stderr


def test_a_cell_is_recorded_with_its_source_and_what_it_reaches(scratch: Any) -> None:
    """A redefined cell never serves the result of the old one; the old one finds its own again."""
    lab = scratch({})
    done = lab.run(CELLS)
    *printed, last = done.stdout.splitlines()
    assert printed == ["11 computed 11 disk", "12 computed", "11 disk"]
    assert last.startswith("True session-")
    assert done.stderr == ""
    texts = sources(lab, "Add")
    assert len(texts) == 2
    assert texts[0].startswith("from smttask import RecordedTask\n@RecordedTask\ndef Add")
    assert texts[0].endswith("def offset():\n    return 10\n")
    assert "2 * x + offset()" in texts[1]


UNRECORDED = """
from smttask import RecordedTask, config
from smttask.errors import ResultNotFoundError

@RecordedTask
def Add(x: int) -> int:
    return x + 1

task = Add(1)
print(task.run())
for look in (lambda: task.record, Add(2).load):
    try:
        look()
    except ResultNotFoundError as error:
        print(error)
"""


def test_a_task_that_is_not_recorded_says_why_it_has_no_record(scratch: Any) -> None:
    """It was run, so being told to run it would not help; what is searched is memory."""
    done = scratch({}).run(UNRECORDED)
    result, first, why, remedy, second, searched, _ = done.stdout.splitlines()
    assert (result, first.endswith(" has no record.")) == ("2", True)
    assert "defined in __main__" in why
    assert "allow_main = true" in remedy
    assert second.startswith("No stored result for task 'Add'")
    assert searched == "  searched: memory"


def test_where_nothing_is_recorded_the_message_names_the_setting(scratch: Any) -> None:
    """The result is in memory, and no run would change that."""
    task = scratch({"tasks.py": UNRECORDED.partition("task =")[0]}).load("tasks").Add(1)
    with config.use(record=False):
        task.run()
        with pytest.raises(ResultNotFoundError, match="(?s)'Add' .* has no record.*config.record is False"):
            _ = task.record
