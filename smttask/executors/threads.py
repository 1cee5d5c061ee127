"""Threads of this process: tasks that wait, or whose libraries leave other threads to work."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from contextvars import Context, copy_context
from dataclasses import replace
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NamedTuple

from smttask.errors import SettingError
from smttask.executors.failures import describe_failure
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome
from smttask.executors.progress import Display
from smttask.executors.remote import run_safely
from smttask.executors.taskfile import TaskFiles
from smttask.executors.telling import Watcher
from smttask.executors.work import Work

__all__ = ["ThreadExecutor"]

REFRESH_S = 0.2

#: The thread, its work, and what became of it: None while it begins.
_Event = tuple[int, Work, Outcome | None]


class _Facts(NamedTuple):
    """What a thread tells of the task that it runs."""

    number: int
    facts: Mapping[str, Any]


class ThreadExecutor:
    """Runs works in `n` threads of the calling process.

    Tasks of ``__main__`` run, and the results of memoized tasks are shared. A thread cannot be ended:
    a task that runs when all is stopped is waited for, and after a second stop it goes on until it or
    the process ends. A task that changes the working directory changes it for all; what
    tasks print is shown.

    Parameters
    ----------
    retries
        How often a task that failed is tried again.
    """

    name = "thread"

    def __init__(self, n: int, instructions: Instructions, *, retries: int = 0) -> None:
        self._n = n
        self._instructions = instructions
        self._retries = retries
        self._events: SimpleQueue[_Event | _Facts | None] = SimpleQueue()

    def run(self, works: Iterator[Work], told: Display) -> Generator[Outcome, None, None]:
        """See `smttask.protocols.Executor`."""
        context = copy_context()
        files = TaskFiles(self._instructions)
        context.run(files.__enter__)
        orders: SimpleQueue[Work | None] = SimpleQueue()
        try:
            yield from self._outcomes(works, told, files, context, orders)
        finally:
            _let_go(orders, self._n)
            context.run(files.__exit__, None, None, None)

    def stop(self) -> None:
        """See `smttask.protocols.Executor`."""
        self._events.put(None)

    def _outcomes(
        self,
        works: Iterator[Work],
        told: Display,
        files: TaskFiles,
        context: Context,
        orders: SimpleQueue[Work | None],
    ) -> Iterator[Outcome]:
        n_out = n_threads = n_stops = 0
        running: dict[int, tuple[Work, float]] = {}
        while True:
            # As many again wait as run, so that threads are busy while the caller is
            while not n_stops and n_out < 2 * self._n and (work := next(works, None)) is not None:
                if work.call:
                    raise _not_for_threads(work)
                orders.put(work)
                n_out += 1
                if n_threads < min(n_out, self._n):
                    n_threads += 1
                    args = (n_threads, files, context.copy(), orders)
                    threading.Thread(target=self._serve, args=args, daemon=True).start()
            if not n_out:
                return
            event = self._next_event(told)
            if event is None:
                n_stops += 1
                if n_stops > 1:
                    for number, (work, since) in running.items():
                        yield _abandoned(work, number, monotonic() - since)
                    return
                n_out -= _let_go(orders, self._n)
                told.tell("Tasks in threads cannot be stopped; those that run are waited for.")
                continue
            if isinstance(event, _Facts):
                told.watched(*event)
                continue
            number, work, outcome = event
            if outcome is None:
                running[number] = work, monotonic()
                told.started(number, work)
            else:
                del running[number]
                n_out -= 1
                yield outcome

    def _next_event(self, told: Display) -> _Event | _Facts | None:
        while True:
            told.refresh()
            try:
                return self._events.get(timeout=REFRESH_S)
            except Empty:
                continue

    def _serve(
        self, number: int, files: TaskFiles, context: Context, orders: SimpleQueue[Work | None]
    ) -> None:
        """Run one work after the other, until there is none."""
        watcher = files.watcher(lambda facts: self._events.put(_Facts(number, facts)))
        while (work := orders.get()) is not None:
            self._events.put((number, work, None))
            attempts = 1
            while True:
                outcome = _run(files, work, context, watcher)
                if not outcome.is_failure or outcome.is_ours or attempts > self._retries:
                    break
                attempts += 1
            self._events.put((number, work, replace(outcome, worker=number, attempts=attempts)))


def _run(files: TaskFiles, work: Work, context: Context, watcher: Watcher) -> Outcome:
    def run() -> Outcome:
        with watcher.watching():
            return run_safely(files, work)

    try:
        return context.copy().run(run)
    except KeyboardInterrupt:  # raised by the task itself: signals reach the main thread only
        return Outcome(work.name, "killed", error="KeyboardInterrupt", number=work.number)
    except Exception as error:  # noqa: BLE001 - a thread that ended would be waited for without end
        return describe_failure(work, error, 0.0)


def _not_for_threads(work: Work) -> SettingError:
    return SettingError(
        f"The executor 'thread' cannot run {work.name}.",
        "found: tasks that run in their own folder; threads share one working directory",
        "use the executor 'process', 'dask' or 'slurm'",
        name="executor",
    )


def _abandoned(work: Work, number: int, duration_s: float) -> Outcome:
    error = "not waited for; it ends with this process"
    return Outcome(work.name, "killed", duration_s, error, number=work.number, worker=number)


def _let_go(orders: SimpleQueue[Work | None], n_threads: int) -> int:
    """Take back what nobody began, and let the threads end; how many works were taken back."""
    n_taken = 0
    try:
        while True:
            n_taken += orders.get_nowait() is not None
    except Empty:
        pass
    for _ in range(n_threads):
        orders.put(None)
    return n_taken
