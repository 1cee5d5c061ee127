"""The line between a run and the Dask cluster that it uses."""

from __future__ import annotations

import asyncio
import pickle
from collections import Counter
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future as Answer
from contextlib import suppress
from queue import SimpleQueue
from time import monotonic
from typing import Any, TypeVar

import smttask
from smttask.errors import WorkerError
from smttask.executors.daskcluster import Cluster
from smttask.executors.daskrunning import TOPIC, interrupt
from smttask.executors.daskwork import Batch, Order, Orders, carry_out, carry_out_all

__all__ = ["Event", "Line"]

T = TypeVar("T")

#: ``"done"`` and a Dask future, ``"told"`` and what a worker tells, ``"output"`` and text, ``"stop"``.
Event = tuple[str, Any]

ASK_S = 2.0
CHECK_S = 5.0
ASK_VERSION = b"csmttask\n__version__\n."  # a pickle of the version there, whatever smttask is here
CLOSE_S = 2.0


class Line:
    """Orders go to the cluster, events come back to a queue.

    Attributes
    ----------
    n_threads
        Of the cluster, which may grow and shrink; None: not known yet.
    """

    def __init__(self, cluster: Cluster, orders: Orders, events: SimpleQueue[Event]) -> None:
        self.cluster = cluster
        self.n_threads: int | None = None
        self._run = orders.run
        self._packed = orders.packed()
        self._events = events
        self._client: Any = None
        self._asked_at = 0.0
        self._size: Answer[dict[str, int]] | None = None

    def open(self) -> None:
        """Connect.

        Raises
        ------
        WorkerError
            If no scheduler answers, or a worker has no smttask, or another version of it.
        """
        self._client = self.cluster.connect()
        self._client.subscribe_topic(TOPIC, self._take_event)
        if not self.cluster.is_own:
            self._check_versions()

    def _check_versions(self) -> None:
        """Refuse workers that could not even read an order, for which Dask would wait for ever."""
        ask = self._client.run(pickle.loads, ASK_VERSION, on_error="return", asynchronous=True)
        try:
            answers: dict[str, Any] = self._ask(ask).result(CHECK_S)
        except Exception:  # noqa: BLE001 - who is too busy to answer is told of by what follows
            return
        for address, answer in answers.items():
            if answer == smttask.__version__:
                continue
            if isinstance(answer, str):
                raise WorkerError(
                    f"The Dask worker at {address} has another version of smttask.",
                    f"found: {answer}\nexpected: {smttask.__version__}",
                    "install the same version where the workers run, and start them again",
                )
            raise WorkerError(
                f"The Dask worker at {address} cannot run tasks.",
                f"found: {type(answer).__name__}: {answer}",
                "install smttask, and what the tasks need, where scheduler and workers run",
            )

    def close(self, left: Sequence[Any]) -> None:
        """Let go of the futures that are `left`, and of all else; what still runs is asked to stop."""
        if self._client is None:
            return
        with suppress(Exception):  # the scheduler may go at any time, and nobody needs it any more
            if left and not self.cluster.is_own and self.is_open:
                self.cancel(left).result(CLOSE_S)
                self.interrupt().result(CLOSE_S)
        self.cluster.kill()
        with suppress(Exception):  # as above
            self._client.close(timeout=CLOSE_S)

    # -- orders

    def submit_all(self, batches: Sequence[Batch]) -> list[Any]:
        """Hand over orders that need nothing else; a future for each batch."""
        futures: list[Any] = self._client.map(
            carry_out_all,
            batches,
            key=[self._key(batch.orders[0]) for batch in batches],
            version=smttask.__version__,
            packed=self._packed,
        )
        for future in futures:
            self.expect(future)
        return futures

    def submit(self, order: Order, needs: Sequence[Any]) -> Any:
        """Hand over an order that comes after its parts, given as futures or outcomes; its future."""
        future = self._client.submit(
            carry_out,
            order,
            smttask.__version__,
            self._packed,
            list(needs),
            key=self._key(order),
            priority=1,  # what is begun is completed before more is begun
        )
        self.expect(future)
        return future

    def expect(self, future: Any) -> None:
        """Let an event say when `future` is done."""
        future.add_done_callback(lambda done: self._events.put(("done", done)))

    def interrupt(self) -> Answer[Any]:
        """Let all workers stop what they run, and begin nothing more."""
        return self._ask(self._client.run(interrupt, self._run, on_error="ignore", asynchronous=True))

    def cancel(self, futures: Sequence[Any]) -> Answer[Any]:
        """Let go of `futures`; what runs already goes on."""
        return self._ask(self._client.cancel(list(futures), force=True, asynchronous=True))

    def _key(self, order: Order) -> tuple[str, str, str]:
        """Dask's key; its first part, by which Dask groups, is the kind of the work."""
        return order.work.kind, self._run, order.mark

    # -- answers

    def fetch(self, futures: Sequence[Any]) -> Answer[list[Any]]:
        """The results of `futures` that are done."""
        return self._ask(self._client.gather(list(futures), asynchronous=True))

    def check(self) -> None:
        """Look after the workers; called again and again.

        Raises
        ------
        WorkerError
            If workers of our own cannot start.
        """
        self.cluster.tend()
        if self.cluster.is_own or not self.is_open:
            return
        if self._size is not None and self._size.done():
            answer, self._size = self._size, None
            with suppress(Exception):  # whether the scheduler is still there is seen above
                self.n_threads = sum(answer.result().values())
        now = monotonic()
        if self._size is None and now - self._asked_at >= ASK_S:
            self._asked_at = now
            self._size = self._ask(self._client.scheduler.ncores())

    @property
    def is_open(self) -> bool:
        """Whether the scheduler is there."""
        return bool(self._client.status == "running")

    def gone(self, counts: Counter[str], n_open: int) -> WorkerError:
        """The error that the scheduler is not there any more; `counts` is what was finished, by status."""
        n, address = counts.total(), self.cluster.address
        finished = ", ".join(f"{count} {status}" for status, count in counts.items())
        return WorkerError(
            f"The Dask scheduler at {address} is gone.",
            f"finished before: {n}{f' ({finished})' if n else ''}; of {n_open} that it had, nothing is known",
            "call again with a scheduler that runs: what is finished is kept, and the rest is done",
            address=address,
        )

    def _take_event(self, event: tuple[float, Any]) -> None:
        """In the thread of Dask's client."""
        told = event[1]
        if isinstance(told, dict) and told.get("run") == self._run:
            self._events.put(("told", told))

    def _ask(self, question: Coroutine[Any, Any, T]) -> Answer[T]:
        """What Dask's client answers in its own thread."""
        loop: asyncio.AbstractEventLoop = self._client.loop.asyncio_loop
        return asyncio.run_coroutine_threadsafe(question, loop)
