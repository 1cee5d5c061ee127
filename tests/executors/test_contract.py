"""What every executor promises; each one is a parameter."""

import threading
import time

import pytest

from smttask import run_tasks
from smttask.errors import DescriptionError, SettingError
from smttask.executors.choosing import make_executor
from smttask.executors.files import iter_files
from smttask.executors.messages import Instructions
from smttask.executors.progress import Display
from smttask.executors.running import Running, run_works, works_of_files
from smttask.testing import scratch_project

EXECUTORS = ["process", "thread", "dask", pytest.param("slurm", marks=pytest.mark.slow)]
#: Jobs of Slurm are processes of this machine here.
OPTIONS = {"slurm": {"slurm": {"cluster": "local"}}}

TASKS = """
import os, sys, time
from pathlib import Path
from smttask import MemoizedTask, NonMemoizedTask, RecordedTask
from smttask.testing import count_call

MARK = Path(__file__).parent / ".smt" / "begun"

@RecordedTask
def Square(x: int) -> int:
    count_call()
    return x * x

@RecordedTask
def Total(values: list[int]) -> int:
    count_call()
    return sum(values)

@MemoizedTask
def Numbers(n: int) -> list[int]:
    return list(range(n))

@NonMemoizedTask
def Where(x: int) -> tuple[int, int]:
    return x, os.getpid()

@RecordedTask
def Fail(x: int) -> int:
    count_call()
    if x > 1:
        sys.exit(x)
    raise ValueError(f"no {x}")

@RecordedTask
def Wait(x: int) -> int:
    MARK.touch()
    while MARK.exists():
        time.sleep(0.01)
    return x
"""


@pytest.fixture(params=EXECUTORS)
def name(request):
    """One executor after the other."""
    return request.param


class Lab:
    """A scratch project, its module of tasks and its folder of description files."""

    def __init__(self, scratch):
        self.root, self.project, self.calls = scratch.root, scratch.project, scratch.calls
        self.tasks = scratch.load("tasks")
        self.todo = scratch.root / "todo"


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch)
        (scratch.root / ".smt" / "begun").unlink(missing_ok=True)


def run(lab, name, *, display=Display, n=2, options=None, **told):
    executor = make_executor(
        name,
        n=n,
        instructions=Instructions(start=str(lab.root), **told),
        **OPTIONS.get(name, {}),
        **(options or {}),
    )
    return run_works(works_of_files(iter_files([str(lab.todo)])), executor, display)


def left(lab):
    return sorted(path.name.partition("__")[0] for path in lab.todo.iterdir())


def test_results_and_records_are_kept_and_files_removed(lab, name):
    """Each of six files has its result and its record with the reason given."""
    tasks = [lab.tasks.Square(x) for x in range(6)]
    for task in tasks:
        task.save(lab.todo)
    summary = run(lab, name, reason="a sweep")
    assert (summary.counts, summary.exit_status, left(lab)) == ({"computed": 6}, 0, [])
    assert [task.load() for task in tasks] == [0, 1, 4, 9, 16, 25]
    records = list(lab.project.records.records())
    assert {(record.reason, record.status) for record in records} == {("a sweep", "finished")}


def test_what_is_stored_is_found(lab, name):
    """And the file is removed all the same, unless it is to be kept."""
    lab.tasks.Square(3).save(lab.todo)
    assert run(lab, name, keep=True).counts == {"computed": 1}
    assert run(lab, name).counts == {"found": 1}
    assert (lab.calls("Square"), left(lab)) == (1, [])


def test_a_failing_task_stops_no_other(lab, name):
    """Its file stays, and its error is told in one line; exiting Python is a failure like any other."""
    for x in (1, 2):
        lab.tasks.Fail(x).save(lab.todo)
    for x in range(4):
        lab.tasks.Square(x).save(lab.todo)
    summary = run(lab, name)
    assert (summary.counts, summary.exit_status) == ({"computed": 4, "failed": 2}, 1)
    assert {outcome.error for outcome in summary.failures} == {"ValueError: no 1", "SystemExit: 2"}
    assert left(lab) == ["Fail", "Fail"]


def test_a_bad_file_fails_alone(lab, name):
    """One that is cut short, between two good ones; one that somebody removed is no failure."""
    good = [lab.tasks.Square(x).save(lab.todo) for x in range(2)]
    bad = lab.todo / "Square__0.taskdesc.json"
    bad.write_text(good[0].read_text()[:50])
    files = [str(good[0]), str(bad), str(lab.todo / "gone.taskdesc.json"), str(good[1])]
    executor = make_executor(
        name, n=2, instructions=Instructions(start=str(lab.root)), **OPTIONS.get(name, {})
    )
    summary = run_works(works_of_files(files), executor)
    assert summary.counts == {"computed": 2, "failed": 1, "gone": 1}
    assert "is not whole JSON" in summary.failures[0].error


def test_a_shared_part_is_computed_once(lab, name):
    """However many tasks need it at the same time."""
    shared = lab.tasks.Square(7)
    for x in range(4):
        lab.tasks.Total([shared, lab.tasks.Square(10 + x), x]).save(lab.todo)
    assert run(lab, name).counts == {"computed": 4}
    assert (lab.calls("Square"), lab.calls("Total")) == (5, 4)


def test_a_module_to_import_that_is_missing_ends_all(lab, name):
    """It is told once, as an error of the run, and no file is touched."""
    lab.tasks.Square(1).save(lab.todo)
    with pytest.raises(DescriptionError, match=r"Module 'no\.such' cannot be imported"):
        run(lab, name, imports=("no.such",))
    assert left(lab) == ["Square"]


def test_values_that_are_not_stored_come_back(lab, name):
    """Those of memoized and of other tasks; stored ones are loaded by who asked."""
    tasks = [lab.tasks.Numbers(3), lab.tasks.Where(5), lab.tasks.Square(4)]
    numbers, where, square = (
        result
        for _, result in run_tasks(
            tasks, executor=name, n=2, ordered=True, progress=False, **OPTIONS.get(name, {})
        )
    )
    assert (numbers, where[0], square) == ([0, 1, 2], 5, 16)


def test_stopping_begins_nothing_new(lab, name):
    """Those that run come to an end, those that wait are left, and the signal is the exit status."""
    lab.tasks.Wait(0).save(lab.todo / "0")
    for x in range(9):
        lab.tasks.Square(x).save(lab.todo / "1")
    executor = make_executor(
        name, n=1, instructions=Instructions(start=str(lab.root)), **OPTIONS.get(name, {})
    )
    running = Running(works_of_files(iter_files([str(lab.todo)])), executor)
    mark = lab.root / ".smt" / "begun"

    def stop():
        while not mark.exists():
            time.sleep(0.01)
        running.stop(2)
        time.sleep(0.5)
        mark.unlink(missing_ok=True)  # where the task cannot be stopped

    threading.Thread(target=stop).start()
    [outcome] = running.outcomes()
    assert outcome.status in ("killed", "computed")
    assert (running.summary.exit_status, running.summary.n_left) == (130, 9)
    assert lab.calls("Square") == 0


def test_an_iteration_that_is_left_leaves_nothing_running(lab, name):
    """`break` ends the workers; the other tasks are not begun."""
    for _ in run_tasks(
        (lab.tasks.Square(x) for x in range(1000)),
        executor=name,
        n=2,
        progress=False,
        **OPTIONS.get(name, {}),
    ):
        break
    time.sleep(0.5)  # in threads, those that ran come to an end
    n_calls = lab.calls("Square")
    time.sleep(0.3)
    assert n_calls == lab.calls("Square") < 100


@pytest.mark.parametrize("n", [0, -1, True, 1.5, "two"])
def test_a_number_of_workers_must_be_one(name, n):
    """Zero workers would never end."""
    with pytest.raises(SettingError, match=f"The executor '{name}' cannot run .* tasks at once"):
        make_executor(name, n=n)
