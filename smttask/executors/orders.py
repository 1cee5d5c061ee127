"""What a worker is told to do, of which one order may be there before its turn."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

__all__ = ["CAN_GIVE_BACK", "Orders"]

#: Whether orders can be given back, as a thread can look whether one has come.
CAN_GIVE_BACK = os.name != "nt"
READ_BYTES = 2**16
LONG_S = 0.1


class Orders:
    """The lines that the parent of a worker sends.

    While one work is under way the next order may come already, so that the worker need not wait for it.
    If the work takes long, that order goes back: another worker may be free.

    Parameters
    ----------
    descriptor
        Of the pipe; nobody else reads it.

    Examples
    --------
    >>> source, sink = os.pipe()
    >>> orders = Orders(source)
    >>> os.write(sink, b"one, two")
    8
    >>> os.write(sink, b" words" + bytes([10]))
    7
    >>> orders.next()
    b'one, two words'
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pipe = os.fstat(descriptor)
        self._lines: deque[bytes] = deque()
        self._begin: list[bytes] = []  # of a line whose end has not come yet
        self._reading = threading.Lock()
        self._begun_at = 0.0  # the work under way; 0 if there is none

    def next(self) -> bytes:
        """The next line, once it is there; empty if none will come."""
        self.done()
        while not self._lines:
            if not self._read():
                return b""
        line = self._lines.popleft()
        self._begun_at = monotonic()
        return line

    def done(self) -> None:
        """The work of the last line has ended: what has come stays here; to be called before that is told."""
        with self._reading:
            self._begun_at = 0.0

    @contextmanager
    def held_up(self) -> Iterator[list[bytes]]:
        """The lines that came while the work under way takes long; `next` gives them no more.

        It does not end before the block, in which they are given back.
        """
        with self._reading:
            if self._begun_at and monotonic() - self._begun_at > LONG_S:
                while self._has_come() and self._read():
                    pass
                lines = list(self._lines)
                self._lines.clear()
                yield lines
            else:
                yield []

    def _has_come(self) -> bool:
        """Whether something came; a task may have closed the pipe, and opened a file under its number."""
        try:
            if not os.path.samestat(os.fstat(self._descriptor), self._pipe):
                return False
        except OSError:
            return False
        return bool(select.select([self._descriptor], [], [], 0)[0])

    def _read(self) -> bool:
        """Take in what there is; whether there was something."""
        data = os.read(self._descriptor, READ_BYTES)
        *ends, begin = data.split(b"\n")
        for end in ends:
            self._lines.append(b"".join([*self._begin, end]))
            self._begin.clear()
        if begin:
            self._begin.append(begin)
        return bool(data)
