"""What a worker of ``smttask tasker run`` does: bring the tasks of one folder up to date."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from smttask.errors import LockError, TaskfileError
from smttask.executors.calls import Held
from smttask.executors.failures import describe_failure
from smttask.executors.telling import tell_doing
from smttask.executors.work import Work
from smttask.tasker.discovery import use
from smttask.tasker.judging import label
from smttask.tasker.updating import Update

if TYPE_CHECKING:
    from smttask.tasker.directory import Tasker
    from smttask.tasker.unit import TaskUnit

__all__ = ["chosen_tasks", "update_folder"]


def update_folder(
    folder: str,
    *,
    tasks: Collection[str] = (),
    recompute: bool = False,
    wait: bool = True,
    raises: bool = False,
    **taskfiles: str,
) -> dict[str, Any]:
    """Bring tasks of a folder up to date; a task that fails stops only those that depend on it.

    Parameters
    ----------
    folder
        Absolute.
    tasks
        Names; none: all. One that stores nothing is called if it is named.
    recompute
        Run them although they are up to date; not what they depend on.
    wait
        Wait where another process runs one of the tasks.
    raises
        Let what the first failing task raises through.
    **taskfiles
        For `smttask.tasker.use`: names of taskfiles.

    Returns
    -------
    dict
        As `smttask.executors.calls.Calls` expects it: ``"found"`` if all was up to date, ``"computed"`` if a
        task ran, ``"failed"`` with the name of the task before its error.

    Raises
    ------
    Held
        If another process runs one of the tasks, and `wait` is false.
    TaskfileError
        If there is no taskfile, or no task of a name.
    """
    tasker = use(folder, **taskfiles)
    targets = chosen_tasks(tasker, tasks)
    course = _Course(targets, forced=targets if recompute else (), wait=wait, raises=raises)
    course.go([task for task in targets if tasks and not task.output_paths])
    if course.failures:
        return _failed(course)
    return {"status": "computed" if course.has_run else "found"}


def chosen_tasks(tasker: Tasker, names: Collection[str]) -> list[TaskUnit]:
    """The tasks of these names; all if there are none.

    Raises
    ------
    TaskfileError
        If the Tasker has no task of a name.
    """
    for name in names:
        if name not in tasker.tasks:
            near = difflib.get_close_matches(name, tasker.tasks, n=1)
            raise TaskfileError(
                f"There is no task {name!r} for {tasker.folder}.",
                f"tasks: {', '.join(tasker.tasks) or 'none'}",
                f"did you mean {near[0]!r}?" if near else "give one of these, or define it in the taskfile",
                folder=tasker.folder,
            )
    return [tasker.tasks[name] for name in names] if names else list(tasker.tasks.values())


class _Course:
    """Brings tasks up to date, and goes on where one fails.

    Attributes
    ----------
    has_run
        Whether a task was run, or called, and ended well.
    failures
        What those raised that failed, and by whose function: their own, or that of one that stores nothing.
    left
        Tasks that were not looked at, since one that they depend on failed.
    """

    def __init__(
        self, targets: Iterable[TaskUnit], *, forced: Iterable[TaskUnit], wait: bool, raises: bool
    ) -> None:
        self.has_run = False
        self.failures: dict[TaskUnit, tuple[TaskUnit, BaseException]] = {}
        self.left: list[TaskUnit] = []
        self._update = Update(targets, wait=wait, forced=forced, around=self._around)
        self._raises = raises
        self._running: list[tuple[TaskUnit, str]] = []
        self._broken: list[TaskUnit] = []  # by what was raised last, the innermost first

    def go(self, called: Sequence[TaskUnit]) -> None:
        """Bring all up to date, then call tasks that store nothing, once each."""
        for task in self._update.iter_storing(keep=called):
            self._try(task, self._update.settle)
        for task in called:
            self._try(task, self._update.value_of)

    @contextmanager
    def _around(self, task: TaskUnit, why: str) -> Iterator[None]:
        """Tell that `task` runs, and note whose function it was that raised."""
        self._running.append((task, why))
        tell_doing(task.name, why=why)
        try:
            yield
        except BaseException:
            self._broken.append(task)
            raise
        finally:
            self._running.pop()
        self.has_run = True
        for user, reason in self._running[-1:]:  # which goes on, with the value of this one
            tell_doing(user.name, why=reason)

    def _try(self, task: TaskUnit, act: Callable[[TaskUnit], object]) -> None:
        if self.failures and self._needs_a_failed_one(task):
            self.left.append(task)
            return
        self._broken.clear()
        try:
            act(task)
        except LockError as error:
            holder = getattr(error, "holder", "")
            if self._broken or self._update.wait or not holder:  # not who holds the task
                self._fail(task, error)
            elif not self.failures:
                raise Held(holder) from error
            else:  # coming back later would run what failed once more
                self._update.wait = True
                self._try(task, act)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - any code of the user may raise anything
            self._fail(task, error)

    def _needs_a_failed_one(self, task: TaskUnit) -> bool:
        behind = self._update.behind(task)
        failed = {*self.failures, *self.left, *(culprit for culprit, _ in self.failures.values())}
        return not failed.isdisjoint([*behind.storing, *behind.silent])

    def _fail(self, task: TaskUnit, error: BaseException) -> None:
        if self._raises:
            raise error
        self.failures[task] = (self._broken or [task])[0], error


def _failed(course: _Course) -> dict[str, Any]:
    """What became of a folder some of whose tasks failed: the first error, and the others."""
    outcomes = {
        label(task, culprit): describe_failure(Work(culprit.name), error, 0.0)
        for task, (culprit, error) in course.failures.items()
    }
    first, *others = [f"{name}: {outcome.error}" for name, outcome in outcomes.items()]
    more = [f"{len(others)} more failed" if others else "", f"{len(course.left)} left" if course.left else ""]
    also = ", ".join(filter(None, more))
    left = ", ".join(task.name for task in course.left)
    details = [outcome.details for outcome in outcomes.values()]
    return {
        "status": "failed",
        "error": f"{first} ({also})" if also else first,
        "details": "\n".join([*details, *others, *([f"left, as they depend on it: {left}"] if left else [])]),
        "is_ours": all(outcome.is_ours for outcome in outcomes.values()),
    }
