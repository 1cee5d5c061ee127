"""One worker process as its parent holds it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from queue import SimpleQueue
from typing import IO, Any

from smttask import errors
from smttask.executors.backlog import Item
from smttask.executors.forking import THREAD_VARIABLES, ChildProcess, start_forked
from smttask.executors.messages import Instructions, decoded, encoded
from smttask.executors.orders import CAN_GIVE_BACK

__all__ = ["Event", "WorkerProcess", "search_path", "status_text"]

#: The worker that tells (None: this process itself), the kind of message, its content, what it is done with,
#: what it begins.
Event = tuple["WorkerProcess | None", str, dict[str, Any], "Item | None", "Item | None"]

#: The search path is set before smttask is imported, which need not be installed.
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from smttask.executors.worker import main; main(int(sys.argv.pop()))"
)
KEPT_OUTPUT_BYTES = 2**16
MOST_EVENTS = 200  # of up to 64 kB, until what tasks print has to wait
QUICK_S = 0.02  # what a work takes after which the next one may be at hand
LINGER_S = 0.5  # how long to wait for output when child processes of a dead worker hold the pipes


class WorkerProcess:
    """A fresh Python process that runs description files; its messages come to a queue.

    Besides the messages of `smttask.executors.worker` there is ``"output"`` (``text``), whole
    lines that tasks printed, if `passes_output`, and as the last one ``"ended"``
    (``status``, of the process as `subprocess` has it).

    Attributes
    ----------
    item
        What it holds; None if it is idle.
    ahead
        What it holds besides, and begins when it is done with `item`.
    is_quick
        Whether what it did last took little time.
    since
        When it got that.
    is_ready
        Whether it said that it can take works.
    is_dismissed
        Whether it gets no more.
    dismissed_at
        Since when, by `time.monotonic`, if who holds it said so.
    ended_for
        Why it was stopped or ended by us; empty if it was not.
    """

    def __init__(
        self,
        instructions: Instructions,
        events: SimpleQueue[Event],
        *,
        number: int,
        on_free: Callable[[WorkerProcess, dict[str, Any]], None],
        on_returned: Callable[[WorkerProcess], None],
        start_method: str = "spawn",
        passes_output: bool = False,
    ) -> None:
        self.number = number
        self.item: Item | None = None
        self.ahead: Item | None = None
        self.is_quick = False
        self.is_dismissed = False
        self.dismissed_at = 0.0
        self.ended_for = ""
        self._on_free = on_free
        self._on_returned = on_returned
        self.since = 0.0
        self.is_ready = False
        self._events = events
        self._passes_output = passes_output
        self._output = b""
        self._process: ChildProcess = start_forked() if start_method == "fork" else _start_fresh()
        self._write(encoded("begin", **asdict(instructions)))
        readers = [
            threading.Thread(target=self._read_messages, args=[self._process.stdout], daemon=True),
            threading.Thread(target=self._read_output, args=[self._process.stderr], daemon=True),
        ]
        for reader in readers:
            reader.start()
        threading.Thread(target=self._watch, args=[readers], daemon=True).start()

    # -- orders

    def take(self, item: Item | None, now: float) -> None:
        """Hold `item` from the time `now` on, or have it at hand if another one is held."""
        if self.item is not None:
            self.ahead = item
        elif item is not None:
            self.item, self.since, self.ended_for = item, now, ""

    def release(self, now: float) -> Item | None:
        """Hold what was at hand, if there is something; what was held."""
        self.is_quick = CAN_GIVE_BACK and now - self.since < QUICK_S
        item, self.item = self.item, None
        self.take(self.take_back(), now)
        return item

    def take_back(self) -> Item | None:
        """Have nothing at hand any more; what was."""
        item, self.ahead = self.ahead, None
        return item

    def send_item(self, item: Item, *, splits: bool) -> None:
        """Tell it to begin `item`, which it holds; `splits`: it may ask for parts to be run first."""
        self._write(encoded("run", **item.work.to_message(), splits=splits))

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def dismiss(self) -> None:
        """Let it end after the task that it runs."""
        self.is_dismissed = True
        stdin = self._process.stdin
        if stdin is not None:
            with suppress(OSError):
                stdin.close()

    def interrupt(self) -> None:
        """Ask the running task to stop; the worker then ends."""
        self._process.terminate()  # SIGINT may be ignored, as shells have it for what they run beside

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait(self, timeout_s: float | None = None) -> None:
        """Return when the process has ended, or the time is over."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(None if timeout_s is None else max(timeout_s, 0.0))

    def _write(self, line: bytes) -> None:
        stdin = self._process.stdin
        if stdin is not None:
            with suppress(OSError, ValueError):  # it died or was dismissed; "ended" tells
                stdin.write(line)
                stdin.flush()

    # -- what comes

    @property
    def last_output(self) -> str:
        """The last 64 kB of what it and its tasks printed."""
        return self._output.decode(errors="replace").strip()

    def _read_messages(self, stream: IO[bytes]) -> None:
        _give_way()
        with stream:
            for line in stream:
                try:
                    kind, content = decoded(line)
                except ValueError:  # cut short by the end of the worker
                    continue
                sizes = content.pop("bytes_of", {})
                content.update({field: stream.read(n_bytes) for field, n_bytes in sizes.items()})
                if any(len(content[field]) < n_bytes for field, n_bytes in sizes.items()):
                    continue
                if kind == "outcome":
                    self._on_free(self, content)
                elif kind == "returned":
                    self._on_returned(self)
                else:
                    self._events.put((self, kind, content, None, None))

    def _read_output(self, stream: IO[bytes]) -> None:
        open_line = b""
        with stream:
            while data := os.read(stream.fileno(), 65536):
                self._output = (self._output + data)[-KEPT_OUTPUT_BYTES:]
                lines, line_break, rest = (open_line + data).rpartition(b"\n")
                open_line = rest[-KEPT_OUTPUT_BYTES:]
                self._pass_on(lines + line_break)
        self._pass_on(open_line)

    def _pass_on(self, output: bytes) -> None:
        if output and self._passes_output:
            while self._events.qsize() > MOST_EVENTS and self._process.poll() is None:
                time.sleep(0.01)  # the worker waits, too, when its pipe is full
            text = output.decode(errors="replace").removesuffix("\n")
            self._events.put((self, "output", {"text": text}, None, None))

    def _watch(self, readers: list[threading.Thread]) -> None:
        """Tell the end of the process; end of file is no sign, as its children may hold the pipes."""
        status = self._process.wait()
        for reader in readers:
            reader.join(LINGER_S)
        self.dismiss()
        self._events.put((self, "ended", {"status": status}, None, None))


def _give_way() -> None:
    """Let this thread not interrupt a worker when something has come, where the system can (Linux)."""
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):  # forbidden in some containers
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _start_fresh() -> ChildProcess:
    threads = dict.fromkeys(THREAD_VARIABLES, "1")
    return subprocess.Popen(
        [sys.executable, "-P", "-c", START, str(os.getpid()), json.dumps(search_path())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**threads, **os.environ},
    )


def search_path() -> list[str]:
    """What `sys.path` is here, and the folder of smttask; not the working directory of the moment."""
    paths = [path for path in sys.path if path]
    package = os.path.dirname(os.path.dirname(os.path.abspath(errors.__file__)))
    return [*paths, *([] if package in paths else [package])]


def status_text(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"itself, with exit status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"
