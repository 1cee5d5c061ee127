"""The Dask cluster that runs works: one of its own on this machine, or one that is there."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Protocol

from smttask.errors import WorkerError
from smttask.executors.process import search_path, status_text
from smttask.extras import require

__all__ = ["Cluster", "JoinedCluster", "OwnCluster", "quiet_dask"]

CONNECT_S = 5
#: The search path is set before smttask is imported, which need not be installed; a worker of a
#: killed parent is killed too.
START = """
import ctypes, faulthandler, json, sys
sys.path[:] = json.loads(sys.argv.pop(1))
faulthandler.enable()
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
import smttask.executors.daskwork
from distributed.cli.dask_worker import main
main()
"""
KEPT_OUTPUT_BYTES = 2**14
LONGEST_LINE_BYTES = 2**16  # longer ones come in pieces: a task may print 100 MB without a line break
LINGER_S = 1.0
QUICK_S = 10.0
MOST_QUICK_ENDS = 3


class Cluster(Protocol):
    """Where works are run.

    Attributes
    ----------
    address
        Of its scheduler.
    is_own
        Whether it ends with the run.
    """

    address: str
    is_own: bool

    def connect(self) -> Any:
        """A client of its scheduler."""
        ...

    def tend(self) -> None:
        """Called again and again while works run."""
        ...

    def kill(self) -> None:
        """End its workers, if they are its own."""
        ...

    def end_of(self, worker: str) -> tuple[str, str]:
        """How the worker of this name ended, and what it printed last, if that is known."""
        ...

    def close(self) -> None:
        """Give back all."""
        ...


class JoinedCluster:
    """A cluster that somebody else started and keeps.

    Parameters
    ----------
    address
        Of its scheduler, as ``tcp://host:8786``, or the file that it wrote (``--scheduler-file``).
    """

    is_own = False

    def __init__(self, address: str) -> None:
        self.address = address

    def connect(self) -> Any:
        """See `Cluster`."""
        is_file = self.address.endswith(".json") and "://" not in self.address
        given = {"scheduler_file": self.address} if is_file else {"address": self.address}
        kind = require("distributed").Client
        # Made in two steps, for its closing where it cannot connect: left to the garbage collector,
        # that happens in the thread of the next client, which then waits for itself
        client = kind.__new__(kind)
        try:
            if is_file and not os.path.exists(self.address):
                raise FileNotFoundError(f"there is no file {self.address}")  # Dask would wait for it
            client.__init__(**given, timeout=CONNECT_S, set_as_default=False, name="smttask")
            return client
        except (OSError, ValueError, TypeError, ImportError) as error:
            with suppress(Exception):  # it may not even have begun
                client.close()
                client._loop_runner.stop()  # which `close` leaves to those that were connected
            raise WorkerError(
                f"No Dask scheduler answers at {self.address}.",
                f"found: {error}",
                "start one (dask scheduler), or correct the address; without --scheduler the command "
                "runs workers of its own",
                address=self.address,
            ) from error

    def tend(self) -> None:
        """See `Cluster`."""

    def kill(self) -> None:
        """See `Cluster`."""

    def end_of(self, worker: str) -> tuple[str, str]:
        """See `Cluster`."""
        return "", ""

    def close(self) -> None:
        """See `Cluster`."""


class OwnCluster:
    """A scheduler in this process and `n` worker processes of one thread each, reached through loopback only.

    Workers that die are replaced.

    Parameters
    ----------
    output
        Called, from any thread, with lines that workers and tasks print; None: nobody wants them.
    """

    is_own = True

    def __init__(self, n: int, output: Callable[[str], object] | None = None) -> None:
        self.address = ""
        self._n = n
        self._output = output
        self._n_started = 0
        self._n_quick_ends = 0
        self._arrived: set[str] = set()  # names of those that the scheduler has known
        self._workers: dict[str, _Worker] = {}
        self._ended: dict[str, tuple[str, str]] = {}
        self._has_ended = False
        self._folder = TemporaryDirectory(prefix="smttask-dask-", ignore_cleanup_errors=True)
        self._cluster: Any = None

    def connect(self) -> Any:
        """See `Cluster`."""
        distributed = require("distributed")
        options = {
            "host": "127.0.0.1",
            "port": 0,
            "dashboard": False,
            "dashboard_address": "127.0.0.1:0",
            "allowed_failures": 1,
        }
        scheduler = {"cls": distributed.Scheduler, "options": options}
        self._cluster = distributed.SpecCluster(
            workers={}, scheduler=scheduler, name="smttask", silence_logs=False
        )
        self.address = self._cluster.scheduler_address
        self._note_arrivals()
        for _ in range(self._n):
            self._start()
        return distributed.Client(self.address, timeout=CONNECT_S, set_as_default=False, name="smttask")

    def _note_arrivals(self) -> None:
        """Let the scheduler tell whom it knows, at once: a task may end its worker within milliseconds."""
        arrived = self._arrived

        class Arrivals(require("distributed").SchedulerPlugin):  # type: ignore[misc]
            def add_worker(self, scheduler: Any, worker: str) -> None:
                arrived.add(str(scheduler.workers[worker].name))

        self._cluster.scheduler.add_plugin(Arrivals())

    def _start(self) -> None:
        self._n_started += 1
        name = str(self._n_started)
        self._workers[name] = _Worker(name, self.address, self._folder.name, self._output)

    def tend(self) -> None:
        """Replace workers that died.

        Raises
        ------
        WorkerError
            If several in a row end right after their start, by themselves.
        """
        for name, worker in list(self._workers.items()):
            if (status := worker.status()) is None or self._has_ended:
                continue
            del self._workers[name]
            self._ended[name] = status_text(status), worker.last_output
            is_quick = status > 0 and worker.age_s < QUICK_S and name not in self._arrived
            self._n_quick_ends = self._n_quick_ends + 1 if is_quick else 0
            if self._n_quick_ends >= MOST_QUICK_ENDS:
                raise WorkerError(
                    "Worker processes for Dask could not start.",
                    f"ended by: {status_text(status)}\n{worker.last_output}".rstrip(),
                    "see whether `python -m distributed.cli.dask_worker --help` works with this Python",
                )
            self._start()

    def kill(self) -> None:
        """See `Cluster`."""
        self._has_ended = True
        for worker in self._workers.values():
            worker.kill()

    def end_of(self, worker: str) -> tuple[str, str]:
        """See `Cluster`."""
        if (process := self._workers.get(worker)) is not None:  # its connection ends before it does
            process.wait(LINGER_S)
            self.tend()
        return self._ended.get(worker, ("", ""))

    def close(self) -> None:
        """See `Cluster`."""
        self.kill()
        for worker in self._workers.values():
            worker.wait()
        if self._cluster is not None:
            self._cluster.close()
        self._folder.cleanup()


class _Worker:
    """One Dask worker process; signals of the terminal do not reach it."""

    def __init__(self, name: str, address: str, folder: str, output: Callable[[str], object] | None) -> None:
        self._begin = monotonic()
        self._output = output
        self._kept = b""
        options = ["--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        options += ["--memory-limit", "0", "--local-directory", folder, "--death-timeout", "30"]
        config = require("dask").config
        threads = {
            key: str(value) for key, value in config.get("distributed.nanny.pre-spawn-environ").items()
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", START, json.dumps(search_path()), address, *options],
            env={
                **{key: str(value) for key, value in threads.items()},
                **os.environ,
                "DASK_LOGGING__DISTRIBUTED": "error",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while line := stream.readline(LONGEST_LINE_BYTES):
            self._kept = (self._kept + line)[-KEPT_OUTPUT_BYTES:]
            if self._output is not None:
                self._output(line.decode(errors="replace").removesuffix("\n"))

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return monotonic() - self._begin

    @property
    def last_output(self) -> str:
        """The last 16 kB of what it and its tasks printed."""
        self._reader.join(0.2)
        return self._kept.decode(errors="replace").strip()

    def status(self) -> int | None:
        """How it ended, as `subprocess` has it; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait(self, timeout_s: float | None = None) -> None:
        """Return when it has ended, or the time is over."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)


@contextmanager
def quiet_dask() -> Iterator[None]:
    """Let Dask log nothing in this process during the block: what matters becomes an error of ours."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if _is_of_dask(name)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _is_of_dask(name: str) -> bool:
    return name.partition(".")[0] in ("distributed", "tornado", "asyncio")
