"""What is given to `smttask run` and cannot be right, or stops being so midway."""

import json
import shutil
import subprocess
import sys
import time

import pytest

from smttask.testing import scratch_project

TASKS = """
import time
from pathlib import Path
from smttask import RecordedTask
from smttask.testing import count_call

GATE = Path(__file__).parent / ".smt" / "gate"

@RecordedTask
def Square(x: int) -> int:
    count_call()
    return x * x

@RecordedTask
def Wait(x: int) -> int:
    count_call()
    while GATE.exists():
        time.sleep(0.01)
    return x
"""


class Lab:
    """A scratch project and its module of tasks."""

    def __init__(self, scratch):
        self.scratch, self.root, self.project = scratch, scratch.root, scratch.project
        self.calls, self.tasks = scratch.calls, scratch.load("tasks")
        self.todo = scratch.root / "todo"
        self.gate = scratch.root / ".smt" / "gate"

    def run(self, *args):
        return self.scratch.smttask("run", *args, check=False)

    def start(self, *args):
        """The command, once its first task waits at the gate."""
        self.gate.touch()
        command = [sys.executable, "-m", "smttask", "run", *args, "todo"]
        process = subprocess.Popen(
            command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 60
        while not self.calls("Wait"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch)


def test_a_module_that_workers_cannot_import_is_named(lab):
    """Its task fails alone."""
    good, bad = lab.tasks.Square(1).save(lab.todo), lab.tasks.Square(2).save(lab.todo)
    bad.write_text(bad.read_text().replace('"module": "tasks"', '"module": "missing_lab"'))
    done = lab.run("todo")
    assert done.returncode == 1
    assert "missing_lab" in done.stderr
    assert (good.exists(), bad.exists()) == (False, True)


def test_a_file_that_is_removed_while_it_waits_is_no_failure(lab):
    """Somebody else finished it, or did not want it."""
    lab.tasks.Wait(1).save(lab.todo / "0")
    removed = lab.tasks.Square(2).save(lab.todo / "1")
    process = lab.start()
    removed.unlink()
    lab.gate.unlink()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "1 computed, 1 gone" in out


def test_a_record_store_that_is_gone_midway_loses_no_result(lab):
    """What could not be recorded is told as a failure, and its file stays."""
    tasks = [lab.tasks.Wait(1), lab.tasks.Square(2)]
    tasks[0].save(lab.todo / "0")
    tasks[1].save(lab.todo / "1")
    process = lab.start()
    for path in (lab.root / ".smt").glob("records*"):
        path.unlink()
    (lab.root / ".smt" / "records").mkdir()
    lab.gate.unlink()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stored, but not recorded" in err
    assert [task.load() for task in tasks] == [1, 4]
    shutil.rmtree(lab.root / ".smt" / "records")


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["--executor", "cloud", "todo"], 2, "'cloud' is not one of 'process', 'thread', 'dask', 'slurm'"),
        (["--timeout", "soon", "todo"], 2, "'soon' is no duration"),
        (["--timeout", "0m", "todo"], 2, "'0m' leaves no time; give more, or leave the option out"),
        (["--memory", "much", "todo"], 2, "'much' is no size"),
        (["--memory", "0.9", "todo"], 2, "'0.9' leaves no room; give more, or leave the option out"),
        (["--retries", "-1", "todo"], 2, "-1 is not in the range x>=0"),
        (["--start-method", "copy", "todo"], 2, "'copy' is not one of 'spawn', 'fork'"),
        (["--executor", "thread", "--timeout", "1s", "todo"], 1, "The executor 'thread' has no timeout."),
    ],
)
def test_options_that_cannot_be_meant_are_refused(lab, args, status, message):
    """Before anything is run."""
    lab.tasks.Square(1).save(lab.todo)
    done = lab.run(*args)
    assert (done.returncode, lab.calls("Square")) == (status, 0)
    assert message in done.stderr


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_the_executor_is_chosen_by_an_option(lab, executor):
    """Threads and processes give the same results and records."""
    task = lab.tasks.Square(3)
    task.save(lab.todo)
    done = lab.run("-n2", "--executor", executor, "--retries", "1", "todo")
    assert (done.returncode, done.stderr) == (0, "")
    assert (task.load(), lab.project.records.count(), list(lab.todo.iterdir())) == (9, 1, [])


def test_limits_of_the_command_hold(lab):
    """A task that takes longer is stopped, told, and its record says killed."""
    lab.tasks.Wait(1).save(lab.todo)
    process = lab.start("--timeout", "1s", "--memory", "4GB", "--start-method", "fork")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped after 1 s, the longest it may take" in err
    assert [record.status for record in lab.project.records.records()] == ["killed"]


def test_a_description_of_no_task_fails_alone(lab):
    """Valid JSON that is something else."""
    lab.tasks.Square(1).save(lab.todo)
    (lab.todo / "other.taskdesc.json").write_text(json.dumps([1, 2]))
    done = lab.run("todo")
    assert done.returncode == 1
    assert "is no task description" in done.stderr
    assert lab.calls("Square") == 1


def test_threads_wait_for_a_module_that_one_of_them_imports(tmp_path):
    """None of them takes a module that is half loaded for one without the task."""
    files = {"tasks.py": f"import time\ntime.sleep(0.3)\n{TASKS}"}
    with scratch_project(tmp_path / "lab", files) as scratch:
        lab = Lab(scratch)
        for x in range(4):
            lab.tasks.Square(x).save(lab.todo)
        done = lab.run("-n4", "--executor", "thread", "todo")
    assert (done.returncode, done.stderr) == (0, "")
