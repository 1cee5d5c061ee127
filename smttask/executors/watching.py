"""What a worker tells while a task runs: which one, why, and how far it says that it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from smttask.headway import Position, told_to
from smttask.tasks.evaluation import RunOptions, Session, computing_told_to

if TYPE_CHECKING:
    from smttask.tasks import Task

__all__ = ["Watcher"]

SHARE_OF_TIME = 0.01  # that looking for reasons may take: a short run takes no longer than its explanation
SHARE_OF_TELLING = 0.003  # that telling may take: who is told takes several times as long to hear it
AT_LEAST_S = 0.03  # so that the first tasks, which may be the only ones, are explained
LONGEST_REASON = 300
PLAIN_MISS = (
    "not run with these inputs; the nearest run "  # what it differs in says enough in a narrow column
)


class Watcher:
    """Tells the display of a run what the tasks of this worker do, in few words and at little cost.

    What is told has the names of `smttask.executors.course.Underway`: ``task`` and ``why`` when a task is
    computed, ``progress`` while it counts. Of short tasks few are told, so that thousands of
    them are not slower for it.

    Parameters
    ----------
    tell
        Called in the thread of the task; of no child process.
    """

    first_s = 0.2
    interval_s = 0.5

    def __init__(self, tell: Callable[[Mapping[str, Any]], object]) -> None:
        self._tell = tell
        self._pid = os.getpid()
        self._explaining_s = self._telling_s = 0.0
        self._begin = perf_counter()
        self._is_shown = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Tell what is computed, and counted, in this thread during the block."""
        with told_to(self), computing_told_to(self._computing):
            yield

    # -- as a sink of progress

    def show(self, owner: object, position: Position) -> None:
        """See `smttask.headway.Sink`."""
        self._send({"progress": position.to_message()})
        self._is_shown = True

    def end(self, owner: object) -> None:
        """See `smttask.headway.Sink`."""
        if self._is_shown:
            self._is_shown = False
            self._send({"progress": None})

    # -- as one who is told what is computed

    def _computing(self, task: Task[Any], target: Task[Any], session: Session, options: RunOptions) -> None:
        begin = perf_counter()
        passed_s = begin - self._begin
        may_explain = self._explaining_s <= AT_LEAST_S + SHARE_OF_TIME * passed_s
        why = self._why(task, session, options) if may_explain else ""
        explained = perf_counter()
        self._explaining_s += explained - begin
        if self._telling_s <= SHARE_OF_TELLING * (1 + passed_s) or why:
            name = "" if task is target else task.name
            reason = options.reason or target.reason
            self._send({"task": name, "why": why, "reason": reason[:LONGEST_REASON]})
            self._telling_s += perf_counter() - explained

    def _why(self, task: Task[Any], session: Session, options: RunOptions) -> str:
        if not task.is_recorded:
            return ""
        try:
            return task.explained(session, options).reason.removeprefix(PLAIN_MISS)[:LONGEST_REASON]
        except Exception:  # noqa: BLE001 - for information only; the run meets the same, and tells it
            return ""

    def _send(self, facts: Mapping[str, Any]) -> None:
        if os.getpid() == self._pid:
            self._tell(facts)
