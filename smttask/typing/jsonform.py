"""Values as strict JSON that comes back exactly; what JSON lacks stands under a ``$`` tag.

Reading looks classes up, and builds values from data alone: no source text, no
pickle, no constructor of a class runs.
"""

from __future__ import annotations

import math
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import MISSING, is_dataclass
from enum import Enum
from pathlib import Path, PosixPath, WindowsPath
from typing import Any

import numpy as np
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from smttask.errors import DescriptionError, short_repr
from smttask.protocols import Runnable
from smttask.typing import arrayform
from smttask.typing.files import InputFile
from smttask.typing.places import UnfitValue, class_name
from smttask.typing.registry import entry_named, entry_of

__all__ = ["from_json", "to_json"]

JSON = Any
_PLAIN = frozenset({str, bool, type(None)})
_BIG = 1 << 4096  # Python's json refuses integers of more than 4300 digits
_BAD_DATA = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, MemoryError, LookupError, OSError,
    SyntaxError,
)  # fmt: skip


def to_json(
    value: Any,
    *,
    on_task: Callable[[Any], JSON] | None = None,
    on_large: Callable[[Any], str | None] | None = None,
    root: Path | None = None,
) -> JSON:
    """`value` as JSON from which `from_json` makes the same value again.

    Parameters
    ----------
    on_task
        Gives what stands for a task, as ``{"$task": digest}``; without it tasks are refused.
    on_large
        Stores an array of more than 64 kB elsewhere and gives its blake3, or None to have it written here.
    root
        Folder of the project: paths inside are written relative to it.

    Raises
    ------
    DescriptionError
        If there is a value without JSON form; the message names its place.

    Examples
    --------
    >>> to_json({"x": (1, 2.5)})
    {'x': {'$tuple': [1, 2.5]}}
    """
    try:
        return _Writer(on_task, on_large, root)(value)
    except UnfitValue as error:
        raise DescriptionError(
            f"A {type(error.value).__qualname__} at value{error.place} has no JSON form.",
            f"found: {short_repr(error.value)}" + (f" ({error.reason})" if error.reason else ""),
            "use plain values, arrays, a dataclass or a pydantic model",
        ) from error
    except RecursionError:
        raise _too_deep("A value") from None


def from_json(
    tree: JSON,
    *,
    get_task: Callable[[Any], Any] | None = None,
    get_large: Callable[[str], Any] | None = None,
    get_class: Callable[[str, str], type] | None = None,
    root: Path | None = None,
) -> Any:
    """The value that `to_json` wrote; plain JSON comes back as it is.

    Parameters
    ----------
    get_task
        Gives the task for what stands under ``$task``.
    get_large
        Gives the array with this blake3.
    get_class
        Gives the class of this module and qualified name, or raises; it decides which classes
        a text may name. Without it only classes of modules that are loaded already are found.
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
    try:
        return _Reader(get_task, get_large, get_class or _loaded_class, root)(tree)
    except RecursionError:
        raise _too_deep("A JSON value") from None


def _too_deep(what: str) -> DescriptionError:
    return DescriptionError(
        f"{what} is nested too deeply or contains itself.",
        "found: more levels than Python's recursion limit allows",
        "give data that ends, in fewer levels",
    )


def _loaded_class(module: str, qualname: str) -> type:
    """A class that exists already; neither imports nor asks a module for anything."""
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        found = vars(found)[name]
    if not isinstance(found, type):
        raise TypeError(f"{module}:{qualname} is no class")
    return found


class _Writer:
    def __init__(self, on_task: Any, on_large: Any, root: Path | None) -> None:
        self.on_task = on_task
        self.on_large = on_large
        self.root = root
        self.by_type: dict[type, Callable[[Any], JSON]] = {
            int: _int_to_json,
            float: _float_to_json,
            str: _str_to_json,
            complex: lambda v: {"$complex": [_float_to_json(v.real), _float_to_json(v.imag)]},
            bytes: lambda v: {"$bytes": b64encode(v).decode("ascii")},
            list: self._list,
            tuple: lambda v: {"$tuple": self._list(v)},
            set: lambda v: {"$set": self._list(v)},
            frozenset: lambda v: {"$frozenset": self._list(v)},
            dict: self._dict,
            PosixPath: lambda v: {"$path": self._path(v)},
            WindowsPath: lambda v: {"$path": self._path(v)},
            InputFile: lambda v: {"$inputfile": {"path": self._path(v.path), "digest": v.digest}},
        }

    def __call__(self, value: Any) -> JSON:
        cls = type(value)
        if cls in _PLAIN and cls is not str:
            return value
        known = self.by_type.get(cls)
        if known is not None:
            return known(value)
        try:
            return self._other(value, cls)
        except _BAD_DATA as error:
            if isinstance(error, DescriptionError):
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
            return arrayform.array_to_json(value, self, self.on_large)
        if isinstance(value, np.generic):
            return arrayform.scalar_to_json(value, self)
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
            return {**form, "extra": self._dict(value.__pydantic_extra__)} if value.__pydantic_extra__ else form
        if is_dataclass(value):
            names = [name for name in _stored_fields(cls) if hasattr(value, name)]
            fields = {name: getattr(value, name) for name in names}
            return {"$dataclass": class_name(cls), "fields": self._dict(fields, ".")}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return {"$namedtuple": class_name(cls), "items": self._list(value)}
        raise UnfitValue(value)

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

    def _path(self, path: Path) -> JSON:
        if self.root is not None and path.is_relative_to(self.root):
            return {"project": path.relative_to(self.root).as_posix()}
        return str(path)


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


def _stored_fields(cls: Any) -> dict[str, Any]:
    return {
        name: field for name, field in cls.__dataclass_fields__.items() if field._field_type.name == "_FIELD"
    }


class _Reader:
    def __init__(self, get_task: Any, get_large: Any, get_class: Any, root: Path | None) -> None:
        self.get_task = get_task
        self.get_large = get_large
        self.get_class = get_class
        self.root = root
        self.by_tag: dict[str, Callable[[Any], Any]] = {
            "$int": lambda t: int(t["$int"], 16),
            "$float": lambda t: float({"nan": "nan", "inf": "inf", "-inf": "-inf"}[t["$float"]]),
            "$str": lambda t: b64decode(t["$str"], validate=True).decode("utf-8", "surrogatepass"),
            "$complex": lambda t: complex(*map(self, t["$complex"])),
            "$bytes": lambda t: b64decode(t["$bytes"], validate=True),
            "$tuple": lambda t: tuple(self(_list(t["$tuple"]))),
            "$set": lambda t: set(self(_list(t["$set"]))),
            "$frozenset": lambda t: frozenset(self(_list(t["$frozenset"]))),
            "$dict": lambda t: {self(key): self(item) for key, item in t["$dict"]},
            "$path": lambda t: self._path(t["$path"]),
            "$inputfile": lambda t: InputFile(self._path(t["$inputfile"]["path"]), _hex(t["$inputfile"]["digest"])),
            "$dtype": lambda t: arrayform.dtype_from_json(t["$dtype"]),
            "$array": lambda t: arrayform.array_from_json(t, self, self.get_large),
            "$masked": lambda t: arrayform.masked_from_json(t, self, self.get_large),
            "$scalar": lambda t: arrayform.scalar_from_json(t, self),
            "$enum": self._enum,
            "$namedtuple": self._namedtuple,
            "$dataclass": self._dataclass,
            "$model": self._model,
            "$task": self._task,
        }

    def __call__(self, tree: JSON) -> Any:
        if isinstance(tree, list):
            return tree.copy() if {float, int, str, bool}.issuperset(map(type, tree)) else [self(x) for x in tree]
        if not isinstance(tree, dict):
            return tree
        tag = next((key for key in tree if key.startswith("$")), None)
        if tag is None:
            return {key: self(item) for key, item in tree.items()}
        try:
            return self._tagged(tag, tree)
        except DescriptionError:
            raise
        except _BAD_DATA as error:
            raise DescriptionError(
                f"The value under {short_repr(tag)} cannot be read.",
                f"found: {short_repr(tree)} ({type(error).__name__}: {short_repr(str(error))})",
                "restore the file, or save the task anew",
            ) from error

    def _tagged(self, tag: str, tree: dict[str, Any]) -> Any:
        known = self.by_tag.get(tag)
        if known is not None:
            return known(tree)
        entry = entry_named(tag[1:])
        if entry is None or len(tree) != 1:
            raise DescriptionError(
                f"The tag {short_repr(tag)} is unknown.",
                f"found: {short_repr(tree)}",
                "read it with the version of smttask that wrote it, or a newer one",
            )
        return entry.from_plain(self(tree[tag]))

    def _path(self, form: Any) -> Path:
        if isinstance(form, str):
            return Path(form)
        if self.root is None:
            raise ValueError("a path of a project, and no project is known")
        if not isinstance(form["project"], str) or len(form) != 1:
            raise ValueError("expected a path relative to the project")
        return self.root / form["project"]

    def _task(self, tree: Any) -> Any:
        if self.get_task is None:
            raise ValueError("a task cannot stand here")
        return self.get_task(tree["$task"])

    def _class(self, name: Any, is_right: Callable[[type], bool]) -> Any:
        module, _, qualname = name.partition(":")
        try:
            cls = self.get_class(module, qualname)
        except _BAD_DATA as error:
            if isinstance(error, DescriptionError):
                raise
            raise DescriptionError(
                f"The class {short_repr(name)} is not there.",
                f"{type(error).__name__}: {short_repr(str(error))}",
                "import its module first, or put the class back where it was",
            ) from error
        if not isinstance(cls, type) or not is_right(cls):
            raise DescriptionError(
                f"The class {short_repr(name)} is of another kind.",
                f"found: {short_repr(cls)}; expected the enum, dataclass, model or named tuple that was saved",
                "put the class back as it was, or save the task anew",
            )
        return cls

    def _enum(self, tree: Any) -> Any:
        cls = self._class(tree["$enum"], lambda c: issubclass(c, Enum))
        return cls.__members__[tree["name"]] if "name" in tree else cls(self(tree["value"]))

    def _namedtuple(self, tree: Any) -> Any:
        cls = self._class(tree["$namedtuple"], lambda c: issubclass(c, tuple) and hasattr(c, "_fields"))
        items = self(_list(tree["items"]))
        if len(items) != len(cls._fields):
            raise ValueError(f"{len(items)} items for the {len(cls._fields)} of {cls.__qualname__}")
        return tuple.__new__(cls, items)

    def _dataclass(self, tree: Any) -> Any:
        cls = self._class(tree["$dataclass"], is_dataclass)
        stored = _stored_fields(cls)
        values = self._fields(tree["fields"], stored, cls)
        for name, field in stored.items():
            if name not in values:
                if field.default is not MISSING:
                    values[name] = field.default
                elif field.default_factory is not MISSING:
                    values[name] = field.default_factory()
        result = object.__new__(cls)
        for name, value in values.items():
            object.__setattr__(result, name, value)
        return result

    def _model(self, tree: Any) -> Any:
        cls = self._class(tree["$model"], lambda c: issubclass(c, BaseModel))
        values = self._fields(tree["fields"], cls.model_fields, cls)
        for name, field in cls.model_fields.items():
            if name not in values and not field.is_required():
                values[name] = field.get_default(call_default_factory=True, validated_data=values)
        private = {name: part.get_default() for name, part in cls.__private_attributes__.items()}
        private = {name: part for name, part in private.items() if part is not PydanticUndefined}
        extra = self(tree["extra"]) if "extra" in tree else {} if cls.model_config.get("extra") == "allow" else None
        result = cls.__new__(cls)
        object.__setattr__(result, "__dict__", values)
        object.__setattr__(result, "__pydantic_fields_set__", set(tree["set"]))
        object.__setattr__(result, "__pydantic_extra__", extra)
        object.__setattr__(result, "__pydantic_private__", private if cls.__private_attributes__ else None)
        return result

    def _fields(self, tree: Any, known: Any, cls: type) -> dict[str, Any]:
        values: dict[str, Any] = self(tree)
        unknown = [name for name in values if name not in known]
        if unknown:
            raise ValueError(f"{cls.__qualname__} has no field {', '.join(map(short_repr, unknown))}")
        return values


def _list(tree: Any) -> list[Any]:
    if not isinstance(tree, list):
        raise TypeError("expected a list")
    return tree


def _hex(text: Any) -> str:
    if not isinstance(text, str) or len(text) != 64:
        raise ValueError("expected 64 hex digits")
    return text
