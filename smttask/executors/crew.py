"""The workers of a run on this machine, and what they have at hand."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from queue import Empty
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from smttask import errors
from smttask.errors import SmttaskError, WorkerError
from smttask.executors.backlog import Item
from smttask.executors.limits import Watch
from smttask.executors.outcome import Outcome
from smttask.executors.process import Event, WorkerProcess, status_text
from smttask.executors.progress import Display
from smttask.executors.settling import find_end, settle_records
from smttask.executors.supply import Supply
from smttask.executors.weighing import Scales
from smttask.executors.work import Work
from smttask.settings import config

if TYPE_CHECKING:
    from smttask.executors.local import ProcessExecutor

__all__ = ["Crew"]

REFRESH_S = 0.2
INSIST_S = 1.0
SAY_AFTER_S = 5.0
LET_END_S = 3.0
LINGER_S = 5.0  # for threads and exit handlers that tasks left in a worker that has nothing to do any more
SETTLE_AT_ONCE_S = 5.0
MOST_FALSE_STARTS = 10
NAP_S = 0.01  # while outcomes come faster than that, they gather: workers get the next works without us


class Crew:
    """The workers, and what they tell."""

    def __init__(self, plan: ProcessExecutor, works: Iterator[Work], told: Display) -> None:
        self._plan = plan
        self._told = told
        self._supply = Supply(works, min(plan.n, config.get("max_processes") or plan.n), plan.events)
        self._workers: set[WorkerProcess] = set()
        self._dismissed: set[WorkerProcess] = set()
        self._n_hired = 0
        self._has_killed = False
        self._n_stops = 0
        self._asked_to_stop_at = 0.0
        self._refreshed_at = 0.0
        self._heard_at = 0.0
        self._scales = Scales()
        self._n_false_starts = 0
        self._root = ""
        self._has_started = False
        self._notes: set[str] = set()
        self._watch = Watch(lambda: list(self._workers), plan.timeout_s, plan.memory_bytes)

    def outcomes(self) -> Iterator[Outcome]:
        """Run all."""
        self._supply.fill()
        self._hire()
        while (self._workers or self._dismissed) and self._n_stops < 2:
            self._hand_out()
            yield from self._handle(*self._next_event())
            self._supply.fill()
        if self._n_stops > 1:
            for worker in self._workers | self._dismissed:
                if (item := self._supply.release(worker)) is not None and not item.work.part:
                    yield self._killed(worker, item, "ended at once")

    def end(self) -> None:
        """Stop what still runs, and end all workers."""
        self._watch.end()
        self._supply.stop(self._workers)
        left = self._workers | self._dismissed
        busy = [worker for worker in left if worker.item is not None]
        try:
            if self._n_stops < 2:
                for worker in busy:
                    worker.interrupt()
                deadline = monotonic() + LET_END_S
                for worker in busy:
                    worker.wait(deadline - monotonic())
        finally:
            for worker in left:
                worker.kill()
            for worker in left:
                worker.wait()
        if self._n_stops > 1:  # nobody waits for a record store that is held up
            settling = threading.Thread(target=self._settle_records, daemon=True)
            settling.start()
            settling.join(SETTLE_AT_ONCE_S)
        elif self._has_killed or busy:
            self._settle_records()

    # -- works

    def _hand_out(self) -> None:
        for worker in list(self._workers):
            if worker.is_ready and worker.item is None:
                self._supply.hand(worker)
        if self._supply.is_over:
            for worker in [worker for worker in self._workers if worker.is_ready]:
                self._dismiss(worker)

    # -- workers

    def _hire(self) -> None:
        """Start workers while there is work for them."""
        n_starting = sum(not worker.is_ready for worker in self._workers)
        if len(self._workers) >= self._supply.limit:
            return
        n_wanted = self._supply.backlog.n_tasks(self._supply.limit)
        while len(self._workers) < self._supply.limit and n_wanted > n_starting:
            self._n_hired += 1
            n_starting += 1
            worker = WorkerProcess(
                self._plan.instructions,
                self._plan.events,
                number=self._n_hired,
                on_free=self._supply.freed,
                on_returned=self._supply.returned,
                start_method=self._plan.start_method,
                passes_output=self._plan.shows_output,
            )
            self._workers.add(worker)

    def _dismiss(self, worker: WorkerProcess) -> None:
        self._workers.discard(worker)
        self._dismissed.add(worker)
        worker.dismissed_at = monotonic()
        worker.dismiss()

    def _let_go_surplus(self) -> None:
        """End workers that are more than the project allows, those that still start first."""
        for worker in sorted(self._workers, key=lambda worker: worker.is_ready):
            if len(self._workers) > self._supply.limit and worker.item is None:
                self._dismiss(worker)

    # -- what happens

    def _next_event(self) -> Event:
        events = self._plan.events
        if events.empty() or monotonic() - self._refreshed_at > REFRESH_S:
            self._refreshed_at = monotonic()
            self._told.refresh()
        while True:
            self._insist()
            if events.empty() and self._supply.lasts and monotonic() - self._heard_at < NAP_S:
                sleep(NAP_S)
            try:
                event = events.get(timeout=REFRESH_S)
            except Empty:
                self._refresh()
                self._hand_out()  # what was busy elsewhere may be due
            else:
                self._heard_at = monotonic()
                return event

    def _refresh(self) -> None:
        for worker in self._dismissed:
            if worker.item is None and monotonic() - worker.dismissed_at > LINGER_S:
                worker.kill()
        self._scales.weigh(self._workers, self._told)
        self._told.refresh()

    def _handle(
        self,
        worker: WorkerProcess | None,
        kind: str,
        content: dict[str, Any],
        done: Item | None,
        begun: Item | None,
    ) -> Iterator[Outcome]:
        """Take in what was told."""
        if worker is None:
            self._stop()
            return
        if done is not None:
            self._supply.settled()
            yield from self._taken_in(worker, done, content)
        if begun is not None:
            self._told.started(worker.number, begun.work)
        if kind == "ready":
            worker.is_ready = self._has_started = True
            self._n_false_starts = 0
            self._root = content["root"]
            self._supply.limit = min(self._supply.limit, content["max_processes"] or self._supply.limit)
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

    def _taken_in(self, worker: WorkerProcess, item: Item, content: dict[str, Any]) -> Iterator[Outcome]:
        """What a worker told of `item`: how it ended, or why it has to wait."""
        status = content["status"]
        if status == "split":
            self._told.idle(worker.number)
            with self._supply.lock:
                failed = self._supply.backlog.split(item, [(key, name) for key, name in content["parts"]])
            yield from failed
            self._hire()
        elif status == "busy":
            self._told.idle(worker.number)
            now = monotonic()
            with self._supply.lock:
                self._supply.backlog.postpone(item, now)
            if now - item.busy_since > SAY_AFTER_S and not item.was_told:
                item.was_told = True
                self._told.tell(f"{item.work.name}: waiting for {content['holder']}, which computes it")
        else:
            if status == "killed":  # the worker ends now
                self._has_killed = True
                self._dismiss(worker)
                if worker.ended_for:
                    content = {**content, "error": worker.ended_for}
            yield from self._finished(item, Outcome(**{**content, "worker": worker.number}))

    def _finished(self, item: Item, outcome: Outcome) -> Iterator[Outcome]:
        may_change = outcome.is_failure and not outcome.is_ours and not self._n_stops
        if may_change and item.attempts <= self._plan.retries:
            self._told.idle(outcome.worker)
            with self._supply.lock:
                self._supply.backlog.again(item)
        elif not item.work.part:
            yield replace(outcome, attempts=item.attempts) if item.attempts > 1 else outcome
        elif outcome.is_failure:
            self._told.idle(outcome.worker)
            with self._supply.lock:
                failed = self._supply.backlog.part_failed(item, outcome)
            yield from failed
        else:
            self._told.idle(outcome.worker)
            with self._supply.lock:
                self._supply.backlog.part_done(item)

    def _killed(self, worker: WorkerProcess, item: Item, error: str, details: str = "") -> Outcome:
        work, duration_s = item.work, monotonic() - worker.since
        return Outcome(
            work.name, "killed", duration_s, error, details, number=work.number, worker=worker.number
        )

    def _ended(self, worker: WorkerProcess, status: int) -> Iterator[Outcome]:
        has_to_start = worker in self._workers and not worker.is_ready and not self._n_stops
        item = self._supply.release(worker)
        self._workers.discard(worker)
        self._dismissed.discard(worker)
        if item is not None:
            self._has_killed = True
            yield from self._finished(item, self._find_end(worker, item) or self._died(worker, item, status))
        elif has_to_start and self._is_hopeless(status):
            raise WorkerError(
                "A worker process could not start.",
                f"ended by: {status_text(status)}\n{worker.last_output}".rstrip(),
                "see whether this Python can import smttask",
            )
        if not self._n_stops:
            self._hire()

    def _find_end(self, worker: WorkerProcess, item: Item) -> Outcome | None:
        """How `item` had ended whose worker was killed before it could tell; None if it had not."""
        if self._n_stops:  # no time for a look into the record store
            return None
        work, duration_s = item.work, monotonic() - worker.since
        begun = datetime.now(UTC) - timedelta(seconds=duration_s)
        end = find_end(self._root, self._plan.instructions, work, begun)
        return Outcome(work.name, end, duration_s, number=work.number, worker=worker.number) if end else None

    def _died(self, worker: WorkerProcess, item: Item, status: int) -> Outcome:
        line = f"the worker was ended by {status_text(status)}"
        if worker.ended_for:
            line = worker.ended_for
        elif self._n_stops:
            line = "stopped with its worker"
        elif status == -getattr(signal, "SIGKILL", 9):
            line += "; if nobody did that, the machine had too little memory"
        return self._killed(worker, item, line, worker.last_output)

    def _is_hopeless(self, status: int) -> bool:
        """Whether a worker that ended with `status` while it started shows that none will."""
        if any(worker.is_ready for worker in self._workers):
            return False
        self._n_false_starts += 1
        return self._n_false_starts > MOST_FALSE_STARTS or (status >= 0 and not self._has_started)

    def _stop(self) -> None:
        """Let the running tasks be stopped; the second time, end all."""
        self._n_stops += 1
        if self._n_stops > 1:
            for worker in self._workers | self._dismissed:
                worker.kill()
            return
        self._asked_to_stop_at = monotonic()
        threading.Thread(target=self._load_settling, daemon=True).start()
        self._supply.stop(self._workers)
        for worker in list(self._workers):
            if worker.item is not None:
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
                if worker.item is not None:
                    worker.interrupt()

    @property
    def _has_records(self) -> bool:
        return bool(self._root) and self._plan.instructions.record is not False

    def _load_settling(self) -> None:
        """Load what closes records while tasks are stopping: a second stop has no time for it."""
        if self._has_records:
            import_module("smttask.runner")

    def _settle_records(self) -> None:
        """Close the records that workers which died, or were stopped while they opened one, left open."""
        if self._has_records:
            settle_records(self._root, self._plan.instructions, self._told)


def _told_error(content: dict[str, Any]) -> SmttaskError:
    """The error that a worker met before its first file."""
    kind = getattr(errors, content["type"], SmttaskError)
    error: SmttaskError = kind(content["what"], content["found"], content["remedy"])
    return error
