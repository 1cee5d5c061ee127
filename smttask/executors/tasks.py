"""Many tasks from Python: results as they come."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeVar

from smttask.errors import ArgumentError, SettingError, SmttaskError, WorkerError, short_repr
from smttask.executors.choosing import make_executor
from smttask.executors.messages import Instructions
from smttask.executors.ordering import in_order
from smttask.executors.outcome import Here, Outcome, Summary
from smttask.executors.progress import Display
from smttask.executors.running import Running
from smttask.executors.work import Work, work_of_task
from smttask.headway.line import find_cell
from smttask.project import current_project
from smttask.settings import config
from smttask.settings.settings import SETTINGS
from smttask.tasks import Failed, Task
from smttask.tasks.evaluation import Session

__all__ = ["run_tasks"]

R = TypeVar("R")

MOST_NAMED = 10
MOST_AHEAD = 8
ON_ERROR = ("raise", "stop", "return")


def run_tasks(
    tasks: Iterable[Task[R]],
    *,
    executor: str = "process",
    n: int | None = None,
    ordered: bool = False,
    on_error: Literal["raise", "stop", "return"] | None = None,
    recompute: bool = False,
    record: bool | None = None,
    reason: str | None = None,
    record_store: str | Path | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Iterator[tuple[Task[R], R]]:
    """Run many tasks side by side; yields each task with its result, as they come.

    A stored result is loaded when its turn comes; one that is not stored comes from the worker by
    pickle. So only the results at hand are in memory. No worker is started before a task is met whose
    result is not there. Leaving the loop stops what runs.

    Parameters
    ----------
    tasks
        Tasks, or what yields them: read while others run, so there may be any number.
    executor
        ``"process"``: worker processes of this machine. ``"thread"``: threads of this process, which
        run tasks of notebooks too and share the results of memoized tasks; a running one cannot be stopped.
        ``"dask"``, ``"slurm"``: other machines.
    n
        Most tasks at once. None: as many as this process may use cores, or a Dask scheduler has workers for.
    ordered
        Yield in the order of `tasks`, not in that in which they are done.
    on_error
        What is done if a task fails: ``"raise"`` a `WorkerError` after all the others, ``"stop"`` the others
        and raise the task's own error, or ``"return"`` a falsy `Failed` as its result. None: ``"return"`` if
        ``config.on_error`` says so, else ``"raise"``.
    recompute, record, reason, record_store
        As for `Task.run`.
    progress
        Show a table and a bar. None: if stderr is a terminal, or in a notebook.
    options
        Of the executor, such as ``timeout_s`` and ``memory_bytes`` of each task and ``retries``.

    Raises
    ------
    WorkerError
        At the end, if tasks failed: ``failures`` holds a `Failed` for each.
    NotRecordableError
        If another process could not import a task.
    SettingError, MissingExtraError
        If there is no such executor, or it is not installed.

    Examples
    --------
    >>> from smttask import MemoizedTask
    >>> @MemoizedTask
    ... def Double(x: int) -> int:
    ...     return 2 * x
    >>> [result for task, result in run_tasks(map(Double, range(3)), executor="thread", ordered=True)]
    [0, 2, 4]
    """
    if isinstance(tasks, Task) or not isinstance(tasks, Iterable):
        raise ArgumentError(
            "run_tasks takes many tasks.",
            f"found: {short_repr(tasks)}\nexpected: a list of tasks, or anything that yields tasks",
            "give [task], or call task.run()",
        )
    if on_error is None:
        on_error = "return" if config.on_error == "return" else "raise"
    if on_error not in ON_ERROR:
        raise SettingError(
            f"run_tasks has no on_error={on_error!r}.", f"allowed: {', '.join(ON_ERROR)}", "give one of these"
        )
    instructions = Instructions(
        start=_project_root(),
        keep=True,
        recompute=recompute,
        record=record,
        reason=reason,
        record_store=None if record_store is None else _absolute(record_store),
        settings=_chosen_settings(),
    )
    if n is None and not options.get("scheduler"):
        n = _n_cores()
    chosen = make_executor(executor, n=n, instructions=instructions, **options)
    display = _display_of(progress)
    run = _Run(tasks, chosen, display, sends=executor != "thread", on_error=on_error)
    looks = not recompute and record is None and record_store is None  # else as the workers are told to
    return run.results(ordered=ordered, looks=looks)


class _Run:
    """The tasks whose results were not yielded yet, and those that failed."""

    def __init__(
        self,
        tasks: Iterable[Any],
        executor: Any,
        display: Callable[[], Display],
        *,
        sends: bool,
        on_error: str,
    ) -> None:
        self._given: Iterator[tuple[int, Any]] = enumerate(tasks)
        self._n_given = len(tasks) if isinstance(tasks, Sized) else None
        self._executor = executor
        self._display = display
        self._sends = sends
        self._on_error = on_error
        self._tasks: dict[int, Task[Any]] = {}
        self._failures: list[Failed] = []
        self._n_found = 0
        self._summary = Summary()

    def results(self, *, ordered: bool, looks: bool) -> Iterator[tuple[Any, Any]]:
        """Yield each task with its result; if it `looks`, what is there at the beginning comes at once."""
        for number, task in self._given:
            found, value = _find(task, number) if looks else (False, None)
            if not found:
                self._given = chain([(number, task)], self._given)
                yield from self._run_rest(ordered=ordered)
                return
            self._n_found += 1
            yield task, value

    def _run_rest(self, *, ordered: bool) -> Iterator[tuple[Any, Any]]:
        running = Running(
            _works(self._given, self._tasks, self._sends),
            self._executor,
            self._display,
            most_ahead=MOST_AHEAD,
            n_total=None if self._n_given is None else self._n_given - self._n_found,
        )
        self._summary = running.summary
        outcomes = running.outcomes()
        try:
            for outcome in in_order(outcomes, first=self._n_found) if ordered else outcomes:
                task = self._tasks.pop(outcome.number)
                if not outcome.is_failure:
                    yield task, _result(task, outcome)
                    continue
                failed = Failed(task, _error(task, outcome))
                if self._on_error == "return":
                    yield task, failed
                elif self._on_error == "stop":
                    raise failed.error
                else:
                    self._failures.append(failed)
        finally:
            outcomes.close()
        if self._failures:
            raise self._summed_up()

    def _summed_up(self) -> WorkerError:
        n, total = len(self._failures), self._n_found + self._summary.counts.total()
        lines = []
        for failed in self._failures[:MOST_NAMED]:
            first = str(failed.error).strip().partition("\n")[0]
            kind = "" if isinstance(failed.error, SmttaskError) else f"{type(failed.error).__name__}: "
            lines.append(f"{failed.task.name} ({failed.task.description_key}): {kind}{first}")
        if n > MOST_NAMED:
            lines.append(f"and {n - MOST_NAMED} more")
        error = WorkerError(
            f"{n} of {total} task{'' if total == 1 else 's'} failed.",
            "\n".join(lines),
            "see the attribute failures, or call task.run() on one of them; the others have their results",
            failures=tuple(self._failures),
        )
        error.__cause__ = self._failures[0].error
        return error


def _works(given: Iterable[tuple[int, Any]], pending: dict[int, Task[Any]], sends: bool) -> Iterator[Work]:
    for number, task in given:
        work = work_of_task(_checked(task, number), number)
        pending[number] = task
        yield work.sendable() if sends else work


def _find(task: Any, number: int) -> tuple[bool, Any]:
    """Whether the result is there, and the result."""
    try:
        with Session.current() as session:
            return (False, None) if _checked(task, number).has_late_digest else session.find(task)
    except Exception:  # noqa: BLE001 - whatever it is, the run meets it too, and tells it
        return False, None


def _checked(task: Any, number: int) -> Task[Any]:
    if isinstance(task, Task):
        return task
    raise ArgumentError(
        f"run_tasks takes tasks; number {number} is none.",
        f"found: {short_repr(task)}",
        "give tasks such as Analyze(x=1), not yet run",
    )


def _result(task: Task[Any], outcome: Outcome) -> Any:
    """The result: as it came, or from the store."""
    return task.load() if outcome.value is None else _value(outcome.value)


def _value(given: bytes | Here) -> Any:
    if isinstance(given, Here):
        return given.value
    return pickle.loads(given)  # noqa: S301 - it comes from a worker that this process had started


def _error(task: Task[Any], outcome: Outcome) -> BaseException:
    """What the task raised, or what is known of its end."""
    told = WorkerError(
        f"Task {task.name!r} ({task.description_key}) {outcome.status}: {outcome.error}",
        outcome.details,
        "call task.run() to see it happen in this process",
    )
    if outcome.raised is None:
        return told
    try:
        error: BaseException = _value(outcome.raised)
    except Exception as unreadable:  # noqa: BLE001 - any code of the error's class may run
        told.add_note(f"The task's own error cannot be made again in this process: {unreadable!r}")
        told.__cause__ = unreadable
        return told
    if isinstance(outcome.raised, bytes) and outcome.details and not outcome.is_ours:
        error.add_note(f"in the worker:\n{outcome.details}")
    return error


# -- what the workers are told


def _project_root() -> str:
    project = current_project()
    return os.getcwd() if project is None else str(project.root)


def _absolute(record_store: str | Path) -> str:
    text = str(record_store)
    return text if "://" in text or text == "journal" else os.path.abspath(text)


def _chosen_settings() -> tuple[tuple[str, Any], ...]:
    """The settings that code of this process chose, in a form that can be sent."""
    chosen = []
    for name in SETTINGS:
        if config.origin(name) != "code":
            continue
        value = config.get(name)
        if isinstance(value, frozenset):  # of types or their names
            value = tuple(
                sorted(
                    item if isinstance(item, str) else f"{item.__module__}.{item.__qualname__}"
                    for item in value
                )
            )
        elif value is not None and not isinstance(value, bool | int | float | str | tuple):
            value = str(value)
        chosen.append((name, value))
    return tuple(chosen)


def _class_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _n_cores() -> int:
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(n, config.max_processes or n)


def _display_of(progress: bool | None) -> Callable[[], Display]:
    cell = find_cell()
    if progress is None:
        progress = cell is not None or sys.stderr.isatty()
    if not progress:
        return Display

    def make() -> Display:
        from rich.console import Console

        from smttask.executors.cell import CellDisplay
        from smttask.executors.live import LiveDisplay

        return LiveDisplay(Console(stderr=True)) if cell is None else CellDisplay(cell)

    return make
