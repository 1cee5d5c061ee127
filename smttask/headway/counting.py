"""Loops that tell how far they are."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any, Protocol, Self, TypeVar

from smttask.errors import ArgumentError, short_repr
from smttask.headway.line import LineSink
from smttask.headway.position import Position

__all__ = ["Count", "Sink", "current_sink", "progress", "told_to"]

T = TypeVar("T")


class Sink(Protocol):
    """Who shows how far loops are.

    Attributes
    ----------
    first_s
        Seconds that a loop takes before it is first shown.
    interval_s
        At least so many seconds lie between two times.
    """

    first_s: float
    interval_s: float

    def show(self, owner: object, position: Position) -> None:
        """The outermost loop `owner`, and what is inside it, is at `position`."""
        ...

    def end(self, owner: object) -> None:
        """The loop `owner` ended; it may never have been shown."""
        ...


def progress(iterable: Iterable[T], total: int | None = None, *, what: str = "") -> Iterator[T]:
    """Yield what `iterable` has, and tell how far that is wherever the task runs.

    Inside the function of a task it shows in the table of ``smttask run`` and in
    ``smttask status``; under a plain ``run()``, and outside of tasks, after a second as a line in the
    terminal or below the notebook's cell. Nothing of it is recorded, and it costs a tenth of a microsecond
    an item. Of loops inside loops the innermost is shown beside the outermost.

    Parameters
    ----------
    total
        How many items there are; by default ``len(iterable)``, if it has one.
    what
        What they are, in the plural, for people.

    Raises
    ------
    ArgumentError
        If `total` is no number of items.

    Examples
    --------
    >>> sum(progress(range(5), what="samples"))
    10
    """
    if total is None:
        try:
            total = len(iterable)  # type: ignore[arg-type]
        except TypeError:  # an iterator
            total = None
    return _counted(iter(iterable), Count(total, what=what))


def _counted(items: Iterator[T], count: Count) -> Iterator[T]:
    with count:
        due = count.due
        for n, item in enumerate(items, 1):
            yield item
            count.n = n
            if monotonic() >= due:
                due = count.at(n)


class Count:
    """How far one piece of work is; `with` it.

    Parameters
    ----------
    total
        How many items there are; None: nobody knows.
    what
        What they are, in the plural.

    Attributes
    ----------
    n
        How many items are done.
    due
        When it will next be shown, by `time.monotonic`.

    Examples
    --------
    >>> with Count(10, what="files") as count:
    ...     count.at(3) > 0
    True
    """

    def __init__(self, total: int | None = None, *, what: str = "") -> None:
        self.n = 0
        self._total = _checked(total)
        self._what = str(what)
        self._begin = self.due = 0.0
        self._stack: list[Count] = []
        self._sink: Sink = _line

    def __enter__(self) -> Self:
        self._sink = _sink.get()
        self._stack = _open.stacks.setdefault(id(self._sink), [])
        self._stack.append(self)
        self._begin = monotonic()
        self.due = self._begin + self._sink.first_s
        return self

    def __exit__(self, *error: object) -> None:
        if self in self._stack:
            self._stack.remove(self)
        self._sink.end(self)

    def at(self, n: int, total: int | None = None, *, what: str | None = None) -> float:
        """Say that `n` items, of `total` if that is known only now, are done; returns when to say it next."""
        self.n = n
        if total is not None:
            self._total = _checked(total)
        if what is not None:
            self._what = what
        if (now := monotonic()) >= self.due:
            self.due = now + self._sink.interval_s
            outermost, innermost = self._stack[0], self._stack[-1]
            inside = () if innermost is outermost else (innermost._level,)
            self._sink.show(outermost, Position((outermost._level, *inside), now - outermost._begin))
        return self.due

    @property
    def position(self) -> Position:
        """Where it is by itself, whatever is around it."""
        return Position((self._level,), monotonic() - self._begin)

    @property
    def _level(self) -> tuple[int, int | None, str]:
        return self.n, self._total, self._what


def _checked(total: Any) -> int | None:
    if total is None or (isinstance(total, int) and total >= 0):
        return total
    try:
        if (number := total.__index__()) >= 0:
            return int(number)
    except (AttributeError, TypeError):
        pass
    raise ArgumentError(
        "progress() is told an impossible total.",
        f"found: {short_repr(total)}\nexpected: how many items there are, an integer from 0 on",
        "leave it out where nobody knows",
    )


class _Open(threading.local):
    """The loops that are open in this thread, by the sink that they are told to; the outermost first."""

    def __init__(self) -> None:
        self.stacks: dict[int, list[Count]] = {}


_open = _Open()
_line = LineSink()
_sink: ContextVar[Sink] = ContextVar("smttask_headway", default=_line)


def current_sink() -> Sink:
    """Who is told in this thread, or asyncio task, for one who is told in between and passes it on."""
    return _sink.get()


@contextmanager
def told_to(sink: Sink) -> Iterator[None]:
    """Let loops in this thread, or asyncio task, be told to `sink` during the block.

    Parameters
    ----------
    sink
        Called in the thread of the loop; what it raises comes out of the loop.
    """
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)
        _open.stacks.pop(id(sink), None)
