"""Copies, so that nobody can change what a task holds or spoil another's result."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path, PosixPath, WindowsPath
from typing import Any

import numpy as np
from pydantic import BaseModel

from smttask.errors import InputError
from smttask.protocols import Runnable
from smttask.typing.functions import FUNCTIONS, copied_function
from smttask.typing.registry import entry_of

__all__ = ["freeze_own", "fresh", "owned"]

_FIXED = frozenset({int, float, complex, bool, str, bytes, type(None)})


def owned(value: Any) -> Any:
    """`value` as a task may keep it: nobody else can change it, now or later.

    Containers, dataclasses, models, generators and arrays are copied; arrays come back
    read-only, and one that is read-only and owns its data is kept. Paths become absolute,
    taken from the current directory.

    Raises
    ------
    InputError
        If `value` contains itself or is nested too deeply.

    Examples
    --------
    >>> owned(np.zeros(3)).flags.writeable
    False
    """
    if type(value) in _FIXED:
        return value
    return _walked(value, _INPUT)


def fresh(value: Any) -> Any:
    """`value` as it may be handed out: containers, dataclasses and models as copies, arrays shared read-only.

    An array that can be written, or is a view of one, is copied: whoever made it may write
    to it again. Other objects are handed out as they are.

    Raises
    ------
    InputError
        If `value` contains itself or is nested too deeply.

    Examples
    --------
    >>> result = [1, 2]
    >>> fresh(result) == result, fresh(result) is result
    (True, False)
    """
    if type(value) in _FIXED:
        return value
    return _walked(value, _RESULT)


def freeze_own(holder: list[Any]) -> None:
    """Make the arrays read-only to which nothing but `holder` leads, so that they need not be copied.

    Arrays that somebody else has too, such as a buffer that a function fills anew for each call,
    are left as they are.

    Parameters
    ----------
    holder
        No name in the caller may stand for what is in it.

    Examples
    --------
    >>> buffer = np.zeros(3)
    >>> holder = [np.zeros(3), buffer]
    >>> freeze_own(holder)
    >>> holder[0].flags.writeable, buffer.flags.writeable
    (False, True)
    """
    stack: list[Any] = [holder]
    while stack:
        parts = stack.pop()
        if isinstance(parts, (list, tuple)):
            if _FIXED.issuperset(map(type, parts)):
                continue
            keys: Iterable[Any] = range(len(parts))
        elif isinstance(parts, dict):
            keys = list(parts)
        else:
            parts = vars(parts)
            keys = list(parts)
        for key in keys:
            if _n_references(parts, key) > _ALONE:
                continue
            part = parts[key]
            if type(part) is np.ndarray:
                if part.flags.owndata and not part.dtype.hasobject:
                    part.flags.writeable = False
            elif isinstance(part, (list, tuple, dict)) or (
                (is_dataclass(part) or isinstance(part, BaseModel)) and hasattr(part, "__dict__")
            ):
                stack.append(part)


def _n_references(parts: Any, key: Any) -> int:
    return sys.getrefcount(parts[key])


_ALONE = _n_references([object()], 0)


def _walked(value: Any, walk: _Walk) -> Any:
    try:
        return walk(value)
    except RecursionError:
        raise InputError(
            f"A value of type {type(value).__qualname__!r} is nested too deeply or contains itself.",
            "found: more levels than Python's recursion limit allows",
            "give data that ends, in fewer levels",
        ) from None


class _Walk:
    """One pass over nested data; what happens to arrays and paths makes the difference."""

    def __init__(self, on_array: Callable[[Any], Any], *, makes_absolute: bool) -> None:
        self.on_array = on_array
        self.makes_absolute = makes_absolute
        path = self._path if makes_absolute else _same
        self.by_type: dict[type, Callable[[Any], Any]] = {
            list: self._list,
            tuple: self._tuple,
            dict: self._dict,
            set: self._set,
            frozenset: self._set,
            np.ndarray: self._array,
            PosixPath: path,
            WindowsPath: path,
        }

    def __call__(self, value: Any) -> Any:
        cls = type(value)
        if cls in _FIXED:
            return value
        known = self.by_type.get(cls)
        if known is not None:
            return known(value)
        if isinstance(value, (Runnable, Enum, type)):
            return value
        entry = entry_of(cls)
        if entry is not None:
            if not entry.is_mutable:
                return value
            if entry.copy is not None and (copied := entry.copy(value)) is not None:
                return copied
            # The arrays inside are another object's own: they are copied, not made read-only in place.
            walk = self if self.makes_absolute else _PARTS
            return entry.from_plain(walk(entry.to_plain(value)))
        if isinstance(value, FUNCTIONS):
            return copied_function(value, self)
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, np.void):
            return value.copy()
        if isinstance(value, BaseModel):
            return self._model(value)
        if is_dataclass(value):
            return self._dataclass(value)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            items = [self(item) for item in value]
            return tuple.__new__(cls, items)
        return value

    def _list(self, value: list[Any]) -> list[Any]:
        if _FIXED.issuperset(map(type, value)):
            return value.copy()
        return [self(item) for item in value]

    def _tuple(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if _FIXED.issuperset(map(type, value)):
            return value
        items = tuple([self(item) for item in value])
        return value if all(map(_is, items, value)) else items

    def _dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        return {self(key): self(item) for key, item in value.items()}

    def _set(self, value: Any) -> Any:
        return type(value)([self(item) for item in value])

    def _path(self, value: Path) -> Path:
        return value.absolute()

    def _array(self, value: Any) -> Any:
        if value.dtype.hasobject:
            return self._objects(value)
        return self.on_array(value)

    def _objects(self, value: Any) -> Any:
        """An array of objects is a container: it is copied with what it holds."""
        if value.dtype.kind == "O" and type(value) is np.ndarray:
            result = np.empty(value.shape, dtype=object)
            for index in np.ndindex(value.shape):
                result[index] = self(value[index])
        else:
            result = copy.deepcopy(value)
        return _frozen(result)

    def _dataclass(self, value: Any) -> Any:
        names = [*getattr(value, "__dict__", ())]
        names += [name for name in value.__dataclass_fields__ if name not in names and hasattr(value, name)]
        old = {name: getattr(value, name) for name in names}
        new = {name: self(item) for name, item in old.items()}
        if value.__dataclass_params__.frozen and all(new[name] is old[name] for name in names):
            return value
        result = copy.copy(value)
        for name in names:
            if new[name] is not old[name]:
                object.__setattr__(result, name, new[name])
        return result

    def _model(self, value: BaseModel) -> BaseModel:
        result = value.model_copy()
        for name in ("__dict__", "__pydantic_extra__", "__pydantic_private__"):
            part = getattr(value, name)
            if part is not None:
                object.__setattr__(result, name, {key: self(item) for key, item in part.items()})
        return result


def _same(value: Any) -> Any:
    return value


def _is(left: object, right: object) -> bool:
    return left is right


def _frozen(array: Any) -> Any:
    array.flags.writeable = False
    mask = np.ma.getmask(array)  # the attribute gives a view of it
    if mask is not np.ma.nomask:
        mask.flags.writeable = False
    return array


def _is_settled(array: Any) -> bool:
    """Whether the data cannot change without somebody lifting a read-only flag first."""
    if array.flags.writeable:
        return False
    if isinstance(array, np.ma.MaskedArray):
        mask = np.ma.getmask(array)
        return bool(array.flags.owndata) and (mask is np.ma.nomask or not mask.flags.writeable)
    base = array.base
    if base is None or isinstance(base, bytes):
        return True
    return type(base) is np.ndarray and not base.flags.writeable and bool(base.flags.owndata)


def _owned_array(array: Any) -> Any:
    if _is_settled(array):
        return array
    if isinstance(array, np.memmap):  # a copy in memory is an ordinary array
        return _frozen(np.array(array, order="K", subok=False))
    return _frozen(array.copy(order="K"))


def _shared_array(array: Any) -> Any:
    part = array
    while isinstance(part, np.ndarray) and not part.flags.writeable:
        part = part.base
    mask = np.ma.getmask(array)
    if isinstance(part, np.ndarray) or (mask is not np.ma.nomask and mask.flags.writeable):
        copied = array.copy(order="K")
        if isinstance(copied.base, np.ndarray):  # a masked array is a view of its data
            copied.base.flags.writeable = False
        return _frozen(copied)
    # Whoever gets a view cannot make it writable again, as the owner of the data could.
    return array.view() if type(array) is np.ndarray and array.base is None else array


_INPUT = _Walk(_owned_array, makes_absolute=True)
_PARTS = _Walk(_owned_array, makes_absolute=False)
_RESULT = _Walk(_shared_array, makes_absolute=False)
