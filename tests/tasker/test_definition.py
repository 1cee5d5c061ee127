"""Functions that become tasks of a folder, and those that cannot."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from smttask.errors import SignatureError
from smttask.tasker import JSON, Tasker


@pytest.fixture
def t(tmp_path: Path) -> Tasker:
    return Tasker(tmp_path)


def test_an_argument_without_default_is_refused(t: Tasker) -> None:
    """The message names argument and task, and what may stand there."""

    def mean(tsk, data):
        return 0

    with pytest.raises(SignatureError, match="Argument 'data' of task 'mean' has no default") as caught:
        t(mean)
    assert "write data=…: one of tasks, file names" in str(caught.value)


def test_a_function_without_arguments_is_refused(t: Tasker) -> None:
    """The first argument is the task."""
    for function in (lambda: 1, lambda *, tsk=1: 1):
        with pytest.raises(
            SignatureError, match="Task 'none' takes no argument for the task itself"
        ) as caught:
            t(_named(function, "none"))
        assert "def none(tsk)" in str(caught.value)


def test_any_number_of_arguments_is_refused(t: Tasker) -> None:
    """What goes in is named."""
    with pytest.raises(SignatureError, match="Task 'many' takes any number of arguments.\n  found: \\*args"):
        t(_named(lambda tsk, *args: 1, "many"))


def test_an_async_function_is_refused(t: Tasker) -> None:
    """A coroutine would be stored in the place of its value."""

    async def later(tsk):
        return 1

    with pytest.raises(SignatureError, match="Task 'later' is an async function"):
        t(later)


@pytest.mark.parametrize("thing", [3, dict, "f.txt"])
def test_what_is_no_function_is_refused(t: Tasker, thing: Any) -> None:
    """Such as the decorator `stores` without parentheses around its file name."""
    with pytest.raises(SignatureError, match="is no function, so it cannot become a task"):
        t(thing)


def test_two_decorators_above_one_function_are_refused(t: Tasker) -> None:
    """One says all."""
    with pytest.raises(SignatureError, match="'one' is a task already"):
        t.stores(JSON("a.json"))(t(_named(lambda tsk: 1, "one")))


def test_a_function_without_name_is_refused(t: Tasker) -> None:
    """A task is an attribute, so it has a name."""
    with pytest.raises(SignatureError, match="has no name that a task could have"):
        t(lambda tsk: 1)
    with pytest.raises(SignatureError, match="has no name that a task could have"):
        t(functools.partial(len))


def test_a_builtin_whose_arguments_nobody_knows_is_refused(t: Tasker) -> None:
    """It cannot be told what goes in."""
    with pytest.raises(SignatureError, match="The arguments of task 'getattr' are not known"):
        t(getattr)


@pytest.mark.parametrize("value", [object(), {1, 2}, ""])
def test_an_input_that_is_nothing_known_is_refused_with_its_place(t: Tasker, value: Any) -> None:
    """At whatever depth of lists and dicts."""
    with pytest.raises(SignatureError, match=r"Input x\['a'\]\[0\] of task 'odd' cannot go in") as caught:
        t(_named(lambda tsk, x={"a": [value]}: 1, "odd"))
    assert "other values come from conf" in str(caught.value)


def test_a_tasker_is_no_input(t: Tasker) -> None:
    """Its tasks are."""
    with pytest.raises(SignatureError, match="Input x of task 'odd' cannot go in"):
        t(_named(lambda tsk, x=t: 1, "odd"))


def test_an_input_that_holds_itself_is_refused(t: Tasker) -> None:
    """It would have no end."""
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(SignatureError, match="Input 'x' of task 'odd' holds itself"):
        t(_named(lambda tsk, x=loop: 1, "odd"))


@pytest.mark.parametrize("output", [3, ".", None])
def test_an_output_that_is_no_file_is_refused(t: Tasker, output: Any) -> None:
    """It is a name, or a file of a format."""
    with pytest.raises(SignatureError, match="Task 'odd' cannot store"):
        t.stores(output)(_named(lambda tsk: 1, "odd"))


def test_one_file_for_two_outputs_is_refused(t: Tasker) -> None:
    """The second value would overwrite the first, whatever the names look like."""
    with pytest.raises(SignatureError, match="Task 'odd' stores a file twice"):
        t.stores("a.json", JSON("./b/../a.json"))(_named(lambda tsk: 1, "odd"))


def test_stores_without_names_is_refused(t: Tasker) -> None:
    """`@t.stores` without parentheses says what is missing."""
    for outputs in [(), (_named(lambda tsk: 1, "odd"),)]:
        with pytest.raises(SignatureError, match="stores\\(\\) names no outputs"):
            t.stores(*outputs)


def test_create_task_takes_a_function_of_task_and_inputs(t: Tasker) -> None:
    """All inputs are one argument, in their shape."""

    @t.create_task({"n": [1, 2]}, JSON("a.json"))
    def both(tsk, ins):
        return ins

    assert both() == {"n": [1, 2]}
    assert both.ins == {"n": [1, 2]}
    with pytest.raises(SignatureError, match="Task 'odd' does not take two arguments.\n  found: tsk"):
        t.create_task([], [])(_named(lambda tsk: 1, "odd"))
    with pytest.raises(SignatureError, match="found: tsk, ins"):
        t.create_task([], [])(_named(lambda tsk, *, ins: 1, "odd"))


def test_arguments_by_position_and_by_name_are_given_as_declared(t: Tasker) -> None:
    """Whatever the kind of argument."""

    @t
    def mixed(tsk, one=1, /, two=2, *, three=3):
        return one, two, three

    assert mixed() == (1, 2, 3)


def _named(function: Any, name: str) -> Any:
    function.__name__ = name
    return function
