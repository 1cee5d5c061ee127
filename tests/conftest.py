"""A small laboratory for the tests of several rooms."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smttask.testing import ScratchProject, scratch_project

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
def laboratory(tmp_path) -> Iterator[ScratchProject]:
    """A project, ``tmp_path/lab``, whose module ``tasks`` has a task of each kind; nothing was run."""
    with scratch_project(tmp_path / "lab", {"tasks.py": LAB}) as scratch:
        yield scratch
