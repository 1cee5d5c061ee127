"""A live table of the running tasks, and a bar, for a terminal."""

from __future__ import annotations

from time import monotonic
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from smttask.executors.outcome import Outcome
from smttask.executors.progress import Display, Pace, duration_text, outcome_text, task_name
from smttask.executors.work import Work

__all__ = ["LiveDisplay"]

REFRESH_S = 0.2
MOST_ROWS = 12


class LiveDisplay(Display):
    """The running tasks and a bar with rate, time left and failures; failures stay above as lines.

    Parameters
    ----------
    verbose
        Show also a line for each finished file.
    """

    def __init__(self, console: Console | None = None, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._running: dict[int, tuple[str, float]] = {}
        self._n_planned = 0
        self._is_all = False
        self._n_finished = 0
        self._n_failed = 0
        self._begin = monotonic()
        self._pace = Pace(self._begin)
        self._refreshed = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def planned(self, n: int, *, is_all: bool) -> None:
        """See `Display`."""
        self._n_planned, self._is_all = n, is_all

    def started(self, worker: int, work: Work) -> None:
        """See `Display`."""
        self._running[worker] = task_name(work.name), monotonic()

    def idle(self, worker: int) -> None:
        """See `Display`."""
        self._running.pop(worker, None)

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        self._running.pop(outcome.worker, None)
        self._n_finished += 1
        self._n_failed += outcome.is_failure
        self._pace.add(monotonic())
        if outcome.is_failure or self._verbose:
            self._console.print(Text(outcome_text(outcome), style="red" if outcome.is_failure else ""))

    def output(self, text: str) -> None:
        """See `Display`."""
        self._console.print(Text(text))

    def tell(self, text: str) -> None:
        """See `Display`."""
        self._console.print(Text(text, style="yellow"))

    def refresh(self) -> None:
        """See `Display`."""
        if (now := monotonic()) - self._refreshed >= REFRESH_S:
            self._refreshed = now
            self._live.update(self._picture(now), refresh=True)

    def _picture(self, now: float) -> Group:
        table = Table(box=None, show_header=False, padding=(0, 1))
        oldest_first = sorted(self._running.items(), key=lambda item: item[1][1])
        for number, (name, since) in oldest_first[:MOST_ROWS]:
            table.add_row(f"worker {number}", Text(name), duration_text(now - since))
        if len(oldest_first) > MOST_ROWS:
            table.add_row("", f"and {len(oldest_first) - MOST_ROWS} more", "")
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=self._n_planned or None, completed=self._n_finished, width=30),
            self._numbers(now),
        )
        return Group(table, bar)

    def _numbers(self, now: float) -> Text:
        total = f"{self._n_planned}{'' if self._is_all else '+'}"
        text = Text(f"{self._n_finished}/{total}  {self._pace.rate(now):.1f}/s")
        left_s = self._pace.seconds_left(self._n_planned - self._n_finished, now)
        if left_s is not None:
            text.append(f"  {duration_text(left_s)} left")
        if self._n_failed:
            text.append(f"  {self._n_failed} failed", style="red")
        return text
