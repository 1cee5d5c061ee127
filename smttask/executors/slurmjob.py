"""What runs in a Slurm job: several works, one after the other, by a worker process of its own."""

from __future__ import annotations

import os
import platform
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from smttask.errors import SmttaskError
from smttask.executors.frames import FrameReader, FrameWriter
from smttask.executors.local import ProcessExecutor
from smttask.executors.messages import Instructions
from smttask.executors.progress import Display
from smttask.executors.running import Running
from smttask.executors.signals import stop_signals_to
from smttask.executors.work import Work

__all__ = ["Chunk", "run_chunk"]

WATCHED_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """The works of one job.

    Parameters
    ----------
    works
        As `Work.sendable` gives them.
    told_in
        The file in which the job tells what happens, in a folder that its submitter sees too.
    n
        How many of them it runs at once.
    instructions, limits
        For its `ProcessExecutor`.
    """

    works: tuple[Work, ...]
    told_in: Path
    n: int
    instructions: Instructions
    limits: Mapping[str, Any]


def run_chunk(chunk: Chunk, meanwhile: Callable[[Running], None] | None = None) -> None:
    """Run the works of `chunk`; all that happens is told in its file.

    ::

        ("begin", host, process), then of each work
        ("started", worker, number, part), ("watched", worker, facts), ("idle", worker)
        ("outcome", outcome) or ("stopped", outcome), if a signal stopped it
        ("output", text), ("note", text) from time to time, and in the end
        ("broken", error) if nothing could be run at all; ("end", number of the signal or None)

    A job that the cluster starts again goes on with what has no outcome yet.

    Parameters
    ----------
    meanwhile
        Called again and again, where the job runs in the process that submitted it.
    """
    done = {told[1].number for told in FrameReader(chunk.told_in).new() if told[0] == "outcome"}
    works = [work for work in chunk.works if work.number not in done]
    with FrameWriter(chunk.told_in) as frames:
        frames.write("begin", platform.node(), os.getpid())
        executor = ProcessExecutor(chunk.n, chunk.instructions, **chunk.limits)
        running = Running(works, executor, lambda: _Teller(frames, running, meanwhile))
        time_limit = [number for name in ("SIGUSR2",) if (number := getattr(signal, name, None))]
        try:
            with stop_signals_to(running.stop, also=time_limit):  # submitit's own sign of the time limit
                for outcome in running.outcomes():
                    was_stopped = outcome.status == "killed" and running.summary.signal is not None
                    frames.write("stopped" if was_stopped else "outcome", outcome)
        except SmttaskError as error:
            frames.write("broken", error)
        frames.write("end", running.summary.signal)


class _Teller(Display):
    """Tells in the file what a display in the same process would show."""

    def __init__(
        self, frames: FrameWriter, running: Running, meanwhile: Callable[[Running], None] | None
    ) -> None:
        self._frames = frames
        self._running = running
        self._meanwhile = meanwhile
        self._told_at: dict[int, float] = {}
        self._facts: dict[int, dict[str, Any]] = {}  # known since, not told yet

    def started(self, worker: int, work: Work) -> None:
        self._told_at.pop(worker, None)
        self._facts.pop(worker, None)
        self._frames.write("started", worker, work.number, work.part)

    def watched(self, worker: int, facts: Mapping[str, Any]) -> None:
        now = monotonic()
        waiting = self._facts.setdefault(worker, {})
        waiting.update(facts)
        if now - self._told_at.get(worker, -WATCHED_EVERY_S) >= WATCHED_EVERY_S:
            self._told_at[worker] = now
            self._frames.write("watched", worker, self._facts.pop(worker))

    def idle(self, worker: int) -> None:
        self._frames.write("idle", worker)

    def output(self, text: str) -> None:
        self._frames.write("output", text)

    def tell(self, text: str) -> None:
        if self._running.summary.signal is None:  # whoever stopped it knows
            self._frames.write("note", text)

    def refresh(self) -> None:
        if self._meanwhile is not None:
            self._meanwhile(self._running)
