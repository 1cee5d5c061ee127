"""Tasks are found and replaced at any depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict

from smttask import NonMemoizedTask, config
from smttask.errors import InputError
from smttask.tasks.composition import find_tasks, iter_leaves, with_values


@NonMemoizedTask
def One(x: int) -> int:
    return x


@dataclass(frozen=True)
class Setup:
    sigma: Any
    others: Any = ()


class Pair(NamedTuple):
    a: Any
    b: Any


class Model(BaseModel):
    model_config = ConfigDict(extra="allow")
    sigma: float
    n: int = 3


@NonMemoizedTask
def Show(model: Model) -> str:
    return repr(model)


@NonMemoizedTask
def Word() -> str:
    return "word"


@NonMemoizedTask
def Append(lists: list[Any]) -> list[Any]:
    lists[1].append(3)
    return lists


def test_tasks_are_found_in_every_kind_of_container() -> None:
    """Lists, tuples, dicts, sets, named tuples, dataclasses and models are searched, at any depth."""
    places = [
        One(1),
        [One(1)],
        (0, {"k": [One(1)]}),
        {One(1)},
        Setup([One(1)]),
        Pair(0, Setup(0, (One(1),))),
        [Model.model_construct(sigma=1.0, more={"k": One(1)})],
    ]
    for place in places:
        assert find_tasks(place) == [One(1)], place


def test_a_task_that_stands_twice_is_found_once_in_order() -> None:
    """Equal tasks are one computation."""
    assert find_tasks([One(2), One(1), One(2)]) == [One(2), One(1)]


def test_arrays_and_plain_values_hold_no_tasks() -> None:
    """Arrays and text are never searched."""
    assert find_tasks(np.array([1.0])) == find_tasks("text") == find_tasks([1.0] * 1000) == []


def test_values_take_the_places_of_tasks_and_containers_keep_their_type() -> None:
    """What holds a task is built anew with its own type; the original is untouched."""
    original = {"a": [One(1), 5], "b": Pair(One(2), Setup(One(3), (1,)))}
    replaced = with_values(original, lambda task: task.x * 10)  # type: ignore[attr-defined]
    assert replaced == {"a": [10, 5], "b": Pair(20, Setup(30, (1,)))}
    assert isinstance(replaced["b"], Pair)
    assert original["a"] == [One(1), 5]


def test_a_model_takes_the_results_of_its_tasks_or_refuses_them() -> None:
    """A model given as a dict with tasks is validated when their results are there."""
    given: Any = {"sigma": One(1), "unit": One(2)}
    assert Show(given).run() == "Model(sigma=1.0, n=3, unit=2)"
    with pytest.raises(InputError, match=r"Model Model does not take the results(.|\n)*sigma"):
        Show(model=Model.model_construct(sigma=Word())).run()


def test_a_function_cannot_change_what_stands_beside_a_task() -> None:
    """Lists beside a task among the inputs are handed out as copies."""
    task = Append([One(1), [1, 2]])
    assert task.run() == task.run() == [1, [1, 2, 3]]
    assert task.raw_inputs["lists"][1] == [1, 2]


def test_a_value_without_tasks_is_returned_as_it_is() -> None:
    """Nothing is copied in vain."""
    value = [1, [2.0, "x"]]
    assert with_values(value, lambda task: 0) is value


def test_leaves_are_what_is_no_container() -> None:
    """Containers of nothing but numbers and text are passed over whole."""
    leaf = range(3)
    assert list(iter_leaves([[1, 2.0], {"a": ("text", leaf)}, {}])) == ["text", leaf]


class Huge(list[Any]):
    """Costs much to search."""

    def __iter__(self) -> Any:
        raise AssertionError("searched")


def test_terminating_types_are_never_searched() -> None:
    """Neither they nor their subclasses; given as types or by name."""
    inside = [Huge([One(1)]), Setup([One(2)]), [One(3)]]
    for chosen in ({Huge, Setup}, f"{__name__}.Huge,{__name__}.Setup"):
        with config.use(terminating_types=chosen):
            assert find_tasks(inside) == [One(3)]
            assert list(iter_leaves(inside[0])) == [inside[0]]
            assert with_values(inside, lambda task: 0)[:2] == inside[:2]
    assert len(find_tasks(inside[1:])) == 2
