"""Time and memory that a task may take, watched from outside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING

from smttask.executors.memory import bytes_text, children_by_parent, family, kill_family, memory_of

if TYPE_CHECKING:
    from smttask.executors.process import WorkerProcess

__all__ = ["Watch"]

TICK_S = 0.1
GRACE_S = 3.0


class Watch:
    """Ends what takes longer, or more memory, than it may; a thread of its own, so nothing holds it up.

    Parameters
    ----------
    workers
        Gives the workers to look at; may be called at any time.
    timeout_s
        Longest time of one task, from the moment when its worker gets it.
    memory_bytes
        Most memory of a worker and the processes below it, together: what is resident, shared pages
        counted for each. Looked at ten times a second, so that a task may take more for a moment.
    """

    def __init__(
        self,
        workers: Callable[[], Iterable[WorkerProcess]],
        timeout_s: float | None,
        memory_bytes: int | None,
    ) -> None:
        self._workers = workers
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._ended = threading.Event()
        if timeout_s is not None or memory_bytes is not None:
            threading.Thread(target=self._watch, daemon=True, name="smttask-limits").start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(TICK_S):
            busy = [worker for worker in self._workers() if worker.item is not None]
            if busy and self._memory_bytes is not None:
                children = children_by_parent()
                for worker in busy:
                    self._check_memory(worker, children)
            if self._timeout_s is not None:
                for worker in busy:
                    self._check_time(worker, self._timeout_s)

    def _check_memory(self, worker: WorkerProcess, children: dict[int, list[int]]) -> None:
        used = sum(memory_of(pid) for pid in family(worker.pid, children))
        if self._memory_bytes is not None and used > self._memory_bytes:
            worker.ended_for = (
                f"ended, as it used {bytes_text(used)}; it may use {bytes_text(self._memory_bytes)}"
            )
            kill_family(worker.pid, children)

    def _check_time(self, worker: WorkerProcess, timeout_s: float) -> None:
        took_s = monotonic() - worker.since
        if took_s > timeout_s + GRACE_S:
            kill_family(worker.pid, children_by_parent())
        elif took_s > timeout_s and not worker.ended_for:
            worker.ended_for = f"stopped after {timeout_s:g} s, the longest it may take"
            worker.interrupt()
