"""The working directory of the process: one at a time decides it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smttask.errors import SmttaskWarning, warn
from smttask.storage.atomic import storage_error

__all__ = ["kept", "working_in"]

SAY_AFTER_S = 5.0


class _Turn:
    """Whose turn it is; a thread that has it may take it again."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.owner: int | None = None
        self.depth = 0
        self.where = ""
        self.kept: list[object] = []


_turn = _Turn()


def _after_fork() -> None:
    """In a forked child only the thread that forked is there: it keeps its turn, others lose theirs."""
    global _turn
    if _turn.owner != threading.get_ident():
        _turn = _Turn()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def kept() -> list[object]:
    """What the thread that works somewhere keeps for the time; empty when it began.

    Only for a thread inside `working_in`; a forked child has what the thread that forked had.
    """
    return _turn.kept


@contextmanager
def working_in(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Work in `folder` during the block; then in what was the working directory before.

    There is one working directory in a process, so other threads that want theirs wait; the
    same thread may go from folder to folder, one inside the other.

    Raises
    ------
    StorageError
        If there is no such folder, or it cannot be entered.

    Examples
    --------
    >>> import tempfile
    >>> with working_in(tempfile.mkdtemp()) as folder:
    ...     Path.cwd().samefile(folder)
    True
    """
    path = os.path.abspath(folder)
    turn = _turn
    _take(turn, path)
    try:
        turn.owner, turn.depth = threading.get_ident(), turn.depth + 1
        before, turn.where = turn.where, path
        try:
            came_from = _working_dir()
            try:
                os.chdir(path)
            except OSError as error:
                raise storage_error(f"Cannot work in {path}.", path, error) from error
            try:
                yield Path(path)
            finally:
                _go_back(came_from)
        finally:
            turn.where, turn.depth = before, turn.depth - 1
            if not turn.depth:
                turn.owner, turn.kept = None, []
    finally:
        turn.lock.release()


def _take(turn: _Turn, path: str) -> None:
    if turn.lock.acquire(timeout=SAY_AFTER_S):
        return
    warn(
        f"Waiting to work in {path}: another thread of this process (number {turn.owner}) works in "
        f"{turn.where}, and a process has one working directory. If that thread waits for this one, "
        "leave its `with` block or its task first.",
        SmttaskWarning,
    )
    turn.lock.acquire()


def _working_dir() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def _go_back(folder: str | None) -> None:
    if folder is not None:
        try:
            os.chdir(folder)
        except OSError:  # removed meanwhile: there is nowhere to go back to
            pass
