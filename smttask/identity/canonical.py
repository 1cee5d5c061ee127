"""Value -> canonical bytes: the same on every machine, different for different values.

Each value is a tag of one byte, a length of 8 bytes (little-endian) and its content;
the length of a container is its number of entries. Any change here is a change of
the format: results stored under the old digests are orphaned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path, PosixPath, WindowsPath
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel

from smttask.errors import DigestError, RegistrationError, short_repr
from smttask.identity.arrays import array_content
from smttask.identity.defaults import usual_bytes
from smttask.identity.digest import digest
from smttask.identity.plain import (
    SCALAR_WRITERS,
    joined,
    path_bytes,
    sized,
    text_bytes,
)
from smttask.protocols import Runnable
from smttask.typing.arrayform import dtype_to_json
from smttask.typing.files import InputDir, InputFile
from smttask.typing.functions import FUNCTIONS, function_parts, type_parts
from smttask.typing.places import UnfitValue, class_name, stored_fields
from smttask.typing.registry import entry_of

__all__ = ["CanonicalForms", "LateDigestError", "canonical_bytes", "canonical_forms", "named_bytes"]

_MANY = 64  # from here on a list of floats is packed as one array
_PACKED = np.dtype([("tag", "S1"), ("length", "<u8"), ("value", "<f8")])


class LateDigestError(DigestError):
    """A task among the values has a digest that is known only after a run."""


class CanonicalForms(NamedTuple):
    """Both canonical forms of one value; the same object where nothing in it makes them differ."""

    short: bytes
    full: bytes


def canonical_bytes(
    value: Any,
    *,
    full: bool = False,
    root: Path | None = None,
    place: str = "value",
    defaults: Mapping[str, Mapping[str, str]] | None = None,
) -> bytes:
    """What identifies `value`, as bytes that no machine, order or layout in memory changes.

    Parameters
    ----------
    full
        False: fields of dataclasses and models at their default are left out and a task
        enters by its digest. True: everything enters, a task by its full digest.
    root
        Folder of the project: paths inside count relative to it.
    place
        What error messages call the value.
    defaults
        Class -> field -> digest of the default that holds instead of today's; an empty
        text for none. Fields that are not in it have their default of today.

    Raises
    ------
    DigestError
        If some value in it has no canonical bytes; its `place` says which.

    Examples
    --------
    >>> canonical_bytes({"b": 1, "a": 2}) == canonical_bytes({"a": 2, "b": 1})
    True
    """
    return _guarded(value, _Pass(full, root, defaults=defaults), place)


def canonical_forms(value: Any, *, root: Path | None = None, place: str = "value") -> CanonicalForms:
    """Both forms of `canonical_bytes`, with every large array hashed once.

    Raises
    ------
    DigestError
        If some value in it has no canonical bytes.

    Examples
    --------
    >>> forms = canonical_forms(1.5)
    >>> forms.short is forms.full
    True
    """
    if isinstance(value, Runnable) and not value.has_late_digest:
        return CanonicalForms(*(sized(b"T", name.encode()) for name in (value.digest, value.full_digest)))
    one = _Pass(False, root)
    short = _guarded(value, one, place)
    if not one.varies:
        return CanonicalForms(short, short)
    return CanonicalForms(short, _guarded(value, _Pass(True, root, one.hashed), place))


def named_bytes(name: str, fields: Mapping[str, bytes]) -> bytes:
    """Canonical bytes of something with a name and named parts, such as a task with its inputs.

    Examples
    --------
    >>> named_bytes("lab:f", {"x": b"1", "y": b"2"}) == named_bytes("lab:f", {"y": b"2", "x": b"1"})
    True
    """
    return joined(b"c", [_name(name), *[_name(key) + fields[key] for key in sorted(fields)]])


def _guarded(value: Any, one: _Pass, place: str) -> bytes:
    try:
        return one(value)
    except UnfitValue as error:
        where = place + error.place
        raise DigestError(
            f"{where}: a value of type {type(error.value).__qualname__!r} cannot be digested.",
            f"found: {short_repr(error.value)}" + (f" ({error.reason})" if error.reason else ""),
            "use plain values, arrays, a dataclass or a pydantic model; "
            "or make the type known with smttask.register_type",
            place=where,
        ) from error
    except RecursionError:
        raise DigestError(
            f"{place} is nested too deeply or contains itself.",
            "found: more levels than Python's recursion limit allows",
            "give data that ends, in fewer levels",
            place=place,
        ) from None


class _Pass:
    """One walk over a value; `varies` tells afterwards whether the other form may differ."""

    __slots__ = ("defaults", "full", "hashed", "root", "varies")

    def __init__(
        self,
        full: bool,
        root: Path | None,
        hashed: dict[int, tuple[Any, bytes]] | None = None,
        defaults: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.full = full
        self.root = root
        self.hashed = {} if hashed is None else hashed  # id of an array -> the array, its blake3
        self.defaults = defaults or {}
        self.varies = False

    def __call__(self, value: Any) -> bytes:
        writer = _WRITERS.get(type(value))
        return _other(value, self) if writer is None else writer(value, self)


@lru_cache(maxsize=4096)
def _name(name: str) -> bytes:
    """The bytes of a name of a task or an argument, which come again and again."""
    return text_bytes(name)


def _list(value: Any, one: _Pass, tag: bytes = b"l") -> bytes:
    if len(value) >= _MANY and set(map(type, value)) == {float}:
        numbers = np.array(value, dtype="<f8")
        numbers[np.isnan(numbers)] = float("nan")
        packed = np.empty(len(value), dtype=_PACKED)
        packed["tag"], packed["length"], packed["value"] = b"f", 8, numbers
        return tag + len(value).to_bytes(8, "little") + packed.tobytes()
    return joined(tag, _items(value, one))


def _items(value: Any, one: _Pass) -> list[bytes]:
    parts: list[bytes] = []
    try:
        parts.extend(map(one, value))
    except UnfitValue as error:
        raise error.within(f"[{len(parts)}]") from error.__cause__
    return parts


def _set(value: Any, one: _Pass) -> bytes:
    try:
        return joined(b"e" if isinstance(value, set) else b"z", sorted(map(one, value)))
    except UnfitValue as error:
        raise error.within("{…}") from error.__cause__


def _dict(value: Any, one: _Pass) -> bytes:
    entries = []
    for key, item in value.items():
        try:
            entries.append((one(key), one(item)))
        except UnfitValue as error:
            raise error.within(f"[{short_repr(key, length=40)}]") from error.__cause__
    return joined(b"d", [key + item for key, item in sorted(entries)])


def _path(value: Path, one: _Pass) -> bytes:
    return path_bytes(value, one.root)


def _file(value: InputFile, one: _Pass) -> bytes:
    return joined(b"I", [text_bytes(value.path.name), text_bytes(value.digest)])


def _folder(value: InputDir, one: _Pass) -> bytes:
    return joined(b"J", [text_bytes(value.digest)])


def _array(value: Any, one: _Pass) -> bytes:
    return array_content(value, one, one.hashed)


def _other(value: Any, one: _Pass) -> bytes:
    """Everything that the type alone does not decide."""
    cls = type(value)
    if isinstance(value, Runnable):
        if value.has_late_digest:
            raise LateDigestError(
                f"The digest of {short_repr(value)} is that of a result, and not known yet.",
                "found: an unpure task, or one that depends on it, where tasks are not searched for",
                "give it as an input of its own, or in a list, tuple, dict, set or dataclass",
            )
        one.varies = True
        return sized(b"T", (value.full_digest if one.full else value.digest).encode())
    entry = entry_of(cls)
    if entry is not None:
        try:
            plain = entry.to_plain(value)
        except RegistrationError:
            raise
        except (TypeError, ValueError) as error:
            raise UnfitValue(value, str(error)) from error
        return joined(b"v", [text_bytes(entry.name), one(plain)])
    if isinstance(value, FUNCTIONS):
        return joined(b"F", [_definition(function_parts, value, one)])
    if isinstance(value, type):
        return joined(b"C", [_definition(type_parts, value, one)])
    if isinstance(value, Enum):
        name = value.name if cls.__members__.get(value.name) is value else value.value
        return joined(b"x", [text_bytes(class_name(cls)), one(name)])
    if isinstance(value, np.generic):
        return joined(b"N", [array_content(np.asarray(value), one, {})])
    if isinstance(value, np.dtype):
        return joined(b"D", [one(dtype_to_json(value))])
    if isinstance(value, np.memmap):
        return array_content(np.asarray(value), one, one.hashed)
    if isinstance(value, BaseModel):
        fields = {name: value.__dict__[name] for name in cls.model_fields if name in value.__dict__}
        return _fields({**fields, **(value.__pydantic_extra__ or {})}, cls, one)
    if is_dataclass(value) and not isinstance(value, type):
        return _fields({n: getattr(value, n) for n in stored_fields(cls) if hasattr(value, n)}, cls, one)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return joined(b"m", [text_bytes(class_name(cls)), *_items(value, one)])
    raise UnfitValue(value)


def _definition(get_parts: Callable[[Any], dict[str, Any]], value: Any, one: _Pass) -> bytes:
    try:
        parts = get_parts(value)
    except (TypeError, ValueError) as error:
        raise UnfitValue(value, str(error)) from error
    return one(parts)


def _fields(fields: Mapping[str, Any], cls: type, one: _Pass) -> bytes:
    one.varies = True
    usual = {} if one.full else usual_bytes(cls, one.root, _default_bytes)
    given = one.defaults.get(class_name(cls), {}) if one.defaults else {}
    parts = {}
    for name, value in fields.items():
        try:
            part = one(value)
        except UnfitValue as error:
            raise error.within(f".{name}") from error.__cause__
        if name in given:
            at_default = digest(_Pass(True, one.root, one.hashed)(value)) in given[name].split(",")
        else:
            at_default = part in usual.get(name, ())
        if not at_default:
            parts[name] = part
    return named_bytes(class_name(cls), parts)


def _default_bytes(value: Any, root: Path | None) -> bytes | None:
    try:
        return _Pass(False, root)(value)
    except (UnfitValue, RecursionError, LateDigestError):
        return None


_WRITERS: dict[type, Callable[[Any, _Pass], bytes]] = {
    **SCALAR_WRITERS,
    list: _list,
    tuple: lambda value, one: _list(value, one, b"t"),
    set: _set,
    frozenset: _set,
    dict: _dict,
    PosixPath: _path,
    WindowsPath: _path,
    InputFile: _file,
    InputDir: _folder,
    np.ndarray: _array,
    np.ma.MaskedArray: _array,
}
