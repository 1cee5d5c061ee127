"""Some arguments fixed beforehand, and one task for each item of a list."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

from smttask import MemoizedTask, RecordedTask
from smttask.errors import ArgumentError, InputError
from smttask.tasks.task import Task
from smttask.typing import Array


@RecordedTask(name="binding.analyze")
def Analyze(x: float, n: int = 3, tags: list[str] = []) -> float:  # noqa: B006
    return x * n


@MemoizedTask
def Weigh(x: float, weights: list[float]) -> float:
    return x * sum(weights)


@MemoizedTask
def Shift(field: Array[float], by: float) -> Array[float]:
    return field + by


def test_a_bound_type_gives_the_same_task_as_all_arguments_at_once() -> None:
    """Same type, digest and description, whether the values are fixed before or given later."""
    bound, whole = Analyze.bind(n=20)(x=1), Analyze(x=1, n=20)
    assert type(bound) is type(whole)
    assert bound == whole
    assert bound.full_digest == whole.full_digest
    assert bound.desc == whole.desc
    assert pickle.loads(pickle.dumps(bound)) == whole


def test_a_value_bound_at_the_default_of_the_function_is_still_left_out() -> None:
    """The function's default counts, not that of the bound type."""
    assert Analyze.bind(n=3)(x=1).digest == Analyze(1).digest
    assert Analyze.bind(n=20)(x=1, n=3).digest == Analyze(1).digest


def test_two_bound_types_share_nothing() -> None:
    """Each has its own values, copied when it was made; the original has none of them."""
    tags = ["a"]
    first, second = Analyze.bind(tags=tags), Analyze.partial(n=5)
    tags.append("b")
    third = first.bind(n=7)
    assert first(1).taskinputs.tags == ["a"]
    assert second(1).taskinputs.tags == []
    assert (first(1).n, second(1).n, third(1).n, Analyze(1).n) == (3, 5, 7, 3)  # type: ignore[attr-defined]


def test_bound_arguments_are_defaults() -> None:
    """They may be given all the same, by name or by position, and show in the signature."""
    bound = Analyze.bind(2.0)
    assert bound().x == 2.0  # type: ignore[attr-defined]
    assert bound(5.0) == bound(x=5.0) == Analyze(5.0)
    assert inspect.signature(bound).parameters["x"].default == 2.0


def test_values_are_checked_when_they_are_bound() -> None:
    """A wrong value or name is refused at once, with the name of the task."""
    with pytest.raises(InputError, match="Task 'Analyze': n does not take 'many'"):
        Analyze.bind(n="many")
    with pytest.raises(ArgumentError, match="has no argument 'm'"):
        Analyze.bind(m=1)


def test_a_missing_argument_mentions_bind() -> None:
    """The error says how to give some arguments now and the others later."""
    with pytest.raises(ArgumentError, match=r"Analyze\.bind\(\*\*some\)"):
        Analyze(n=3)  # type: ignore[call-arg]


def test_a_bound_type_takes_descriptions_of_its_tasks() -> None:
    """What the original type reads, it reads too."""
    task = Analyze(1.0, n=20)
    assert Analyze.bind(n=2).from_desc(task.desc) == task
    assert Analyze.bind(n=20).from_parameters({"x": 1}) == task


def test_map_gives_a_task_for_each_item() -> None:
    """Lists, ranges and iterators are run over side by side, all else is the same for each."""
    tasks = Analyze.map(x=[1, 2, 3], n=10, reason="sweep")
    assert tasks == [Analyze(x, 10) for x in (1, 2, 3)]
    assert [task.reason for task in tasks] == ["sweep"] * 3
    assert Analyze.map(x=[1, 2], n=range(5, 7)) == [Analyze(1, 5), Analyze(2, 6)]
    assert Analyze.map(x=iter([1, 2])) == [Analyze(1), Analyze(2)]
    assert Analyze.map(x=[]) == []


def test_map_runs_over_arrays_where_one_value_is_expected() -> None:
    """An array for an argument that takes an array is one value."""
    assert Analyze.map(x=np.linspace(0, 1, 3)) == [Analyze(0), Analyze(0.5), Analyze(1)]
    field = np.arange(3.0)
    assert Shift.map(field=field, by=[1, 2]) == [Shift(field, 1), Shift(field, 2)]


def test_a_list_that_is_one_value_is_bound_first() -> None:
    """What is bound is not run over, what is mapped may itself be a list."""
    assert Weigh.bind(weights=[1, 2]).map(x=[3, 4]) == [Weigh(3, [1, 2]), Weigh(4, [1, 2])]
    assert Weigh.map(x=1, weights=[[1, 2], [3]]) == [Weigh(1, [1, 2]), Weigh(1, [3])]


def test_map_takes_tasks() -> None:
    """Each item may be a task, as in a call."""
    mapped = Analyze.map(x=Analyze.map(x=[1, 2]))
    assert [task.upstream for task in mapped] == [(Analyze(1),), (Analyze(2),)]
    assert all(isinstance(task, Task) for task in mapped)


def test_map_refuses_what_it_cannot_run_over() -> None:
    """No list at all, and lists of unequal length, say what was found."""
    with pytest.raises(ArgumentError, match=r"Analyze\.map has no list to run over"):
        Analyze.map(x=1)
    with pytest.raises(ArgumentError, match="x: 2 items\n  n: 3 items"):
        Analyze.map(x=[1, 2], n=[1, 2, 3])
    with pytest.raises(ArgumentError, match="has no argument 'dt'"):
        Analyze.map(dt=[1])
