"""Which foreign types can be values, one entry each.

An entry turns a value into plain values (numbers, strings, lists, dicts, arrays)
and back. JSON form, canonical bytes and copies all follow from that one pair, so
a new type is one short entry. Containers, enums, dataclasses, models, arrays and
tasks are not entries: they hold other values and are known to each room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic_core import core_schema

__all__ = [
    "Accept",
    "TypeEntry",
    "acceptor_of",
    "entry_named",
    "entry_of",
    "register_acceptor",
    "register_entry",
]


@dataclass(frozen=True, slots=True)
class TypeEntry:
    """How values of one type are taken apart and put together again.

    Parameters
    ----------
    name
        Stands in JSON as ``{"$name": …}`` and in canonical bytes: a promise.
    cls
        The exact type; subclasses need an entry of their own.
    to_plain
        The value as plain values: all that makes it what it is, in a form that is
        the same on every machine.
    from_plain
        The exact inverse; raises ValueError, TypeError or KeyError for anything
        else, and runs nothing that the text could choose.
    is_mutable
        Whether whoever holds a value can change it, so that each holder needs a copy.
    """

    name: str
    cls: type
    to_plain: Callable[[Any], Any]
    from_plain: Callable[[Any], Any]
    is_mutable: bool = False


class Accept:
    """Annotation metadata: values are converted by `convert`, which raises ValueError.

    ``Annotated[np.dtype, Accept(convert, "a dtype")]`` is a type for pydantic and
    for `smttask.typing.validation.Validator` alike.
    """

    __slots__ = ("convert", "expected")

    def __init__(self, convert: Callable[[Any], Any], expected: str) -> None:
        self.convert = convert
        self.expected = expected

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.convert, serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value)
        )

    def __repr__(self) -> str:
        return f"<{self.expected}>"


_BY_TYPE: dict[type, TypeEntry] = {}
_BY_NAME: dict[str, TypeEntry] = {}
_ACCEPTORS: dict[type, Accept] = {}


def register_entry(entry: TypeEntry) -> None:
    """Make the values of ``entry.cls`` known to JSON, canonical bytes and copies."""
    if entry.name in _BY_NAME and _BY_NAME[entry.name].cls is not entry.cls:
        raise ValueError(f"The name {entry.name!r} belongs to {_BY_NAME[entry.name].cls!r}.")
    _BY_TYPE[entry.cls] = entry
    _BY_NAME[entry.name] = entry


def register_acceptor(cls: type, accept: Accept) -> None:
    """Use `accept` wherever an annotation is `cls` itself."""
    _ACCEPTORS[cls] = accept


def entry_of(cls: type) -> TypeEntry | None:
    """The entry of exactly this type, or None."""
    return _BY_TYPE.get(cls)


def entry_named(name: str) -> TypeEntry | None:
    """The entry whose JSON tag is ``$name``, or None."""
    return _BY_NAME.get(name)


def acceptor_of(cls: type) -> Accept | None:
    """How values are converted to `cls`, or None when pydantic knows it better."""
    return _ACCEPTORS.get(cls)
