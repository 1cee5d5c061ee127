"""The works of one run on their way through jobs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from smttask.errors import WorkerError
from smttask.executors.frames import FrameReader
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome
from smttask.executors.progress import Display
from smttask.executors.running import Running
from smttask.executors.slots import Slots
from smttask.executors.slurmcluster import CANCELLED, LOG_BYTES, Cluster
from smttask.executors.slurmjob import Chunk
from smttask.executors.work import Work

__all__ = ["Flow"]

LOOK_EVERY_S = 0.1
LET_END_S = 5.0
#: Jobs for each one that may run at once, where the size of chunks is not given: so that all end together.
ROUNDS = 8
#: Works that are read for one array of jobs.
MOST_AHEAD = 10_000
#: What a cluster says of a job that ended by itself, as one that was asked to stop does.
UNTOLD = ("ended", "COMPLETED")
#: How often works are given to a job that does not even begin.
MOST_STARTS = 2


@dataclass
class _Job:
    name: str
    reader: FrameReader
    works: dict[int, Work]
    left: dict[int, Work]
    begun: dict[int, tuple[int, float]] = field(default_factory=dict)  # number of a work -> worker, time
    workers: dict[int, int] = field(default_factory=dict)  # its own number of a worker -> ours
    stopped: list[Outcome] = field(default_factory=list)
    has_begun: bool = False
    has_ended: bool = False
    is_unread: bool = False  # from some place on
    ended: str | None = None
    ended_at: float = 0.0


class Flow:
    """Reads works, submits jobs, and follows what they tell.

    Parameters
    ----------
    folder
        Of this run; jobs see it too.
    stops
        Released once for each time that somebody asks to stop.
    chunk_size
        Works in a job; None: by their number.
    n, n_workers
        Most jobs at once; most works at once in each.

    Attributes
    ----------
    cluster
        Set before `outcomes` is asked for.
    has_failures
        Whether something failed, so that what jobs printed may be wanted.
    """

    cluster: Cluster

    def __init__(
        self,
        works: Iterator[Work],
        told: Display,
        folder: Path,
        stops: threading.Semaphore,
        *,
        chunk_size: int | None,
        n: int,
        n_workers: int,
        instructions: Instructions,
        limits: Mapping[str, Any],
        retries: int,
    ) -> None:
        self.has_failures = False
        self._works = works
        self._told = told
        self._folder = folder
        self._stops = stops
        self._chunk_size = chunk_size
        self._even_size = 1  # by the number of works when some were read; it does not fall as they are done
        self._n = n
        self._n_workers = n_workers
        self._instructions = instructions
        self._limits = limits
        self._retries = retries
        self._ahead: deque[Work] = deque()
        self._attempts: dict[int, int] = {}  # of those whose job was ended
        self._starts: dict[int, int] = {}  # of those whose job did not begin
        self._jobs: list[_Job] = []
        self._ending: list[str] = []  # jobs that told their end, but have something to write yet
        self._n_chunks = 0
        self._any_began = False
        self._n_stops = 0
        self._slots = Slots()
        self._notes: set[str] = set()

    def outcomes(self) -> Iterator[Outcome]:
        """Run all."""
        while self._n_stops < 2:
            self._submit_more()
            if not self._jobs:
                return
            for job in list(self._jobs):
                yield from self._follow(job)
            self._told.refresh()
            if self._stops.acquire(timeout=LOOK_EVERY_S):
                self._stop()
        for job in self._jobs:
            for number, work in job.left.items():
                if number in job.begun:
                    yield self._killed(job, work, "ended at once")

    def end(self) -> None:
        """Cancel what is left; jobs of this machine have ended afterwards."""
        names = [job.name for job in self._jobs]
        if self._n_stops < 2:
            if names:
                self.cluster.cancel(names)
            deadline = monotonic() + LET_END_S
            while monotonic() < deadline and not all(map(self.cluster.ended, [*names, *self._ending])):
                threading.Event().wait(LOOK_EVERY_S)
        if names:
            self.has_failures = True
            self.cluster.cancel(names, at_once=True)

    def meanwhile(self, running: Running) -> None:
        """Where jobs run in this process: what is done while one does."""
        self._told.refresh()
        if self._stops.acquire(blocking=False):
            self._stop()
            running.stop(0)

    def _stop(self) -> None:
        self._n_stops += 1
        self._ahead.clear()
        self.cluster.cancel([job.name for job in self._jobs], at_once=self._n_stops > 1)

    # -- works

    def _submit_more(self) -> None:
        """Hand over more jobs, if the cluster takes them now."""
        free = self.cluster.most_jobs - len(self._jobs)
        if self._n_stops or free < 1 or (self.cluster.is_batch and self._jobs):
            return
        if more := list(islice(self._works, MOST_AHEAD - len(self._ahead))):
            self._ahead.extend(more)
            self._even_size = max(self._n_workers, -(-len(self._ahead) // (ROUNDS * self._n)))
        size = self._chunk_size or self._even_size
        chunks: list[Chunk] = []
        while self._ahead and len(chunks) < free:
            n_works = min(size, len(self._ahead))
            chunks.append(self._chunk([self._ahead.popleft() for _ in range(n_works)]))
        if not chunks:
            return
        names = self.cluster.submit(chunks)
        for name, chunk in zip(names, chunks, strict=True):
            numbered = {work.number: work for work in chunk.works}
            self._jobs.append(_Job(name, FrameReader(chunk.told_in), numbered, dict(numbered)))

    def _chunk(self, works: list[Work]) -> Chunk:
        self._n_chunks += 1
        return Chunk(
            works=tuple(work.sendable() for work in works),
            told_in=self._folder / f"{self._n_chunks}.told",
            n=self._n_workers,
            instructions=self._instructions,
            limits=self._limits,
        )

    # -- jobs

    def _follow(self, job: _Job) -> Iterator[Outcome]:
        """What came of the works of `job` since it was last looked at."""
        for kind, *content in job.reader.new():
            yield from self._handle(job, kind, content)
        if job.reader.damage and not job.is_unread:
            job.is_unread = True
            self._told.tell(
                f"What job {job.name} tells cannot be read any more; its results are kept, what it had begun "
                f"counts as failed.\n{job.reader.path}: {job.reader.damage}"
            )
        if not job.has_ended:
            job.ended = job.ended or self.cluster.ended(job.name)
            if job.ended is None:
                return
            # It is over; the last that it told may be on its way
            job.ended_at = job.ended_at or monotonic()
            if monotonic() - job.ended_at < self.cluster.lag_s and job.has_begun:
                return
            for kind, *content in job.reader.new():
                yield from self._handle(job, kind, content)
        self._jobs.remove(job)
        self._ending = [name for name in [*self._ending, job.name] if not self.cluster.ended(name)]
        yield from self._closed(job)

    def _handle(self, job: _Job, kind: str, content: list[Any]) -> Iterator[Outcome]:
        if kind == "begin":
            job.has_begun = self._any_began = True
            self.cluster.begun(job.name, content[1])
        elif kind == "started":
            worker, number, part = content
            job.begun[number] = self._slot(job, worker), monotonic()
            self._told.started(job.begun[number][0], replace(job.works[number], part=part))
        elif kind == "watched":
            self._told.watched(self._slot(job, content[0]), content[1])
        elif kind == "idle":
            self._told.idle(self._slot(job, content[0]))
        elif kind in ("outcome", "stopped"):
            outcome = replace(content[0], worker=self._slot(job, content[0].worker))
            if kind == "stopped":
                job.stopped.append(outcome)
            else:
                job.left.pop(outcome.number, None)
                yield self._finished(outcome)
        elif kind == "output":
            self._told.output(content[0])
        elif kind == "note" and content[0] not in self._notes:
            self._notes.add(content[0])
            self._told.tell(content[0])
        elif kind == "broken":
            job.has_ended = True
            raise content[0]
        elif kind == "end":
            job.has_ended = True

    def _slot(self, job: _Job, worker: int) -> int:
        """Our number for a worker of `job`, the lowest that no other one has."""
        if worker and worker not in job.workers:
            job.workers[worker] = self._slots.take()
        return job.workers.get(worker, 0)

    def _finished(self, outcome: Outcome) -> Outcome:
        self.has_failures |= outcome.is_failure
        earlier = self._attempts.get(outcome.number, 0)
        return replace(outcome, attempts=outcome.attempts + earlier) if earlier else outcome

    def _closed(self, job: _Job) -> Iterator[Outcome]:
        """What becomes of the works that a job, which is over, left without an outcome."""
        for slot in job.workers.values():
            self._slots.give_back(slot)
        if not job.left:
            return
        self.has_failures = True
        stopped = {outcome.number: outcome for outcome in job.stopped}
        for number, work in job.left.items():
            if number in job.begun or number in stopped:
                yield from self._interrupted(job, work, stopped.get(number))
            elif self._n_stops:
                continue
            elif job.ended is not None and job.ended.startswith(CANCELLED):
                yield self._killed(job, work, f"its job {job.name} was cancelled before it began")
            elif job.has_begun:
                self._ahead.append(work)
            else:
                yield from self._not_started(job, work)

    def _interrupted(self, job: _Job, work: Work, outcome: Outcome | None) -> Iterator[Outcome]:
        """A work that was at hand when its job was ended."""
        if self._n_stops:
            yield outcome or self._killed(job, work, "stopped with its job")
            return
        attempts = self._attempts[work.number] = self._attempts.get(work.number, 0) + 1
        if attempts <= self._retries:
            self._ahead.append(work)
            return
        del self._attempts[work.number]
        state = job.ended or self._awaited(job)
        line = f"its job {job.name} was ended"
        if state not in UNTOLD:
            line += f": {state}"
        elif outcome is not None:
            line = f"its job {job.name} was asked to stop: its time limit, or somebody else"
        killed = outcome or self._killed(job, work, line)
        yield replace(killed, error=line, attempts=attempts)

    def _awaited(self, job: _Job) -> str:
        """How `job`, which told its end, ended by the cluster's account; ``"ended"`` if it has none."""
        deadline = monotonic() + self.cluster.lag_s
        while (state := self.cluster.ended(job.name)) is None and monotonic() < deadline:
            self._told.refresh()
            threading.Event().wait(LOOK_EVERY_S)
        return state or "ended"

    def _not_started(self, job: _Job, work: Work) -> Iterator[Outcome]:
        starts = self._starts[work.number] = self._starts.get(work.number, 0) + 1
        if starts < MOST_STARTS:
            self._ahead.append(work)
            return
        if not self._any_began:
            raise WorkerError(
                "The jobs do not start.",
                f"job {job.name}: {job.ended}\n{self._log(job)}".rstrip(),
                f"see whether the nodes see {self._folder} and this Python can import smttask there",
            )
        yield self._killed(job, work, f"its job {job.name} did not start: {job.ended}")

    def _killed(self, job: _Job, work: Work, error: str) -> Outcome:
        self.has_failures = True
        worker, since = job.begun.get(work.number, (0, monotonic()))
        return Outcome(
            work.name,
            "killed",
            monotonic() - since,
            error,
            self._log(job),
            number=work.number,
            worker=worker,
        )

    def _log(self, job: _Job) -> str:
        """The last that `job` printed as errors."""
        try:
            text = (self._folder / "submitit" / f"{job.name}_0_log.err").read_bytes()[-LOG_BYTES:]
        except OSError:
            return ""
        return text.decode(errors="replace").strip()
