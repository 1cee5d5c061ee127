from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest

from smttask.testing import scratch_project

LAB = """
import numpy as np

from smttask import RecordedIterativeTask, RecordedTask, TaskOutput
from smttask.typing import Array


@RecordedTask
def Square(x: float) -> float:
    print("squaring")
    if x < 0:
        raise ValueError("negative")
    return x**2


@RecordedTask
def Ramp(x: float, n: int = 20_000) -> Array[float, 1]:
    return np.arange(float(n)) * x


class Grown(TaskOutput):
    n: int
    size: float


@RecordedIterativeTask("n", map={"size": "size"})
def Grow(n: int, size: float = 1.0) -> Grown:
    return Grown(n=n, size=size * 2)
"""


@pytest.fixture
def lab(tmp_path) -> Iterator[SimpleNamespace]:
    """A project with a few runs: two of Square, one of Ramp that needs one of them."""
    with scratch_project(tmp_path, {"tasks.py": LAB}) as scratch:
        tasks: ModuleType = scratch.load("tasks")
        four = tasks.Square(2.0, reason="first")
        ramp = tasks.Ramp(four)
        ramp.run()
        tasks.Square(3.0).run()
        yield SimpleNamespace(
            scratch=scratch, project=scratch.project, tasks=tasks, root=scratch.root, four=four, ramp=ramp
        )
