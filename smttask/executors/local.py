"""Worker processes of this machine."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from smttask import errors
from smttask.errors import SmttaskError, WorkerError
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome
from smttask.executors.process import Event, WorkerProcess, status_text
from smttask.executors.progress import Display
from smttask.executors.work import Work
from smttask.settings import config

__all__ = ["ProcessExecutor"]

REFRESH_S = 0.2
INSIST_S = 1.0


class ProcessExecutor:
    """Runs works in at most `n` processes of this machine, each used for many.

    A task that dies with its worker stops no other. The calling process imports neither numpy nor
    user modules.

    Parameters
    ----------
    n
        At least 1; not more than the settings of the project allow are used.
    shows_output
        Tell the display what tasks print, too.

    Raises
    ------
    ProjectError, SettingError, DescriptionError
        From `run`, if the workers cannot use the project, its settings or a module to be imported.
    WorkerError
        From `run`, if worker processes cannot start.
    """

    name = "process"

    def __init__(self, n: int, instructions: Instructions, *, shows_output: bool = False) -> None:
        self._n = n
        self._instructions = instructions
        self._shows_output = shows_output
        self._events: SimpleQueue[Event] = SimpleQueue()

    def run(self, works: Iterator[Work], told: Display) -> Generator[Outcome, None, None]:
        """See `smttask.protocols.Executor`."""
        crew = _Crew(works, told, self._n, self._instructions, self._events, self._shows_output)
        try:
            yield from crew.outcomes()
        finally:
            crew.end()

    def stop(self) -> None:
        """See `smttask.protocols.Executor`."""
        self._events.put((None, "stop", {}))


class _Crew:
    """The workers, and what they have at hand."""

    def __init__(
        self,
        works: Iterator[Work],
        told: Display,
        n: int,
        instructions: Instructions,
        events: SimpleQueue[Event],
        shows_output: bool,
    ) -> None:
        self._works = works
        self._told = told
        self._limit = min(n, config.get("max_processes") or n)
        self._instructions = instructions
        self._events = events
        self._shows_output = shows_output
        self._next: Work | None = None
        self._has_more = True
        self._workers: set[WorkerProcess] = set()
        self._dismissed: set[WorkerProcess] = set()
        self._n_hired = 0
        self._has_killed = False
        self._n_stops = 0
        self._asked_to_stop_at = 0.0
        self._root = ""
        self._notes: set[str] = set()

    def outcomes(self) -> Iterator[Outcome]:
        """Run all."""
        self._hire()
        while (self._workers or self._dismissed) and self._n_stops < 2:
            self._hand_out()
            yield from self._handle(*self._next_event())
        if self._n_stops > 1:
            for worker in self._workers | self._dismissed:
                if (work := worker.work) is not None:
                    worker.work = None
                    yield self._killed(worker, work, "ended at once")
        elif self._has_killed:
            self._settle_records()

    def end(self) -> None:
        """End all workers that are left."""
        for worker in self._workers | self._dismissed:
            worker.kill()
        for worker in self._workers | self._dismissed:
            worker.wait()

    # -- works

    def _has_next(self) -> bool:
        if self._next is None and self._has_more:
            self._next = next(self._works, None)
            self._has_more = self._next is not None
        return self._next is not None

    def _hand_out(self) -> None:
        for worker in [worker for worker in self._workers if worker.is_ready and worker.work is None]:
            if self._has_next() and self._next is not None:
                work, self._next = self._next, None
                worker.run(work, monotonic())
                self._told.started(worker.number, work)
            else:
                self._dismiss(worker)

    # -- workers

    def _hire(self) -> None:
        """Start workers while there is work for them."""
        n_starting = sum(not worker.is_ready for worker in self._workers)
        while len(self._workers) < self._limit and not (n_starting and not self._has_next()):
            if not self._has_next():
                return
            self._n_hired += 1
            n_starting += 1
            worker = WorkerProcess(
                self._instructions, self._events, number=self._n_hired, passes_output=self._shows_output
            )
            self._workers.add(worker)

    def _dismiss(self, worker: WorkerProcess) -> None:
        self._workers.discard(worker)
        self._dismissed.add(worker)
        worker.dismiss()

    def _let_go_surplus(self) -> None:
        """End workers that are more than the project allows, those that still start first."""
        for worker in sorted(self._workers, key=lambda worker: worker.is_ready):
            if len(self._workers) > self._limit and worker.work is None:
                self._dismiss(worker)

    # -- what happens

    def _next_event(self) -> Event:
        while True:
            self._told.refresh()
            self._insist()
            try:
                return self._events.get(timeout=REFRESH_S)
            except Empty:
                continue

    def _handle(self, worker: WorkerProcess | None, kind: str, content: dict[str, Any]) -> Iterator[Outcome]:
        """Take in what was told."""
        if worker is None:
            self._stop()
        elif kind == "outcome":
            yield from self._finished(worker, Outcome(**{**content, "worker": worker.number}))
        elif kind == "ready":
            worker.is_ready = True
            self._root = content["root"]
            self._limit = min(self._limit, content["max_processes"] or self._limit)
            self._let_go_surplus()
        elif kind == "ended":
            yield from self._ended(worker, content["status"])
        elif kind == "output":
            self._told.output(content["text"])
        elif kind == "watched":
            self._told.watched(worker.number, content)
        elif kind == "note" and content["text"] not in self._notes:
            self._notes.add(content["text"])
            self._told.tell(content["text"])
        elif kind == "broken":
            raise _told_error(content)

    def _finished(self, worker: WorkerProcess, outcome: Outcome) -> Iterator[Outcome]:
        worker.work = None
        if outcome.status == "killed":  # the worker ends now
            self._has_killed = True
            self._dismiss(worker)
        yield outcome

    def _killed(self, worker: WorkerProcess, work: Work, error: str, details: str = "") -> Outcome:
        duration_s = monotonic() - worker.since
        return Outcome(
            work.name, "killed", duration_s, error, details, number=work.number, worker=worker.number
        )

    def _ended(self, worker: WorkerProcess, status: int) -> Iterator[Outcome]:
        has_to_start = worker in self._workers and not worker.is_ready and not self._n_stops
        self._workers.discard(worker)
        self._dismissed.discard(worker)
        if (work := worker.work) is not None:
            line = f"the worker was ended by {status_text(status)}"
            if self._n_stops:
                line = "stopped with its worker"
            elif status == -getattr(signal, "SIGKILL", 9):
                line += "; if nobody did that, the machine had too little memory"
            yield from self._finished(worker, self._killed(worker, work, line, worker.last_output))
            self._dismissed.discard(worker)
        elif has_to_start:
            raise WorkerError(
                "A worker process could not start.",
                f"ended by: {status_text(status)}\n{worker.last_output}".rstrip(),
                "see whether this Python can import smttask",
            )
        if not self._n_stops:
            self._hire()

    def _stop(self) -> None:
        """Let the running tasks be stopped; the second time, end all."""
        self._n_stops += 1
        if self._n_stops > 1:
            for worker in self._workers | self._dismissed:
                worker.kill()
            return
        self._asked_to_stop_at = monotonic()
        self._next, self._has_more = None, False
        for worker in list(self._workers):
            if worker.work is not None:
                worker.interrupt()
            elif worker.is_ready:
                self._dismiss(worker)
            else:
                worker.kill()

    def _insist(self) -> None:
        """Ask again who was asked to stop: a signal just before a blocking call does not end it."""
        if self._n_stops and monotonic() - self._asked_to_stop_at >= INSIST_S:
            self._asked_to_stop_at = monotonic()
            for worker in self._workers:
                if worker.work is not None:
                    worker.interrupt()

    def _settle_records(self) -> None:
        """Close the records that workers which died, or were stopped while they opened one, left open."""
        if not self._root or self._instructions.record is False:
            return
        from smttask.project import get_project  # brings numpy, which this process needs only here
        from smttask.runner import settle_open_runs

        chosen = (
            {}
            if self._instructions.record_store is None
            else {"record_store": self._instructions.record_store}
        )
        try:
            with config.use(**chosen):
                settle_open_runs(get_project(self._root))
        except SmttaskError as error:
            self._told.tell(str(error))


def _told_error(content: dict[str, Any]) -> SmttaskError:
    """The error that a worker met before its first file."""
    kind = getattr(errors, content["type"], SmttaskError)
    error: SmttaskError = kind(content["what"], content["found"], content["remedy"])
    return error
