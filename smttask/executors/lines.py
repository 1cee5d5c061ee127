"""A run as lines of plain text, for files and pipes."""

from __future__ import annotations

from time import monotonic

import click

from smttask.executors.course import Course
from smttask.executors.memory import bytes_text
from smttask.executors.outcome import Outcome
from smttask.executors.progress import outcome_text, short_name
from smttask.headway.text import duration_text, printable

__all__ = ["Lines"]


class Lines(Course):
    """A line for each finished file, or one for all every so often; failures are told at once.

    Parameters
    ----------
    quiet
        Show only what should not be missed; failures stand in the summary.
    interval_s
        Seconds between two lines that say how far all is; 0: a line for each finished file.
    """

    def __init__(self, *, quiet: bool = False, interval_s: float = 0.0) -> None:
        super().__init__()
        self._quiet = quiet
        self._interval_s = interval_s
        self._due = self.begin + interval_s

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        super().finished(outcome)
        if not self._quiet and (outcome.is_failure or not self._interval_s):
            click.echo(f"{self._numbers} {outcome_text(outcome)}")

    def output(self, text: str) -> None:
        """See `Display`."""
        click.echo(text)

    def tell(self, text: str) -> None:
        """See `Display`."""
        click.echo(text, err=True)

    def refresh(self) -> None:
        """See `Display`."""
        if self._interval_s and not self._quiet and (now := monotonic()) >= self._due:
            self._due = now + self._interval_s
            click.echo(self._line(now))

    @property
    def _numbers(self) -> str:
        return f"[{self.n_finished}/{self.n_planned}{'' if self.is_all else '+'}]"

    def _line(self, now: float) -> str:
        """How far all is, and what runs longest."""
        parts = [f"{self._numbers} {len(self.underway)} running", f"{self.rate(now):.1f}/s"]
        if self.n_failed:
            parts.insert(1, f"{self.n_failed} failed")
        if (left_s := self.seconds_left(now)) is not None:
            parts.append(f"{duration_text(left_s)} left")
        if self.memory_bytes:
            parts.append(bytes_text(self.memory_bytes))
        for oldest in self.oldest_first[:1]:
            far = f", {oldest.position.text()}" if oldest.position is not None else ""
            name = short_name(oldest.work.name)
            parts.append(f"longest: {name} {duration_text(now - oldest.begin)}{printable(far)}")
        return "; ".join(parts)
