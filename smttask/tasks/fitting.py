"""Whether the result of a task can ever be what stands in its place; refused only if it surely cannot."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pydantic import BaseModel

from smttask.errors import InputError, SmttaskError
from smttask.protocols import Runnable
from smttask.tasks.composition import iter_leaves
from smttask.tasks.outputs import TaskOutput
from smttask.typing.arrays import Array
from smttask.typing.validation import annotation_name

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = ["can_fit", "check_fit"]

Kinds = frozenset[type]


class _Table:
    """Stands for pandas' DataFrame, which is not imported to be asked about."""


_UNIONS = (typing.Union, types.UnionType)
_NUMBERS = frozenset({int, float, str, bytes})
_TEXTS = frozenset({str, bytes})
_GROUPS = frozenset({list, tuple, set, frozenset})
_ITEMS = _GROUPS | {_Table}  # the names of its columns
# What a value of one of these types is converted from, as `tests/tasks/test_fitting.py` finds out; from
# nothing else. Types that are not here may take anything.
_TAKEN: Mapping[Any, Kinds] = {
    type(None): frozenset({type(None)}),
    bool: _NUMBERS | {bool},
    int: _NUMBERS,
    float: _NUMBERS,
    complex: frozenset({complex, float, int, str}),
    str: _TEXTS,
    bytes: _TEXTS,
    list: _ITEMS,
    tuple: _ITEMS,
    set: _ITEMS,
    frozenset: _ITEMS,
    dict: frozenset({dict}),
    Mapping: frozenset({dict}),
    Sequence: frozenset({list, tuple}),
    Iterable: frozenset({list, tuple, Iterator}),
    Iterator: frozenset({Iterator}),
}
# What a task may return that promises one of these: a result in memory is checked by `isinstance` only.
_GIVEN: Mapping[Any, Kinds] = {
    **{kind: frozenset({kind}) for kind in (type(None), bool, complex, str, bytes, dict, *_GROUPS)},
    int: frozenset({int, bool}),
    float: frozenset({float, int}),
    Iterator: frozenset({Iterator}),
    Generator: frozenset({Iterator}),
    **{kind: frozenset({kind}) for kind in (Path, date, time, timedelta)},
    datetime: frozenset({date}),
}
_ARRAYS = frozenset({bool, int, float, complex, str, bytes, list, tuple, Iterator, _Table})


def check_fit(annotation: Any, value: Any, place: str) -> None:
    """Refuse a task in `value` whose result can never be what the annotation wants there.

    Parameters
    ----------
    annotation
        What `value` was validated by.
    place
        What messages call the value.

    Raises
    ------
    InputError
        If there is one.
    """
    if isinstance(value, Runnable):
        _check_task(annotation, cast("Task[Any]", value), place)
    elif any(isinstance(leaf, Runnable) for leaf in iter_leaves(value)):
        for wanted, task, where in _tasks_in(annotation, value, place):
            _check_task(wanted, task, where)


def _check_task(wanted: Any, task: Task[Any], where: str) -> None:
    try:
        returned = task._signature.hints["return"]
    except SmttaskError:  # whoever runs the task is told
        return
    if not can_fit(returned, wanted):
        raise InputError(
            f"{where} does not take the result of task {task.name!r} ({task.description_key}).",
            f"{where}: expected {annotation_name(wanted)}; "
            f"the task returns {annotation_name(returned)}, which never fits",
            "give another task, or correct one of the annotations",
            place=where,
        )


def can_fit(returned: Any, wanted: Any) -> bool:
    """Whether some value of the annotation `returned` is or is converted to one of `wanted`.

    Examples
    --------
    >>> can_fit(list[float], float), can_fit(str, float), can_fit(int | None, float)
    (False, True, True)
    """
    try:
        return _can_fit(returned, wanted)
    except TypeError:  # an annotation that cannot be hashed
        return True


@lru_cache(maxsize=1024)
def _can_fit(returned: Any, wanted: Any) -> bool:
    given, taken = _kinds(returned, _GIVEN), _kinds(wanted, _TAKEN)
    if given is None or taken is None:
        return True
    if given.isdisjoint(taken):
        return False
    return _lengths_fit(returned, wanted)


def _kinds(annotation: Any, known: Mapping[Any, Kinds]) -> Kinds | None:
    """Which of the types in `known` a value may be of, or is made of; None: any."""
    if known is _TAKEN and _is_array(annotation):
        return _ARRAYS
    annotation = _plain(annotation)
    if annotation is None:
        annotation = type(None)
    origin = typing.get_origin(annotation) or annotation
    if origin in _UNIONS:
        options = [_kinds(option, known) for option in typing.get_args(annotation)]
        return None if None in options else frozenset().union(*cast("list[Kinds]", options))
    if origin is typing.Literal:
        options = [known.get(type(value)) for value in typing.get_args(annotation)]
        return None if None in options else frozenset().union(*cast("list[Kinds]", options))
    if known is _GIVEN and isinstance(origin, type) and issubclass(origin, TaskOutput):
        return known[tuple]
    if known is _GIVEN and isinstance(origin, type) and origin.__name__ == "DataFrame":
        return frozenset({_Table}) if origin.__module__.partition(".")[0] == "pandas" else None
    return known.get(origin)


def _is_array(annotation: Any) -> bool:
    """Whether an array is wanted, with nothing but our own marks about its dtype and dimensions."""
    if typing.get_origin(annotation) is typing.Annotated:
        own = all(type(mark).__module__.startswith("smttask.") for mark in annotation.__metadata__)
        return own and annotation.__origin__ is np.ndarray
    return (typing.get_origin(annotation) or annotation) in (np.ndarray, Array)


def _plain(annotation: Any) -> Any:
    """``Annotated[X, …]`` as X, where what is added only narrows it; else something that is not known."""
    if typing.get_origin(annotation) is not typing.Annotated:
        return annotation
    if any(hasattr(mark, "__get_pydantic_core_schema__") for mark in annotation.__metadata__):
        return Any
    return _plain(annotation.__origin__)


def _lengths_fit(returned: Any, wanted: Any) -> bool:
    """Whether tuples of fixed length, where both are, have as many and fitting items."""
    items, places = _fixed_items(_plain(returned)), _fixed_items(_plain(wanted))
    if items is None or places is None:
        return True
    return len(items) == len(places) and all(map(can_fit, items, places))


def _fixed_items(annotation: Any) -> tuple[Any, ...] | None:
    if isinstance(annotation, type) and issubclass(annotation, TaskOutput):
        return (Any,) * len(annotation._fields)
    args = typing.get_args(annotation)
    return args if typing.get_origin(annotation) is tuple and ... not in args else None


def _tasks_in(annotation: Any, value: Any, place: str) -> Iterator[tuple[Any, Task[Any], str]]:
    """Each task in `value` of which it is known what must stand there: annotation, task, place."""
    if isinstance(value, Runnable):
        yield annotation, cast("Task[Any]", value), place
        return
    annotation = _plain(annotation)
    if typing.get_origin(annotation) in _UNIONS:
        options = [option for option in typing.get_args(annotation) if option is not type(None)]
        annotation = options[0] if len(options) == 1 else Any
    args = typing.get_args(annotation)
    if isinstance(value, Mapping):
        if len(args) == 2:
            for key, item in value.items():
                yield from _tasks_in(args[1], item, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple | set | frozenset) and args:
        for index, (item_type, item) in enumerate(zip(_item_types(annotation, value), value, strict=False)):
            yield from _tasks_in(item_type, item, f"{place}[{index}]")
    else:
        for name, kind in _field_types(cast("Any", type(value))).items():
            yield from _tasks_in(kind, getattr(value, name, None), f"{place}.{name}")


def _item_types(annotation: Any, value: Collection[Any]) -> Sequence[Any]:
    fixed = _fixed_items(annotation)
    return fixed if fixed is not None else [typing.get_args(annotation)[0]] * len(value)


@lru_cache(maxsize=256)
def _field_types(cls: type) -> Mapping[str, Any]:
    """Annotations of the fields of a dataclass or model, if there are any and they can be resolved."""
    if issubclass(cls, BaseModel):
        return {name: field.annotation for name, field in cls.model_fields.items() if not field.metadata}
    if not dataclasses.is_dataclass(cls):
        return {}
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError:
        return {}
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}
