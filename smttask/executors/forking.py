"""A worker process as a copy of this one, with all that it has loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import IO, NoReturn, Protocol

from smttask.errors import WorkerError
from smttask.extras import is_installed, require

__all__ = ["THREAD_VARIABLES", "ChildProcess", "prepare_forks", "start_forked"]

POLL_S = 0.01
#: Each worker is one of several: its numerical libraries leave the other cores to them.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

#: Descriptors of this process at the pipes to its forked workers, of which the next one gets copies.
_ends: set[int] = set()


class ChildProcess(Protocol):
    """What is used of a `subprocess.Popen`."""

    pid: int
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    def wait(self, timeout: float | None = None) -> int:
        """Status of the ended process; `subprocess.TimeoutExpired` if it lives on."""
        ...

    def poll(self) -> int | None:
        """Status of the ended process; None if it lives."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it."""
        ...


class _Forked:
    """A forked process, as `subprocess` would have it."""

    def __init__(self, pid: int, orders: int, answers: int, output: int) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = os.fdopen(orders, "wb")
        self.stdout: IO[bytes] | None = os.fdopen(answers, "rb")
        self.stderr: IO[bytes] | None = os.fdopen(output, "rb")
        self._descriptors = {orders, answers, output}
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            with suppress(ChildProcessError):  # another thread was faster
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self._status = os.waitstatus_to_exitcode(status)
                    _ends.difference_update(self._descriptors)
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired("worker", timeout or 0.0)
            time.sleep(POLL_S)
        return status

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def prepare_forks(modules: Iterable[str], *, only_calls: bool = False) -> None:
    """Load what every worker needs, once and not in every copy; `modules` are those of the user.

    Numerical libraries that are not loaded yet get one thread each; those that are, in each copy
    and where threadpoolctl is installed.
    """
    if "numpy" not in sys.modules:
        for name in THREAD_VARIABLES:
            os.environ.setdefault(name, "1")
    import_module("smttask.executors.worker")
    if not only_calls:
        import_module("smttask.executors.taskfile")
    for module in modules:
        with suppress(Exception):  # the workers meet the same error, and tell it
            import_module(module)


def start_forked() -> ChildProcess:
    """A copy of this process that serves as a worker.

    Raises
    ------
    WorkerError
        If the system has no fork.
    """
    if not hasattr(os, "fork"):
        raise WorkerError(
            "Worker processes cannot be forked.",
            f"found: {sys.platform}, which has no fork",
            "start them by spawn, the default",
        )
    orders, our_orders = os.pipe()
    our_answers, answers = os.pipe()
    our_output, output = os.pipe()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: ours only read pipes
        pid = os.fork()
    if pid == 0:
        _serve(parent, (orders, answers, output), {our_orders, our_answers, our_output})
    for descriptor in (orders, answers, output):
        os.close(descriptor)
    _ends.update((our_orders, our_answers, our_output))
    return _Forked(pid, our_orders, our_answers, our_output)


def _serve(parent: int, streams: tuple[int, int, int], others: set[int]) -> NoReturn:
    """Be a worker, then end; in the copy."""
    status = 1
    try:
        for descriptor in others | _ends:
            os.close(descriptor)
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - those of a notebook lead elsewhere
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        from smttask.executors.worker import main

        if "OMP_NUM_THREADS" not in os.environ and is_installed("threadpoolctl"):
            require("threadpoolctl").threadpool_limits(1)
        main(parent)
        status = 0
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
