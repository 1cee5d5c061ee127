"""Bringing tasks up to date: running those that are stale, each after those it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from smttask.errors import (
    CodeChangedError,
    CodeChangedWarning,
    InputError,
    ResultNotFoundError,
    warn,
)
from smttask.tasker.freshness import Staleness
from smttask.tasker.inputs import input_values
from smttask.tasker.judging import Walk, conf_key, formats_of, label
from smttask.tasker.reporting import refresh
from smttask.tasker.running import Made, call, locked, run
from smttask.tasker.state import ConfRead, FileState, State, file_key, read_state

if TYPE_CHECKING:
    from smttask.tasker.ordering import Behind
    from smttask.tasker.unit import TaskUnit

__all__ = ["Update"]

_told: set[tuple[str, str, tuple[str, ...]]] = set()
"""Changes of code that were told: file of the function, task, and change, in however many folders."""


class Update:
    """Brings tasks up to date, once.

    Parameters
    ----------
    wait
        Wait while another process runs one of the tasks.
    forced
        Tasks that are run even if they are up to date.
    around
        Made for each run of a task, and each call of one that stores nothing, which stands in a `with`
        block of it; takes the task and the reason, ``""`` where there is none. Those of tasks without
        outputs stand in that of the task that needs their values.
    """

    def __init__(
        self,
        targets: Iterable[TaskUnit],
        *,
        wait: bool = False,
        forced: Iterable[TaskUnit] = (),
        around: Callable[[TaskUnit, str], AbstractContextManager[object]] | None = None,
    ) -> None:
        self.wait = wait
        self._walk = Walk(targets)
        self._forced = frozenset(forced)
        self._around = around or (lambda task, why: nullcontext())
        self._made: dict[TaskUnit, _Silent] = {}

    def bring(self) -> None:
        """Run what is stale, in order."""
        for task in self.iter_storing():
            self.settle(task)

    def value(self, target: TaskUnit) -> Any:
        """Bring all up to date and give the value of `target`."""
        self.bring()
        return self.value_of(target)

    def run_alone(self, task: TaskUnit) -> Any:
        """Run `task` on its inputs as they are, and give its value."""
        if task.output_paths:
            with locked(task, wait=self.wait):
                self._run(task)
        return self.value_of(task)

    # ------------------------------------------------------------ one task

    def iter_storing(self, keep: Iterable[TaskUnit] = ()) -> Iterator[TaskUnit]:
        """Yield the tasks that store something, in the order in which they are to be settled.

        Values of tasks without outputs are let go after the last task that needs them, but those of
        `keep`, which are asked for afterwards.
        """
        uses = self._walk.graph.last_uses(keep)
        for task, used_up in zip(self._walk.graph.order, uses, strict=False):
            if task.output_paths:
                yield task
            for silent in used_up:
                self._made.pop(silent, None)

    def behind(self, task: TaskUnit) -> Behind:
        """What counts for `task`, through tasks without outputs."""
        return self._walk.behind(task)

    def settle(self, task: TaskUnit) -> None:
        """Run `task`, which stores something, if it is stale or forced; those before it are settled.

        Raises
        ------
        LockError
            If another process runs it, and this is not to wait.
        CodeChangedError
            If other code made its outputs, and the policy is to refuse these.
        Exception
            What functions raise.
        """
        walk = self._walk
        for upstream in walk.behind(task).recorded:
            walk.bring_recorded(upstream)
        _, seen, found = walk.judged(task)
        if not found and task not in self._forced:
            refresh(task, walk, seen)
            self._tell_code(task, found)
            return
        with locked(task, wait=self.wait):
            walk.look_again(task)  # somebody else may have run it meanwhile
            found = walk.judged(task)[2]
            if found or task in self._forced:
                self._run(task, found.why)

    def _tell_code(self, task: TaskUnit, found: Staleness) -> None:
        """Say that a result of other code is used, or refuse it."""
        if not found.code_changes:
            return
        changes = ", ".join(found.code_changes)
        if self._walk.policy(task) == "error":
            raise CodeChangedError(
                f"Task {task.name!r} of {task.tasker.folder}: its outputs were made by other code.",
                f"changed: {changes}",
                "run it again with force(), mark them as still valid with accept(), "
                "or use them with on_code_change='ignore'",
                changed=found.code_changes,
                task=task.name,
            )
        code = getattr(task.func, "__code__", None)
        fact = (task.__module__ if code is None else code.co_filename, task.name, found.code_changes)
        if fact not in _told:
            _told.add(fact)
            warn(
                f"Task {task.name!r} keeps what other code made: {changes}. To run it again: force(), "
                "--recompute of `smttask tasker run`, or on_code_change='recompute' for all; to keep its "
                "outputs: accept().",
                CodeChangedWarning,
            )

    def _run(self, task: TaskUnit, why: str = "") -> None:
        """Run `task`, whose lock is held."""
        walk = self._walk
        with self._around(task, why):
            state = walk.states[task] = read_state(task.tasker.folder, task.name)
            self._make_silent(walk.behind(task).silent)
            made = run(
                task,
                walk.look,
                before=lambda: self._before(task),
                values=lambda: self._values(task),
                is_first=state is None or bool(state.damaged),
            )
            walk.forget(task, made)

    def _values(self, task: TaskUnit) -> dict[str, Any]:
        return input_values(task, self.value_of, self._walk.make_recorded)

    def _before(self, task: TaskUnit) -> State:
        """All that the state of `task` will hold but its outputs, looked at right now."""
        walk, behind = self._walk, self._walk.behind(task)
        inputs: dict[str, FileState | None] = {}
        conf: dict[str, ConfRead] = {}
        known = walk.states.get(task)
        moved = self._moved(behind.silent)
        for path, user in behind.files.items():
            key = walk.input_key(task, path, user)
            found = _file_now(walk, path, None if known is None else known.inputs.get(key))
            if found is None:
                raise _missing_input(user, path)
            # Another content went into a value than what is there now: next time it counts as changed.
            inputs[key] = found._replace(blake3="", mtime_ns=-1) if path in moved else found
        for silent in behind.silent:
            reads = self._made[silent].conf if silent in self._made else {}
            conf.update({conf_key(task, silent, name): read for name, read in reads.items()})
        upstream, code, places = self._upstream_now(task), walk.code_of(task), walk.places_of(task)
        return State({}, inputs, upstream, conf, code, places, formats_of(task))

    def _moved(self, silent: Iterable[TaskUnit]) -> set[str]:
        """Files that are not any more what tasks without outputs were computed from."""
        stat = self._walk.look.stat
        made = [self._made[task] for task in silent if task in self._made]
        return {path for each in made for path, found in each.files.items() if stat(path) != found}

    def _upstream_now(self, task: TaskUnit) -> Mapping[str, Mapping[str, str]]:
        upstream = self._walk.upstream_of(task, make=True)
        for each, paths in self._walk.behind(task).storing.items():
            for path in paths:
                if not upstream[label(task, each)][file_key(each.tasker.folder, path)]:
                    raise ResultNotFoundError(
                        f"Task {task.name!r} of {task.tasker.folder} cannot run: an input is not there.",
                        f"missing: {path}, which task {each.name!r} stores",
                        f"call the task, which runs {each.name!r} first",
                        task=task.name,
                        path=path,
                    )
        return upstream

    # ------------------------------------------------------------ values

    def value_of(self, task: TaskUnit) -> Any:
        """The value of `task`, for one who may do with it as he likes."""
        if task.output_paths:
            return task.load()
        if task not in self._made:
            self._make_silent([*self._walk.behind(task).silent, task])
        made = self._made[task]
        if self._walk.graph.n_users(task) <= 1:
            return made.value
        if isinstance(made.value, Iterator):  # each user takes one of its own
            return self._call(task).value
        from smttask.typing.ownership import fresh  # with numpy and pydantic, which few need

        return fresh(made.value)

    def _make_silent(self, tasks: Iterable[TaskUnit]) -> None:
        """Compute tasks without outputs that were not yet, each after those it depends on."""
        for task in tasks:
            if task not in self._made:
                self._made[task] = self._call(task)

    def _call(self, task: TaskUnit) -> _Silent:
        with self._around(task, ""):
            files = {path: self._walk.look.stat(path) for path in self._walk.graph.needs[task].files}
            for path, found in files.items():
                if found is None:
                    raise _missing_input(task, path)
            return _Silent(call(task, self._values(task)), files)


class _Silent:
    """What a task without outputs gave, and the files that it was made from, not hashed."""

    __slots__ = ("conf", "files", "value")

    def __init__(self, made: Made, files: Mapping[str, FileState | None]) -> None:
        self.value = made.value
        self.conf = made.conf
        self.files = files


def _file_now(walk: Walk, path: str, known: FileState | None) -> FileState | None:
    """A file as it is at this moment; if it did not move since it was last seen it is not hashed again."""
    seen = walk.look.now(path, known)
    walk.look.forget([path])
    return walk.look.now(path, seen)


def _missing_input(task: TaskUnit, path: str) -> InputError:
    return InputError(
        f"Task {task.name!r} of {task.tasker.folder} cannot run: an input is not there.",
        f"missing: {path}, which no task of the Tasker stores",
        "put it there, or name another file; a text that is no file name belongs into conf",
        task=task.name,
        place=path,
    )
