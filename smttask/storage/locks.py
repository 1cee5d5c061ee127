"""One computation of one thing at a time, over threads and processes.

A lock is a POSIX record lock on a file: the system gives it back when its owner
ends, however it ends, and a forked child has no share in it. Such locks do not
exclude threads of one process and are lost when any descriptor of the file is
closed, so a table keeps one descriptor per path and makes threads take turns.
Where the system has no such locks, `smttask.storage.ownerfile` serves.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from smttask.errors import LockError
from smttask.storage.atomic import storage_error
from smttask.storage.ownerfile import HOST, OwnerFile, owner_text

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["computing", "find_holder"]

FIRST_POLL_S = 0.001
LAST_POLL_S = 0.05
SAY_AFTER_S = 5.0
OWNER_BYTES = 512

BUSY = (errno.EACCES, errno.EAGAIN)
NOT_SUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


class _Turn:
    """The turns of the threads of this process at one path."""

    __slots__ = ("fd", "is_left", "lock", "n_interested", "owner")

    def __init__(self) -> None:
        self.lock = threading.RLock()  # knows whose it is, even if that thread was interrupted in taking it
        self.owner: int | None = None
        self.n_interested = 0
        self.fd = -1
        self.is_left = True


class _Table:
    """The locks of this process; a forked child starts with an empty one."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.turns: dict[str, _Turn] = {}
        self.warned: set[str] = set()


_table = _Table()


def _forget_locks() -> None:
    """In a forked child: no lock is ours; closing the descriptors frees nothing of the parent."""
    global _table
    inherited, _table = _table, _Table()
    for turn in inherited.turns.values():
        if turn.fd >= 0:
            os.close(turn.fd)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks)


@contextmanager
def computing(
    path: str | os.PathLike[str],
    *,
    on_wait: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
) -> Iterator[bool]:
    """Hold the lock at `path` in the body of the ``with``; wait while another thread or process holds it.

    It ends with its owner, on kill -9 too, even while a forked child of the
    owner lives. The file is made with its folder and removed at the end. Gives whether an owner
    may have died: False if the file was made anew.

    Parameters
    ----------
    path
        The lock file. One process must always name it by the same path.
    on_wait
        Called once with a sentence naming the holder, after 5 s of waiting.
    timeout_s
        Longest wait in seconds; 0 does not wait at all, None waits for ever.

    Raises
    ------
    LockError
        If this thread holds the lock already, or the time is over.
    StorageError
        If the lock file cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with computing(tempfile.mkdtemp() + "/lock"):
    ...     pass
    """
    path = _absolute(path)
    waiting = _Waiting(path, on_wait, timeout_s)
    table = _table
    turn = _take_turn(table, path, waiting)
    try:
        held = _take_file(table, path, turn, waiting)
        try:
            yield turn.is_left
        finally:
            if table is _table:  # else this is a forked child, which holds nothing
                _release_file(path, turn, held)
    finally:
        if table is _table:
            _leave_turn(table, path, turn)


def find_holder(path: str | os.PathLike[str]) -> str:
    """Who holds the lock at `path` at the moment, in words; empty if nobody does or the system cannot say.

    Nothing is waited for and nothing held afterwards, so the answer may be old when it is read.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/lock"
    >>> find_holder(path)
    ''
    """
    path = _absolute(path)
    table = _table
    # While we have the file open no thread of this process may lock it: closing it would end that lock.
    with table.guard:
        turn = table.turns.get(path)
        if turn is not None:
            return f"thread {turn.owner} of this process (pid {os.getpid()})"
        try:
            fd = os.open(path, os.O_RDWR)
        except OSError:
            return ""
        try:
            if fcntl is None:
                return ""
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return _holder(fd) if error.errno in BUSY else ""
        finally:
            os.close(fd)
    return ""


def _absolute(path: str | os.PathLike[str]) -> str:
    path = os.fspath(path)
    return path if path.startswith("/") else os.path.abspath(path)


class _Waiting:
    """How long we have waited for a lock, and whether that was said."""

    def __init__(self, path: str, on_wait: Callable[[str], None] | None, timeout_s: float | None) -> None:
        self.path = path
        self.on_wait = on_wait
        self.timeout_s = timeout_s
        self.started = 0.0
        self.pause_s = FIRST_POLL_S

    def next_pause_s(self, holder: Callable[[], str]) -> float:
        """Seconds to the next try; says who holds the lock when it is time to."""
        now = time.monotonic()
        if not self.started:
            self.started = now
        waited_s = now - self.started
        if self.timeout_s is not None and waited_s >= self.timeout_s:
            raise LockError(
                f"The lock {os.path.basename(self.path)} is held.",
                f"{self.path}\nheld by {holder()}, waited {waited_s:.1f} s",
                "wait until it has finished, or end it; the lock ends with it",
                path=self.path,
            )
        if self.on_wait is not None and waited_s >= SAY_AFTER_S:
            say, self.on_wait = self.on_wait, None
            say(f"waiting for {holder()}, which computes {os.path.basename(self.path)}")
        pause_s, self.pause_s = self.pause_s, min(1.5 * self.pause_s, LAST_POLL_S)
        return pause_s


def _take_turn(table: _Table, path: str, waiting: _Waiting) -> _Turn:
    """The turn of this thread at `path`, once the other threads of this process have left."""
    me = threading.get_ident()
    with table.guard:
        turn = table.turns.get(path)
        if turn is None:
            turn = table.turns[path] = _Turn()
        elif turn.owner == me:
            raise LockError(
                f"The lock {os.path.basename(path)} is already held by this thread.",
                f"{path}\na computation asks for its own result, directly or through others",
                "take the task out of what it computes",
                path=path,
            )
        turn.n_interested += 1
    try:
        if not turn.lock.acquire(blocking=False):

            def holder() -> str:
                return f"thread {turn.owner} of this process (pid {os.getpid()})"

            while not turn.lock.acquire(timeout=waiting.next_pause_s(holder)):
                pass
        turn.owner = me
    except BaseException:
        turn.owner = None if turn.owner == me else turn.owner
        with suppress(RuntimeError):  # it is not ours
            turn.lock.release()
        with table.guard:
            turn.n_interested -= 1
            if not turn.n_interested:
                del table.turns[path]
        raise
    return turn


def _leave_turn(table: _Table, path: str, turn: _Turn) -> None:
    turn.owner = None
    turn.lock.release()
    with table.guard:
        turn.n_interested -= 1
        if not turn.n_interested:
            del table.turns[path]


def _take_file(table: _Table, path: str, turn: _Turn, waiting: _Waiting) -> OwnerFile | None:
    """Take the lock file at `path`: into `turn.fd`, or as an owner file where that does not work."""
    try:
        while True:
            fd, turn.is_left = _open(path)
            try:
                taken = fcntl is not None and _lock(fd, waiting)
                if taken and _is_at(fd, path):
                    # Over the text of a dead owner; truncating would make ext4 flush the file (0.15 ms).
                    os.pwrite(fd, owner_text().ljust(OWNER_BYTES), 0)
                    turn.fd = fd
                    return None
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
            if not taken:
                break
    except OSError as error:
        raise storage_error(f"Cannot lock {os.path.basename(path)}.", path, error) from error
    turn.is_left = True
    _warn_once(table, os.path.dirname(path))
    owner_file = OwnerFile(f"{path}.owner")
    while not owner_file.take():
        time.sleep(waiting.next_pause_s(owner_file.holder))
    return owner_file


def _open(path: str) -> tuple[int, bool]:
    """The lock file, and whether it was there already."""
    flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags | os.O_EXCL, 0o666), False
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except FileExistsError:
        pass
    return os.open(path, flags, 0o666), True


def _lock(fd: int, waiting: _Waiting) -> bool:
    """Wait for the record lock on `fd`; False if the system has no such locks there."""
    while True:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno in NOT_SUPPORTED:
                return False
            if error.errno not in BUSY:
                raise
        time.sleep(waiting.next_pause_s(lambda: _holder(fd)))


def _is_at(fd: int, path: str) -> bool:
    """Whether `fd` is still the file at `path`: its last owner removed it when it ended."""
    ours = os.fstat(fd)
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return (ours.st_ino, ours.st_dev) == (there.st_ino, there.st_dev)


def _release_file(path: str, turn: _Turn, owner_file: OwnerFile | None) -> None:
    if owner_file is not None:
        owner_file.release()
        return
    fd, turn.fd = turn.fd, -1
    try:
        if _is_at(fd, path):  # else the lock was broken, and what stands there is that of somebody else
            os.unlink(path)
    except FileNotFoundError:
        pass
    finally:
        os.close(fd)


def _holder(fd: int) -> str:
    """Who wrote the lock file; it may be between two owners."""
    try:
        owner = json.loads(os.pread(fd, OWNER_BYTES, 0))
        since = datetime.fromtimestamp(owner["since"], tz=UTC)
        return f"process {owner['pid']} on {owner['host']} (since {since:%Y-%m-%d %H:%M:%S} UTC)"
    except (ValueError, KeyError, TypeError):
        return f"another process (on {HOST} or another host)"


def _warn_once(table: _Table, folder: str) -> None:
    if folder not in table.warned:
        table.warned.add(folder)
        warnings.warn(
            f"{folder} does not support file locks; an owner file with a heartbeat serves instead: "
            "after a crash on another host the next run waits up to a minute",
            RuntimeWarning,
            stacklevel=5,
        )
