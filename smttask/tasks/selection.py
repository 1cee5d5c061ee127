"""Tasks by module, by record, in memory: what one asks of many at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from smttask.errors import ArgumentError, RecordNotFoundError, short_repr
from smttask.project import Project, get_current_project
from smttask.protocols import view_registry
from smttask.records.query import Selection
from smttask.tasks.memory import memory
from smttask.tasks.task import Task

__all__ = ["clear_task_cache", "find_tasks", "task_from_record", "tasks_have_run"]

logger = logging.getLogger("smttask")

_SHOWN = 5


def find_tasks(*places: ModuleType | Mapping[str, Any]) -> list[type[Task[Any]]]:
    """The types of tasks that modules define or import, each once, in the order of their names there.

    Parameters
    ----------
    *places
        Modules, or namespaces such as ``vars()``.

    Raises
    ------
    ArgumentError
        If a place is something else.

    Examples
    --------
    >>> from smttask import MemoizedTask
    >>> @MemoizedTask
    ... def Half(x: float) -> float:
    ...     return x / 2
    >>> [task_type.__name__ for task_type in find_tasks({"Half": Half, "n": 3})]
    ['Half']
    """
    found: dict[type[Task[Any]], None] = {}
    for place in places:
        if not isinstance(place, ModuleType | Mapping):
            raise ArgumentError(
                "find_tasks takes modules and namespaces.",
                f"found: {short_repr(place)} of type {type(place).__name__}",
                "import the module and give it, or give vars()",
            )
        names = vars(place) if isinstance(place, ModuleType) else place
        for value in list(names.values()):
            if isinstance(value, type) and issubclass(value, Task) and not _is_ours(value):
                found[value] = None
    return list(found)


def _is_ours(task_type: type[Task[Any]]) -> bool:
    """Whether it is a base class or `Join`, which no project defines."""
    return "__wrapped__" not in vars(task_type) or task_type.__wrapped__.__module__ == "smttask"


def tasks_have_run(tasks: Task[Any] | Iterable[Task[Any]], *, warn: bool = True) -> bool:
    """Whether each of `tasks` has a result, stored or in memory; nothing is computed.

    Parameters
    ----------
    tasks
        Several, or one.
    warn
        Log which of them have none.

    Raises
    ------
    ArgumentError
        If something else is among them.
    """
    asked = [tasks] if isinstance(tasks, Task) or not isinstance(tasks, Iterable) else list(tasks)
    if strange := [one for one in asked if not isinstance(one, Task)]:
        raise ArgumentError(
            "tasks_have_run takes tasks.",
            f"found: {short_repr(strange[0])} of type {type(strange[0]).__name__}",
            "give task objects: a type of tasks must be called with its inputs first",
        )
    waiting = [task for task in asked if not task.has_run]
    if waiting and warn:
        shown = ", ".join(f"{task.name} ({task.description_key})" for task in waiting[:_SHOWN])
        more = f" and {len(waiting) - _SHOWN} more" if len(waiting) > _SHOWN else ""
        logger.warning("%d tasks have no result yet: %s%s", len(waiting), shown, more)
    return not waiting


def clear_task_cache(*which: type[Task[Any]] | Task[Any] | str) -> None:
    """Drop results from memory, so that the next `run()` computes or loads; on disk they stay.

    Parameters
    ----------
    *which
        Tasks, types of tasks, or their names (with or without module); nothing: all of them.

    Raises
    ------
    ArgumentError
        If one is something else.
    """
    if not which:
        memory.clear()
        return
    for one in which:
        if isinstance(one, Task):
            one.clear()
        elif isinstance(one, type) and issubclass(one, Task):
            memory.clear(lambda identity, wanted=one._identity: identity == wanted)  # type: ignore[misc]
        elif isinstance(one, str):
            memory.clear(lambda identity, name=one: _is_called(identity, name))  # type: ignore[misc]
        else:
            raise ArgumentError(
                "clear_task_cache takes tasks, types of tasks and their names.",
                f"found: {short_repr(one)} of type {type(one).__name__}",
                "call it without arguments to clear all results from memory",
            )


def _is_called(identity: tuple[str, str], name: str) -> bool:
    module, qualname = identity
    return name in (qualname, qualname.rpartition(".")[2], f"{module}.{qualname}", f"{module}:{qualname}")


def task_from_record(record: Any, *, project: Project | None = None) -> Task[Any]:
    """The task whose run a record describes.

    Parameters
    ----------
    record
        A `RecordView`, a label, or a part of one, such as the digits of a digest: then the
        latest such run counts.
    project
        Where labels are looked up; default: the project in use.

    Raises
    ------
    RecordNotFoundError
        If no record has this label.
    DescriptionError
        If the task is not there any more.
    """
    if not isinstance(record, str):
        task: Task[Any] = record.task
        return task
    project = project or get_current_project()
    label = _find_label(project, record)
    return task_from_record(view_registry.record_view(project, label))


def _find_label(project: Project, part: str) -> str:
    records = project.records
    if records.has(part):
        return part
    for selection in (Selection().with_label(part), Selection().with_label_like(f"*{part}*")):
        if part and (labels := records.labels(selection.sliced(0, 1))):
            return str(labels[0])
    raise RecordNotFoundError(
        f"No record is called {part!r}.",
        f"searched: {records.count()} records of project {project.name!r}",
        "RSView().labels() lists the labels",
        label=part,
    )
