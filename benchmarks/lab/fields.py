"""Tasks with a large argument or result, which costs nothing to make."""

from benchmarks.field import prepared
from smttask import RecordedTask
from smttask.typing import Array


@RecordedTask
def Field(i: int) -> Array:
    """A number -> the prepared array."""
    return prepared()


@RecordedTask
def Mean(arr: Array) -> float:
    """An array -> its mean."""
    return float(arr.mean())
