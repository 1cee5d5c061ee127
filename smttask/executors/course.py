"""What is known of a run by now: what runs, what is done, and how long the rest will take."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from smttask.executors.outcome import Outcome
from smttask.executors.progress import Display
from smttask.executors.work import Work
from smttask.headway import Position

__all__ = ["Course", "Pace", "Underway"]

PACE_OVER_S = 30.0
PACE_OVER_N = 20
N_SLOWEST = 5


class Pace:
    """Files finished per second, lately: over the last 30 s, or the last 20 files if these are fewer.

    Examples
    --------
    >>> pace = Pace(begin=0.0)
    >>> for second in range(1, 5):
    ...     pace.add(second)
    >>> pace.rate(now=4.0), pace.seconds_left(8, now=4.0)
    (1.0, 8.0)
    """

    def __init__(self, begin: float) -> None:
        self._times = deque([begin])

    def add(self, now: float) -> None:
        """Count a file that is finished `now`, in seconds."""
        self._times.append(now)
        while len(self._times) > PACE_OVER_N and self._times[0] < now - PACE_OVER_S:
            self._times.popleft()

    def rate(self, now: float) -> float:
        """Files per second; 0 before the first."""
        elapsed_s = now - self._times[0]
        return (len(self._times) - 1) / elapsed_s if elapsed_s > 0 else 0.0

    def seconds_left(self, n_files: int, now: float) -> float | None:
        """Seconds that so many files will take; None before anything is known."""
        rate = self.rate(now)
        return n_files / rate if rate else None


@dataclass(slots=True)
class Underway:
    """What one worker runs, and what it told of it.

    Parameters
    ----------
    begin
        By `time.monotonic`.
    task
        The task among its inputs that is computed now; empty if that is the task itself.
    why
        Why that is computed: what differs from earlier runs; empty if nobody looked.
    reason
        Why the user wants it, as its record will have it.
    memory_bytes
        Of its worker; 0 if that is not known.
    position
        How far the task says that it is.
    """

    worker: int
    work: Work
    begin: float
    task: str = ""
    why: str = ""
    reason: str = ""
    memory_bytes: int = 0
    position: Position | None = None

    @property
    def told_reason(self) -> str:
        """Why it runs: what is new about it, else what the user said."""
        return self.why or self.reason

    def take(self, facts: Mapping[str, Any]) -> None:
        """Take in what a worker told; see `smttask.executors.watching`."""
        for name in ("task", "why", "reason", "memory_bytes"):
            if name in facts:
                setattr(self, name, facts[name])
        if "progress" in facts:
            told = facts["progress"]
            self.position = None if told is None else Position.from_message(told)


@dataclass
class Course(Display):
    """Keeps what it is told; displays that show it inherit from it.

    Attributes
    ----------
    n_planned, is_all
        Files known by now, and whether these are all.
    counts
        Number of files that came to an end, by `Outcome.status`.
    underway
        What runs, by number of the worker.
    slowest
        The outcomes that took longest, the longest first.
    """

    n_planned: int = 0
    is_all: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    underway: dict[int, Underway] = field(default_factory=dict)
    begin: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        self._pace = Pace(self.begin)
        self._memory: dict[int, int] = {}
        self._slowest: list[tuple[float, int, Outcome]] = []

    # -- what is told

    def planned(self, n: int, *, is_all: bool) -> None:
        """See `Display`."""
        self.n_planned, self.is_all = n, is_all

    def started(self, worker: int, work: Work) -> None:
        """See `Display`."""
        memory_bytes = self._memory.get(worker, 0)
        self.underway[worker] = Underway(worker, work, monotonic(), memory_bytes=memory_bytes)

    def watched(self, worker: int, facts: Mapping[str, Any]) -> None:
        """See `Display`."""
        if "memory_bytes" in facts:
            self._memory[worker] = facts["memory_bytes"]
        if (at_work := self.underway.get(worker)) is not None:
            at_work.take(facts)

    def idle(self, worker: int) -> None:
        """See `Display`."""
        self.underway.pop(worker, None)

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        self.underway.pop(outcome.worker, None)
        self.counts[outcome.status] += 1
        self._pace.add(monotonic())
        entry = (outcome.duration_s, self.n_finished, outcome)
        if len(self._slowest) < N_SLOWEST:
            heapq.heappush(self._slowest, entry)
        elif entry > self._slowest[0]:
            heapq.heapreplace(self._slowest, entry)

    # -- what follows

    @property
    def n_finished(self) -> int:
        """Files that came to an end, well or not."""
        return self.counts.total()

    @property
    def n_failed(self) -> int:
        """Files whose tasks failed or were killed."""
        return self.counts["failed"] + self.counts["killed"]

    @property
    def slowest(self) -> list[Outcome]:
        """The outcomes that took longest, the longest first."""
        return [outcome for *_, outcome in sorted(self._slowest, reverse=True)]

    @property
    def oldest_first(self) -> list[Underway]:
        """What runs, in the order in which it began."""
        return sorted(self.underway.values(), key=lambda at_work: at_work.begin)

    @property
    def memory_bytes(self) -> int:
        """Memory of the workers that run something, where it is known."""
        return sum(at_work.memory_bytes for at_work in self.underway.values())

    def rate(self, now: float) -> float:
        """Files per second, lately."""
        return self._pace.rate(now)

    def seconds_left(self, now: float) -> float | None:
        """Seconds until all files that are known are done; None before anything is known.

        When nothing waits any more, and all that runs says how far it is, that decides.
        """
        n_left = self.n_planned - self.n_finished
        at_work = list(self.underway.values())
        if at_work and n_left == len(at_work) and self.is_all:
            left_s = [each.position.left_s if each.position is not None else None for each in at_work]
            known = [seconds for seconds in left_s if seconds is not None]
            if len(known) == len(at_work):
                return max(known)
        return self._pace.seconds_left(n_left, now) if n_left > 0 else None
