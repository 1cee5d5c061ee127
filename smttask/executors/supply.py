"""What the workers of a run hold, and what waits for them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from time import monotonic
from typing import Any

from smttask.executors.backlog import Backlog, Item
from smttask.executors.process import Event, WorkerProcess
from smttask.executors.work import Work

__all__ = ["Supply"]


class Supply:
    """Hands works to workers; any thread may ask it to.

    So the threads that read what workers tell hand them the next work at once, and all stay busy while
    the caller looks at an outcome.

    Parameters
    ----------
    works
        Read by `fill` alone.
    limit
        How many workers there may be.
    events
        Hears which worker is done with what, and which begins what.

    Attributes
    ----------
    lock
        Held by whoever looks at `backlog`.
    """

    def __init__(self, works: Iterator[Work], limit: int, events: SimpleQueue[Event]) -> None:
        self.limit = limit
        self.backlog = Backlog(works)
        self.lock = threading.Lock()
        self._events = events
        self._n_busy = 0
        self._n_taken = 0

    @property
    def is_over(self) -> bool:
        """Whether no worker holds anything, and nothing will come."""
        with self.lock:
            return not self._n_busy and self.backlog.is_empty

    @property
    def lasts(self) -> bool:
        """Whether workers find works for a while without `fill`."""
        return self.backlog.n_ready >= self.limit

    def fill(self) -> None:
        """Read works, so that each worker finds another one while the caller is busy as long as lately."""
        with self.lock:
            n_taken, self._n_taken = self._n_taken, 0
        more = self.backlog.fill(2 * max(self.limit, n_taken))
        if more:
            with self.lock:
                self.backlog.add(more)

    def stop(self, workers: Iterable[WorkerProcess]) -> None:
        """Hand out nothing more; `workers` are not to begin what they have at hand."""
        with self.lock:
            self.backlog.clear()
            for worker in workers:
                self._take_back(worker)

    def hand(self, worker: WorkerProcess) -> None:
        """Hand `worker` what comes next if it is idle, and what is to be at hand after that."""
        while True:
            with self.lock:
                is_idle = worker.item is None
                item = self._next_for(worker)
            if item is None:
                return
            if is_idle:
                self._events.put((worker, "began", {}, None, item))
            worker.send_item(item, splits=self.limit > 1)

    def _next_for(self, worker: WorkerProcess) -> Item | None:
        """What `worker` holds from now on besides what it has; under the lock.

        One that is busy with short works has another one at hand, as long as all others find enough.
        """
        is_idle = worker.item is None
        if worker.is_dismissed or worker.ahead is not None:
            return None
        if not is_idle and not (worker.is_quick and self.backlog.n_ready > self.limit):
            return None
        now = monotonic()
        item = self.backlog.take(now)
        if item is not None and not is_idle and not item.work.is_small:
            self.backlog.put_back(item)
            return None
        if item is not None:
            self._n_busy += 1
            self._n_taken += 1
            worker.take(item, now)
        return item

    def freed(self, worker: WorkerProcess, content: dict[str, Any]) -> None:
        """In the thread that reads from `worker`: it is done with what it had.

        That counts as held until `settled`: its end may put something into the backlog.
        """
        is_ending = content["status"] == "killed"
        with self.lock:
            if is_ending:
                self._take_back(worker)
            item = worker.release(monotonic())
            worker.is_dismissed = worker.is_dismissed or is_ending
            begun = worker.item
        self._events.put((worker, "outcome", content, item, begun))
        if not is_ending:
            self.hand(worker)

    def settled(self) -> None:
        """The end of one work was taken in."""
        with self.lock:
            self._n_busy -= 1

    def returned(self, worker: WorkerProcess) -> None:
        """In the thread that reads from `worker`: what it has at hand would have to wait too long."""
        with self.lock:
            self._take_back(worker)
        self._events.put((worker, "returned", {}, None, None))  # so that an idle one gets it

    def release(self, worker: WorkerProcess) -> Item | None:
        """What `worker` held, which does not go on; others get what it had at hand."""
        with self.lock:
            self._take_back(worker)
            item = worker.release(monotonic())
            self._n_busy -= item is not None
            return item

    def _take_back(self, worker: WorkerProcess) -> None:
        if (item := worker.take_back()) is not None:
            self._n_busy -= 1
            self.backlog.put_back(item)
