"""Where a collection is expandable, how many collections it gives, and which value stands at which place."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from itertools import count
from math import inf, prod
from typing import Any, NamedTuple

from smttask.errors import InputError
from smttask.workflows.expandable import Expandable, ExpandableDistribution, ExpandableSequence

__all__ = [
    "Leaf",
    "Path",
    "Place",
    "indices",
    "inner_len",
    "inner_places",
    "outer_len",
    "outer_places",
    "slice_of",
]

Path = tuple[str, ...]
Place = Callable[[int], int]


class Leaf(NamedTuple):
    """Something expandable in a collection: where it stands, and the seeds around it."""

    value: Expandable
    path: Path
    seeds: tuple[Any, ...]

    @property
    def length(self) -> float:
        """How many values; `math.inf` for draws."""
        return self.value.length

    @property
    def place(self) -> str:
        """Where it stands, as a dotted name."""
        return ".".join(self.path)

    def getter(self) -> Callable[[int], Any]:
        """Gives the value at a place."""
        if isinstance(self.value, ExpandableDistribution):
            return self.value.draws((self.seeds, self.path))
        return typing.cast("ExpandableSequence", self.value).__getitem__


def outer_len(leaves: Iterable[Leaf]) -> int | None:
    """How many combinations there are; None if there is no end and nothing else."""
    lengths = [leaf.length for leaf in leaves]
    finite = [int(length) for length in lengths if length != inf]
    return None if lengths and not finite else prod(finite)


def inner_len(leaves: Iterable[Leaf]) -> float | None:
    """The common length, where one value goes with any number; None if there is none."""
    lengths = {leaf.length for leaf in leaves}
    several = lengths - {1, inf}
    if len(several) > 1:
        return None
    if several:
        return several.pop()
    return inf if lengths == {inf} else 1


def outer_places(leaves: list[Leaf]) -> list[Place]:
    """For each leaf, the place of its value at a place in the product; the last leaf changes fastest."""
    places: list[Place] = []
    size = 1
    for leaf in reversed(leaves):
        length = 1 if leaf.length == inf else int(leaf.length)
        places.append(_same if leaf.length == inf else _digit(size, length))
        size *= length
    return places[::-1]


def inner_places(leaves: list[Leaf]) -> list[Place]:
    """For each leaf, the place of its value when all go in step."""
    return [_first if leaf.length == 1 else _same for leaf in leaves]


def _digit(size: int, length: int) -> Place:
    """Place in one sequence at a place in the whole product, where `size` combinations follow it."""
    return lambda index: index // size % length


def _same(index: int) -> int:
    return index


def _first(index: int) -> int:
    return 0


def indices(length: float, bounds: slice) -> Iterable[int]:
    """Places before `length`, which may be infinite, that `bounds` asks for."""
    begin, by = bounds.start or 0, 1 if bounds.step is None else bounds.step
    end = length if bounds.stop is None else min(bounds.stop, length)
    if begin < 0 or by < 1 or end < 0:
        raise InputError(
            "A slice of a collection counts from its beginning.",
            f"found: start {begin}, stop {end:g}, step {by}",
            "give numbers from 0 on and a step from 1 on",
        )
    return count(begin, by) if end == inf else range(begin, int(end), by)


def slice_of(bounds: tuple[int | None, ...], **named: int | None) -> slice:
    """The slice that numbers as of `range`, or named ones, mean; one number alone is the stop.

    Examples
    --------
    >>> slice_of((5,)), slice_of((2, None)), slice_of((2,), stop=8), slice_of((), start=7)
    (slice(None, 5, None), slice(2, None, None), slice(2, 8, None), slice(7, None, None))
    """
    if len(bounds) == 1 and named.get("stop") is not None:
        bounds = (*bounds, None)
    placed = slice(*bounds) if bounds else slice(None)
    numbers = []
    for name in ("start", "stop", "step"):
        one, other = getattr(placed, name), named.get(name)
        if one is not None and other is not None:
            raise InputError(
                "A slice of a collection has one start, one stop and one step.",
                f"found: {name} {one} and {name}={other}",
                "give each number once",
                argument=name,
            )
        numbers.append(one if other is None else other)
    return slice(*numbers)
