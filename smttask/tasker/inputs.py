"""What goes into a task: its inputs as files and tasks, and the values that they stand for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smttask.errors import DefinitionError
from smttask.protocols import Runnable
from smttask.tasker.definition import is_directory_task
from smttask.tasker.files import FormatFile
from smttask.tasker.nesting import leaves, with_leaves

if TYPE_CHECKING:
    from smttask.tasker.unit import TaskUnit

__all__ = ["Needs", "input_values", "needs_of"]


@dataclass(slots=True)
class Needs:
    """What a task depends on directly.

    Parameters
    ----------
    files
        Absolute paths that no task of its Tasker stores -> whether they were named relative to the folder.
    tasks
        Task -> the absolute paths of its outputs that are used.
    recorded
        Tasks of smttask itself, whose results go in.
    named_files
        Absolute paths of all files that are named, also of those that a task stores.
    order
        All these as they stand in the arguments: place, and task or `FormatFile.kind` and absolute path.
        Places begin with the number of the argument among those that take something; its name is a matter
        of the code.
    """

    files: dict[str, bool] = field(default_factory=dict)
    tasks: dict[TaskUnit, tuple[str, ...]] = field(default_factory=dict)
    recorded: list[Runnable] = field(default_factory=list)
    named_files: dict[str, None] = field(default_factory=dict)
    order: list[tuple[str, TaskUnit | Runnable | tuple[str, str]]] = field(default_factory=list)


def needs_of(task: TaskUnit) -> Needs:
    """What `task` depends on, with the tasks that have the names now.

    Raises
    ------
    DefinitionError
        If a task that goes in was taken out of its Tasker.
    """
    needs = Needs()
    order, n_arguments = needs.order, 0
    for tree in task.definition.inputs.values():
        n_before = len(order)
        for place, leaf in leaves(tree, str(n_arguments)):
            if isinstance(leaf, FormatFile | str | os.PathLike):
                path = _path(task, leaf)
                needs.named_files[path] = None
                order.append((place, (leaf.kind if isinstance(leaf, FormatFile) else "", path)))
                found = task.tasker.find_output(path)
                if found is None or (found[1] != path and found[0].name == task.name):
                    name = leaf.filename if isinstance(leaf, FormatFile) else os.fsdecode(leaf)
                    needs.files[path] = not os.path.isabs(name)
                else:
                    owner, output = found
                    used = needs.tasks.get(owner, ())
                    needs.tasks[owner] = used if output in used else (*used, output)
            elif is_directory_task(leaf):
                used_task = latest(leaf, task)
                needs.tasks[used_task] = used_task.output_paths
                order.append((place, used_task))
            elif isinstance(leaf, Runnable):
                needs.recorded.append(leaf)
                order.append((place, leaf))
        n_arguments += len(order) > n_before
    return needs


def latest(leaf: TaskUnit, user: TaskUnit) -> TaskUnit:
    """The task that has the name of `leaf` now: cells that are run again define tasks anew."""
    found: TaskUnit | None = leaf.tasker.tasks.get(leaf.name)
    if found is None:
        raise DefinitionError(
            f"Task {user.name!r} depends on {leaf.name!r}, which is no task any more.",
            f"searched: the tasks of {leaf.tasker.folder}",
            f"define {leaf.name!r} again, or {user.name!r} without it",
            task=user.name,
        )
    return found


def input_values(
    task: TaskUnit, value_of: Callable[[TaskUnit], Any], result_of: Callable[[Runnable], Any]
) -> dict[str, Any]:
    """What the function of `task` is given, by argument, in the shape of its inputs.

    Parameters
    ----------
    value_of, result_of
        Give the value of a task of a Tasker, and of smttask itself.
    """

    def replace(leaf: Any) -> Any:
        if isinstance(leaf, FormatFile):
            return leaf.read() if leaf.folder else leaf.at(task.tasker.p).read()
        if isinstance(leaf, str | os.PathLike):
            return Path(_path(task, leaf))
        if is_directory_task(leaf):
            return value_of(latest(leaf, task))
        return result_of(leaf) if isinstance(leaf, Runnable) else leaf

    return {argument: with_leaves(tree, replace) for argument, tree in task.definition.inputs.items()}


def _path(task: TaskUnit, leaf: FormatFile | str | os.PathLike[str]) -> str:
    if isinstance(leaf, FormatFile):
        return os.path.normpath(os.path.join(leaf.folder or task.tasker.folder, leaf.filename))
    return os.path.normpath(os.path.join(task.tasker.folder, os.fsdecode(leaf)))
