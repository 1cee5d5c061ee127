"""The loop around every executor: what is planned, told, counted and stopped."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any

from smttask.executors.outcome import Outcome, Summary
from smttask.executors.progress import Display
from smttask.executors.signals import stop_signals_to
from smttask.executors.work import Work

if TYPE_CHECKING:
    from smttask.protocols import Executor

__all__ = ["Running", "run_works", "works_of_files"]

READ_AHEAD = 1000


def works_of_files(files: Iterable[str]) -> Iterator[Work]:
    """The works of description files, whose paths hold from the working directory of now on."""
    folder = os.getcwd()
    for number, file in enumerate(files):
        yield Work(file, number, path=os.path.normpath(os.path.join(folder, file)))


def run_works(works: Iterable[Work], executor: Executor, display: Callable[[], Display] = Display) -> Summary:
    """Run all `works`, and return what became of them.

    The first signal that asks this process to stop (Ctrl-C) stops the running tasks, whose
    records then say killed; a second one ends everything at once.

    Parameters
    ----------
    works
        Read while others run.
    display
        Makes what is told of all that happens, in this thread; called when the workers
        are starting.

    Raises
    ------
    SmttaskError
        If the workers cannot begin: the project, its settings, a module to be imported.
    """
    running = Running(works, executor, display)
    with stop_signals_to(running.stop):
        for _ in running.outcomes():
            pass
    return running.summary


class Running:
    """Some works that an executor runs, and what became of them so far.

    Parameters
    ----------
    most_ahead
        How many works are read before their turn; None: all, to know how many they are.
    n_total
        How many they are, where that is known.
    """

    def __init__(
        self,
        works: Iterable[Work],
        executor: Executor,
        display: Callable[[], Display] = Display,
        *,
        most_ahead: int | None = None,
        n_total: int | None = None,
    ) -> None:
        self.summary = Summary()
        self._executor = executor
        self._told = _Told(display, self._between)
        self._plan = _Plan(works, self._told, most_ahead, n_total)
        self._running: set[int] = set()
        self._says_stopping = False

    def outcomes(self) -> Generator[Outcome, None, None]:
        """Run; yields outcomes as they come. Closed early, it ends what runs."""
        begin = monotonic()
        outcomes = self._executor.run(self._plan, self._told)
        try:
            for outcome in outcomes:
                self.summary.add(outcome)
                self._told.finished(outcome)
                yield outcome
        finally:
            outcomes.close()
            self._told.close()
            self.summary.n_left = self._plan.n_planned - self.summary.counts.total()
            self.summary.duration_s = monotonic() - begin

    def stop(self, number: int) -> None:
        """From a signal handler: stop; the second time, at once."""
        if self.summary.signal is None:
            self.summary.signal = number
            self._says_stopping = True
        self._plan.end()
        self._executor.stop()

    def _between(self) -> None:
        """What is done again and again while tasks run."""
        self._plan.read_ahead()
        if self._says_stopping:
            self._says_stopping = False
            if n := self._told.n_running:
                tasks = "1 running task" if n == 1 else f"{n} running tasks"
                self._told.tell(f"Stopping {tasks}; once more (Ctrl-C) ends at once.")


class _Plan(Iterator[Work]):
    """The works to come, of which some are read before their turn."""

    def __init__(
        self, works: Iterable[Work], told: Display, most_ahead: int | None, n_total: int | None
    ) -> None:
        self.n_planned = 0
        self._works = iter(works)
        self._told = told
        self._most_ahead = most_ahead
        self._ahead: deque[Work] = deque()
        self._is_all = False
        self._total = n_total

    def __next__(self) -> Work:
        if not self._ahead:
            self._read(1)
        if not self._ahead:
            raise StopIteration
        return self._ahead.popleft()

    def read_ahead(self) -> None:
        """Look at some more."""
        n = READ_AHEAD
        if self._most_ahead is not None:
            n = min(n, self._most_ahead - len(self._ahead))
        if n > 0:
            self._read(n)

    def end(self) -> None:
        """No more begins."""
        self._is_all = True
        self._ahead.clear()

    def _read(self, n: int) -> None:
        if self._is_all:
            return
        more = list(islice(self._works, n))
        self._take(more, n)

    def _take(self, more: list[Work], n: int) -> None:
        if self._is_all:  # stopped meanwhile, by a signal
            self.n_planned += len(more)
            return
        self._ahead.extend(more)
        self.n_planned += len(more)
        self._is_all = len(more) < n
        if self._total is None:
            self._told.planned(self.n_planned, is_all=self._is_all)
        elif more:
            self._told.planned(max(self._total, self.n_planned), is_all=True)


class _Told(Display):
    """The display, made when it is first told something: workers start meanwhile."""

    def __init__(self, make: Callable[[], Display], between: Callable[[], None]) -> None:
        self.n_running = 0
        self._make = make
        self._between = between
        self._display: Display | None = None
        self._begun: set[int] = set()
        self._plan: tuple[int, bool] = (0, False)

    @property
    def _shown(self) -> Display:
        if self._display is None:
            self._display = self._make()
            self._display.__enter__()
            self._display.planned(self._plan[0], is_all=self._plan[1])
        return self._display

    def close(self) -> None:
        """Take the display away."""
        if self._display is not None:
            self._display.__exit__(None, None, None)

    def planned(self, n: int, *, is_all: bool) -> None:
        """See `Display`."""
        self._plan = n, is_all
        if self._display is not None:
            self._display.planned(n, is_all=is_all)

    def started(self, worker: int, work: Work) -> None:
        """See `Display`."""
        self._begun.add(worker)
        self.n_running = len(self._begun)
        self._shown.started(worker, work)

    def watched(self, worker: int, facts: Mapping[str, Any]) -> None:
        """See `Display`."""
        self._shown.watched(worker, facts)

    def idle(self, worker: int) -> None:
        """See `Display`."""
        self._begun.discard(worker)
        self.n_running = len(self._begun)
        self._shown.idle(worker)

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        self._begun.discard(outcome.worker)
        self.n_running = len(self._begun)
        self._shown.finished(outcome)

    def output(self, text: str) -> None:
        """See `Display`."""
        self._shown.output(text)

    def tell(self, text: str) -> None:
        """See `Display`."""
        self._shown.tell(text)

    def refresh(self) -> None:
        """See `Display`."""
        self._between()
        self._shown.refresh()
