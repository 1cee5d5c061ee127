"""Which tasks are stale, and why: what reports and menus say."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from smttask.errors import LockError, StorageError
from smttask.storage.locks import computing
from smttask.tasker.freshness import Seen, refreshed
from smttask.tasker.judging import Stale, Walk, label
from smttask.tasker.running import tidy
from smttask.tasker.state import lock_path, read_state, write_state

if TYPE_CHECKING:
    from smttask.tasker.unit import TaskUnit

__all__ = ["Judgement", "judge", "refresh"]


class Judgement:
    """Which tasks are stale, and why; nothing was run.

    What depends on a stale task counts as stale, though it may come out that it need not run.
    """

    def __init__(self, walk: Walk) -> None:
        self._why: dict[TaskUnit, str] = {}
        self._kept: dict[TaskUnit, str] = {}
        causes: dict[TaskUnit, TaskUnit] = {}  # of each that stores nothing, the stale one that does
        for task in walk.graph.order:
            stale = next((each for each in walk.graph.needs[task].tasks if each in self._why), None)
            why = ""
            if stale is not None:
                cause = causes.get(stale, stale)
                why = f"depends on {label(task, cause)!r}, which is stale"
                causes[task] = cause
            if task.output_paths:
                causes.pop(task, None)
                _, seen, found = walk.judged(task)
                refresh(task, walk, seen)
                if not found and found.code_changes and walk.policy(task) == "error":
                    why = why or f"code: {found.code_changes[0]}"
                why = found.why or why
                if not why and found.code_changes:
                    self._kept[task] = f"keeps what other code made: {', '.join(found.code_changes)}"
            elif not why and not all(map(walk.has_result, walk.graph.needs[task].recorded)):
                why = "depends on a task of smttask whose result is not stored"
            if why:
                self._why[task] = why

    def is_done(self, task: TaskUnit) -> bool:
        """Whether `task` and all it depends on are up to date."""
        return task not in self._why

    def why(self, task: TaskUnit) -> str:
        """Why `task` is not done; empty if it is."""
        return self._why.get(task, "")

    def remark(self, task: TaskUnit) -> str:
        """What is to be known of a task that is done: that other code made its outputs; else empty."""
        return self._kept.get(task, "")

    def remarks(self) -> dict[TaskUnit, str]:
        """The tasks of which there is a remark, with it, in order."""
        return dict(self._kept)

    def stale(self) -> list[Stale]:
        """The tasks that would have to run, in order; those without outputs are never stale themselves."""
        return [Stale(task, why) for task, why in self._why.items() if task.output_paths]


def judge(tasks: Iterable[TaskUnit]) -> Judgement:
    """Which of `tasks` and of those they depend on are stale, and why."""
    return Judgement(Walk(tasks))


def refresh(task: TaskUnit, walk: Walk, seen: Seen) -> None:
    """Note that files were touched and have the same content, so that they are hashed once."""
    state = walk.states[task]
    if state is None or not state.is_finished or (new := refreshed(state, seen)) is None:
        return
    folder, name = task.tasker.folder, task.name
    with suppress(StorageError, LockError), ExitStack() as stack:  # not ours to write, or somebody runs it
        if stack.enter_context(computing(lock_path(folder, name), timeout_s=0)):
            tidy(task)
        if read_state(folder, name) == state:
            write_state(folder, name, new)
            walk.states[task] = new
