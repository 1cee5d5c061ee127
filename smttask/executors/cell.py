"""The live table and the bar below the cell of a notebook."""

from __future__ import annotations

import io
from collections.abc import Callable
from time import monotonic
from typing import Self

from rich.console import Console

from smttask.executors.course import Course
from smttask.executors.live import MOST_FAILURES, LiveDisplay
from smttask.executors.outcome import Outcome, Summary
from smttask.executors.progress import counts_text, outcome_text
from smttask.headway.text import printable_lines

__all__ = ["CellDisplay"]

REFRESH_S = 0.5
WIDTH = 110
MOST_LINES = 200  # above the table, the last ones: all of them are sent with each picture


class CellDisplay(LiveDisplay):
    """What `LiveDisplay` shows, as text in one place; at the end failures, what was told and the counts stay.

    Parameters
    ----------
    show
        Shows a text in place of the one before.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._text = io.StringIO()
        super().__init__(Console(file=self._text, force_jupyter=False, color_system=None, width=WIDTH))
        self._show = show
        self._lines: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        counts = Summary(self.counts, duration_s=monotonic() - self.begin)
        self._show("\n".join([*self._lines, counts_text(counts)]))

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        Course.finished(self, outcome)
        if outcome.is_failure and self.n_failed <= MOST_FAILURES:
            self._add(outcome_text(outcome))

    def output(self, text: str) -> None:
        """See `Display`."""
        self._add(printable_lines(text))

    def tell(self, text: str) -> None:
        """See `Display`."""
        self._add(printable_lines(text))

    def _add(self, text: str) -> None:
        self._lines.append(text)
        del self._lines[:-MOST_LINES]

    def refresh(self) -> None:
        """See `Display`."""
        if (now := monotonic()) - self._refreshed >= REFRESH_S:
            self._refreshed = now
            self._text.seek(0)
            self._text.truncate()
            self._console.print(self._picture(now))
            self._show("\n".join([*self._lines, self._text.getvalue().rstrip()]))
