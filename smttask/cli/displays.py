"""What shows a run: to who started it, to other terminals, and afterwards as a page."""

from __future__ import annotations

import sys
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

__all__ = ["RunDisplays"]


class RunDisplays:
    """The displays of one ``smttask run``; `with` it, and set `summary` when the run is over.

    Parameters
    ----------
    paths, executor, n_workers
        As the user gave them.
    interval_s
        Seconds between plain lines, 0 for one for each file; None: a live table in a terminal, else 0.
    report_file
        Where the page is written; None: nowhere.

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
        interval_s: float | None,
        report_file: str | None,
        *,
        verbose: bool,
        quiet: bool,
    ) -> None:
        self.summary: Summary | None = None
        self._interval_s = interval_s
        self._verbose, self._quiet = verbose, quiet
        self._shown: Course | None = None
        self._report = None if report_file is None else Report(report_file)
        self._status = StatusFile(folders_of(paths), executor=executor, n_workers=n_workers)

    def make(self) -> Display:
        """What the run tells all to."""
        self._shown = self._make_shown()
        others = [self._status] if self._report is None else [self._status, self._report]
        return Together([self._shown, *others])

    def _make_shown(self) -> Course:
        """A live table in a terminal, else lines."""
        if self._quiet or self._interval_s is not None or not sys.stdout.isatty() or is_dumb_terminal():
            return Lines(quiet=self._quiet, interval_s=self._interval_s or 0.0)
        from smttask.executors.live import LiveDisplay  # brings rich, while the workers are starting

        return LiveDisplay(verbose=self._verbose)

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
