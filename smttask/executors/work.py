"""One thing to run: a description file, a task of the calling process, or the call of a function."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smttask.errors import NotRecordableError

if TYPE_CHECKING:
    from smttask.tasks import Task

__all__ = ["Work", "work_of_task"]

GLANCE_BYTES = 200_000
SMALL_CHARACTERS = 2_000
SENT = ("path", "description", "part", "wants_value", "call", "arguments")


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to run; exactly one of `path`, `description`, `task` and `call` says what.

    Parameters
    ----------
    name
        For people: the path as the user gave it; of a task without a file its name and digest.
    number
        Its place among all that are run together; what became of it is told under this number.
    path
        Absolute path of a description file, which is removed when result and record are safe.
    description
        JSON text of a description.
    task
        The task itself; only for those who run it in this process.
    part
        Key of a task that the described one depends on: only that one is run, and no file removed.
    trusts
        Top-level packages whose modules the description may name besides those that settings trust.
    wants_value
        Whether a result that is not stored is to come back with the outcome.
    call
        ``module:function`` of the installed packages, called with `arguments` and `wait`; it returns what
        became of the work, see `smttask.executors.calls`. No project is needed.
    arguments
        Keyword arguments as a JSON object.
    """

    name: str
    number: int = 0
    path: str = ""
    description: str = ""
    task: Task[Any] | None = None
    part: str = ""
    trusts: tuple[str, ...] = ()
    wants_value: bool = False
    call: str = ""
    arguments: str = ""

    @property
    def kind(self) -> str:
        """What works have in common that take about as long: the name of the task, or of the function."""
        if self.call:
            return self.call.partition(":")[2]
        return os.path.basename(self.name).partition("__")[0]

    def sendable(self) -> Work:
        """The same for another process, with the task as its description.

        Raises
        ------
        NotRecordableError
            If no other process could import the task.
        """
        if self.task is None:
            return self
        from smttask.tasks.description import iter_described, pickled_task  # the task brought it already

        packages = set()
        for described in iter_described(self.task):
            if reason := described.unsavable:
                raise NotRecordableError(
                    f"Task {described.name!r} ({described.description_key}) cannot run in another process.",
                    f"found: {reason}, from where no other process can import it",
                    "move it to a module of the project, at the top level, or run it with executor='thread'",
                )
            packages.add(described.home_module.partition(".")[0])
        return replace(self, task=None, description=pickled_task(self.task), trusts=tuple(sorted(packages)))

    @property
    def is_small(self) -> bool:
        """Whether its message goes into any pipe at once, also if nobody reads there."""
        return len(self.description) + len(self.path) + len(self.name) < SMALL_CHARACTERS and not self.call

    def n_upstream(self) -> int:
        """About how many tasks it depends on; 0 if that is not to be seen at a glance."""
        if self.call:
            return 0
        try:
            if self.path and os.path.getsize(self.path) > GLANCE_BYTES:
                return 0
            text = Path(self.path).read_text(encoding="utf-8") if self.path else self.description
            return max(len(json.loads(text)["tasks"]) - 1, 0) if len(text) <= GLANCE_BYTES else 0
        except (OSError, ValueError, LookupError, TypeError):
            return 0

    def to_message(self) -> dict[str, Any]:
        """Its fields as JSON, those at their default left out; see `sendable`."""
        given = {name: value for name in SENT if (value := getattr(self, name))}
        if self.trusts:
            given["trusts"] = list(self.trusts)
        return {"name": self.name, "number": self.number, **given}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Work:
        """What `to_message` gave."""
        return cls(**{**message, "trusts": tuple(message.get("trusts", ()))})


def work_of_task(task: Task[Any], number: int) -> Work:
    """The work to run `task`, a task of this process, and to bring its result."""
    name = f"{task.name}__{task.description_key}"
    return Work(name, number, task=task, wants_value=True)
