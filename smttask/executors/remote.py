"""One work run in this process, whoever it belongs to: a thread, a Dask worker, a Slurm job."""

from __future__ import annotations

import os
import threading
from contextvars import Context
from time import perf_counter

from smttask.errors import SmttaskError
from smttask.executors.failures import describe_failure
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome
from smttask.executors.taskfile import TaskFiles
from smttask.executors.work import Work

__all__ = ["run_safely", "run_work"]

_entering = threading.Lock()
_entered: dict[tuple[int, Instructions], tuple[Context, TaskFiles]] = {}


def run_work(work: Work, instructions: Instructions) -> Outcome:
    """What became of `work`, run here and now; never raises but for `KeyboardInterrupt`.

    The project is entered once per process; threads may call this at the same time.
    Arguments and outcome can be pickled if `Work.sendable` was called. A change of the working
    directory is undone when no task runs.

    Raises
    ------
    KeyboardInterrupt
        If the run was stopped; its record then says killed.
    """
    begin = perf_counter()
    try:
        context, files = _files(instructions)
    except SmttaskError as error:
        return describe_failure(work, error, perf_counter() - begin)
    return context.copy().run(run_safely, files, work)


def run_safely(files: TaskFiles, work: Work) -> Outcome:
    """What became of `work`; whatever the task raises is a failure of that task alone."""
    begin = perf_counter()
    with _home:
        try:
            return files.run(work)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit too fails that task alone
            return describe_failure(work, error, perf_counter() - begin)


class _Home:
    """The working directory from before the first of the tasks that run now; the last one returns to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._folder = ""

    def __enter__(self) -> None:
        with self._lock:
            if not self._n_inside:
                self._folder = _working_directory()
            self._n_inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside and self._folder and self._folder != _working_directory():
                os.chdir(self._folder)


_home = _Home()


def _files(instructions: Instructions) -> tuple[Context, TaskFiles]:
    """The project as entered in a context of its own, once in this process."""
    key = os.getpid(), instructions
    with _entering:
        if key not in _entered:
            context = Context()
            files = TaskFiles(instructions)
            context.run(files.__enter__)
            _entered[key] = context, files
    return _entered[key]


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
