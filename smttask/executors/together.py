"""Several displays of one run, none of which can end it."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from smttask.executors.outcome import Outcome
from smttask.executors.progress import Display
from smttask.executors.work import Work

__all__ = ["Together"]


class Together(Display):
    """Tells several displays; one that cannot write any more is told nothing further.

    So the tasks of a run go on, or are stopped in order, when its terminal is closed or a pipe is cut.
    """

    def __init__(self, displays: Sequence[Display]) -> None:
        self._displays = list(displays)

    def __enter__(self) -> Self:
        self._each(lambda display: display.__enter__())
        return self

    def __exit__(self, *error: object) -> None:
        self._each(lambda display: display.__exit__(*error))
        silence_closed_streams()

    def planned(self, n: int, *, is_all: bool) -> None:
        """See `Display`."""
        self._each(lambda display: display.planned(n, is_all=is_all))

    def started(self, worker: int, work: Work) -> None:
        """See `Display`."""
        self._each(lambda display: display.started(worker, work))

    def watched(self, worker: int, facts: Mapping[str, Any]) -> None:
        """See `Display`."""
        self._each(lambda display: display.watched(worker, facts))

    def idle(self, worker: int) -> None:
        """See `Display`."""
        self._each(lambda display: display.idle(worker))

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        self._each(lambda display: display.finished(outcome))

    def output(self, text: str) -> None:
        """See `Display`."""
        self._each(lambda display: display.output(text))

    def tell(self, text: str) -> None:
        """See `Display`."""
        self._each(lambda display: display.tell(text))

    def refresh(self) -> None:
        """See `Display`."""
        self._each(lambda display: display.refresh())

    def _each(self, tell: Callable[[Display], object]) -> None:
        for display in list(self._displays):
            try:
                tell(display)
            except OSError:
                self._displays.remove(display)
                silence_closed_streams()


def silence_closed_streams() -> None:
    """Let stdout and stderr lead nowhere if nobody can read them, so that the rest is done in silence."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # no stream of the system
            number = stream.fileno()
            if _is_closed(number):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)


def _is_closed(number: int) -> bool:
    """Whether the other side of a pipe, or a terminal, is gone."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(number, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
