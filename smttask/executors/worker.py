"""A worker process: runs one work after the other, as its parent says.

Messages come in on what was stdin and go out on what was stdout when the process
started. Tasks get an empty stdin; what they print goes to the record and, through
stderr, to the parent.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from smttask.errors import SmttaskError, SmttaskWarning
from smttask.executors.calls import Calls, Held
from smttask.executors.failures import describe_failure
from smttask.executors.memory import kill_family, peak_bytes, reset_peak
from smttask.executors.messages import Instructions, decoded, encoded
from smttask.executors.orders import Orders
from smttask.executors.outcome import Outcome
from smttask.executors.signals import STOP_SIGNALS
from smttask.executors.surroundings import Surroundings
from smttask.executors.work import Work
from smttask.records.capture import captured_output

if TYPE_CHECKING:
    from smttask.executors.taskfile import TaskFiles
    from smttask.tasks import Task

__all__ = ["main"]

LOOK_S = 0.1
STOP_AGAIN_S = 1.0
ALONE_S = 5.0
SHORT_S = 0.005  # in which no task takes so much memory that it would be worth a look


def main(parent: int) -> None:
    """Serve the process `parent` until it says no more or ends."""
    orders, answers = _own_channels()
    worker = Worker(orders, answers)
    worker.watch_signals()
    threading.Thread(target=_look_after, args=[parent, worker], daemon=True, name="smttask-parent").start()
    faulthandler.enable(os.dup(2))  # not through the pipe below, whose reader dies with the process
    with suppress(KeyboardInterrupt, BrokenPipeError), captured_output(descriptors=True):
        worker.serve()


def _look_after(parent: int, worker: Worker) -> None:
    """Give back what has to wait; stop when the parent has ended, however it did: it will not insist."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
        with suppress(OSError):  # the parent has just ended
            worker.give_back()
    end = time.monotonic() + ALONE_S
    while time.monotonic() < end:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_AGAIN_S)
    kill_family(os.getpid())


def _own_channels() -> tuple[Orders, BinaryIO]:
    """The two channels to the parent; tasks and their child processes find them nowhere."""
    orders = Orders(os.dup(0))
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, answers


class Worker:
    """Runs one task at a time; a signal stops it, and ends the worker."""

    def __init__(self, orders: Orders, answers: BinaryIO) -> None:
        self._orders = orders
        self._answers = answers
        self._pid = os.getpid()
        self._sending = threading.Lock()
        self._may_stop = False
        self._is_stopped = False
        self._has_old_peak = True

    def send(self, kind: str, **content: Any) -> None:
        """Tell the parent something; any thread may, and no signal cuts it.

        Raises
        ------
        KeyboardInterrupt
            In a task, if it is to stop, or the parent has ended.
        BrokenPipeError
            Outside of tasks, if the parent has ended.
        """
        data = {name: value for name, value in content.items() if isinstance(value, bytes)}
        if data:
            sizes = {name: len(value) for name, value in data.items()}
            content = {name: value for name, value in content.items() if name not in data}
            line = b"".join([encoded(kind, bytes_of=sizes, **content), *data.values()])
        else:
            line = encoded(kind, **content)
        if threading.current_thread() is not threading.main_thread():  # which signals do not interrupt
            with suppress(BrokenPipeError):  # `_watch_parent` is about to end us
                self._write(line)
            return
        was_stopped = self._is_stopped
        may_stop, self._may_stop = self._may_stop, False
        try:
            self._write(line)
        except BrokenPipeError:
            if not may_stop:
                raise
            self._is_stopped = True  # no error of the task, which may have caught it: as if we had been told
        finally:
            self._may_stop = may_stop
        if may_stop and self._is_stopped and not was_stopped:
            raise KeyboardInterrupt

    def _write(self, line: bytes) -> None:
        with self._sending:
            self._answers.write(line)
            self._answers.flush()

    def give_back(self) -> None:
        """Let the parent have again what waits behind a work that takes long; in a thread of its own."""
        with self._orders.held_up() as lines:
            if lines:
                self.send("returned")

    def _answer(self, **content: Any) -> None:
        """Tell what became of the last order."""
        self._orders.done()
        self.send("outcome", **content)

    # -- signals

    def watch_signals(self) -> None:
        """Let signals that ask a process to stop, and the end of the parent, stop the running task."""
        for number in STOP_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._stop)
                if hasattr(
                    os, "register_at_fork"
                ):  # a task's own child processes end as they would elsewhere
                    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
                    os.register_at_fork(after_in_child=partial(signal.signal, number, default))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Raise once; Ctrl-C reaches us from the terminal and again from the parent."""
        was_stopped, self._is_stopped = self._is_stopped, True
        if self._may_stop and not was_stopped:
            raise KeyboardInterrupt

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Where a signal may interrupt: waiting for an order, and running a task. Not while we send."""
        try:
            self._may_stop = True
            if self._is_stopped:
                raise KeyboardInterrupt
            yield
        finally:
            self._may_stop = False

    # -- work

    def serve(self) -> None:
        """Run the works of the orders, one line each, after the instructions in the first line."""
        self._pass_on_warnings()
        first = self._orders.next()
        if not first:
            return
        self._orders.done()  # these are no work, behind which the first order would have to wait
        files = _files(Instructions.from_message(decoded(first)[1]))
        watcher = files.watcher(lambda facts: self.send("watched", **facts))
        with ExitStack() as stack:
            try:
                stack.enter_context(files)
                max_processes = files.max_processes
            except SmttaskError as error:
                self.send(
                    "broken",
                    type=type(error).__name__,
                    what=error.what,
                    found=error.found,
                    remedy=error.remedy,
                )
                return
            self.send(
                "ready", max_processes=max_processes, root=str(files.project.root) if files.project else ""
            )
            surroundings = Surroundings()
            stack.enter_context(watcher.watching())
            while True:
                with self._stoppable():
                    line = self._orders.next()
                if not line:
                    return
                message = decoded(line)[1]
                may_split = message.pop("splits")
                work = Work.from_message(message)
                try:
                    self._run(files, work, may_split=may_split)
                finally:
                    surroundings.restore()

    def _is_put_off(self, files: TaskFiles, task: Task[Any], *, may_split: bool) -> bool:
        """Whether something else should be done before `task`; the parent is told what."""
        try:
            outlook = files.look_ahead(task)
        except Exception:  # noqa: BLE001 - running it meets the same error, and tells it
            return False
        if outlook.holder:
            self._answer(status="busy", holder=outlook.holder)
        elif outlook.parts and may_split:
            parts = [(part.description_key, f"{part.name}__{part.description_key}") for part in outlook.parts]
            self._answer(status="split", parts=parts)
        else:
            return False
        return True

    def _run(self, files: Calls, work: Work, *, may_split: bool) -> None:
        if self._has_old_peak:
            reset_peak()
        begin = perf_counter()
        try:
            if work.call:
                run = partial(files.call, work, wait=False)
            else:
                tasks = cast("TaskFiles", files)
                task = tasks.load_work(work)
                if task is not None and self._is_put_off(tasks, task, may_split=may_split):
                    return
                run = partial(tasks.run, work, task)
            with self._stoppable():
                outcome = run()
        except Held as held:
            self._answer(status="busy", holder=held.holder)
            return
        except BaseException as error:  # noqa: BLE001 - whatever a task raises, SystemExit too, fails that task alone
            self._end_child(error)
            duration_s = perf_counter() - begin
            if self._is_stopped and isinstance(error, KeyboardInterrupt):
                outcome = Outcome(work.name, "killed", duration_s, "stopped", number=work.number)
            else:
                outcome = describe_failure(work, error, duration_s)
        self._end_child()
        self._has_old_peak = perf_counter() - begin > SHORT_S
        peak = peak_bytes() if self._has_old_peak else 0
        self._answer(**{**outcome.to_message(), "peak_bytes": peak})

    def _end_child(self, error: BaseException | None = None) -> None:
        """End a child that a task forked and that left through its code: answers are its parent's."""
        if os.getpid() == self._pid:
            return
        status = 0 if error is None else 1
        if isinstance(error, SystemExit):
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
        elif error is not None:
            traceback.print_exception(error)
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # they may be objects of the task, and the process ends here
                stream.flush()
        os._exit(status)

    def _pass_on_warnings(self) -> None:
        """Let the parent show our warnings and what we log; those of user code are output of the task."""
        show = warnings.showwarning

        def show_or_send(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: Any = None,
            line: Any = None,
        ) -> None:
            if issubclass(category, SmttaskWarning):
                self.send("note", text=str(message))
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = show_or_send
        warnings.simplefilter("always", SmttaskWarning)  # the parent shows each text once
        logging.getLogger("smttask").addHandler(_Sender(self))


def _files(orders: Instructions) -> Calls:
    """What runs works here; `TaskFiles`, which loads what tasks need, unless all of them are calls."""
    if orders.only_calls:
        return Calls(orders)
    kind: type[Calls] = import_module("smttask.executors.taskfile").TaskFiles
    return kind(orders)


class _Sender(logging.Handler):
    def __init__(self, worker: Worker) -> None:
        super().__init__(logging.WARNING)
        self._worker = worker

    def emit(self, record: logging.LogRecord) -> None:
        self._worker.send("note", text=record.getMessage())
