"""Many tasks of one type: some arguments fixed beforehand, or one task for each item of a list."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from smttask.errors import ArgumentError, InputError
from smttask.typing.ownership import owned

if TYPE_CHECKING:
    from smttask.tasks.signature import Signature
    from smttask.tasks.task import Task

__all__ = ["Bindable"]


class Bindable:
    """What a type of tasks can do with some of its arguments only."""

    @classmethod
    def bind(cls, *args: Any, **some: Any) -> type[Self]:
        """A new task type with these arguments as defaults; the others are given when it is called.

        ``T.bind(n=20)(x=1)`` is the same task as ``T(x=1, n=20)``. The arguments are
        converted and copied now; two new types never share them.

        Raises
        ------
        ArgumentError, InputError
            If there is no such argument, or it does not take the value.
        """
        return cast("type[Self]", _bound_type(_task_type(cls), args, some))

    partial = bind

    @classmethod
    def map(cls, *, reason: str | None = None, **arguments: Any) -> list[Self]:
        """One task for each item of the lists given: the first of all, the second of all, and so on.

        Parameters
        ----------
        reason
            For all of them.
        **arguments
            Lists, ranges and iterators are run over, and arrays where the argument takes
            no array; they are of equal length. Everything else is the same for each task.
            To give a list as one value, fix it: ``T.bind(weights=[1, 2]).map(x=[…])``.

        Raises
        ------
        ArgumentError
            If there is no list, or the lists are of unequal length.

        Examples
        --------
        >>> from smttask import MemoizedTask
        >>> @MemoizedTask
        ... def Scale(x: float, by: float) -> float:
        ...     return x * by
        >>> [task.run() for task in Scale.map(x=[1, 2], by=10)]
        [10.0, 20.0]
        """
        return cast("list[Self]", _mapped(_task_type(cls), arguments, reason))


def _task_type(cls: type[Bindable]) -> type[Task[Any]]:
    return cast("type[Task[Any]]", cls)


def _bound_type(task_type: type[Task[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> type[Task[Any]]:
    """A task type like `task_type` with these arguments as defaults.

    Called, it gives tasks of `task_type` itself, so they are the same tasks as those
    made with all arguments at once.
    """
    origin: type[Task[Any]] = task_type.__dict__.get("_bound_to", task_type)
    fixed = dict(task_type.__dict__.get("_bound", {}))
    signature = origin._signature.with_names(kwargs)
    for name, value in signature.by_name(args, kwargs).items():
        try:
            fixed[name] = owned(signature.parameters[name].validate(value))
        except InputError as error:
            raise _in_task(error, origin, name) from error

    def construct(cls: type[Task[Any]], *args: Any, reason: str | None = None, **kwargs: Any) -> Task[Any]:
        given = origin._signature.with_names(kwargs).by_name(args, kwargs)
        return origin(reason=reason, **{**fixed, **given})

    return type(
        origin.__name__,
        (origin,),
        {
            "__module__": origin.__module__,
            "__qualname__": origin.__qualname__,
            "__doc__": origin.__doc__,
            "__wrapped__": origin.__wrapped__,
            "__signature__": _signature_with(origin.__signature__, fixed),  # type: ignore[attr-defined]
            "__new__": construct,
            "from_desc": origin.from_desc,
            "__get_pydantic_core_schema__": origin.__get_pydantic_core_schema__,
            "_bound_to": origin,
            "_bound": fixed,
        },
    )


def _in_task(error: InputError, task_type: type[Task[Any]], argument: str) -> InputError:
    return InputError(
        f"Task {task_type.__name__!r}: {error.what}",
        error.found,
        error.remedy,
        place=error.place or argument,
        task=task_type.__name__,
        argument=argument,
    )


def _signature_with(signature: inspect.Signature, fixed: Mapping[str, Any]) -> inspect.Signature:
    """`signature` with other defaults; what comes after the first of them is shown as given by name."""
    shown = []
    by_name = False
    for parameter in signature.parameters.values():
        by_name = by_name or parameter.name in fixed
        if by_name:
            parameter = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        if parameter.name in fixed:
            parameter = parameter.replace(default=fixed[parameter.name])
        shown.append(parameter)
    return signature.replace(parameters=shown)


def _mapped(task_type: type[Task[Any]], arguments: dict[str, Any], reason: str | None) -> list[Task[Any]]:
    """One task of `task_type` for each item of the lists among `arguments`."""
    origin: type[Task[Any]] = task_type.__dict__.get("_bound_to", task_type)
    signature = origin._signature.with_names(arguments)
    given = signature.by_name((), arguments)
    columns = {name: list(value) for name, value in given.items() if _is_run_over(signature, name, value)}
    if not columns:
        raise ArgumentError(
            f"{task_type.__name__}.map has no list to run over.",
            f"found: {', '.join(given) or 'no arguments'}\nexpected: a list for at least one argument",
            f"to make one task, call {task_type.__name__}(…)",
        )
    n_tasks = {len(column) for column in columns.values()}
    if len(n_tasks) > 1:
        raise ArgumentError(
            f"{task_type.__name__}.map got lists of unequal length.",
            "\n".join(f"{name}: {len(column)} items" for name, column in columns.items()),
            "give one item of each list for each task; itertools.product makes all combinations",
        )
    return [
        task_type(reason=reason, **{**given, **dict(zip(columns, items, strict=True))})
        for items in zip(*columns.values(), strict=True)
    ]


def _is_run_over(signature: Signature, name: str, value: Any) -> bool:
    if isinstance(value, list | range | Iterator):
        return True
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return False
    try:
        signature.parameters[name].validate(value)
    except InputError:
        return True
    return False
