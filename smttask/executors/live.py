"""A live table of the running tasks, and a bar, for a terminal."""

from __future__ import annotations

from time import monotonic
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from smttask.executors.course import Course, Underway
from smttask.executors.memory import bytes_text
from smttask.executors.outcome import Outcome
from smttask.executors.progress import outcome_text, short_name
from smttask.headway.text import duration_text, printable, printable_lines

__all__ = ["LiveDisplay"]

REFRESH_S = 0.2
MOST_ROWS = 12
MOST_FAILURES = 20  # lines above the table; all stand in the summary
WIDE = 100  # columns from which on there is room for reasons
NARROW = 60  # below this, for no bars
BAR_WIDTH = 30
BAR_OF_TASK = 10
PADDING = 2
FIXED = BAR_OF_TASK + len("999 MB") + len("59 min 59 s") + 5 * PADDING  # what does not give way


class LiveDisplay(Course):
    """The running tasks and a bar with rate, time left and failures; failures stay above as lines.

    Parameters
    ----------
    verbose
        Show also a line for each finished file.
    """

    def __init__(self, console: Console | None = None, *, verbose: bool = False) -> None:
        super().__init__()
        self._verbose = verbose
        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._refreshed = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.update(Text(""))  # nothing is drawn once more where the table was
        self._live.stop()

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        super().finished(outcome)
        if self._verbose or (outcome.is_failure and self.n_failed <= MOST_FAILURES):
            self._console.print(Text(outcome_text(outcome), style="red" if outcome.is_failure else ""))
        elif outcome.is_failure and self.n_failed == MOST_FAILURES + 1:
            self._console.print(Text("Further failures are told in the end.", style="red"))

    def output(self, text: str) -> None:
        """See `Display`."""
        self._console.print(Text(printable_lines(text)))

    def tell(self, text: str) -> None:
        """See `Display`."""
        self._console.print(Text(printable_lines(text), style="yellow"))

    def refresh(self) -> None:
        """See `Display`."""
        if (now := monotonic()) - self._refreshed >= REFRESH_S:
            self._refreshed = now
            self._live.update(self._picture(now), refresh=True)

    # -- the picture; made anew for the size that the terminal has now

    def _picture(self, now: float) -> Group:
        width, height = self._console.size
        oldest_first = self.oldest_first
        n_rows = max(min(MOST_ROWS, height - 3), 0)
        table = Table.grid(padding=(0, PADDING, 0, 0))
        for most in _widths(width):
            table.add_column(no_wrap=True, overflow="ellipsis", max_width=most)
        for each in sorted(oldest_first[:n_rows], key=lambda each: each.worker):
            table.add_row(*_row(each, now, width))
        parts: list[Table | Text] = [table] if oldest_first and n_rows else []
        if n_rows and len(oldest_first) > n_rows:
            parts.append(Text(f"and {len(oldest_first) - n_rows} more"))
        return Group(*parts, self._total(now, width))

    def _total(self, now: float, width: int) -> Table | Text:
        numbers = Text(no_wrap=True, overflow="ellipsis")
        numbers.append(f"{self.n_finished}/{self.n_planned}{'' if self.is_all else '+'}")
        if self.n_failed:
            numbers.append(f"  {self.n_failed} failed", style="red")
        if self.underway or self.n_finished:
            numbers.append(f"  {len(self.underway)} running  {self.rate(now):.1f}/s")
        else:
            numbers.append("  workers are starting")
        if (left_s := self.seconds_left(now)) is not None:
            numbers.append(f"  {duration_text(left_s)} left")
        if self.memory_bytes:
            numbers.append(f"  {bytes_text(self.memory_bytes)}")
        if width < NARROW:
            return numbers
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=self.n_planned or None, completed=self.n_finished, width=BAR_WIDTH)
        grid.add_row(bar, numbers)
        return grid


def _widths(width: int) -> list[int | None]:
    """The most that the columns of `_row` take of a terminal that is so wide."""
    if width < NARROW:
        return [max(width - 8, 1), None]
    spare = width - FIXED - (len("worker 00") + PADDING if width >= WIDE else 0)
    if width < WIDE:
        return [spare * 3 // 5, None, spare * 2 // 5, None, None]
    return [None, spare * 3 // 8, spare * 2 // 8, None, spare * 3 // 8, None, None]


def _row(each: Underway, now: float, width: int) -> list[Text | ProgressBar]:
    """The cells of one worker, as many as there is room for."""
    name = short_name(each.work.name)
    if each.task:
        name += f" ← {printable(each.task)}"
    share = each.position.share if each.position is not None else None
    since = Text(duration_text(now - each.begin), justify="right")
    if width < NARROW:
        return [Text(name), Text(f"{share:.0%}", justify="right") if share is not None else since]
    bar = Text() if share is None else ProgressBar(total=1.0, completed=share, width=BAR_OF_TASK)
    far = Text(printable(each.position.text()) if each.position is not None else "")
    memory = Text(bytes_text(each.memory_bytes) if each.memory_bytes else "", justify="right")
    cells = [Text(name), bar, far, memory, since]
    if width < WIDE:
        return cells
    return [
        Text(f"worker {each.worker}", style="dim"),
        cells[0],
        Text(printable(each.told_reason)),
        *cells[1:],
    ]
