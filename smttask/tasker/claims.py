"""Which files and folders the tasks of one Tasker store: none of them twice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from smttask.errors import DefinitionError
from smttask.tasker.state import FOLDER, file_key

if TYPE_CHECKING:
    from smttask.tasker.unit import TaskUnit

__all__ = ["Claims"]


class Claims:
    """What the tasks of a Tasker store, by path.

    Parameters
    ----------
    folder
        Of the Tasker, absolute.
    tasks
        Those that the Tasker has at the moment, by name; what others claimed before does not count.
    """

    def __init__(self, folder: str, tasks: Mapping[str, TaskUnit]) -> None:
        self._folder = folder
        self._tasks = tasks
        self._names: dict[str, str] = {}  # path -> name of the task

    def take(self, task: TaskUnit) -> None:
        """Claim what `task` stores; a task of its name that it replaces is no rival.

        Raises
        ------
        DefinitionError
            If another task stores it, or it is no place for outputs.
        """
        own = os.path.join(self._folder, FOLDER) + os.sep
        for path in task.output_paths:
            if own.startswith(path.rstrip(os.sep) + os.sep) or path.startswith(own):
                raise DefinitionError(
                    f"Task {task.name!r} cannot store {path!r}.",
                    f"it is, or holds, the folder of the Tasker, or is in {FOLDER}",
                    "name a file or a folder inside it",
                    task=task.name,
                )
            if (rival := self._find_rival(path, task.name)) is not None:
                owner, output = rival
                mine, theirs = file_key(self._folder, path), file_key(self._folder, output)
                raise DefinitionError(
                    f"The output {mine!r} of task {task.name!r} is claimed by two tasks.",
                    f"found: {owner.name!r} stores {theirs!r} in {self._folder}",
                    f"name another file; to forget the earlier task: del t.tasks[{owner.name!r}]",
                    task=task.name,
                )
        self._names.update(dict.fromkeys(task.output_paths, task.name))

    def find_owner(self, path: str) -> TaskUnit | None:
        """The task that stores the absolute `path`; None if no task does."""
        name = self._names.get(path)
        task = None if name is None else self._tasks.get(name)
        return task if task is not None and path in task.output_paths else None

    def find_output(self, path: str) -> tuple[TaskUnit, str] | None:
        """The task that stores the absolute `path` or a folder around it, with that output; or None."""
        inside = self._folder + os.sep
        while (owner := self.find_owner(path)) is None:
            path = os.path.dirname(path)
            if not path.startswith(inside):
                return None
        return owner, path

    def _find_rival(self, path: str, name: str) -> tuple[TaskUnit, str] | None:
        """Another task than `name` that stores `path`, something around it or in it; with that output."""
        found = self.find_output(path)
        if found is not None and found[0].name != name:
            return found
        within = (output for output in self._names if output.startswith(path + os.sep))
        owners = ((self.find_owner(output), output) for output in within)
        return next(((task, output) for task, output in owners if task and task.name != name), None)
