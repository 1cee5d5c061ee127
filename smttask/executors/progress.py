"""How far a run is: lines of text, and the pace from which a display tells the time left."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Self, get_args

import click

from smttask.executors.files import SUFFIX
from smttask.executors.outcome import Outcome, Status, Summary
from smttask.executors.work import Work

__all__ = ["Display", "Lines", "Pace", "counts_text", "duration_text", "report", "task_name"]

PACE_OVER_S = 30.0
PACE_OVER_N = 20


class Display:
    """What a run tells while it goes on; this one shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def planned(self, n: int, *, is_all: bool) -> None:
        """So many files are known by now; `is_all` if that is all of them."""

    def started(self, worker: int, work: Work) -> None:
        """The worker with this number began `work`, which may be a part of another one (`Work.part`)."""

    def watched(self, worker: int, facts: Mapping[str, Any]) -> None:
        """What is known of the task that the worker runs: its reason, its memory, its own progress."""

    def idle(self, worker: int) -> None:
        """The worker left what it began without an outcome: a part is done, or it is tried later."""

    def finished(self, outcome: Outcome) -> None:
        """A work came to an end."""

    def output(self, text: str) -> None:
        """Tasks printed `text`, whole lines."""

    def tell(self, text: str) -> None:
        """Something that the user should know."""

    def refresh(self) -> None:
        """Called again and again, at least five times a second."""


class Lines(Display):
    """A line of plain text for each finished file.

    Parameters
    ----------
    quiet
        Show only what should not be missed.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._n_finished = 0
        self._total = "?"

    def planned(self, n: int, *, is_all: bool) -> None:
        """See `Display`."""
        self._total = str(n) if is_all else f"{n}+"

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        self._n_finished += 1
        if not self._quiet:
            click.echo(f"[{self._n_finished}/{self._total}] {outcome_text(outcome)}")

    def output(self, text: str) -> None:
        """See `Display`."""
        click.echo(text)

    def tell(self, text: str) -> None:
        """See `Display`."""
        click.echo(text, err=True)


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


def task_name(path: str) -> str:
    """The file's name without what all have.

    Examples
    --------
    >>> task_name("tasks/Square__3f9c1b.taskdesc.json")
    'Square__3f9c1b'
    """
    return os.path.basename(path).removesuffix(SUFFIX)


def duration_text(duration_s: float) -> str:
    """Seconds for people.

    Examples
    --------
    >>> duration_text(0.0123), duration_text(75), duration_text(9000)
    ('0.01 s', '1 min 15 s', '2 h 30 min')
    """
    if duration_s < 60:
        return f"{duration_s:.2f} s" if duration_s < 10 else f"{duration_s:.0f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def outcome_text(outcome: Outcome) -> str:
    """One line on what became of a file."""
    line = f"{outcome.status:<8} {task_name(outcome.name)}"
    if outcome.status == "gone":
        return line
    return (
        f"{line}: {outcome.error}" if outcome.is_failure else f"{line}  {duration_text(outcome.duration_s)}"
    )


def report(summary: Summary, *, verbose: bool = False, keeps: bool = False) -> Iterator[str]:
    """Lines on the failures and the files not begun: the file, the error, and what to do.

    What follows the first line of our own messages is told once; tracebacks only if `verbose`.
    """
    if summary.failures:
        n, total = len(summary.failures), summary.counts.total()
        stays = "its file stays" if n == 1 else "their files stay"
        yield f"{n} of {total} task{'' if total == 1 else 's'} failed; {stays}:"
    told: set[str] = set()
    for outcome in summary.failures:
        yield f"  {outcome.name}: {outcome.error}"
        if outcome.details and (verbose or (outcome.is_ours and outcome.details not in told)):
            told.add(outcome.details)
            yield from (f"    {line}" for line in outcome.details.splitlines())
    if summary.n_lost and not keeps:
        yield f"{_files(summary.n_lost)} still there: the results were kept in memory only."
    if summary.n_left:
        yield f"{_files(summary.n_left)} not begun."


def _files(n: int) -> str:
    return "1 file is" if n == 1 else f"{n} files are"


def counts_text(summary: Summary) -> str:
    """Numbers of files by what became of them, and the time, in one line."""
    n = summary.counts.total()
    counts = [f"{summary.counts[status]} {status}" for status in get_args(Status) if summary.counts[status]]
    what = f"{n} task{'' if n == 1 else 's'}: {', '.join(counts) or 'none begun'}"
    return f"{what} in {duration_text(summary.duration_s)}"
