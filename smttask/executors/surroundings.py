"""What a task may change of its worker process, and leave so to the tasks after it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from smttask.executors.signals import STOP_SIGNALS

if sys.platform != "win32":
    import resource

__all__ = ["Surroundings"]

LIMITS = ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_STACK")


class Surroundings:
    """Working directory, streams, signals, timers, limits and search path of this process as they are now.

    What imports add on purpose, such as handlers of other signals or environment variables, is left as it is.

    Examples
    --------
    >>> before = Surroundings()
    >>> folder = os.getcwd()
    >>> os.chdir(os.path.dirname(os.path.abspath(os.sep)))
    >>> before.restore()
    >>> os.getcwd() == folder
    True
    """

    def __init__(self) -> None:
        self._folder = os.getcwd()
        self._handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        self._streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}
        self._search_path = list(sys.path)
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._limits = _limits()

    def restore(self) -> None:
        """Make all as it was; in the main thread."""
        with suppress(OSError):  # the folder is gone: the next task tells it, if it minds
            os.chdir(self._folder)
        os.umask(self._umask)
        self._restore_limits()
        self._restore_signals()
        for name, stream in self._streams.items():
            if getattr(sys, name) is not stream or (stream is not None and stream.closed):
                self._restore_stream(name)
        if missing := [path for path in self._search_path if path not in sys.path]:
            sys.path[:0] = missing

    def _restore_signals(self) -> None:
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        if hasattr(signal, "setitimer"):
            for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
                signal.setitimer(timer, 0)

    def _restore_limits(self) -> None:
        if sys.platform == "win32":
            return
        for limit, before in self._limits.items():
            if resource.getrlimit(limit) != before:
                with suppress(OSError, ValueError):  # the hard limit was lowered, too
                    resource.setrlimit(limit, before)

    def _restore_stream(self, name: str) -> None:
        stream = self._streams[name]
        if stream is not None and stream.closed:
            number = ("stdin", "stdout", "stderr").index(name)
            mode = "w" if number else "r"
            stream = open(number, mode, buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
            self._streams[name] = stream
            setattr(sys, f"__{name}__", stream)
        setattr(sys, name, stream)


def _limits() -> dict[int, tuple[int, int]]:
    """The limits that the system has here."""
    if sys.platform == "win32":
        return {}
    known = [getattr(resource, name) for name in LIMITS if hasattr(resource, name)]
    return {limit: resource.getrlimit(limit) for limit in known}
