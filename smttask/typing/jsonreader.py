"""JSON -> the value that was written; damaged or hostile text gets an error and runs nothing."""

from __future__ import annotations

import sys
from base64 import b64decode
from collections.abc import Callable
from dataclasses import MISSING, is_dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from smttask.errors import DescriptionError, short_repr
from smttask.typing import arrayform
from smttask.typing.definitions import code_of
from smttask.typing.files import INPUT_PATHS
from smttask.typing.functions import FUNCTIONS, Composite, PureFunction
from smttask.typing.places import BAD_DATA, stored_fields
from smttask.typing.registry import entry_named

__all__ = ["Reader", "loaded_class"]

JSON = Any


def loaded_class(module: str, qualname: str) -> type:
    """A class that exists already; neither imports nor asks a module for anything."""
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        found = vars(found)[name]
    if not isinstance(found, type):
        raise TypeError(f"{module}:{qualname} is no class")
    return found


class Reader:
    """One pass over JSON; `get_class` decides which classes a text may name."""

    def __init__(
        self, get_task: Any, get_large: Any, get_class: Any, get_definition: Any, root: Path | None
    ) -> None:
        self.get_task = get_task
        self.get_large = get_large
        self.get_class = get_class
        self.get_definition = get_definition
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
            **{tag: self._input_path(cls, tag) for cls, tag in INPUT_PATHS.items()},
            "$dtype": lambda t: arrayform.dtype_from_json(t["$dtype"]),
            "$array": lambda t: arrayform.array_from_json(t, self, self.get_large),
            "$masked": lambda t: arrayform.masked_from_json(t, self, self.get_large),
            "$scalar": lambda t: arrayform.scalar_from_json(t, self),
            "$enum": self._enum,
            "$namedtuple": self._namedtuple,
            "$dataclass": self._dataclass,
            "$model": self._model,
            "$task": self._task,
            "$function": lambda t: self._definition("$function", t, FUNCTIONS),
            "$type": lambda t: self._definition("$type", t, type),
            "$purefunction": lambda t: PureFunction(self._function(t["$purefunction"])),
            "$partial": self._partial,
            "$composite": lambda t: Composite(t["$composite"], tuple(self(_list(t["terms"])))),
            "$source": self._source,
        }

    def __call__(self, tree: JSON) -> Any:
        """The value that `tree` stands for."""
        if isinstance(tree, list):
            return (
                tree.copy()
                if {float, int, str, bool}.issuperset(map(type, tree))
                else [self(x) for x in tree]
            )
        if not isinstance(tree, dict):
            return tree
        tag = next((key for key in tree if key.startswith("$")), None)
        if tag is None:
            return {key: self(item) for key, item in tree.items()}
        try:
            return self._tagged(tag, tree)
        except DescriptionError:
            raise
        except BAD_DATA as error:
            raise DescriptionError(
                f"The value under {short_repr(tag)} cannot be read.",
                f"found: {short_repr(tree)} ({short_repr(error)})",
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
                "import the module that registers the type with smttask.register_type; "
                "or read it with the version of smttask that wrote it",
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

    def _input_path(self, cls: Any, tag: str) -> Callable[[Any], Any]:
        return lambda t: cls(self._path(t[tag]["path"]), _hex(t[tag]["digest"]))

    def _task(self, tree: Any) -> Any:
        if self.get_task is None:
            raise ValueError("a task cannot stand here")
        return self.get_task(tree["$task"])

    def _definition(self, tag: str, tree: Any, kind: Any) -> Any:
        module, _, qualname = tree[tag].partition(":")
        try:
            found = self.get_definition(module, qualname)
        except BAD_DATA as error:
            if isinstance(error, DescriptionError):
                raise
            raise DescriptionError(
                f"{tag[1:].capitalize()} {short_repr(tree[tag])} cannot be used.",
                f"found: {short_repr(str(error))}",
                "put it back where it was; a text may name functions and classes of the project's modules "
                "and of config.trusted_packages, and what only computes in numpy, scipy.special and math",
            ) from error
        if not isinstance(found, kind):
            raise ValueError(f"a {type(found).__name__} of that name")
        if code_of(found) != tree.get("code"):
            raise DescriptionError(
                f"{tag[1:].capitalize()} {short_repr(tree[tag])} is not what it was when it was written.",
                f"found: code {code_of(found)}\nexpected: code {short_repr(tree.get('code'))}",
                "go back to the code of then, or construct the value anew",
            )
        return found

    def _function(self, tree: Any) -> Any:
        function = self(tree)
        if not isinstance(function, FUNCTIONS):
            raise TypeError(f"a {type(function).__name__} where a function stood")
        return function

    def _partial(self, tree: Any) -> Any:
        return partial(self._function(tree["$partial"]), *self(_list(tree["args"])), **self(tree["keywords"]))

    def _source(self, tree: Any) -> Any:
        raise DescriptionError(
            "A function that was defined inside another, in a notebook or as a lambda cannot be made again.",
            f"its source: {short_repr(tree['$source'])}",
            "construct the task with the function itself; define it in a module to have it found by name",
        )

    def _class(self, name: Any, is_right: Callable[[type], bool]) -> Any:
        module, _, qualname = name.partition(":")
        try:
            cls = self.get_class(module, qualname)
        except BAD_DATA as error:
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
                f"found: {short_repr(cls)}; expected the kind of class that was saved",
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
        stored = stored_fields(cls)
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
        extra = (
            _object(self(tree["extra"]))
            if "extra" in tree
            else {}
            if cls.model_config.get("extra") == "allow"
            else None
        )
        result = cls.__new__(cls)
        object.__setattr__(result, "__dict__", values)
        object.__setattr__(result, "__pydantic_fields_set__", set(tree["set"]))
        object.__setattr__(result, "__pydantic_extra__", extra)
        object.__setattr__(result, "__pydantic_private__", private if cls.__private_attributes__ else None)
        return result

    def _fields(self, tree: Any, known: Any, cls: type) -> dict[str, Any]:
        values: dict[str, Any] = _object(self(tree))
        unknown = [name for name in values if name not in known]
        if unknown:
            raise ValueError(f"{cls.__qualname__} has no field {', '.join(map(short_repr, unknown))}")
        return values


def _list(tree: Any) -> list[Any]:
    if not isinstance(tree, list):
        raise TypeError("expected a list")
    return tree


def _object(tree: Any) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise TypeError("expected an object")
    return tree


def _hex(text: Any) -> str:
    if not isinstance(text, str) or len(text) != 64:
        raise ValueError("expected 64 hex digits")
    return text
