"""How much memory the workers of this machine have, told now and then."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING

from smttask.executors.memory import memory_of
from smttask.executors.progress import Display

if TYPE_CHECKING:
    from smttask.executors.process import WorkerProcess

__all__ = ["Scales"]

INTERVAL_S = 1.0


class Scales:
    """Tells a display every second what memory the busy workers have, that of their children aside."""

    def __init__(self) -> None:
        self._due = 0.0

    def weigh(self, workers: Iterable[WorkerProcess], told: Display) -> None:
        """Tell `told` if it is time."""
        if (now := monotonic()) >= self._due:
            self._due = now + INTERVAL_S
            for worker in workers:
                if worker.item is not None:
                    told.watched(worker.number, {"memory_bytes": memory_of(worker.pid)})
