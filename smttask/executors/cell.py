"""The live table and the bar below the cell of a notebook."""

from __future__ import annotations

import io
from collections.abc import Callable
from time import monotonic
from typing import Self

from rich.console import Console

from smttask.executors.course import Course
from smttask.executors.live import MOST_FAILURES, LiveDisplay
from smttask.executors.outcome import Outcome
from smttask.executors.progress import outcome_text

__all__ = ["CellDisplay"]

REFRESH_S = 0.5
WIDTH = 110


class CellDisplay(LiveDisplay):
    """What `LiveDisplay` shows, as text in one place; at the end failures and what was told stay.

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
        self._show("\n".join(self._lines))

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        Course.finished(self, outcome)
        if outcome.is_failure and self.n_failed <= MOST_FAILURES:
            self._lines.append(outcome_text(outcome))

    def output(self, text: str) -> None:
        """See `Display`."""
        self._lines.append(text)

    def tell(self, text: str) -> None:
        """See `Display`."""
        self._lines.append(text)

    def refresh(self) -> None:
        """See `Display`."""
        if (now := monotonic()) - self._refreshed >= REFRESH_S:
            self._refreshed = now
            self._text.seek(0)
            self._text.truncate()
            self._console.print(self._picture(now))
            self._show("\n".join([*self._lines, self._text.getvalue().rstrip()]))
