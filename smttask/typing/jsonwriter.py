"""A value -> JSON, with a ``$`` tag for what JSON lacks."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path, PosixPath, WindowsPath
from typing import Any

import numpy as np
from pydantic import BaseModel

from smttask.errors import DescriptionError, RegistrationError
from smttask.protocols import Runnable
from smttask.typing import arrayform
from smttask.typing.definitions import home_of, source_of
from smttask.typing.files import INPUT_PATHS
from smttask.typing.functions import FUNCTIONS, PureFunction, function_parts, type_parts
from smttask.typing.places import BAD_DATA, UnfitValue, class_name, stored_fields
from smttask.typing.registry import entry_of

__all__ = ["SCALARS", "Writer"]

JSON = Any
_PLAIN = frozenset({bool, type(None)})
_BIG = 1 << 4096  # Python's json refuses integers of more than 4300 digits


class Writer:
    """One pass over a value; raises UnfitValue where there is no JSON form."""

    def __init__(
        self,
        on_task: Any,
        on_large: Any,
        root: Path | None,
        allow_sources: bool = False,
        large_bytes: int = arrayform.LARGE_BYTES,
    ) -> None:
        self.on_task = on_task
        self.on_large = on_large
        self.root = root
        self.allow_sources = allow_sources
        self.large_bytes = large_bytes
        self.by_type: dict[type, Callable[[Any], JSON]] = {
            **SCALARS,
            complex: lambda v: {"$complex": [_float_to_json(v.real), _float_to_json(v.imag)]},
            bytes: lambda v: {"$bytes": b64encode(v).decode("ascii")},
            list: self._list,
            tuple: lambda v: {"$tuple": self._list(v)},
            set: lambda v: {"$set": self._sorted(v)},
            frozenset: lambda v: {"$frozenset": self._sorted(v)},
            dict: self._dict,
            PosixPath: lambda v: {"$path": self._path(v)},
            WindowsPath: lambda v: {"$path": self._path(v)},
            **dict.fromkeys(INPUT_PATHS, self._input_path),
        }

    def __call__(self, value: Any) -> JSON:
        """The JSON form of `value`."""
        cls = type(value)
        if cls in _PLAIN:
            return value
        known = self.by_type.get(cls)
        if known is not None:
            return known(value)
        try:
            return self._other(value, cls)
        except BAD_DATA as error:
            if isinstance(error, DescriptionError | RegistrationError):
                raise
            raise UnfitValue(value, str(error)) from error

    def _other(self, value: Any, cls: type) -> JSON:
        if isinstance(value, Runnable):
            if self.on_task is None:
                raise UnfitValue(value, "a task cannot stand here")
            return self.on_task(value)
        entry = entry_of(cls)
        if entry is not None:
            return {f"${entry.name}": self(entry.to_plain(value))}
        if cls is np.ndarray or cls is np.ma.MaskedArray:
            return arrayform.array_to_json(value, self, self.on_large, self.large_bytes)
        if isinstance(value, np.generic):
            return arrayform.scalar_to_json(value, self)
        if isinstance(value, FUNCTIONS):
            return self._function(value)
        if isinstance(value, type):
            return self._type(value)
        if isinstance(value, np.dtype):
            return {"$dtype": arrayform.dtype_to_json(value)}
        if isinstance(value, Enum):
            is_named = cls.__members__.get(value.name) is value  # type: ignore[attr-defined]
            form = {"name": value.name} if is_named else {"value": self(value.value)}
            return {"$enum": class_name(cls), **form}
        if isinstance(value, BaseModel):
            fields = {name: value.__dict__[name] for name in cls.model_fields if name in value.__dict__}  # type: ignore[attr-defined]
            form = {"$model": class_name(cls), "fields": self._dict(fields, "."),
                    "set": sorted(value.__pydantic_fields_set__)}  # fmt: skip
            return (
                {**form, "extra": self._dict(value.__pydantic_extra__)} if value.__pydantic_extra__ else form
            )
        if is_dataclass(value):
            names = [name for name in stored_fields(cls) if hasattr(value, name)]
            fields = {name: getattr(value, name) for name in names}
            return {"$dataclass": class_name(cls), "fields": self._dict(fields, ".")}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return {"$namedtuple": class_name(cls), "items": self._list(value)}
        raise UnfitValue(value)

    def _function(self, value: Any) -> JSON:
        if isinstance(value, PureFunction):
            return {"$purefunction": self._function(value.func)}
        parts = function_parts(value)
        if "partial" in parts:
            form = {"$partial": self(parts["partial"]), "args": self._list(parts["args"])}
            return {**form, "keywords": self._dict(parts["keywords"])}
        if "composite" in parts:
            return {"$composite": parts["composite"], "terms": self._list(parts["terms"])}
        if "function" in parts:
            return {"$function": parts["function"], **_code(parts)}
        if not self.allow_sources:
            raise UnfitValue(value, "only functions at the top level of a module can be looked up again")
        return {"$source": source_of(value), **_code(parts)}

    def _type(self, value: type) -> JSON:
        parts = type_parts(value)
        if home_of(value) is not None:
            return {"$type": parts["type"], **_code(parts)}
        if not self.allow_sources:
            raise UnfitValue(value, "only classes at the top level of a module can be looked up again")
        return {"$source": source_of(value), **_code(parts)}

    def _list(self, value: Any) -> list[JSON]:
        kinds = set(map(type, value))
        if kinds == {float} and all(map(math.isfinite, value)):
            return list(value)
        items = []
        for index, item in enumerate(value):
            try:
                items.append(self(item))
            except UnfitValue as error:
                raise error.within(f"[{index}]") from error.__cause__
        return items

    def _sorted(self, value: Any) -> list[JSON]:
        """The items of a set, in an order that does not change from process to process."""
        return sorted(self._list(value), key=lambda item: json.dumps(item, sort_keys=True))

    def _dict(self, value: dict[Any, Any], mark: str = "") -> JSON:
        is_plain = all(type(key) is str and not key.startswith("$") for key in value)
        pairs = []
        for key, item in value.items():
            try:
                pairs.append((key if is_plain and key.isascii() else self(key), self(item)))
            except UnfitValue as error:
                raise error.within(f".{key}" if mark else f"[{key!r}]") from error.__cause__
        if is_plain and all(type(key) is str for key, _ in pairs):
            return dict(pairs)
        return {"$dict": [list(pair) for pair in pairs]}

    def _input_path(self, value: Any) -> JSON:
        return {INPUT_PATHS[type(value)]: {"path": self._path(value.path), "digest": value.digest}}

    def _path(self, path: Path) -> JSON:
        if self.root is not None and path.is_relative_to(self.root):
            return {"project": path.relative_to(self.root).as_posix()}
        return str(path)


def _code(parts: dict[str, Any]) -> JSON:
    return {"code": parts["code"]} if "code" in parts else {}


def _int_to_json(value: int) -> JSON:
    return value if -_BIG < value < _BIG else {"$int": hex(value)}


def _float_to_json(value: float) -> JSON:
    return value if math.isfinite(value) else {"$float": str(value)}


def _str_to_json(value: str) -> JSON:
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:  # lone surrogates, as in undecodable file names
            return {"$str": b64encode(value.encode("utf-8", "surrogatepass")).decode("ascii")}
    return value


#: JSON form of plain values by their type.
SCALARS: dict[type, Callable[[Any], JSON]] = {
    int: _int_to_json,
    float: _float_to_json,
    str: _str_to_json,
}
