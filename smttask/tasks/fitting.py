"""Whether the result of a task can ever be what stands in its place; refused only if it surely cannot."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from smttask.errors import InputError, SmttaskError
from smttask.protocols import Runnable
from smttask.tasks.composition import iter_leaves
from smttask.tasks.kinds import UNIONS, can_fit, fixed_items, plain
from smttask.typing.validation import annotation_name

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = ["check_fit"]


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
    if not hasattr(task, "_signature"):  # nothing is known of what it gives
        return
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


def _tasks_in(annotation: Any, value: Any, place: str) -> Iterator[tuple[Any, Task[Any], str]]:
    """Each task in `value` of which it is known what must stand there: annotation, task, place."""
    if isinstance(value, Runnable):
        yield annotation, cast("Task[Any]", value), place
        return
    annotation = plain(annotation)
    if typing.get_origin(annotation) in UNIONS:
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
    fixed = fixed_items(annotation)
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
