"""Description files run by worker processes of this machine."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from smttask import errors
from smttask.errors import SmttaskError, WorkerError
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome, Summary
from smttask.executors.process import Event, WorkerProcess, status_text
from smttask.executors.progress import Display
from smttask.executors.signals import stop_signals_to
from smttask.settings import config

__all__ = ["run_files"]

READ_AHEAD = 1000
REFRESH_S = 0.2
INSIST_S = 1.0


def run_files(
    files: Iterable[str],
    *,
    n: int = 1,
    instructions: Instructions | None = None,
    display: Callable[[], Display] = Display,
    shows_output: bool = False,
) -> Summary:
    """Run the tasks that description files hold, in `n` worker processes at most.

    Work begins with the first file; `files` is read on meanwhile. A task that fails,
    or dies with its worker, stops no other. A signal that asks this process to stop
    (the first Ctrl-C) stops the running tasks, whose records then say killed; a second
    one ends the workers at once.

    Parameters
    ----------
    files
        Paths; see `smttask.executors.files.iter_files`.
    n
        At least 1; not more than the settings of the project allow are used.
    display
        Makes what is told of all that happens, in this thread; called when the workers
        are starting.
    shows_output
        Tell the display what tasks print, too.

    Raises
    ------
    ProjectError, SettingError, DescriptionError
        If the workers cannot use the project, its settings or a module to be imported.
    WorkerError
        If worker processes cannot start.
    """
    run = _Run(iter(files), n, instructions or Instructions(), shows_output)
    with stop_signals_to(lambda number: run.events.put((None, "signal", {"number": number}))):
        return run.finish(display)


class _Run:
    """The workers, the files that wait for them, and what came of the others."""

    def __init__(self, files: Iterator[str], n: int, instructions: Instructions, shows_output: bool) -> None:
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.summary = Summary()
        self._files = files
        self._instructions = instructions
        self._shows_output = shows_output
        self._display = Display()
        self._limit = min(n, config.get("max_processes") or n)
        self._waiting: deque[str] = deque()
        self._n_planned = 0
        self._is_planned = False
        self._crew: set[WorkerProcess] = set()
        self._dismissed: set[WorkerProcess] = set()
        self._n_hired = 0
        self._has_killed = False
        self._is_over = False
        self._root = ""
        self._told: set[str] = set()
        self._asked_to_stop_at = 0.0

    def finish(self, display: Callable[[], Display]) -> Summary:
        """Run all files."""
        begin = monotonic()
        try:
            self._plan(self._limit)
            self._hire()
            if self._crew:
                with display() as self._display:
                    self._display.planned(self._n_planned, is_all=self._is_planned)
                    while self._crew or self._dismissed:
                        self._hand_out()
                        self._handle(*self._next_event())
                        if self._is_over:
                            break
        finally:
            self._end_workers()
        if self._has_killed and not self._is_over:
            self._settle_records()
        self.summary.n_left = self._n_planned - self.summary.counts.total()
        self.summary.duration_s = monotonic() - begin
        return self.summary

    # -- files

    def _plan(self, n: int) -> bool:
        """Look at `n` more files; whether there may be more."""
        if self._is_planned:
            return False
        more = list(islice(self._files, n))
        self._waiting.extend(more)
        self._n_planned += len(more)
        self._is_planned = len(more) < n
        self._display.planned(self._n_planned, is_all=self._is_planned)
        return not self._is_planned

    def _hand_out(self) -> None:
        for worker in [worker for worker in self._crew if worker.is_ready and worker.path is None]:
            if not self._waiting:
                self._plan(READ_AHEAD)
            if self._waiting:
                worker.run(self._waiting.popleft(), monotonic())
                self._display.started(worker.number, worker.path or "")
            else:
                self._dismiss(worker)

    # -- workers

    def _hire(self) -> None:
        """Start workers while there are files for them."""
        n_starting = sum(not worker.is_ready for worker in self._crew)
        while len(self._crew) < self._limit and len(self._waiting) > n_starting:
            self._n_hired += 1
            n_starting += 1
            worker = WorkerProcess(
                self._instructions, self.events, number=self._n_hired, passes_output=self._shows_output
            )
            self._crew.add(worker)

    def _dismiss(self, worker: WorkerProcess) -> None:
        self._crew.discard(worker)
        self._dismissed.add(worker)
        worker.dismiss()

    def _let_go_surplus(self) -> None:
        """End workers that are more than the project allows, those that still start first."""
        for worker in sorted(self._crew, key=lambda worker: worker.is_ready):
            if len(self._crew) > self._limit and worker.path is None:
                self._dismiss(worker)

    def _end_workers(self) -> None:
        for worker in self._crew | self._dismissed:
            worker.kill()
        for worker in self._crew | self._dismissed:
            worker.wait()

    # -- what happens

    def _next_event(self) -> Event:
        while True:
            self._display.refresh()
            self._insist()
            try:
                return self.events.get(block=False)
            except Empty:
                if self._plan(READ_AHEAD):
                    continue
            try:
                return self.events.get(timeout=REFRESH_S)
            except Empty:
                continue

    def _handle(self, worker: WorkerProcess | None, kind: str, content: dict[str, Any]) -> None:
        """Take in what was told."""
        if worker is None:
            self._stop(content["number"])
        elif kind == "outcome":
            self._finished(worker, Outcome(**{**content, "path": worker.path}))
        elif kind == "ready":
            worker.is_ready = True
            self._root = content["root"]
            self._limit = min(self._limit, content["max_processes"] or self._limit)
            self._let_go_surplus()
        elif kind == "ended":
            self._ended(worker, content["status"])
        elif kind == "output":
            self._display.output(content["text"])
        elif kind == "note" and content["text"] not in self._told:
            self._told.add(content["text"])
            self._display.tell(content["text"])
        elif kind == "broken":
            raise _told_error(content)

    def _finished(self, worker: WorkerProcess, outcome: Outcome) -> None:
        worker.path = None
        self.summary.add(outcome)
        self._display.finished(worker.number, outcome)
        if outcome.status == "killed":  # the worker ends now
            self._has_killed = True
            self._dismiss(worker)

    def _ended(self, worker: WorkerProcess, status: int) -> None:
        has_to_start = worker in self._crew and not worker.is_ready and self.summary.signal is None
        self._crew.discard(worker)
        self._dismissed.discard(worker)
        if worker.path is not None:
            line = f"the worker was ended by {status_text(status)}"
            if self.summary.signal is not None:
                line = "stopped with its worker"
            elif status == -getattr(signal, "SIGKILL", 9):
                line += "; if nobody did that, the machine had too little memory"
            outcome = Outcome(worker.path, "killed", monotonic() - worker.since, line, worker.last_output)
            self._finished(worker, outcome)
            self._dismissed.discard(worker)
        elif has_to_start:
            raise WorkerError(
                "A worker process could not start.",
                f"ended by: {status_text(status)}\n{worker.last_output}".rstrip(),
                "see whether this Python can import smttask",
            )
        if self.summary.signal is None:
            self._hire()

    def _stop(self, number: int) -> None:
        """Let the running tasks be stopped; the second time, end all."""
        if self.summary.signal is not None:
            self._is_over = True
            for worker in self._crew | self._dismissed:
                worker.kill()
                if worker.path is not None:
                    outcome = Outcome(worker.path, "killed", monotonic() - worker.since, "ended at once")
                    self.summary.add(outcome)
            return
        self.summary.signal = number
        self._asked_to_stop_at = monotonic()
        self._waiting.clear()
        self._is_planned = True
        n_running = 0
        for worker in list(self._crew):
            if worker.path is not None:
                n_running += 1
                worker.interrupt()
            elif worker.is_ready:
                self._dismiss(worker)
            else:
                worker.kill()
        if n_running:
            tasks = "1 running task" if n_running == 1 else f"{n_running} running tasks"
            self._display.tell(f"Stopping {tasks}; once more (Ctrl-C) ends at once.")

    def _insist(self) -> None:
        """Ask again who was asked to stop: a signal just before a blocking call does not end it."""
        if self.summary.signal is not None and monotonic() - self._asked_to_stop_at >= INSIST_S:
            self._asked_to_stop_at = monotonic()
            for worker in self._crew:
                if worker.path is not None:
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
            self._display.tell(str(error))


def _told_error(content: dict[str, Any]) -> SmttaskError:
    """The error that a worker met before its first file."""
    kind = getattr(errors, content["type"], SmttaskError)
    error: SmttaskError = kind(content["what"], content["found"], content["remedy"])
    return error
