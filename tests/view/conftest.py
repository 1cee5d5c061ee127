from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest

from smttask import RSView
from smttask.testing import scratch_project

LAB = '''
"""Tasks of a small laboratory."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from smttask import MemoizedTask, RecordedTask, TaskOutput
from smttask.typing import Array


class Mode(Enum):
    FAST = "f"
    SLOW = "s"


@dataclass
class Model:
    sigma: float
    n: int = 3


class Spectrum(TaskOutput):
    peak: float
    power: Array[float, 1]


@MemoizedTask
def Load(seed: int) -> Array[float, 1]:
    return np.arange(4.0) + seed


@RecordedTask
def Detrend(series: Array[float, 1], degree: int = 1) -> Array[float, 1]:
    return np.asarray(series) - degree


@RecordedTask
def Analyze(series: Array[float, 1], model: Model, mode: Mode = Mode.FAST, größe: float = 1.0) -> Spectrum:
    print("analyzing")
    return Spectrum(peak=model.sigma * größe, power=np.asarray(series) ** 2)


@RecordedTask
def Square(x: float, tags: list[str] = ["a"]) -> float:
    if x < 0:
        raise ValueError("negative <x>")
    return x**2
'''


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A project with seven runs: four of Square (one crashed), Detrend, and two of Analyze on top of it.

    Tests only look at it; its module is `lab.tasks`, its tasks `lab.flat` and `lab.deep`.
    """
    with scratch_project(tmp_path_factory.mktemp("lab") / "project", {"labtasks.py": LAB}) as scratch:
        tasks: ModuleType = scratch.load("labtasks")
        for x in (1.0, 2.0, 3.0):
            tasks.Square(x=x, reason=f"x is {x} <b>").run()
        with pytest.raises(ValueError):
            tasks.Square(x=-1).run()
        flat = tasks.Detrend(series=tasks.Load(seed=7), degree=2)
        deep = tasks.Analyze(series=flat, model=tasks.Model(0.25))
        deep.run()
        tasks.Analyze(series=[1.0, 2.0], model=tasks.Model(4, n=9), mode="s", größe=2.0).run()
        yield SimpleNamespace(scratch=scratch, tasks=tasks, flat=flat, deep=deep, view=RSView())
