"""What workers tell of the tasks that they run."""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from smttask.executors.choosing import make_executor
from smttask.executors.course import Course
from smttask.executors.messages import Instructions
from smttask.executors.running import run_works, works_of_files
from smttask.testing import scratch_project

TASKS = """
import multiprocessing, time
import smttask
from smttask import MemoizedTask, RecordedTask

@MemoizedTask
def Load(n: int) -> int:
    return n

@RecordedTask
def Count(n: int, start: int = 0) -> int:
    for step in smttask.progress(range(n), what="steps"):
        time.sleep(0.1)
    return n

def nothing(item):
    for each in smttask.progress(range(5), what="of a child"):
        time.sleep(0.2)

@RecordedTask
def Fork(n: int) -> int:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(nothing, range(n))
    return n
"""


class Told(Course):
    """Keeps all facts."""

    def __init__(self):
        super().__init__()
        self.facts: list[dict[str, Any]] = []

    def watched(self, worker, facts):
        super().watched(worker, facts)
        self.facts.append(dict(facts))

    def of(self, name):
        return [facts[name] for facts in self.facts if name in facts]


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch.root, scratch.load("tasks"))


@dataclass
class Lab:
    root: Path
    tasks: ModuleType


def run(lab, *tasks, executor="process"):
    """What is told when `tasks` are run in a worker."""
    paths = [str(task.save(lab.root / "todo")) for task in tasks]
    told = Told()
    made = make_executor(executor, n=1, instructions=Instructions(start=str(lab.root)))
    summary = run_works(works_of_files(paths), made, lambda: told)
    assert summary.failures == []
    return told


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_a_worker_tells_how_far_its_task_is(lab, executor):
    """Now and then, and when that is over."""
    told = run(lab, lab.tasks.Count(n=12), executor=executor)
    assert told.of("why") == ["never run"]
    texts = [None if far is None else far["levels"][-1] for far in told.of("progress")]
    assert texts[-1] is None
    assert all(text[1:] == [12, "steps"] for text in texts[:-1])
    assert 1 <= len(texts) - 1 <= 11


def test_the_memory_of_worker_processes_is_told(lab):
    """By their parent, every second."""
    assert max(run(lab, lab.tasks.Count(n=12)).of("memory_bytes")) > 10**7


def test_a_worker_tells_which_task_it_computes_and_why(lab):
    """What differs from the nearest run, and what the user said; tasks among the inputs by name."""
    lab.tasks.Count(n=1).run()
    task = lab.tasks.Count(n=2, start=lab.tasks.Load(n=3), reason="a test")
    told = run(lab, task)
    assert told.of("task") == ["Load", ""]
    assert told.of("why") == ["", "differs in n, start"]
    assert told.of("reason") == ["a test", "a test"]


def test_a_result_that_is_found_has_no_reason(lab):
    """Nothing is computed."""
    lab.tasks.Count(n=1).run()
    assert run(lab, lab.tasks.Count(n=1)).of("why") == []


def test_child_processes_of_a_task_tell_nothing(lab):
    """They have the channel of the worker open, which is not theirs."""
    assert run(lab, lab.tasks.Fork(n=2)).of("progress") == []


def test_of_many_short_tasks_few_are_explained(lab):
    """It would take about as long as to run them."""
    lab.tasks.Count(n=0).run()
    told = run(lab, *(lab.tasks.Count(n=0, start=start) for start in range(1, 201)))
    whys = told.of("why")
    assert told.n_finished == 200
    assert whys[0] == "differs in start"
    assert sum(map(bool, whys)) < 150
