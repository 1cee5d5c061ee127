"""One description file: read, run, and removed when its result is safe."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from time import perf_counter
from typing import Any

from smttask.errors import DescriptionError, OutputError
from smttask.executors.calls import Calls
from smttask.executors.failures import describe_failure
from smttask.executors.outcome import Here, Outcome, Status
from smttask.executors.parts import Outlook, look_ahead
from smttask.executors.telling import Watcher
from smttask.executors.watching import TaskWatcher
from smttask.executors.work import Work
from smttask.project import current_project
from smttask.settings import config
from smttask.tasks import Task
from smttask.tasks.description import iter_described
from smttask.tasks.evaluation import RunOptions, Session
from smttask.tasks.explanation import Explanation

__all__ = ["TaskFiles"]


class TaskFiles(Calls):
    """Runs description files, and calls, in this process, one after the other; `with` it as with `Calls`."""

    def watcher(self, tell: Callable[[Mapping[str, Any]], object]) -> Watcher:
        """See `Calls`."""
        return TaskWatcher(tell)

    def load(self, path: str) -> Task[Any] | None:
        """The task in the file `path`; None if there is no such file."""
        try:
            return Task.from_desc(path)
        except DescriptionError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def run(self, work: Work, task: Task[Any] | None = None) -> Outcome:
        """Run the task of `work`, and remove its file if result and record are safe; or call its function.

        Whatever the task raises comes through, so that a debugger may look at it.

        Parameters
        ----------
        task
            What `load_work` gave, if that was asked before.
        """
        if work.call:
            return self.call(work)
        begin = perf_counter()
        task = task or self.load_work(work)
        if task is None:
            return Outcome(work.name, "gone", number=work.number)
        orders = self.instructions
        options = RunOptions(
            recompute=orders.recompute and not work.part,
            reason=orders.reason,
            asked=bool(orders.record),
            source=self._source(work.path) if work.path else "",
        )
        with Session.current() as session:
            value = session.evaluate(task, options)
        duration_s = perf_counter() - begin
        if (unrecorded := getattr(task, "record_error", None)) is not None:
            line = f"stored, but not recorded: {unrecorded.what}"
            return replace(describe_failure(work, unrecorded, duration_s), error=line)
        is_stored = self._is_stored(task)
        if work.path and not work.part and is_stored and not orders.keep:
            with suppress(FileNotFoundError):
                os.unlink(work.path)
        status: Status = "computed" if task.last_hit == "computed" else "found"
        return Outcome(
            work.name,
            status,
            duration_s,
            is_lost=not is_stored,
            number=work.number,
            reason=orders.reason or task.reason,
            value=_handed_over(value, work, task) if work.wants_value and not is_stored else None,
        )

    def look_ahead(self, task: Task[Any]) -> Outlook:
        """What to do before `task` is run; nothing where results are not stored."""
        return look_ahead(task) if self._keeps_results_of(task) else Outlook()

    def _keeps_results_of(self, task: Task[Any]) -> bool:
        """Whether results of recorded tasks are stored, in the project entered or in that of the task."""
        project = self.project or current_project(task.home_module)
        return project is not None and bool(project.setting("record"))

    def load_work(self, work: Work) -> Task[Any] | None:
        """The task that `work` wants to be run; None if its file is gone."""
        if work.task is not None:
            return work.task
        if work.description:
            with config.use(trusted_packages=(*config.trusted_packages, *work.trusts)):
                task: Task[Any] | None = Task.from_desc(work.description)
        else:
            task = self.load(work.path)
        if task is None or not work.part:
            return task
        return next(part for part in iter_described(task) if part.description_key == work.part)

    def explain(self, path: str, *, only_sizes: bool = False) -> Explanation | None:
        """Whether the result of the task in the file `path` is stored, and why; None if the file is gone.

        Parameters
        ----------
        only_sizes
            Look at the sizes of stored files, not at their content.
        """
        task = self.load(path)
        if task is None:
            return None
        options = RunOptions(recompute=self.instructions.recompute, mmap=only_sizes)
        with Session.current() as session:
            return task.explained(session, options)

    def _is_stored(self, task: Task[Any]) -> bool:
        """Whether the result outlives this process."""
        return task.is_recorded and self._keeps_results_of(task)

    def _source(self, path: str) -> str:
        """The file as the record names it: relative to the project if it lies in it."""
        folder, name = os.path.split(path)
        real = f"{_real_folder(folder)}{os.sep}{name}"
        root = "" if self.project is None else f"{self.project.root}{os.sep}"
        return real.removeprefix(root).replace(os.sep, "/") if root and real.startswith(root) else real


@lru_cache(maxsize=64)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder).rstrip(os.sep)


def _handed_over(value: Any, work: Work, task: Task[Any]) -> bytes | Here:
    """The result of `task` as who asked for it gets it."""
    if work.task is not None:
        return Here(value)
    try:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise OutputError(
            f"The result of task {task.name!r} ({task.description_key}) cannot be sent from its worker.",
            f"found: {type(value).__name__}, which cannot be pickled ({type(error).__name__}: {error})",
            "run it with executor='thread', or as an input of a task whose result can",
        ) from error
