"""One description file: read, run, and removed when its result is safe."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import traceback
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any

from smttask import errors
from smttask.errors import DescriptionError, OutputError, SmttaskError, error_text
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Here, Outcome, Status
from smttask.executors.parts import Outlook, look_ahead
from smttask.executors.work import Work
from smttask.project import Project, current_project, find_project, use_project
from smttask.settings import config
from smttask.tasks import Task
from smttask.tasks.description import iter_described
from smttask.tasks.evaluation import RunOptions, Session
from smttask.tasks.explanation import Explanation

__all__ = ["TaskFiles", "describe_failure"]

MOST_LINE = 1000
MOST_DETAILS = 50_000
PACKAGE_DIR = os.path.dirname(os.path.abspath(errors.__file__)) + os.sep


class TaskFiles:
    """Runs description files in this process, one after the other; `with` it.

    Inside, the project is that of the working directory or of the settings, else the one
    around `Instructions.start`, and its folder comes first in ``sys.path``; without a
    project it is the working directory.

    Raises
    ------
    ProjectError, SettingError
        On entry, if the project or its settings cannot be used.
    DescriptionError
        On entry, if a module to be imported cannot be.
    """

    def __init__(self, instructions: Instructions) -> None:
        self.instructions = instructions
        self.project: Project | None = None
        self._stack = ExitStack()

    def __enter__(self) -> TaskFiles:
        with ExitStack() as stack:
            self.project = current_project() or (
                find_project(self.instructions.start) if self.instructions.start else None
            )
            if self.project is not None:
                stack.enter_context(use_project(self.project))
            folder = os.getcwd() if self.project is None else str(self.project.root)
            if folder not in sys.path:
                sys.path.insert(0, folder)
                stack.callback(sys.path.remove, folder)
            stack.enter_context(config.use(**self._settings()))
            for module in self.instructions.imports:
                _import(module, folder)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _settings(self) -> dict[str, Any]:
        """Settings that hold while files are run."""
        chosen: dict[str, Any] = dict(self.instructions.settings)
        if self.instructions.record is not None:
            chosen["record"] = self.instructions.record
        if self.instructions.record_store is not None:
            chosen["record_store"] = self.instructions.record_store
        if self.instructions.imports:
            packages = [module.partition(".")[0] for module in self.instructions.imports]
            trusted = chosen.get("trusted_packages", config.trusted_packages)
            chosen["trusted_packages"] = tuple(dict.fromkeys([*trusted, *packages]))
        return chosen

    @property
    def max_processes(self) -> int | None:
        """Most workers that the settings allow at once."""
        return config.max_processes

    def load(self, path: str) -> Task[Any] | None:
        """The task in the file `path`; None if there is no such file."""
        try:
            return Task.from_desc(Path(path))
        except DescriptionError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def run(self, work: Work, task: Task[Any] | None = None) -> Outcome:
        """Run the task of `work`, and remove its file if result and record are safe.

        Whatever the task raises comes through, so that a debugger may look at it.

        Parameters
        ----------
        task
            What `load_work` gave, if that was asked before.
        """
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


def _import(module: str, folder: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:
        raise DescriptionError(
            f"Module {module!r} cannot be imported.",
            f"found: {type(error).__name__}: {error}\nsearched: {folder} and the installed packages",
            "correct the name given to --import, or the module",
        ) from error


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


def describe_failure(work: Work, error: BaseException, duration_s: float) -> Outcome:
    """The outcome of `work` whose task raised `error`; of long texts the ends."""
    is_ours = isinstance(error, SmttaskError)
    if isinstance(error, SmttaskError):
        line, details = error.what, "\n".join(part for part in (error.found, error.remedy) if part)
    else:
        first = error_text(error).strip().partition("\n")[0]
        line = f"{type(error).__name__}: {first}" if first else type(error).__name__
        trace = _of_user(error.__traceback__)
        details = "".join(traceback.format_exception(type(error), error, trace)).rstrip()
    return Outcome(
        work.name,
        "failed",
        duration_s,
        line[:MOST_LINE],
        _cut(details),
        is_ours,
        number=work.number,
        raised=_raised(error, work) if work.wants_value else None,
    )


def _raised(error: BaseException, work: Work) -> bytes | Here | None:
    """The error as who asked for the result gets it; None if it cannot be sent."""
    if work.task is not None:
        return Here(error)
    try:
        pickled = pickle.dumps(error, protocol=pickle.HIGHEST_PROTOCOL)
        pickle.loads(pickled)  # noqa: S301 - what was just made; many errors cannot be made again
    except Exception:  # noqa: BLE001 - any code of the error's class may run
        return None
    return pickled


def _cut(text: str) -> str:
    if len(text) <= MOST_DETAILS:
        return text
    half = MOST_DETAILS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters …\n{text[-half:]}"


def _of_user(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first line outside of smttask; all of it if there is none."""
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(PACKAGE_DIR):
        inner = inner.tb_next
    return inner or trace
