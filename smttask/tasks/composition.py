"""Tasks inside values: where they stand, and how their values take their places.

Lists, tuples, dicts, sets, dataclasses and pydantic models are searched at any depth;
arrays, text and everything else is a leaf.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from functools import lru_cache
from typing import Any, cast

import numpy as np
from pydantic import BaseModel, RootModel, ValidationError

from smttask.errors import InputError
from smttask.protocols import Runnable
from smttask.settings import config

__all__ = ["find_classes", "find_tasks", "iter_leaves", "with_values"]

# Types that hold no tasks; looked up first, so that large lists of numbers are searched quickly.
_LEAVES = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, np.ndarray, np.float64, np.int64}
)
_CONTAINERS = (list, tuple, set, frozenset)
_PLAIN_CONTAINERS = frozenset({dict, *_CONTAINERS})


def find_tasks(value: object) -> list[Runnable]:
    """Every task in `value`, equal ones once, in the order in which they stand.

    Parameters
    ----------
    value
        A task, or a value with tasks at any depth of its lists, tuples, dicts,
        sets, dataclasses and models. Tasks inside tasks are not searched, nor are
        values of ``config.terminating_types``.

    Examples
    --------
    >>> find_tasks([1, {"a": (2.0, "text")}])
    []
    """
    if type(value) in _LEAVES:
        return []
    if isinstance(value, Runnable):
        return [value]
    found = {task.session_key: task for task in _iter_tasks(value)}
    return list(found.values())


def _iter_tasks(value: object) -> Iterator[Runnable]:
    return (leaf for leaf in iter_leaves(value) if isinstance(leaf, Runnable))


def iter_leaves(value: object) -> Iterator[object]:
    """Tasks and other leaves of `value`; containers of nothing but numbers, text and arrays are passed over.

    Examples
    --------
    >>> list(iter_leaves([[1, 2], {"a": ("text", range(3))}]))
    ['text', range(0, 3)]
    """
    stack = [value]
    while stack:
        item = stack.pop()
        parts = _parts(item)
        if parts is None:
            yield item
        else:
            stack.extend(reversed(parts))


def find_classes(values: Iterable[object]) -> tuple[type, ...]:
    """Classes of the objects in `values`, at any depth: whoever takes such an object may call its methods.

    Examples
    --------
    >>> from fractions import Fraction
    >>> find_classes([1.5, [Fraction(1, 2), {"a": Fraction(1, 3)}]])
    (<class 'fractions.Fraction'>,)
    """
    found: dict[type, None] = {}
    stack = [value for value in values if type(value) not in _LEAVES]
    while stack:
        item = stack.pop()
        if type(item) in _LEAVES or isinstance(item, Runnable):
            continue
        if type(item) not in _PLAIN_CONTAINERS:
            found[type(item)] = None
        stack.extend(_parts(item) or ())
        if isinstance(item, dict):
            stack.extend(item)
    return tuple(found)


@lru_cache(maxsize=256)
def _is_among(cls: Any, chosen: frozenset[type | str]) -> bool:
    names = {f"{base.__module__}.{base.__qualname__}" for base in cls.__mro__}
    return not chosen.isdisjoint(names) or any(
        isinstance(kind, type) and issubclass(cls, kind) for kind in chosen
    )


def _parts(value: object) -> list[object] | None:
    """The items of a container that may be or hold a task; None for a leaf."""
    if type(value) in _LEAVES:
        return None
    chosen = config.get("terminating_types")
    if chosen and _is_among(cast("Any", type(value)), chosen):
        return None
    if isinstance(value, dict):
        items: list[object] = list(value.values())
    elif isinstance(value, _CONTAINERS):
        items = list(value)
    elif isinstance(value, BaseModel):
        items = list(_model_fields(value).values())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type | Runnable):
        items = [getattr(value, name) for name in _field_names(value)]
    else:
        return None
    return [] if set(map(type, items)) <= _LEAVES else items


def with_values(value: Any, get_value: Callable[[Runnable], Any], *, checked: bool = True) -> Any:
    """`value` with each task in it replaced by what `get_value` returns for it.

    Containers that hold no task are returned as they are; those that do are built
    anew with their own type.

    Parameters
    ----------
    checked
        Validate the models that are built anew; not where names take the places of tasks.

    Raises
    ------
    InputError
        If a model does not take what stands for its tasks.

    Examples
    --------
    >>> with_values([1, (2, 3)], lambda task: 0)
    [1, (2, 3)]
    """
    if isinstance(value, Runnable):
        return get_value(value)
    items = _parts(value) or []
    replaced = [with_values(item, get_value, checked=checked) for item in items]
    if all(new is old for new, old in zip(replaced, items, strict=True)):
        return value
    return _rebuilt(value, replaced, checked)


def _rebuilt(value: Any, items: list[Any], checked: bool) -> Any:
    """A container like `value` that holds `items`, which are in the order of `_parts`."""
    kind: Any = type(value)
    if isinstance(value, dict):
        entries = dict(zip(value, items, strict=True))
        return entries if kind is dict else kind(entries)
    if hasattr(value, "_fields"):
        return kind(*items)
    if isinstance(value, _CONTAINERS):
        return kind(items)
    if isinstance(value, BaseModel):
        return _rebuilt_model(value, items) if checked else _renamed_model(value, items)
    made = copy(value)
    for name, item in zip(_field_names(value), items, strict=True):
        object.__setattr__(made, name, item)
    return made


def _rebuilt_model(value: BaseModel, items: list[Any]) -> BaseModel:
    given = items[0] if isinstance(value, RootModel) else dict(zip(_model_fields(value), items, strict=True))
    try:
        made = type(value).model_validate(given, by_name=True)
    except ValidationError as error:
        raise InputError(
            f"Model {type(value).__qualname__} does not take the results of the tasks in it.",
            str(error),
            "correct the field's annotation, or give another task",
        ) from error
    object.__setattr__(made, "__pydantic_fields_set__", set(value.__pydantic_fields_set__))
    return made


def _renamed_model(value: BaseModel, items: list[Any]) -> BaseModel:
    made = value.model_copy()
    for name, item in zip(_model_fields(value), items, strict=True):
        fields = made.__dict__ if name in made.__dict__ else made.__pydantic_extra__
        cast("dict[str, Any]", fields)[name] = item
    return made


def _model_fields(value: BaseModel) -> dict[str, Any]:
    """Fields of a model that are set, extra ones too."""
    return {**value.__dict__, **(value.__pydantic_extra__ or {})}


def _field_names(value: Any) -> list[str]:
    """Fields of a dataclass that are set."""
    return [field.name for field in dataclasses.fields(value) if hasattr(value, field.name)]
