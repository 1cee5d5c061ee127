"""What stands inside nested lists, tuples and dicts, and the same shape with other things in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["leaves", "with_leaves"]


def leaves(tree: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what stands in `tree` and is no list, tuple or dict, in order, each with its place.

    Parameters
    ----------
    place
        What `tree` itself is called.

    Raises
    ------
    RecursionError
        If a container holds itself.

    Examples
    --------
    >>> list(leaves({"a": 1, "b": [2, (3,)]}, "x"))
    [("x['a']", 1), ("x['b'][0]", 2), ("x['b'][1][0]", 3)]
    """
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from leaves(value, f"{place}[{key!r}]")
    elif isinstance(tree, list | tuple):
        for number, value in enumerate(tree):
            yield from leaves(value, f"{place}[{number}]")
    else:
        yield place, tree


def with_leaves(tree: Any, replace: Callable[[Any], Any]) -> Any:
    """Build the shape of `tree` anew, with what `replace` makes of each leaf in its place.

    Named tuples stay named tuples; any other mapping becomes a dict.

    Examples
    --------
    >>> with_leaves({"a": 1, "b": [2, (3,)]}, lambda leaf: leaf * 10)
    {'a': 10, 'b': [20, (30,)]}
    """
    if isinstance(tree, Mapping):
        return {key: with_leaves(value, replace) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        values = [with_leaves(value, replace) for value in tree]
        if isinstance(tree, list):
            return values
        return type(tree)(*values) if hasattr(tree, "_fields") else tuple(values)
    return replace(tree)
