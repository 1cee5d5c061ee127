"""Canonical bytes of the defaults of dataclasses and models: a field that stands at one is left out."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from smttask.errors import SmttaskError
from smttask.typing.places import stored_fields
from smttask.typing.validation import Validator

__all__ = ["PLAIN_FACTORIES", "usual_bytes"]

PLAIN_FACTORIES = (list, dict, set, tuple, frozenset)  # other factories may give another value each time

Usual = Mapping[str, frozenset[bytes]]
_known: WeakKeyDictionary[type, dict[Path | None, Usual]] = WeakKeyDictionary()


def usual_bytes(cls: type, root: Path | None, write: Callable[[Any, Path | None], bytes | None]) -> Usual:
    """By field, what the canonical bytes are when it stands at its default: as declared, and as converted."""
    by_root = _known.setdefault(cls, {})
    if root not in by_root:
        defaults = _model_defaults(cls) if issubclass(cls, BaseModel) else _dataclass_defaults(cls)
        by_root[root] = {
            name: frozenset(filter(None, (write(value, root) for value in values)))
            for name, values in defaults.items()
        }
    return by_root[root]


def _dataclass_defaults(cls: Any) -> dict[str, list[Any]]:
    hints: dict[str, Any] = {}
    with suppress(
        Exception
    ):  # annotations are any code; a default that cannot be converted counts as declared
        hints = typing.get_type_hints(cls, include_extras=True)
    result = {}
    for name, field in stored_fields(cls).items():
        if field.default is not MISSING:
            result[name] = _with_converted(field.default, hints.get(name, Any))
        elif field.default_factory in PLAIN_FACTORIES:
            result[name] = _with_converted(field.default_factory(), hints.get(name, Any))
    return result


def _model_defaults(cls: type[BaseModel]) -> dict[str, list[Any]]:
    result = {}
    for name, field in cls.model_fields.items():
        if field.default_factory in PLAIN_FACTORIES:
            result[name] = _with_converted(field.default_factory(), field.annotation)
        elif field.default_factory is None and field.default is not PydanticUndefined:
            result[name] = _with_converted(field.default, field.annotation)
    return result


def _with_converted(default: Any, annotation: Any) -> list[Any]:
    with suppress(SmttaskError):
        return [default, Validator(annotation)(default)]
    return [default]
