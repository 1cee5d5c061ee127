"""A result counts for the code that made it, that of its upstream tasks included."""

from __future__ import annotations

from typing import Any

import pytest

from smttask import config
from smttask.errors import CodeChangedWarning

UPSTREAM = """
from smttask import RecordedTask

@RecordedTask
def Load(x: float) -> float:
    return x + 1

@RecordedTask(on_code_change="ignore")
def LoadAny(x: float) -> float:
    return x + 1

@RecordedTask(cache=True)
def LoadCached(x: float) -> float:
    return x + 1
"""

DOWNSTREAM = """
from smttask import MemoizedTask, NonMemoizedTask, RecordedTask
from smttask.testing import count_call

@MemoizedTask
def Memoized(x: float) -> float:
    return x

@NonMemoizedTask
def Plain(x: float) -> float:
    return x

@RecordedTask
def Result(x: float) -> float:
    count_call()
    return x
"""


class Edited:
    """The modules after `upstream` was run, edited and loaded anew."""

    def __init__(self, project: Any) -> None:
        self.project = project
        old = project.load("upstream")
        for kind in (old.Load, old.LoadAny, old.LoadCached):
            kind(0).run()
        project.write({"upstream.py": UPSTREAM.replace("x + 1", "x + 100")})
        project.forget_modules()
        self.up, self.down = project.load("upstream"), project.load("downstream")


@pytest.fixture
def edited(scratch: Any) -> Edited:
    return Edited(scratch({"upstream.py": UPSTREAM, "downstream.py": DOWNSTREAM}))


@pytest.mark.filterwarnings("ignore::smttask.errors.CodeChangedWarning")
@pytest.mark.parametrize("between", ["Memoized", "Plain"])
def test_code_counts_through_tasks_that_are_not_recorded(edited: Edited, between: str) -> None:
    """What came of an old result through a task in memory is no result of today's code."""
    task = edited.down.Result(getattr(edited.down, between)(edited.up.Load(0)))
    assert task.run() == 1.0
    with config.use(on_code_change="recompute"):
        assert task.run() == 100.0
        assert getattr(edited.down, between)(edited.up.Load(0)).run() == 100.0


@pytest.mark.filterwarnings("ignore::smttask.errors.CodeChangedWarning")
def test_the_policy_holds_for_results_in_memory(edited: Edited) -> None:
    """A result of old code, loaded under one policy, is not found in memory under a stricter one."""
    assert edited.up.LoadCached(0).run() == 1.0
    with config.use(on_code_change="recompute"):
        assert edited.up.LoadCached(0).run() == 100.0


def test_a_result_of_an_old_upstream_result_that_counts_is_found_again(edited: Edited) -> None:
    """Where the upstream task ignores its changed code, the parent is computed once, not each time."""
    with config.use(on_code_change="recompute"):
        assert [edited.down.Result(edited.up.LoadAny(0)).run() for _ in range(3)] == [1.0] * 3
    assert edited.project.calls("Result") == 1


MODELS = """
from dataclasses import dataclass

@dataclass
class Model:
    k: float = 1.0

    def value(self) -> float:
        return 0.0

@dataclass
class Steep(Model):
    def value(self) -> float:
        return self.k * 2
"""

EVALUATE = """
from typing import Any
from models import Model
from smttask import RecordedTask

@RecordedTask
def Evaluate(model: Model) -> float:
    return model.value()

@RecordedTask
def EvaluateAll(models: list[Any]) -> float:
    return sum(model.value() for model in models)
"""


def test_the_code_of_a_derived_class_among_the_inputs_counts(scratch: Any) -> None:
    """A method of an object that is handed in is edited: noticed and named, whatever the annotation says."""
    project = scratch({"models.py": MODELS, "evaluate.py": EVALUATE})
    models, tasks = project.load("models"), project.load("evaluate")
    before = [tasks.Evaluate(models.Steep()), tasks.EvaluateAll([models.Steep()])]
    assert [task.run() for task in before] == [2.0, 2.0]
    plain = tasks.Evaluate(models.Model())
    plain.run()
    project.write({"models.py": MODELS.replace("self.k * 2", "self.k * 3")})
    project.forget_modules()
    models, tasks = project.load("models"), project.load("evaluate")
    for task in (tasks.Evaluate(models.Steep()), tasks.EvaluateAll([models.Steep()])):
        with pytest.warns(CodeChangedWarning, match=r"models:Steep\.value changed"):
            assert task.run() == 2.0
        with config.use(on_code_change="recompute"):
            assert task.run() == 3.0
    plain = tasks.Evaluate(models.Model())
    plain.run()
    assert plain.last_hit == "disk"
