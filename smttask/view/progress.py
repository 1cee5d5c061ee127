"""How far a long look at many records has come: told after a second, where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from html import escape
from time import monotonic
from typing import Any, TypeVar
from uuid import uuid4

from smttask.view.text import duration_text

__all__ = ["watched"]

T = TypeVar("T")
Show = Callable[[str], None]

QUIET_S = 1.0  # what takes less is not worth a word
INTERVAL_S = 0.2
BAR_WIDTH = 20
ERASE_LINE = "\r\x1b[K"

_shown: list[object] = []  # who shows progress now: one at a time, the outermost that is slow


def watched(items: Iterable[T], n_items: int, what: str = "records") -> Iterator[T]:
    """Yield `items`, and show progress from the second second on, in a terminal or a notebook.

    In a terminal a line on stderr, which is erased at the end; where stderr is a file
    or a pipe, nothing. The time that the caller takes for each item counts, too.

    Parameters
    ----------
    n_items
        How many there are.
    what
        What they are, in the plural.

    Examples
    --------
    >>> list(watched("abc", 3))
    ['a', 'b', 'c']
    """
    owner = object()
    show: Show | None = None
    begin = monotonic()
    due = begin + QUIET_S
    n_done = 0
    try:
        for item in items:
            yield item
            n_done += 1
            if (now := monotonic()) < due:
                continue
            due = now + INTERVAL_S
            if not _shown and (show := _find_display()) is not None:
                _shown.append(owner)
            if show is not None:
                show(_progress_text(n_done, n_items, what, now - begin))
    finally:  # also where the caller stops early, or fails
        if owner in _shown:
            _shown.remove(owner)
        if show is not None:
            show("")


def _progress_text(n_done: int, n_items: int, what: str, elapsed_s: float) -> str:
    share = min(n_done / max(n_items, 1), 1.0)
    n_filled = round(share * BAR_WIDTH)
    left = elapsed_s * (1 - share) / share
    bar = "█" * n_filled + "░" * (BAR_WIDTH - n_filled)
    return f"{bar} {share:4.0%}  {n_done} of {n_items} {what}, {duration_text(left)} left"


def _find_display() -> Show | None:
    """What shows a text in place of the one before; None where nobody watches."""
    publisher = _notebook_publisher()
    if publisher is not None:
        return _NotebookLine(publisher)
    try:
        is_watched = sys.stderr.isatty()
    except (AttributeError, ValueError):  # none, or closed
        is_watched = False
    return _write_line if is_watched else None


def _write_line(text: str) -> None:
    try:
        sys.stderr.write(ERASE_LINE + text)
        sys.stderr.flush()
    except (OSError, ValueError, UnicodeError):  # the terminal is gone, or cannot show bars
        pass


def _notebook_publisher() -> Any:
    """What shows things below the running cell of a notebook; None elsewhere.

    IPython is asked for only where it is loaded; it is never imported.
    """
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_shell() if callable(get_shell) else None
    return None if getattr(shell, "kernel", None) is None else getattr(shell, "display_pub", None)


class _NotebookLine:
    """One line below the cell, which each text replaces."""

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher
        self._place = {"display_id": uuid4().hex}
        self._is_new = True

    def __call__(self, text: str) -> None:
        page = f"<pre>{escape(text)}</pre>" if text else ""
        self._publisher.publish(
            {"text/plain": text, "text/html": page}, transient=self._place, update=not self._is_new
        )
        self._is_new = False
