"""Looking at tasks: what the state of each would be if it ran now, and whether it has to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from blake3 import blake3

from smttask.tasker.definition import is_directory_task
from smttask.tasker.files import FormatFile
from smttask.tasker.freshness import Seen, Staleness, staleness
from smttask.tasker.looking import Look
from smttask.tasker.ordering import Behind, Graph
from smttask.tasker.state import ConfRead, FileState, State, file_key, read_state, stored_by

if TYPE_CHECKING:
    from smttask.protocols import Runnable
    from smttask.tasker.directory import Tasker
    from smttask.tasker.unit import TaskUnit

__all__ = ["Stale", "Walk", "conf_key", "formats_of", "label", "label_from"]


class Stale:
    """A task that has to run, with the reason; counts as its task, and has all that the task has.

    Attributes
    ----------
    task
        The task.
    why
        The reason in words.
    """

    __slots__ = ("task", "why")

    def __init__(self, task: TaskUnit, why: str) -> None:
        self.task = task
        self.why = why

    def __eq__(self, other: object) -> bool:
        return self.task is (other.task if isinstance(other, Stale) else other)

    def __hash__(self) -> int:
        return hash(self.task)

    def __getattr__(self, name: str) -> Any:
        if name in self.__slots__:  # not filled yet, as in a copy
            raise AttributeError(name)
        return getattr(self.task, name)

    def __call__(self, **options: Any) -> Any:
        """Call the task."""
        return self.task(**options)

    def __repr__(self) -> str:
        return f"<stale {self.task.name}: {self.why}>"


class Walk:
    """One look at tasks and all they depend on; each file is looked at once.

    Attributes
    ----------
    states
        What each task that was judged knew.
    """

    def __init__(self, targets: Iterable[TaskUnit]) -> None:
        self.graph = Graph(targets)
        self.look = Look(lambda: self._stored)
        self.states: dict[TaskUnit, State | None] = {}
        self._behind: dict[TaskUnit, Behind] = {}
        self._policies: dict[tuple[Tasker, str], str] = {}
        self._judged: dict[TaskUnit, tuple[State | None, Seen, Staleness]] = {}
        self._results: dict[str, Mapping[str, str]] = {}
        self._owners: dict[str, dict[str, str]] = {}
        self._known_places: dict[TaskUnit, str] = {}

    def behind(self, task: TaskUnit) -> Behind:
        """What counts for `task`, through tasks without outputs."""
        found = self._behind.get(task)
        if found is None:
            found = self._behind[task] = self.graph.behind(task)
        return found

    @cached_property
    def _stored(self) -> set[str]:
        """Absolute paths of all that the Taskers of these tasks store."""
        taskers = {task.tasker for task in self.graph.order}
        tasks = (task for tasker in taskers for task in tasker.tasks.values())
        return {path for task in tasks for path in task.output_paths}

    def policy(self, task: TaskUnit) -> str:
        """What becomes of outputs that other code made."""
        key = (task.tasker, task.__module__)
        found = self._policies.get(key)
        if found is None:
            found = self._policies[key] = task.code.policy()
        return found

    def judged(self, task: TaskUnit) -> tuple[State | None, Seen, Staleness]:
        """What a task that stores something knew, what is there now, and why it has to run."""
        known = self._judged.get(task)
        if known is None:
            state = self._state(task)
            if state is not None and (state.damaged or not state.is_finished):
                seen = Seen(dict.fromkeys(task.output_keys))
            elif state is None:
                seen = self._seen_by_times(task)
            else:
                seen = self._seen(task, state)
            found = staleness(state, seen, on_code_change=self.policy(task))
            known = self._judged[task] = (state, seen, found)
        return known

    def look_again(self, task: TaskUnit) -> None:
        """Forget what is known of `task`, not of its inputs."""
        self._judged.pop(task, None)
        self.states.pop(task, None)
        self._owners.pop(task.tasker.folder, None)
        self.look.forget(task.output_paths)

    def forget(self, task: TaskUnit, state: State) -> None:
        """Take in the `state` that a run of `task` left, and look anew: a function may change any file."""
        self._judged.pop(task, None)
        self.states[task] = state
        self.look = Look(lambda: self._stored)

    def code_of(self, task: TaskUnit) -> dict[str, Mapping[str, str]]:
        """Code of `task`, and of tasks without outputs before it."""
        parts = {task.name: task.code.parts()}
        for silent in self.behind(task).silent:
            parts[label(task, silent)] = silent.code.parts()
        return parts

    def places_of(self, task: TaskUnit) -> str:
        """Name of what stands where in the arguments of `task`, and of tasks without outputs before it.

        Empty where there is but one argument of one task or path in each.
        """
        found = {"": self._places(task)}
        found.update({label(task, silent): self._places(silent) for silent in self.behind(task).silent})
        lines = [f"{name} {places}\n" for name, places in sorted(found.items()) if places]
        return _short("".join(lines)) if lines else ""

    def _places(self, task: TaskUnit) -> str:
        known = self._known_places.get(task)
        if known is None:
            order = self.graph.needs[task].order
            lines = [f"{place} {self._named_input(task, leaf)}\n" for place, leaf in order]
            is_plain = len(order) < 2 and all(
                place == "0" and not (isinstance(leaf, tuple) and leaf[0]) for place, leaf in order
            )
            known = self._known_places[task] = "" if is_plain else _short("".join(lines))
        return known

    def _named_input(self, task: TaskUnit, leaf: TaskUnit | Runnable | tuple[str, str]) -> str:
        if isinstance(leaf, tuple):
            kind, path = leaf
            return f"{kind or 'path'} {self.input_key(task, path, task)}"
        if is_directory_task(leaf):
            return f"task {label(task, cast('TaskUnit', leaf))}"
        return f"result {self._named(leaf)[0]}"

    def upstream_of(self, task: TaskUnit, *, make: bool = False) -> dict[str, dict[str, str]]:
        """Digests of what tasks before `task` stored, as far as it is used; ``""`` of what is not there.

        Parameters
        ----------
        make
            Compute results of smttask's own tasks that are not stored, so that they have a name.
        """
        found = {}
        for upstream, paths in self.behind(task).storing.items():
            found[label(task, upstream)] = {
                file_key(upstream.tasker.folder, path): state.blake3
                if (state := self.output_now(upstream, path)) is not None
                else ""
                for path in paths
            }
        for recorded in self.behind(task).recorded:
            if make:
                self.bring_recorded(recorded)
            key, names = self._named(recorded)
            if not names:  # what it was named by before is missing
                earlier = self._state(task) or State()
                names = dict.fromkeys(earlier.upstream.get(key, ["result"]), "")
            found[key] = dict(names)
        return found

    def bring_recorded(self, task: Runnable) -> None:
        """Compute the result of one of smttask's own tasks, if it is not stored; it is not loaded."""
        if not self.has_result(task):
            self.make_recorded(task)

    def has_result(self, task: Runnable) -> bool:
        """Whether the result of one of smttask's own tasks is stored, or need not be."""
        return bool(self._named(task)[1])

    def _named(self, task: Runnable) -> tuple[str, Mapping[str, str]]:
        """What states call one of smttask's own tasks, and what names its result; nothing if not stored."""
        from smttask.tasker.bridge import key_of, result_names  # the task brought what it needs already

        key = key_of(task)
        if not self._results.get(key):
            self._results[key] = result_names(task)
        return key, self._results[key]

    def make_recorded(self, task: Runnable) -> Any:
        """The result of one of smttask's own tasks, computed unless it is stored."""
        return task.run()  # type: ignore[attr-defined]

    def output_now(self, task: TaskUnit, path: str) -> FileState | None:
        """An output as it is now; hashed only if it is not as its task left it."""
        state = self._state(task)
        known = None if state is None else state.outputs.get(file_key(task.tasker.folder, path))
        return self.look.now(path, known)

    def input_key(self, task: TaskUnit, path: str, user: TaskUnit) -> str:
        """What the state of `task` calls a file that `user` names; relative if it was named so."""
        folder = task.tasker.folder
        key = file_key(folder, path)
        if key == path and (
            self.graph.needs[user].files.get(path) or file_key(user.tasker.folder, path) != path
        ):  # so that both may be moved together
            return os.path.relpath(path, folder).replace(os.sep, "/")
        return key

    def _state(self, task: TaskUnit) -> State | None:
        try:
            return self.states[task]
        except KeyError:
            found = self.states[task] = read_state(task.tasker.folder, task.name)
            return found

    def _seen(self, task: TaskUnit, state: State) -> Seen:
        now, behind = self.look.now, self.behind(task)
        outputs, inputs = state.outputs, state.inputs
        seen_inputs = {}
        for path, user in behind.files.items():
            key = self.input_key(task, path, user)
            seen_inputs[key] = now(path, inputs.get(key))
        return Seen(
            {
                key: now(path, outputs.get(key))
                for key, path in zip(task.output_keys, task.output_paths, strict=True)
            },
            seen_inputs,
            self.upstream_of(task),
            self._conf_now(task, state) if state.conf else {},
            self.code_of(task),
            self.places_of(task),
            formats_of(task),
        )

    def _seen_by_times(self, task: TaskUnit) -> Seen:
        stat, behind = self.look.stat, self.behind(task)
        times = {
            file_key(task.tasker.folder, path): found.mtime_ns
            for paths in behind.storing.values()
            for path in paths
            if (found := stat(path)) is not None
        }
        outputs = {key: stat(path) for key, path in zip(task.output_keys, task.output_paths, strict=True)}
        return Seen(
            outputs,
            {self.input_key(task, path, user): stat(path) for path, user in behind.files.items()},
            upstream_times=times,
            stored_by=self._stored_by_others(task) if all(outputs.values()) else {},
        )

    def _stored_by_others(self, task: TaskUnit) -> dict[str, str]:
        """Outputs of `task` that the states of other tasks of the folder know, with the names of these."""
        folder = task.tasker.folder
        if folder not in self._owners:
            self._owners[folder] = stored_by(folder)
        owners = self._owners[folder]
        return {key: owners[key] for key in task.output_keys if key in owners}

    def _conf_now(self, task: TaskUnit, state: State) -> dict[str, ConfRead]:
        """What a task read of `conf`, as it is now; names of other Taskers begin with their folder."""
        others = {
            conf_key(task, silent, ""): silent.tasker
            for silent in self.behind(task).silent
            if silent.tasker is not task.tasker
        }
        found = {}
        for name in state.conf:
            prefix = next((prefix for prefix in others if name.startswith(prefix)), "")
            conf = others[prefix].conf if prefix else task.tasker.conf
            found[name] = conf.now([name[len(prefix) :]])[name[len(prefix) :]]
        return found


def formats_of(task: TaskUnit) -> dict[str, str]:
    """Kinds of the outputs of `task` that are of a format."""
    outputs = zip(task.output_keys, task.outs, strict=True)
    return {key: output.kind for key, output in outputs if isinstance(output, FormatFile)}


def _short(text: str) -> str:
    return blake3(text.encode("utf-8", "surrogatepass")).hexdigest(length=10)


def label(user: TaskUnit, task: TaskUnit) -> str:
    """What the state of `user` calls `task`; see `label_from`."""
    return label_from(user.tasker.folder, task)


def label_from(folder: str, task: TaskUnit) -> str:
    """The name of `task`, with its folder, relative to `folder`, in front if it is another: ``../b:size``."""
    return task.name if task.tasker.folder == folder else f"{_relative(folder, task)}:{task.name}"


def conf_key(user: TaskUnit, task: TaskUnit, name: str) -> str:
    """What the state of `user` calls `name` in the `conf` of `task`."""
    return name if task.tasker is user.tasker else f"{_relative(user.tasker.folder, task)}:{name}"


def _relative(folder: str, task: TaskUnit) -> str:
    return os.path.relpath(task.tasker.folder, folder).replace(os.sep, "/")
