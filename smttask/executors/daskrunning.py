"""What a Dask worker runs for us at the moment: seen by who started it, and stopped by him."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

from smttask.extras import require

__all__ = ["TOPIC", "interrupt", "running_for", "tell_here"]

TELL_AFTER_S = 0.05
MEASURE_S = 1.0
INTERRUPT_STEPS = 100  # of a loop, each of which looks for an interrupt
#: Of the events by which workers tell what they do; their other end is `smttask.executors.daskline`.
TOPIC = "smttask"

_lock = threading.Lock()
_running: dict[int, _Running] = {}  # by thread
_stopped: set[str] = set()
_has_running = threading.Event()


@dataclass(slots=True)
class _Running:
    """An order that a thread of this process carries out."""

    run: str
    mark: str
    worker: Any
    is_told: bool = False
    is_interrupted: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    measured: float = 0.0

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Tell who started the run that it has begun, and what is known of it."""
        self.facts.update(facts)
        if self.worker is not None and self.is_told:
            told = {"run": self.run, "mark": self.mark, "worker": self.worker.address, "facts": self.facts}
            self.facts = {}
            with suppress(Exception):  # for information only
                self.worker.log_event(TOPIC, told)


@contextmanager
def running_for(run: str, mark: str) -> Iterator[bool]:
    """Where `interrupt` raises `KeyboardInterrupt` in this thread; gives whether the run still goes on."""
    thread = threading.get_ident()
    running = _Running(run, mark, _dask_worker())
    with _lock:
        may_begin = run not in _stopped
        if may_begin:
            _running[thread] = running
    _has_running.set()
    try:
        yield may_begin
    finally:
        _end(thread, running)


def _end(thread: int, running: _Running) -> None:
    """Let no interrupt reach this thread any more; one that is on its way arrives here.

    It cannot be called back: CPython 3.11 then goes on looking for it at every call, and under a
    tracer or profiler for ever.
    """
    while True:
        try:
            with _lock:
                _running.pop(thread, None)
            for _ in range(INTERRUPT_STEPS if running.is_interrupted else 0):
                pass
            return
        except KeyboardInterrupt:
            continue


def interrupt(run: str) -> None:
    """Stop what this process runs for `run`, and begin nothing more.

    A task is stopped at its next step in Python, not inside a call that lasts.
    """
    with _lock:
        _stopped.add(run)
        for thread, running in _running.items():
            if running.run == run:
                running.is_interrupted = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt)
                )


def _dask_worker() -> Any:
    """The Dask worker whose thread this is; None elsewhere."""
    try:
        worker = require("distributed").get_worker()
    except ValueError:
        return None
    if not _telling.is_alive():
        with _lock, suppress(RuntimeError):  # another thread was faster
            _telling.start()
    return worker


def _tell_of_long_ones() -> None:
    """Tell of what runs for a while: of thousands of short tasks nobody could see one."""
    while True:
        _has_running.wait()
        sleep(TELL_AFTER_S)
        with _lock:
            running = list(_running.values())
            if not running:
                _has_running.clear()
        now = monotonic()
        for each in running:
            if now - each.measured >= MEASURE_S and each.worker is not None:
                each.is_told, each.measured = True, now
                each.tell({"memory_bytes": each.worker.monitor.get_process_memory()})


def tell_here(facts: Mapping[str, Any]) -> None:
    """Tell what is known of the order that this thread carries out."""
    if (running := _running.get(threading.get_ident())) is not None:
        running.tell(facts)


_telling = threading.Thread(target=_tell_of_long_ones, name="smttask-telling", daemon=True)
