"""Tasks as small as tasks can be: what is measured is everything but their work."""

from smttask import RecordedTask


@RecordedTask
def Square(x: float, n: int = 2) -> float:
    """A number -> its power."""
    return x**n


@RecordedTask
def Scalars(x: float, n: int, label: str) -> float:
    """Three scalars -> one of them."""
    return x
