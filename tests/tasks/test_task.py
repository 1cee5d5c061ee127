"""A task object: its identity, what it shows, and how it travels."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from pydantic import BaseModel

from smttask import Failed, NonMemoizedTask, Task, config
from smttask.errors import ArgumentError, InputError, ResultNotFoundError


@NonMemoizedTask
def Square(x: float, n: int = 2) -> float:
    """Square a number."""
    return x**n


@NonMemoizedTask
def Total(xs: list[float]) -> float:
    return sum(xs)


@NonMemoizedTask
def Fail(x: float) -> float:
    raise RuntimeError("no luck")


class Plan(BaseModel):
    task: Task[Any]


def test_reason_is_kept_and_does_not_change_the_digest() -> None:
    """Why a task is run is for the record alone."""
    task = Square(3, reason="first look")  # type: ignore[call-arg]
    assert task.reason == "first look"
    assert task.digest == Square(3).digest


def test_a_reason_is_a_text() -> None:
    """A list of words would stand in the record as Python writes it."""
    for make in (lambda: Square(3, reason=["a"]), lambda: Square(3).run(reason=["a"])):  # type: ignore[call-arg,arg-type]
        with pytest.raises(ArgumentError, match="A reason is no list"):
            make()


def test_defaults_do_not_enter_the_digest_but_the_full_digest() -> None:
    """An argument at its default leaves the digest as it was before the argument existed."""
    assert Square(3).digest == Square(3, n=2).digest
    assert Square(3).defaulted == ("n",)
    assert Square(3, n=3).digest != Square(3).digest
    assert Square(3, n=3).full_digest != Square(3).full_digest


def test_tasks_compare_and_hash_by_digest() -> None:
    """Equal tasks are one key of a dict; tasks of other functions are never equal."""

    @NonMemoizedTask
    def Other(x: float, n: int = 2) -> float:
        return x

    assert {Square(3), Square(3.0)} == {Square(3)}
    assert Square(3) != Other(3)
    assert Square(3) != "text"


def test_inputs_are_attributes_where_no_method_has_the_name() -> None:
    """Unknown attributes say which task was asked."""
    assert Square(3).x == 3.0
    assert "x" in dir(Square(3))
    with pytest.raises(AttributeError, match="task 'Square' has no attribute or input 'z'"):
        _ = Square(3).z


def test_inputs_cannot_be_set_on_the_task() -> None:
    """A task that said one thing and was another would be found under the wrong digest."""
    task = Square(3)
    with pytest.raises(AttributeError, match="'x' cannot be set; construct another task"):
        task.x = 4  # type: ignore[attr-defined]
    assert (task.x, task.taskinputs.x) == (3.0, 3.0)  # type: ignore[attr-defined]


def test_tasks_stand_for_their_values_and_convert_on_arrival() -> None:
    """A list of floats takes tasks; their results are validated when they arrive."""
    assert Total([Square(2), 1]).run() == 5.0  # type: ignore[list-item]
    assert Total([Square(2).as_input, 1]).load_inputs().xs == [4.0, 1.0]


def test_a_result_that_does_not_fit_where_its_task_stands_is_refused() -> None:
    """The error names task and input."""

    @NonMemoizedTask
    def Text(x: int) -> str:
        return "a"

    with pytest.raises(InputError) as caught:
        Total([Text(1).as_input]).run()  # type: ignore[list-item]
    assert "put into Total(xs=…)" in caught.value.__notes__[-1]


def test_tasks_pickle_and_copy() -> None:
    """A task travels to other processes with all that it depends on; a copy is the task itself."""
    task = Total([Square(2), Square(3)])  # type: ignore[list-item]
    again = pickle.loads(pickle.dumps(task))
    assert (again, again.run()) == (task, 13.0)
    assert copy.copy(task) is copy.deepcopy(task) is task


def test_a_task_is_a_field_of_a_model() -> None:
    """It dumps to its description and validates from it, also as JSON."""
    plan = Plan(task=Square(3))
    assert Plan.model_validate(plan.model_dump()) == plan
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_displays_name_task_digest_reason_and_inputs() -> None:
    """Terminal and notebook show the same; everything is escaped."""
    task = Total([Square(2)], reason="<b>why</b>")  # type: ignore[list-item,call-arg]
    assert repr(task) == "Total(xs=[Square(x=2.0, n=2)])"
    text = task.describe()
    assert task.digest in text
    assert "<b>why</b>" in text
    assert "&lt;b&gt;why" in task._repr_html_()


def test_a_task_of_its_own_results_in_load_error() -> None:
    """load() never computes; it says what to call instead."""
    with pytest.raises(ResultNotFoundError, match="No stored result for task 'Square'(.|\n)*call task.run()"):
        Square(3).load()
    assert not Square(3).has_run
    Square(3).clear()


def test_errors_are_raised_or_returned_as_configured() -> None:
    """`on_error = "return"` gives a falsy object that holds the error."""
    with pytest.raises(RuntimeError, match="no luck"):
        Fail(1).run()
    with config.use(on_error="return"):
        failed: Any = Fail(1).run()
    assert isinstance(failed, Failed)
    assert not failed
    assert "RuntimeError: no luck" in repr(failed)


def test_parameters_come_from_a_mapping_or_a_file(tmp_path: Any) -> None:
    """JSON, TOML and YAML files give the same task; what is no parameters says so."""
    files = {"p.json": '{"x": 3}', "p.toml": "x = 3", "p.yaml": "x: 3"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        assert Square.from_parameters(tmp_path / name) == Square(3)
    assert Square.from_parameters({"x": 3}) == Square(3)
    for name, text in {"q.json": "[1]", "r.json": "{", "s.yaml": "a: ["}.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=name):
            Square.from_parameters(tmp_path / name)
    with pytest.raises(ArgumentError):
        Square.from_parameters({"z": 3})
