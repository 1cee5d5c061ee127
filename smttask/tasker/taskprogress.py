"""``tsk.progress``: how far the running task is, told to who shows it here and to monitors elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from time import monotonic
from typing import TypeVar

from smttask.errors import error_text
from smttask.headway import Count, Position, Sink, current_sink, progress, told_to
from smttask.records.process import this_process
from smttask.storage.atomic import unlink_if_there
from smttask.tasker.status import DONE, ERROR, INTERRUPTED, WORKING, Status, status_path, write_status

__all__ = ["Progress"]

T = TypeVar("T")

INTERVAL_S = 0.1  # between two times that the file is written
MOST_ERROR = 500
MOST_INFO = 200


class Progress:
    """Tells how far a task is; its functions call it ``tsk.progress``.

    What is told shows in `smttask.tasker.Monitor` and ``smttask tasker monitor``, in the table of ``smttask
    tasker run``, and under a plain call after a second in the terminal or below the notebook's
    cell. Loops of `smttask.progress` are told the same way.

    Parameters
    ----------
    folder
        Of the Tasker, absolute.
    task
        Name of the task.
    always
        Leave a status also of a run that says nothing; False for tasks that store nothing.
    """

    def __init__(self, folder: Path, task: str, *, always: bool = True) -> None:
        self._folder = folder
        self._task = task
        self._always = always
        self._run: _Run | None = None

    def working(self, current: int = 0, total: int | None = None, info: object = "") -> None:
        """Say that the task works on item number `current`, which counts from 0, of `total`.

        It may be called as often as one likes: it takes a microsecond, and is told ten times a second.
        Outside of a run it does nothing.

        Parameters
        ----------
        total
            How many items there are; None: nobody knows.
        info
            What they are, in the plural, or what is being done.

        Raises
        ------
        ArgumentError
            If `total` is no number of items.

        Examples
        --------
        In the function of a task::

            for n, frame in enumerate(frames):
                tsk.progress.working(n, len(frames), "frames")
                ...
        """
        if self._run is not None:
            self._run.working(current, total, str(info)[:MOST_INFO])

    def tally(self, iterable: Iterable[T], total: int | None = None, info: object = "") -> Iterator[T]:
        """Yield what `iterable` has, and tell how far that is.

        Parameters
        ----------
        total
            How many items there are; by default ``len(iterable)``, if it has one.
        info
            What they are, in the plural.

        Raises
        ------
        ArgumentError
            If `total` is no number of items.

        Examples
        --------
        In the function of a task::

            return sum(measure(frame) for frame in tsk.progress.tally(frames, info="frames"))
        """
        return progress(iterable, total, what=str(info)[:MOST_INFO])

    def forget(self) -> None:
        """Let monitors know nothing of the last run, since what it stored is gone."""
        with suppress(OSError):
            unlink_if_there(str(status_path(self._folder, self._task)))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the task in the block: monitors see it work, and at the end what became of it.

        Where the status file cannot be written the run goes on without.
        """
        outer, self._run = self._run, _Run(self._folder, self._task, current_sink(), self._always)
        try:
            with told_to(self._run):
                self._run.write(WORKING)
                try:
                    yield
                except Exception as error:
                    self._run.write(ERROR, f"{type(error).__name__}: {error_text(error)}"[:MOST_ERROR])
                    raise
                except BaseException:
                    self._run.write(INTERRUPTED)
                    raise
                else:
                    self._run.write(DONE)
                finally:
                    self._run.close()
        finally:
            self._run = outer


class _Run:
    """One run of a task: a sink of progress that keeps the status file, and passes on what it is told."""

    first_s = 0.0
    interval_s = INTERVAL_S

    def __init__(self, folder: Path, task: str, outer: Sink, is_kept: bool) -> None:
        self._folder, self._task = folder, task
        self._outer: Sink = outer._outer if isinstance(outer, _Run) else outer  # a task inside another
        self._process = this_process()
        self._is_kept = is_kept
        self._begun = time.time()
        self._position: Position | None = None
        self._count: Count | None = None
        self._shown: Count | None = None
        self._due = self._outer_due = 0.0

    def working(self, current: int, total: int | None, info: str) -> None:
        """See `Progress.working`."""
        if self._count is None:
            self._count = Count(total, what=info)
            with told_to(self) if current_sink() is not self else nullcontext():  # another thread of the task
                self._count.__enter__()
        self._count.at(current, total, what=info)

    def write(self, status: str, error: str = "") -> None:
        """Write the status file; what a forked child has to say is not about this run."""
        if self._is_kept and os.getpid() == self._process.pid:
            if self._shown is not None and status != WORKING:
                self._position = self._shown.position
            now = time.time()
            with suppress(OSError):
                write_status(
                    self._folder,
                    Status(self._task, status, self._process, self._begun, now, self._position, error),
                )

    def close(self) -> None:
        """End what `working` began."""
        if self._count is not None:
            self._count.__exit__()

    # -- as a sink of progress

    def show(self, owner: object, position: Position) -> None:
        """See `smttask.headway.Sink`."""
        now = monotonic()
        self._shown, self._position = owner if isinstance(owner, Count) else None, position
        if now >= self._due:
            self._is_kept = True
            self.write(WORKING)
            self._due = monotonic() + INTERVAL_S
        if now >= self._outer_due and position.elapsed_s >= self._outer.first_s:
            self._outer.show(owner, position)
            self._outer_due = now + self._outer.interval_s

    def end(self, owner: object) -> None:
        """See `smttask.headway.Sink`."""
        if self._shown is not None and owner is self._shown:
            self._position, self._shown = self._shown.position, None
        self._outer.end(owner)
