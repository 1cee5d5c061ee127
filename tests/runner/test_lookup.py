"""A hit: the stored result that serves, and what is said when its code changed."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from smttask import config
from smttask.errors import (
    CodeChangedError,
    CodeChangedWarning,
    DamagedResultWarning,
    ResultNotFoundError,
)

HELPERS = "def power(x: float) -> float:\n    return x**2\n"
TASKS = """
from smttask import MemoizedTask, RecordedTask
from smttask.testing import count_call
from helpers import power

@RecordedTask
def Square(x: float) -> float:
    count_call()
    return power(x)

@RecordedTask
def Twice(x: float) -> float:
    count_call()
    return 2 * x

@RecordedTask(on_code_change="recompute")
def Anew(x: float) -> float:
    count_call()
    return power(x)
"""


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS, "helpers.py": HELPERS})


def change(lab: Any, old: str, new: str) -> Any:
    lab.write({"helpers.py": HELPERS.replace(old, new)})
    return lab.reload("tasks")


def test_a_result_by_other_code_is_loaded_and_the_changed_function_named_once(lab: Any) -> None:
    """The default policy warns once per task and change."""
    lab.load("tasks").Square(3).run()
    tasks = change(lab, "**2", "**3")
    with pytest.warns(
        CodeChangedWarning, match="'Square' loads .* other code: helpers:power changed"
    ) as told:
        assert [tasks.Square(3).run(), tasks.Square(3).run()] == [9.0, 9.0]
    assert len(told) == 1
    assert lab.calls("Square") == 1


def test_the_policy_of_a_task_stands_above_that_of_the_settings(lab: Any) -> None:
    """on_code_change="recompute" at the decorator computes anew, and both results are kept."""
    lab.load("tasks").Anew(3).run()
    tasks = change(lab, "**2", "**3")
    assert tasks.Anew(3).run() == 27.0
    tasks = change(lab, "**2", "**2")
    assert tasks.Anew(3).run() == 9.0
    assert lab.calls("Anew") == 2


def test_the_policy_error_refuses_and_names_both_ways_out(lab: Any) -> None:
    """Nothing is loaded or computed."""
    lab.load("tasks").Square(3).run()
    tasks = change(lab, "**2", "**3")
    with (
        config.use(on_code_change="error"),
        pytest.raises(CodeChangedError, match="made by other code") as caught,
    ):
        tasks.Square(3).run()
    assert caught.value.changed == ("helpers:power changed",)  # type: ignore[attr-defined]
    assert lab.calls("Square") == 1


def test_the_policy_holds_for_single_outputs_too(lab: Any) -> None:
    """What load() would not give, get_output() does not give; has_run does not ask for the code."""
    lab.load("tasks").Anew(3).run()
    task = change(lab, "**2", "**3").Anew(3)
    with pytest.raises(ResultNotFoundError):
        task.load()
    with pytest.raises(ResultNotFoundError):
        task.get_output()
    assert task.has_run


def test_the_policy_ignore_says_nothing(lab: Any) -> None:
    """The result is loaded."""
    lab.load("tasks").Square(3).run()
    tasks = change(lab, "**2", "**3")
    with config.use(on_code_change="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tasks.Square(3).run() == 9.0


def test_changed_code_of_an_upstream_task_is_named(lab: Any) -> None:
    """The task itself is as it was, the task among its inputs is not."""
    tasks = lab.load("tasks")
    tasks.Twice(tasks.Square(3)).run()
    tasks = change(lab, "**2", "**3")
    with pytest.warns(CodeChangedWarning, match=r"helpers:power changed \(in upstream task Square"):
        assert tasks.Twice(tasks.Square(3)).run() == 18.0


def test_changed_code_behind_an_upstream_task_is_named_as_its_own(lab: Any) -> None:
    """The task in between, whose own functions are as they were, is not blamed."""
    tasks = lab.load("tasks")
    tasks.Twice(tasks.Twice(tasks.Square(3))).run()
    tasks = change(lab, "**2", "**3")
    with pytest.warns(
        CodeChangedWarning, match=r"code: helpers:power changed \(in upstream task Square \w+\)\. "
    ):
        assert tasks.Twice(tasks.Twice(tasks.Square(3))).run() == 36.0


def test_a_result_of_an_old_upstream_value_says_so_as_long_as_it_is_used(lab: Any) -> None:
    """A new result made from an old upstream result is not passed off as made by the code of today."""
    tasks = lab.load("tasks")
    tasks.Square(3).run()
    tasks = change(lab, "**2", "**3")
    with pytest.warns(CodeChangedWarning, match="'Square'"):
        assert tasks.Twice(tasks.Square(3)).run() == 18.0
    with pytest.warns(CodeChangedWarning, match="'Twice' .*upstream task Square"):
        assert tasks.Twice(tasks.Square(3)).run() == 18.0
    assert lab.calls("Twice") == 1


def test_comments_and_docstrings_change_nothing(lab: Any) -> None:
    """They are no code."""
    lab.load("tasks").Square(3).run()
    tasks = change(
        lab, "def power(x: float) -> float:\n", 'def power(x: float) -> float:\n    """Doc."""  # why\n\n'
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tasks.Square(3).run() == 9.0


def test_a_default_added_later_keeps_results_and_a_changed_one_does_not(lab: Any) -> None:
    """Also for the tasks that depend on it."""
    tasks = lab.load("tasks")
    tasks.Twice(tasks.Square(3)).run()
    added = TASKS.replace("def Square(x: float)", "def Square(x: float, n: int = 0)")
    lab.write({"tasks.py": added})
    tasks = lab.reload("tasks")
    with config.use(on_code_change="ignore"):
        assert tasks.Twice(tasks.Square(3)).run() == 18.0
        assert (lab.calls("Square"), lab.calls("Twice")) == (1, 1)
        lab.write({"tasks.py": added.replace("n: int = 0", "n: int = 1")})
        tasks = lab.reload("tasks")
        tasks.Twice(tasks.Square(3)).run()
    assert (lab.calls("Square"), lab.calls("Twice")) == (1, 1)


def test_a_default_that_stood_in_a_result_and_changed_is_computed_anew(lab: Any) -> None:
    """The old result is found again when the default goes back."""
    text = TASKS.replace("def Square(x: float)", "def Square(x: float, n: int = 0)")
    with config.use(on_code_change="ignore"):
        for n, calls in ((0, 1), (1, 2), (0, 2), (1, 2)):
            lab.write({"tasks.py": text.replace("n: int = 0", f"n: int = {n}")})
            tasks = lab.reload("tasks")
            tasks.Twice(tasks.Square(3)).run()
            assert (lab.calls("Square"), lab.calls("Twice")) == (calls, calls)


def test_a_damaged_result_is_reported_kept_aside_and_computed_anew(lab: Any) -> None:
    """One flipped byte in a manifest is noticed."""
    tasks = lab.load("tasks")
    task = tasks.Square(3)
    task.run()
    path = task.resultpaths[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 1
    path.write_bytes(data)
    with pytest.warns(DamagedResultWarning, match=r"\.damaged"):
        assert not task.has_run
    assert tasks.Square(3).run() == 9.0
    assert lab.calls("Square") == 2


def test_a_deleted_result_is_an_ordinary_miss(lab: Any) -> None:
    """Nothing is reported."""
    task = lab.load("tasks").Square(3)
    task.run()
    task.resultpaths[0].unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert task.run() == 9.0
    assert lab.calls("Square") == 2
