"""Which foreign types can be values, one entry each.

An entry turns a value into plain values (numbers, strings, lists, dicts, arrays)
and back. JSON form, canonical bytes and copies all follow from that one pair, so
a new type is one short entry. Containers, enums, dataclasses, models, arrays and
tasks are not entries: they hold other values and are known to each room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from smttask.extras import require

if TYPE_CHECKING:
    from smttask.typing.accept import Accept

__all__ = [
    "TypeEntry",
    "acceptor_of",
    "entry_named",
    "entry_of",
    "forget_entry",
    "load_library",
    "register_acceptor",
    "register_entry",
]

#: Library -> what registers its types, imported when one of them is first met.
_LIBRARIES = {
    "matplotlib": "smttask.typing.matplotlib",
    "pandas": "smttask.typing.tables",
    "scipy": "smttask.typing.distributions",
    "xarray": "smttask.typing.xarray",
}


@dataclass(frozen=True, slots=True)
class TypeEntry:
    """How values of one type are taken apart and put together again.

    Parameters
    ----------
    name
        Stands in JSON as ``{"$name": …}`` and in canonical bytes: a promise.
    cls
        The exact type; subclasses need an entry of their own, unless `covers_subclasses`.
    to_plain
        The value as plain values: all that makes it what it is, in a form that is
        the same on every machine.
    from_plain
        The exact inverse; raises ValueError, TypeError or KeyError for anything
        else, and runs nothing that the text could choose.
    is_mutable
        Whether whoever holds a value can change it, so that each holder needs a copy.
    copy
        Makes that copy. Without it, or if it gives None, the copy is made by `to_plain` and `from_plain`.
    covers_subclasses
        Whether values of subclasses of `cls` are taken apart in the same way.
    """

    name: str
    cls: type
    to_plain: Callable[[Any], Any]
    from_plain: Callable[[Any], Any]
    is_mutable: bool = False
    copy: Callable[[Any], Any] | None = None
    covers_subclasses: bool = False


_BY_TYPE: dict[type, TypeEntry] = {}
_BY_NAME: dict[str, TypeEntry] = {}
_FAMILIES: dict[type, TypeEntry] = {}
_ACCEPTORS: dict[type, Accept] = {}
_loaded: set[str] = set()


def register_entry(entry: TypeEntry) -> None:
    """Make the values of ``entry.cls`` known to JSON, canonical bytes and copies."""
    if entry.name in _BY_NAME and _BY_NAME[entry.name].cls is not entry.cls:
        raise ValueError(f"The name {entry.name!r} belongs to {_BY_NAME[entry.name].cls!r}.")
    _BY_TYPE[entry.cls] = entry
    _BY_NAME[entry.name] = entry
    if entry.covers_subclasses:
        _FAMILIES[entry.cls] = entry


def forget_entry(entry: TypeEntry) -> None:
    """Undo `register_entry`, before its class is registered in another way."""
    for table, key in ((_BY_TYPE, entry.cls), (_BY_NAME, entry.name), (_FAMILIES, entry.cls)):
        cast("dict[Any, TypeEntry]", table).pop(key, None)


def entry_of(cls: type) -> TypeEntry | None:
    """The entry of this type, or None; types of known libraries are registered when they are first met."""
    entry = _BY_TYPE.get(cls)
    if entry is not None:
        return entry
    if load_library(cls.__module__):
        return entry_of(cls)
    if _FAMILIES:
        return next((_FAMILIES[base] for base in cls.__mro__ if base in _FAMILIES), None)
    return None


def entry_named(name: str) -> TypeEntry | None:
    """The entry whose JSON tag is ``$name``, or None.

    Raises
    ------
    MissingExtraError
        If the type is one of an optional library that is not installed.
    """
    if name not in _BY_NAME:
        load_library(name)
    return _BY_NAME.get(name)


def load_library(name: str) -> bool:
    """Register the types of the library that `name` begins with; False if that is done, or not ours to do.

    Raises
    ------
    MissingExtraError
        If the library is not installed.
    """
    library = name.partition(".")[0]
    if library not in _LIBRARIES or library in _loaded:
        return False
    require(library)
    import_module(_LIBRARIES[library])
    _loaded.add(library)
    return True


def register_acceptor(cls: type, accept: Accept) -> None:
    """Use `accept` wherever an annotation is `cls` itself."""
    _ACCEPTORS[cls] = accept


def acceptor_of(cls: type) -> Accept | None:
    """How values are converted to `cls`, or None when pydantic knows it better."""
    if cls not in _ACCEPTORS and load_library(cls.__module__):
        return acceptor_of(cls)
    return _ACCEPTORS.get(cls)
