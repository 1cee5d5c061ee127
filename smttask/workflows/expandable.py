"""What stands in a collection for many values: the items of a sequence, or draws from a distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set, Sized
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar, cast, overload

import numpy as np

from smttask.errors import InputError, short_repr
from smttask.workflows.seeds import stable_words

__all__ = ["Expandable", "ExpandableDistribution", "ExpandableSequence", "expand", "is_distribution"]

T = TypeVar("T")

CHUNK = 64  # draws made at once, so that the draw at any place costs the same


class Expandable:
    """Stands in a `ParamColl` for many values; made by `expand`."""

    __slots__ = ()

    @property
    def length(self) -> float:
        """How many values; `math.inf` for a distribution."""
        raise AttributeError("length")


@dataclass(frozen=True, slots=True, repr=False)
class ExpandableSequence(Expandable, Sequence[Any]):
    """The values themselves, in order."""

    values: tuple[Any, ...]

    @property
    def length(self) -> float:
        """How many values."""
        return len(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __repr__(self) -> str:
        return f"expand({short_repr(list(self.values), length=80)})"


@dataclass(frozen=True, slots=True, repr=False)
class ExpandableDistribution(Expandable):
    """A frozen distribution of scipy, to be drawn from."""

    distribution: Any

    @property
    def length(self) -> float:
        """`math.inf`."""
        return inf

    def draws(self, key: object) -> Callable[[int], Any]:
        """Gives the draw at any place in the endless series that `key` decides.

        Each 64 draws have a generator of their own, ``PCG64``, seeded by `key` and
        their place, so that a slice is what it is in the whole.
        """
        known: dict[int, Any] = {}

        def draw(index: int) -> Any:
            chunk, place = divmod(index, CHUNK)
            if chunk not in known:
                words = stable_words((key, chunk), 4)
                random = np.random.Generator(np.random.PCG64(words))
                known.clear()
                known[chunk] = self.distribution.rvs(size=CHUNK, random_state=random)
            return known[chunk][place]

        return draw

    def __repr__(self) -> str:
        return f"expand({_distribution_text(self.distribution)})"


def _distribution_text(distribution: Any) -> str:
    name = getattr(getattr(distribution, "dist", None), "name", None)
    if name is None:
        return short_repr(distribution, length=80)
    given = [
        *map(str, getattr(distribution, "args", ())),
        *(f"{key}={value}" for key, value in getattr(distribution, "kwds", {}).items()),
    ]
    return f"{name}({', '.join(given)})"


def is_distribution(value: object) -> bool:
    """Whether `value` is a frozen distribution of scipy.stats, with one or many variables."""
    # scipy has no public names for these classes; nothing of it is imported here.
    return any(
        cls.__module__.startswith("scipy.stats") and "frozen" in cls.__name__.lower()
        for cls in type(value).__mro__
    )


@overload
def expand(values: Sequence[T]) -> T: ...
@overload
def expand(values: Any) -> Any: ...
def expand(values: Any) -> Any:
    """Many values for one parameter of a `ParamColl`; see its `inner` and `outer`.

    To a type checker it is one of the values, so that it fits the parameter.

    Parameters
    ----------
    values
        A sequence, an array (of which the first axis is expanded), or a frozen
        distribution of scipy.stats. Values may be tasks.

    Raises
    ------
    InputError
        If `values` is none of these; text, sets and iterators are not.

    Examples
    --------
    >>> expand([1, 2, 3])
    expand([1, 2, 3])
    """
    if isinstance(values, Expandable):
        return values
    if is_distribution(values):
        return ExpandableDistribution(values)
    is_series = isinstance(values, Iterable) and isinstance(values, Sized) and hasattr(values, "__getitem__")
    refused = isinstance(values, str | bytes | bytearray | Mapping | Set)
    if not is_series or refused or getattr(values, "ndim", 1) == 0:
        raise InputError(
            f"{short_repr(values)} cannot be expanded.",
            f"found: {type(values).__qualname__}\n"
            "expected: a sequence, an array or a frozen distribution of scipy.stats",
            "put the values in a list; freeze a distribution by calling it, as in stats.norm(0, 1)",
        )
    return ExpandableSequence(tuple(cast("Iterable[Any]", values)))
