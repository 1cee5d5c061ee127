"""What a worker tells while a task runs: which one, why, and how far it says that it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from smttask.executors.telling import LONGEST_REASON, Watcher
from smttask.tasks.evaluation import RunOptions, Session, computing_told_to

if TYPE_CHECKING:
    from smttask.tasks import Task

__all__ = ["TaskWatcher"]

SHARE_OF_TIME = 0.01  # that looking for reasons may take: a short run takes no longer than its explanation
AT_LEAST_S = 0.03  # so that the first tasks, which may be the only ones, are explained
EXPLAIN_EVERY_S = 0.1  # at most, later: who looks at a table sees no more
PLAIN_MISS = (
    "not run with these inputs; the nearest run "  # what it differs in says enough in a narrow column
)


class TaskWatcher(Watcher):
    """Tells the display of a run what the tasks of this worker do, in few words and at little cost.

    What is told has the names of `smttask.executors.course.Underway`: ``task`` and ``why`` when a task is
    computed, ``progress`` while it counts. Of short tasks few are told, so that thousands of
    them are not slower for it.

    Parameters
    ----------
    tell
        Called in the thread of the task; of no child process.
    """

    def __init__(self, tell: Callable[[Mapping[str, Any]], object]) -> None:
        super().__init__(tell)
        self._explaining_s = 0.0
        self._explained_at = -EXPLAIN_EVERY_S

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Tell what is computed, and counted, in this thread during the block."""
        with super().watching(), computing_told_to(self._computing):
            yield

    def _computing(self, task: Task[Any], target: Task[Any], session: Session, options: RunOptions) -> None:
        begin = perf_counter()
        is_due = begin - self._explained_at >= EXPLAIN_EVERY_S
        may_take_s = AT_LEAST_S + is_due * SHARE_OF_TIME * (begin - self._begin)
        why = ""
        if self._explaining_s <= may_take_s:
            why, self._explained_at = self._why(task, session, options), begin
            self._explaining_s += perf_counter() - begin
        name = "" if task is target else task.name
        reason = (options.reason or target.reason)[:LONGEST_REASON]
        self.doing({"task": name, "why": why, "reason": reason}, is_worth_it=bool(why))

    def _why(self, task: Task[Any], session: Session, options: RunOptions) -> str:
        if not task.is_recorded:
            return ""
        try:
            return task.explained(session, options).reason.removeprefix(PLAIN_MISS)[:LONGEST_REASON]
        except Exception:  # noqa: BLE001 - for information only; the run meets the same, and tells it
            return ""
