"""Tasks as graphs of the recorded tasks that are not stored yet."""

import json
from dataclasses import replace

import pytest

from smttask import Task
from smttask.executors.division import divide, part_works
from smttask.executors.work import work_of_task
from smttask.testing import scratch_project

TASKS = """
from smttask import MemoizedTask, RecordedIterativeTask, RecordedTask, TaskOutput

@RecordedTask
def Add(values: list[int], x: int = 0) -> int:
    return sum(values) + x

@MemoizedTask
def Twice(n: int) -> int:
    return 2 * n

class Grown(TaskOutput):
    n: int
    size: int

@RecordedIterativeTask("n", map={"size": "size"})
def Grow(n: int, size: int = 1) -> Grown:
    return Grown(n=n, size=size + n)
"""


@pytest.fixture
def tasks(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield scratch.load("tasks")


def chain(tasks, n):
    task = tasks.Add([n])
    for x in range(1, n):
        task = tasks.Add([task], x)
    return task


def test_each_part_stands_once_after_those_it_needs(tasks):
    """A diamond has four tasks, one of them reached through a memoized one."""
    low = tasks.Add([1])
    left, right = tasks.Add([low], 1), tasks.Add([tasks.Twice(low)], 2)
    division = divide(tasks.Add([left, right], 3))
    assert next(part.key for part in division.parts) == low.digest
    assert {part.key: part.needs for part in division.parts} == {
        low.digest: (),
        left.digest: (low.digest,),
        right.digest: (low.digest,),
    }
    assert set(division.needs) == {left.digest, right.digest}


def test_what_is_stored_is_no_part(tasks):
    """And nothing below it; a stored task has no parts unless it is computed anew."""
    low = tasks.Add([1])
    middle = tasks.Add([low], 1)
    top = tasks.Add([middle, tasks.Add([2])], 2)
    middle.run()
    low.invalidate()
    assert [part.key for part in divide(top).parts] == [tasks.Add([2]).digest]
    top.run()
    tasks.Add([2]).invalidate()
    assert divide(top) is None
    assert [part.key for part in divide(top, recompute=True).parts] == [tasks.Add([2]).digest]


def test_what_an_iteration_continues_from_takes_the_place_of_its_input(tasks):
    """The task that gave the first size is not run again."""
    size = tasks.Add([5])
    assert len(divide(tasks.Grow(n=3, size=size)).parts) == 1
    tasks.Grow(n=3, size=size).run()
    size.invalidate()
    assert divide(tasks.Grow(n=6, size=size)) is None


def test_of_a_long_chain_few_are_named(tasks):
    """The others are run within them: nothing else waits for them."""
    assert len(divide(chain(tasks, 20)).parts) == 19
    assert len(divide(chain(tasks, 20), most=10).parts) == 1
    forked = tasks.Add([chain(tasks, 20), chain(tasks, 30)])
    assert len(divide(forked, most=10).parts) == 2


def test_a_chain_of_thousands_is_divided(tasks):
    """Without deep recursion."""
    assert len(divide(chain(tasks, 2000)).parts) == 1


def test_works_of_parts_describe_what_they_need_alone(tasks):
    """Read again, each is the part itself."""
    low, other = tasks.Add([1]), tasks.Add([2])
    middle = tasks.Add([low], 1)
    top = tasks.Add([middle, other], 2)
    works = part_works(work_of_task(top, 7).sendable(), divide(top))
    assert {key: len(json.loads(work.description)["tasks"]) for key, work in works.items()} == {
        low.digest: 1,
        middle.digest: 2,
        other.digest: 1,
    }
    assert Task.from_desc(works[middle.digest].description).digest == middle.digest
    assert {(work.number, work.wants_value) for work in works.values()} == {(7, False)}


def test_works_of_parts_of_a_file_name_the_file(tasks, tmp_path):
    """Nothing of it is sent."""
    top = tasks.Add([tasks.Add([1])], 2)
    path = str(top.save(tmp_path / "todo"))
    work = replace(work_of_task(top, 0), task=None, path=path)
    [part] = part_works(work, divide(top)).values()
    assert (part.path, part.part, part.description) == (path, tasks.Add([1]).digest, "")
