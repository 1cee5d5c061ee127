"""What shows a run: to who started it, to other terminals, and afterwards as a page."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from smttask.executors.course import Course
from smttask.executors.lines import Lines
from smttask.executors.outcome import Outcome, Summary
from smttask.executors.progress import Display
from smttask.executors.report import Report
from smttask.executors.statusfile import StatusFile, folders_of
from smttask.executors.together import Together
from smttask.headway.line import is_dumb_terminal

__all__ = ["RunDisplays", "Shown"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a user wants to see of a run.

    Parameters
    ----------
    interval_s
        Seconds between plain lines, 0 for one for each work; None: a live table in a terminal, else 0.
    report_file
        Where the page is written; None: nowhere.
    verbose
        What tasks print, and whole tracebacks.
    quiet
        Only failures.
    """

    interval_s: float | None = None
    report_file: str | None = None
    verbose: bool = False
    quiet: bool = False


class RunDisplays:
    """The displays of one run of many works; `with` it, and set `summary` when the run is over.

    Parameters
    ----------
    paths, executor, n_workers
        As the user gave them.
    noun
        What a work is to the user: a ``"task"``, which has a file, or a ``"folder"``, which is a path itself.

    Raises
    ------
    StorageError
        On entry, and at the end, if the page cannot be written.
    """

    def __init__(
        self,
        paths: tuple[str, ...],
        executor: str,
        n_workers: int,
        wanted: Shown,
        *,
        noun: str = "task",
    ) -> None:
        self.summary: Summary | None = None
        self._wanted = wanted
        self._shown: Course | None = None
        self._report = None if wanted.report_file is None else Report(wanted.report_file, noun=noun)
        folders = folders_of(paths) if noun == "task" else sorted(set(map(os.path.realpath, paths)))
        self._status = StatusFile(folders, executor=executor, n_workers=n_workers, noun=noun)

    def make(self) -> Display:
        """What the run tells all to."""
        self._shown = self._make_shown()
        others = [self._status] if self._report is None else [self._status, self._report]
        return Together([self._shown, *others])

    def _make_shown(self) -> Course:
        """A live table in a terminal, else lines."""
        quiet, interval_s = self._wanted.quiet, self._wanted.interval_s
        if quiet or interval_s is not None or not sys.stdout.isatty() or is_dumb_terminal():
            return Lines(quiet=quiet, interval_s=interval_s or 0.0)
        from smttask.executors.live import LiveDisplay  # brings rich, while the workers are starting

        return LiveDisplay(verbose=self._wanted.verbose)

    @property
    def slowest(self) -> list[Outcome]:
        """What took longest, the longest first."""
        return [] if self._shown is None else self._shown.slowest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.close(self.summary)
        if self._report is not None and self.summary is not None:
            self._report.close(self.summary)
