"""Deep and wide graphs of tasks: built, hashed, saved, loaded, pickled, shown and run without recursion."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

from smttask import RSView, Task

TASKS = """
from smttask import MemoizedTask, NonMemoizedTask, RecordedTask
from smttask.testing import count_call

@RecordedTask
def Recorded(x: int, y: int = 0) -> int:
    count_call()
    return (x + y + 1) % 1_000_003

@MemoizedTask
def Memoized(x: int, y: int = 0) -> int:
    count_call()
    return (x + y + 1) % 1_000_003

@NonMemoizedTask
def NonMemoized(x: int, y: int = 0) -> int:
    count_call()
    return (x + y + 1) % 1_000_003

@RecordedTask
def Sum(xs: list[int]) -> int:
    return sum(xs)
"""
KINDS = ["Recorded", "Memoized", "NonMemoized"]


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


def check_every_form(task: Any, folder: Path) -> None:
    """File, pickle, copy, digests and displays."""
    assert Task.from_desc(task.save(folder)) == task
    assert pickle.loads(pickle.dumps(task)) == task == copy.deepcopy(task)
    assert pickle.loads(pickle.dumps(task)).full_digest == task.full_digest
    assert len(repr(task)) < 200
    assert len(task.describe()) < 1000
    assert len(task._repr_html_()) < 2000


@pytest.mark.parametrize("kind", KINDS)
def test_a_diamond_of_forty_levels_is_forty_one_tasks(lab: Any, kind: str, tmp_path: Path) -> None:
    """Each task is described, and computed, once, though there are 2**40 ways through it."""
    make = getattr(lab.load("tasks"), kind)
    task = make(0)
    for _ in range(40):
        task = make(task, task)
    check_every_form(task, tmp_path)
    assert len(task.desc["tasks"]) == 41
    value = 0 + 1
    for _ in range(40):
        value = (2 * value + 1) % 1_000_003
    assert task.run() == value
    assert lab.calls(kind) == 41


@pytest.mark.parametrize(
    ("kind", "n"),
    [
        ("Memoized", 10_000),
        ("NonMemoized", 10_000),
        ("Recorded", 300),
        pytest.param("Recorded", 10_000, marks=pytest.mark.slow),
    ],
)
def test_a_long_chain_of_tasks_runs(lab: Any, kind: str, n: int, tmp_path: Path) -> None:
    """Ten thousand tasks, each the input of the next."""
    make = getattr(lab.load("tasks"), kind)
    task = make(-n)
    for _ in range(n - 1):
        task = make(task)
    check_every_form(task, tmp_path)
    assert task.run() == 0
    assert lab.calls(kind) == n
    if kind == "Recorded":
        assert lab.project.records.count() == n
        again = make(-n)
        for _ in range(n - 1):
            again = make(again)
        assert (again.run(), again.last_hit, lab.calls(kind)) == (0, "disk", n)
        assert max(path.stat().st_size for path in (lab.root / "data/run_dump").glob("*/*")) < 20_000


def test_a_task_may_have_thousands_of_tasks_as_inputs(lab: Any, tmp_path: Path) -> None:
    """A list of two thousand; the record names them and gives the task back."""
    tasks = lab.load("tasks")
    task = tasks.Sum([tasks.Memoized(n) for n in range(10, 2010)])
    assert Task.from_desc(task.save(tmp_path)) == task
    assert task.run() == sum(range(11, 2011))
    assert lab.calls("Memoized") == 2000
    assert RSView().latest.task == task


def test_a_diamond_under_new_defaults_is_still_found(lab: Any) -> None:
    """A default added to a task of a deep graph keeps every result; a changed one makes the graph anew."""
    from smttask import config

    def run(y: str) -> int:
        lab.write({"tasks.py": TASKS.replace("y: int = 0", y)})
        make = lab.reload("tasks").Recorded
        task = make(0)
        for _ in range(10):
            task = make(task)
        with config.use(on_code_change="ignore"):
            task.run()
        return int(lab.calls("Recorded"))

    calls = [
        run(y) for y in ("y: int = 0", "y: int = 0, z: str = ''", "y: int = 7, z: str = ''", "y: int = 0")
    ]
    assert calls == [11, 11, 22, 22]
