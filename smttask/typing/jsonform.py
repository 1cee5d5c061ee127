"""Values as strict JSON that comes back exactly; what JSON lacks stands under a ``$`` tag.

Reading looks classes up, and builds values from data alone: no source text, no
pickle, no constructor of a class runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from smttask.errors import DescriptionError, short_repr
from smttask.typing.arrayform import LARGE_BYTES
from smttask.typing.definitions import loaded_definition
from smttask.typing.functions import FUNCTIONS
from smttask.typing.jsonreader import Reader, loaded_class
from smttask.typing.jsonwriter import SCALARS, Writer
from smttask.typing.places import UnfitValue

__all__ = ["from_json", "to_json"]

JSON = Any


def to_json(
    value: Any,
    *,
    on_task: Callable[[Any], JSON] | None = None,
    on_large: Callable[[Any], str | None] | None = None,
    root: Path | None = None,
    allow_sources: bool = False,
    large_bytes: int = LARGE_BYTES,
) -> JSON:
    """`value` as JSON from which `from_json` makes the same value again.

    Parameters
    ----------
    on_task
        Gives what stands for a task, as ``{"$task": digest}``; without it tasks are refused.
    on_large
        Stores an array of more than `large_bytes` elsewhere and gives the name by which `from_json`
        asks for it, or None to have it written here.
    root
        Folder of the project: paths inside are written relative to it.
    allow_sources
        Write functions and classes that cannot be looked up by their source text, for people:
        `from_json` refuses them.

    Raises
    ------
    DescriptionError
        If there is a value without JSON form; the message names its place.

    Examples
    --------
    >>> to_json({"x": (1, 2.5)})
    {'x': {'$tuple': [1, 2.5]}}
    """
    if (scalar := SCALARS.get(type(value))) is not None:
        return scalar(value)
    try:
        return Writer(on_task, on_large, root, allow_sources, large_bytes)(value)
    except UnfitValue as error:
        raise DescriptionError(
            f"A value of type {type(error.value).__qualname__!r} at value{error.place} has no JSON form.",
            f"found: {short_repr(error.value)}" + (f" ({error.reason})" if error.reason else ""),
            "define it at the top level of a module"
            if isinstance(error.value, (*FUNCTIONS, type))
            else "use plain values, arrays, a dataclass or a pydantic model; "
            "or make the type known with smttask.register_type",
        ) from error
    except RecursionError:
        raise _too_deep("A value") from None


def from_json(
    tree: JSON,
    *,
    get_task: Callable[[Any], Any] | None = None,
    get_large: Callable[[str], Any] | None = None,
    get_class: Callable[[str, str], type] | None = None,
    get_definition: Callable[[str, str], Any] | None = None,
    root: Path | None = None,
) -> Any:
    """The value that `to_json` wrote; plain JSON comes back as it is.

    Parameters
    ----------
    get_task
        Gives the task for what stands under ``$task``.
    get_large
        Gives the array stored under this name.
    get_class
        Gives the class of this module and qualified name, or raises; it decides which classes
        a text may name. Without it only classes of modules that are loaded already are found.
    get_definition
        Gives the function, or the class that is a value itself, of this module and qualified name,
        or raises; see `smttask.typing.definitions.definition_in` for what a text may name.
    root
        Folder of the project, for paths written relative to it.

    Raises
    ------
    DescriptionError
        If `tree` is damaged, hostile, or names what is not there.

    Examples
    --------
    >>> from_json({"x": {"$tuple": [1, 2.5]}})
    {'x': (1, 2.5)}
    """
    if not isinstance(tree, dict | list):  # most inputs, in a twentieth of the time
        return tree
    try:
        return Reader(
            get_task, get_large, get_class or loaded_class, get_definition or loaded_definition, root
        )(tree)
    except RecursionError:
        raise _too_deep("A JSON value") from None


def _too_deep(what: str) -> DescriptionError:
    return DescriptionError(
        f"{what} is nested too deeply or contains itself.",
        "found: more levels than Python's recursion limit allows",
        "give data that ends, in fewer levels",
    )
