"""What a run prints, kept while it is still shown."""

from __future__ import annotations

import codecs
import functools
import io
import logging
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

__all__ = ["CapturedOutput", "captured_output"]

KEPT_CHARACTERS = 2**20
CUT = "[earlier output is not kept]\n"
LINGER_S = 0.2  # how long to wait for the output of processes that a run left behind

_lock = threading.RLock()
_active: list[CapturedOutput] = []  # of all threads, in the order they began
_of_thread = threading.local()
_installed: dict[str, _Proxy] = {}
_pipes: list[_Pipe] = []
_reading = threading.Lock()  # by a reader of a pipe, from the moment when something has come until it is kept


class CapturedOutput:
    """The last megabyte of text that a run wrote to stdout and stderr."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self._parts: deque[str] = deque()
        self._size = 0
        self._is_cut = False

    def write(self, text: str) -> None:
        """Keep `text` behind what came before."""
        self._parts.append(text)
        self._size += len(text)
        while self._size - len(self._parts[0]) >= KEPT_CHARACTERS:
            self._size -= len(self._parts.popleft())
            self._is_cut = True

    @property
    def text(self) -> str:
        """What was written so far; a first line says if more came before."""
        self.settle()
        text = "".join(tuple(self._parts))
        if self._is_cut or len(text) > KEPT_CHARACTERS:
            return CUT + text[-KEPT_CHARACTERS:]
        return text

    def settle(self) -> None:
        """Take in what pipes still hold; descriptors that the run closed, or led elsewhere, are as before."""
        with _lock:
            _take_back()
            _drain()

    def __str__(self) -> str:
        return self.text


class _Proxy:
    """Stands for stdout or stderr while runs are active: shows what is written and keeps it for its run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        output = _current()
        if output is not None:
            output.write(text)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> Any:
        return _BytesProxy(self._stream.buffer, self._stream.encoding or "utf-8")

    def __enter__(self) -> _Proxy:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.flush()

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __repr__(self) -> str:
        return f"<captured {self._stream!r}>"


class _BytesProxy:
    """Stands for the buffer below stdout or stderr."""

    def __init__(self, buffer: Any, encoding: str) -> None:
        self._buffer = buffer
        self._encoding = encoding

    def write(self, data: Any) -> Any:
        written = self._buffer.write(data)
        output = _current()
        if output is not None:
            output.write(bytes(data).decode(self._encoding, "replace"))
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._buffer, name)


def _current() -> CapturedOutput | None:
    """Return the run that the calling thread is in; any other thread is in the only active run."""
    stack = getattr(_of_thread, "stack", None)
    if stack:
        return cast("CapturedOutput", stack[-1])
    runs = list(_active)
    return runs[-1] if runs and all(run.thread == runs[0].thread for run in runs) else None


@contextmanager
def captured_output(*, descriptors: bool = False) -> Iterator[CapturedOutput]:
    r"""Keep what the block writes to stdout and stderr, which is shown all the same.

    Each thread has its own; a block inside another has its own too. Logging handlers
    that hold stdout or stderr take part. What other threads write goes to the
    innermost run if only one thread runs tasks, else it is only shown.

    Parameters
    ----------
    descriptors
        Keep also what other programs and compiled code write to the file descriptors
        1 and 2, which are those of the whole process: for workers that run one task at a
        time. Blocks inside such a block need not ask for it again.

    Examples
    --------
    >>> with captured_output() as output:
    ...     print("42")
    42
    >>> output.text
    '42\n'
    """
    _renew_after_fork()
    output = CapturedOutput()
    stack = _of_thread.__dict__.setdefault("stack", [])
    with _lock:
        _drain()
        if not _active:
            _install(descriptors)
        _active.append(output)
    stack.append(output)
    try:
        yield output
    finally:
        stack.pop()
        with _lock:
            _take_back()
            _drain()
            if len(_active) == 1:
                _remove()
            _active.remove(output)


@functools.cache
def _renew_after_fork() -> None:
    """Leave in forked children only the runs of the thread that forked; once a process."""

    def renew() -> None:
        global _lock, _reading
        _lock, _reading = threading.RLock(), threading.Lock()
        _pipes.clear()  # read by the parent still
        _active[:] = getattr(_of_thread, "stack", ())
        if not _active:
            _remove()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)


def _take_back() -> None:
    """Give the pipes their descriptors again; not within a run made by another, which may lead them on."""
    if len(_active) <= 2:  # the block that asked for descriptors, and a run
        for pipe in _pipes:
            pipe.take_back()


def _drain() -> None:
    """Wait until all that was written so far is kept."""
    if not _pipes:
        return
    _flush()
    sources = select.poll()
    for pipe in _pipes:
        if pipe.is_read:
            sources.register(pipe.source, select.POLLIN)
    while True:
        with _reading:
            # A descriptor that was closed has other events
            if not any(event & select.POLLIN for _, event in sources.poll(0)):
                return
        time.sleep(0.0002)


def _install(descriptors: bool) -> None:
    if descriptors and hasattr(select, "poll"):
        _flush()
        _pipes.extend(_Pipe(number) for number in (1, 2))
    piped = {pipe.number for pipe in _pipes}
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or _number(stream) in piped:
            continue
        proxy = _installed[name] = _Proxy(stream)
        setattr(sys, name, proxy)
    streams = {id(proxy._stream): proxy for proxy in _installed.values()}
    for handler in _stream_handlers():
        proxy_of_handler = streams.get(id(handler.stream))
        if proxy_of_handler is not None:
            handler.stream = proxy_of_handler


def _remove() -> None:
    _drain()
    while _pipes:
        _pipes.pop().close()
    for name, proxy in _installed.items():
        if getattr(sys, name) is proxy:  # else somebody put another stream there, which stays
            setattr(sys, name, proxy._stream)
    proxies = {id(proxy): proxy for proxy in _installed.values()}
    for handler in _stream_handlers():
        proxy_of_handler = proxies.get(id(handler.stream))
        if proxy_of_handler is not None:
            handler.stream = proxy_of_handler._stream
    _installed.clear()


def _stream_handlers() -> list[logging.StreamHandler[Any]]:
    handlers = (reference() for reference in list(logging._handlerList))  # type: ignore[attr-defined]
    return [
        handler
        for handler in handlers
        if isinstance(handler, logging.StreamHandler) and "stream" in handler.__dict__
    ]


def _number(stream: Any) -> int | None:
    try:
        return int(stream.fileno())
    except (AttributeError, OSError, ValueError, io.UnsupportedOperation):
        return None


class _Pipe:
    """Leads a file descriptor through a pipe whose reader shows and keeps what comes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._is_kept = True
        #: Whether what comes is still taken in.
        self.is_read = True
        self._shown = os.dup(number)
        self.source, self._sink = os.pipe()
        self._identity = _identity(self._sink)
        os.dup2(self._sink, number)
        self._reader = threading.Thread(target=self._read, name=f"smttask output {number}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while self.is_read:
                self._wait()
                with _reading:
                    data = os.read(self.source, 65536)
                    self.is_read = bool(data)
                    if self._is_kept and _active:
                        _active[-1].write(decoder.decode(data, final=not data))
                    while data:
                        data = data[os.write(self._shown, data) :]
        finally:
            self.is_read = False
        os.close(self.source)
        os.close(self._shown)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self.source, select.POLLIN)
        poll.poll()

    def take_back(self) -> None:
        """Lead the descriptor here again; another file that got its number would take what is printed."""
        # The run may have closed our own end, too, and a file of its own may have that number
        if _identity(self.number) != self._identity and _identity(self._sink) == self._identity:
            os.dup2(self._sink, self.number)

    def close(self) -> None:
        """Give the descriptor back; what processes still running write later is only shown."""
        self._is_kept = False
        with suppress(OSError):
            os.dup2(self._shown, self.number)
            os.close(self._sink)
        self._reader.join(LINGER_S)


def _identity(number: int) -> tuple[int, int] | None:
    """Which file is open under a number; None if there is none."""
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _flush() -> None:
    """Let the streams that lead into pipes write what they hold."""
    streams: tuple[Any, ...] = sys.stdout, sys.stderr
    if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__:
        streams = *streams, sys.__stdout__, sys.__stderr__
    for stream in streams:
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # full or closed; or put there by the run, and none
            continue
