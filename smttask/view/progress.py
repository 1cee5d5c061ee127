"""How far a long look at many records has come: told after a second, where somebody watches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from smttask.headway import progress

__all__ = ["watched"]

T = TypeVar("T")


def watched(items: Iterable[T], n_items: int, what: str = "records") -> Iterator[T]:
    """Yield `items`, and show progress from the second second on, in a terminal or a notebook.

    In a terminal a line on stderr, which is erased at the end; where stderr is a file
    or a pipe, nothing. The time that the caller takes for each item counts, too.

    Parameters
    ----------
    n_items
        How many there are.
    what
        What they are, in the plural.

    Examples
    --------
    >>> list(watched("abc", 3))
    ['a', 'b', 'c']
    """
    return progress(items, n_items, what=what)
