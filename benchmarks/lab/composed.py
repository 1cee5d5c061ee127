"""Tasks of other kinds, as small as they can be: iterations, several arrays, tasks among the inputs."""

import numpy as np
from lab import Square

from smttask import MemoizedTask, RecordedIterativeTask, RecordedTask, TaskOutput
from smttask.typing import Array


class Grown(TaskOutput):
    """A size, and after how many iterations."""

    n: int
    size: float


class Fields(TaskOutput):
    """Three arrays."""

    a: Array[float]
    b: Array[float]
    c: Array[float]


@RecordedIterativeTask("n", map={"n": "start", "size": "size"})
def Grow(n: int, x: float, size: float = 1.0, start: int = 0) -> Grown:
    """A number -> what so many steps make of it."""
    for _ in range(start, n):
        size = x * size * (1 - size)
    return Grown(n, size)


@MemoizedTask
def Given(size: float) -> float:
    """A size that is not needed where there is something to continue from."""
    return size


@RecordedTask
def Three(x: float, n: int = 1000) -> Fields:
    """A number -> three arrays that start with it."""
    a = np.linspace(x, x + 1, n)
    return Fields(a, a + 1, a + 2)


@RecordedTask
def Sum(x: float, y: float, z: float) -> float:
    """Three numbers -> their sum."""
    return x + y + z


def three_squares(number: int) -> tuple[Square, Square, Square]:
    """Three tasks whose results are the inputs of another."""
    return Square(number), Square(number + 0.25), Square(number + 0.5)
