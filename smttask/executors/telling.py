"""What a worker tells while a work runs: how far it says that it is, and what it does at the moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Any

from smttask.headway import Position, told_to

__all__ = ["Watcher", "tell_doing"]

SHARE_OF_TELLING = 0.003  # that telling may take: who is told takes several times as long to hear it
LONGEST_REASON = 300

_watcher: ContextVar[Watcher | None] = ContextVar("smttask_watcher", default=None)


class Watcher:
    """Tells the display of a run what the works of this worker do, in few words and at little cost.

    What is told has the names of `smttask.executors.course.Underway`. Of short pieces of work few are
    told, so that thousands of them are not slower for it.

    Parameters
    ----------
    tell
        Called in the thread of the work; of no child process.
    """

    first_s = 0.2
    interval_s = 0.5

    def __init__(self, tell: Callable[[Mapping[str, Any]], object]) -> None:
        self._tell = tell
        self._pid = os.getpid()
        self._telling_s = 0.0
        self._begin = perf_counter()
        self._is_shown = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Tell what is counted, and said by `tell_doing`, in this thread during the block."""
        token = _watcher.set(self)
        try:
            with told_to(self):
                yield
        finally:
            _watcher.reset(token)

    def doing(self, facts: Mapping[str, Any], *, is_worth_it: bool = False) -> None:
        """Tell `facts`, unless so much was told lately that it would cost too much; `is_worth_it`: anyway."""
        begin = perf_counter()
        if is_worth_it or self._telling_s <= SHARE_OF_TELLING * (1 + begin - self._begin):
            self._send(facts)
            self._telling_s += perf_counter() - begin

    # -- as a sink of progress

    def show(self, owner: object, position: Position) -> None:
        """See `smttask.headway.Sink`."""
        self._send({"progress": position.to_message()})
        self._is_shown = True

    def end(self, owner: object) -> None:
        """See `smttask.headway.Sink`."""
        if self._is_shown:
            self._is_shown = False
            self._send({"progress": None})

    def _send(self, facts: Mapping[str, Any]) -> None:
        if os.getpid() == self._pid:
            self._tell(facts)


def tell_doing(task: str, *, why: str = "") -> None:
    """Tell the display of the run, if there is one, that the work of this thread computes `task`, and why."""
    if (watcher := _watcher.get()) is not None:
        watcher.doing({"task": task, "why": why[:LONGEST_REASON]})
