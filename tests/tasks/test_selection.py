"""Tasks by module and by record, and results dropped from memory."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest

from smttask import (
    Create,
    Join,
    MemoizedTask,
    RecordedTask,
    RSView,
    clear_task_cache,
    find_tasks,
    task_from_record,
    tasks_have_run,
)
from smttask.errors import ArgumentError, RecordNotFoundError

calls: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    calls.clear()
    clear_task_cache()


@MemoizedTask
def Half(x: float) -> float:
    calls.append("half")
    return x / 2


@RecordedTask(name="selection.double")
def Double(x: float) -> float:
    calls.append("double")
    return x * 2


TASKS = """
from smttask import RecordedTask
@RecordedTask
def Square(x: float) -> float:
    return x * x
"""


def test_find_tasks_lists_the_types_of_modules_and_namespaces() -> None:
    """Those defined or imported there, each once; base classes and Join are none of them."""
    module = sys.modules[__name__]
    assert find_tasks(module) == [Half, Double]
    assert find_tasks(vars(module), {"again": Half, "made": Create(dict), "Join": Join, "x": 1}) == [
        Half,
        Double,
        Create(dict),
    ]
    with pytest.raises(ArgumentError, match="find_tasks takes modules and namespaces"):
        find_tasks("tasks")  # type: ignore[arg-type]


def test_tasks_have_run_tells_which_have_not(caplog: pytest.LogCaptureFixture) -> None:
    """In the log, unless told not to; nothing is computed."""
    tasks = Half.map(x=[1, 2])
    tasks[0].run()
    with caplog.at_level(logging.WARNING, logger="smttask"):
        assert not tasks_have_run(tasks)
    assert f"1 tasks have no result yet: Half ({tasks[1].digest})" in caplog.text
    caplog.clear()
    assert not tasks_have_run(tasks, warn=False)
    tasks[1].run()
    assert tasks_have_run(tasks)
    assert tasks_have_run([])
    assert not caplog.text


def test_tasks_have_run_takes_one_task_too() -> None:
    """A single task is asked itself; what is no task is refused, a type of tasks too."""
    assert not tasks_have_run(Half(1), warn=False)
    Half(1).run()
    assert tasks_have_run(Half(1))
    for strange in (Half, [Half(1), Half], 3):
        with pytest.raises(
            ArgumentError, match="(?s)tasks_have_run takes tasks.*called with its inputs first"
        ):
            tasks_have_run(strange)  # type: ignore[arg-type]


@pytest.mark.parametrize("which", [Half, Half(1), "Half", f"{__name__}.Half"])
def test_clear_task_cache_drops_results_of_one_kind(which: Any) -> None:
    """By type, task or name; others stay."""
    Half(1).run()
    Double(1).run(record=False)
    clear_task_cache(which)
    assert not Half(1).has_run
    Half(1).run()
    Double(1).run(record=False)
    assert calls == ["half", "double", "half"]


def test_clear_task_cache_drops_all_results() -> None:
    """Without arguments; what is no task is refused."""
    Half(1).run()
    Half(2).run()
    clear_task_cache()
    assert not tasks_have_run([Half(1), Half(2)], warn=False)
    with pytest.raises(ArgumentError, match="clear_task_cache takes tasks"):
        clear_task_cache(3)  # type: ignore[arg-type]


def test_a_task_comes_back_from_its_record(scratch: Any) -> None:
    """By view, label, or a part of the label; the latest run where several fit."""
    lab = scratch({"tasks.py": TASKS})
    tasks = lab.load("tasks")
    task, other = tasks.Square(2), tasks.Square(3)
    task.run()
    other.run()
    assert task_from_record(RSView().latest) == other
    assert task_from_record(task.record.label) == task
    assert task_from_record(task.digest[:6]) == task
    assert task_from_record(task.record.label[:8]) == other
    for missing in ("nowhere", ""):
        with pytest.raises(RecordNotFoundError, match=f"No record is called '{missing}'"):
            task_from_record(missing)
