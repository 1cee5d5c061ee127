"""One line that each text replaces, where somebody watches: in a terminal, or below a notebook's cell."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from html import escape
from typing import Any
from uuid import uuid4

from smttask.headway.position import Position
from smttask.headway.text import bar_text, duration_text, printable

__all__ = ["LineSink", "find_cell", "is_dumb_terminal"]

Show = Callable[[str], None]

ERASE_LINE = "\r\x1b[K"


class LineSink:
    """Shows the first loop that takes more than a second, until it ends; quiet where nobody watches.

    What it writes to the terminal goes around `sys.stderr`, which may be kept for a record.
    """

    first_s = 1.0  # what takes less is not worth a word
    interval_s = 0.2

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._owner: object = None
        self._show: Show | None = None

    def show(self, owner: object, position: Position) -> None:
        """Show where `owner` is, unless another one is shown, or a parent process has the terminal."""
        if self._owner is None and self._pid == os.getpid() and not _is_child():
            self._owner, self._show = owner, _find_display()
        if self._owner is owner and self._show is not None:
            self._show(_text(position))

    def end(self, owner: object) -> None:
        """Take away what was shown of `owner`."""
        if self._owner is owner:
            show, self._owner, self._show = self._show, None, None
            if show is not None:
                show("")


def _text(position: Position) -> str:
    share, left_s = position.share, position.left_s
    if share is None:
        return f"{position.text()} in {duration_text(position.elapsed_s)}"
    left = "" if left_s is None else f", {duration_text(left_s)} left"
    return f"{bar_text(share)}  {position.text()}{left}"


def _is_child() -> bool:
    """Whether this is a process of a `multiprocessing` pool; the module is asked only where it is loaded."""
    parent = getattr(sys.modules.get("multiprocessing.process"), "parent_process", None)
    return callable(parent) and parent() is not None


def find_cell() -> Show | None:
    """What shows a text below the running cell of a notebook, in place of the one before; None elsewhere."""
    publisher = _notebook_publisher()
    return None if publisher is None else _NotebookLine(publisher)


def _find_display() -> Show | None:
    """What shows a text in place of the one before; None where nobody watches."""
    if (cell := find_cell()) is not None:
        return cell
    try:
        is_watched = sys.__stderr__ is not None and sys.__stderr__.isatty() and not is_dumb_terminal()
    except ValueError:  # closed
        is_watched = False
    return _write_line if is_watched else None


def is_dumb_terminal() -> bool:
    """Whether the terminal is one that can only add lines, such as a window of an editor."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def _write_line(text: str) -> None:
    width = shutil.get_terminal_size().columns - 1  # a line that breaks could not be erased
    try:
        sys.__stderr__.write(ERASE_LINE + printable(text)[:width])  # type: ignore[union-attr] # caught
        sys.__stderr__.flush()  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError, UnicodeError):  # it is gone, or cannot show bars
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
