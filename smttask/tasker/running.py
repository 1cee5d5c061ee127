"""One run of one task: lock, folder, inputs, function, outputs, state."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from smttask.errors import LockError, OutputError, SmttaskWarning, short_repr, warn
from smttask.storage.atomic import remove_unfinished
from smttask.storage.locks import computing, find_holder
from smttask.tasker.files import FormatFile
from smttask.tasker.looking import Look
from smttask.tasker.place import kept, working_in
from smttask.tasker.state import (
    ConfRead,
    FileState,
    State,
    file_key,
    lock_path,
    state_path,
    unfinished,
    write_state,
)
from smttask.tasker.status import status_path

if TYPE_CHECKING:
    from smttask.tasker.unit import TaskUnit

__all__ = ["Made", "call", "locked", "run", "tidy"]


@dataclass(slots=True)
class Made:
    """What a value was made from.

    Parameters
    ----------
    conf
        What was read of the `conf` of the task's Tasker.
    """

    value: Any
    conf: dict[str, ConfRead] = field(default_factory=dict)


@contextmanager
def locked(task: TaskUnit, *, wait: bool) -> Iterator[None]:
    """Work in the folder of `task`, and let nobody else run it meanwhile.

    The folder comes first: whoever waits for the working directory of the process holds no lock of a task.

    Raises
    ------
    LockError
        If it runs already: elsewhere, unless `wait`, or in this thread.
    """
    folder, name = task.tasker.folder, task.name
    path = lock_path(folder, name)
    with working_in(folder):
        holding = computing(
            path,
            timeout_s=None if wait else 0,
            on_wait=lambda sentence: warn(f"Task {name!r} of {folder}: {sentence}", SmttaskWarning),
        )
        _refuse_inside_itself(task)
        try:
            was_left = holding.__enter__()
        except LockError as error:
            holder = find_holder(path) or "another process, a moment ago"
            raise LockError(
                f"Task {name!r} of {folder} is running already.",
                f"held by {holder}",
                "wait until it has finished, as a call with wait=True does; the lock ends with its owner",
                task=name,
                holder=holder,
                path=path,
            ) from error
        try:
            if was_left:
                tidy(task)
            yield
        finally:
            holding.__exit__(None, None, None)


def tidy(task: TaskUnit) -> None:
    """Remove what a process had begun to write for `task`, whose lock is held, when it was killed."""
    folder, name = task.tasker.folder, task.name
    own = (state_path(folder, name), str(status_path(task.p, name)))
    remove_unfinished(map(os.path.realpath, (*task.output_paths, *own)))


def call(task: TaskUnit, values: Mapping[str, Any]) -> Made:
    """Call the function of `task` in its folder; what it raises gets a note of where it was.

    Parameters
    ----------
    values
        By argument.
    """
    with working_in(task.tasker.folder):
        _refuse_inside_itself(task)
        running = kept()
        running.append(task)
        if task.use is not None:
            task.use.bring_forward()
        try:
            with task.tasker.conf.noting() as reads, task.progress.running():
                value = task.definition.call(task, values)
        except BaseException as error:
            error.add_note(_place_of(task))
            raise
        finally:
            running.remove(task)
        return Made(value, dict(reads))


def _refuse_inside_itself(task: TaskUnit) -> None:
    """Raise if `task` runs in this thread, also if it was asked for by another Tasker of the same folder."""
    for running in cast("list[TaskUnit]", kept()):
        if running.name == task.name and (running is task or _real_folder(running) == _real_folder(task)):
            raise LockError(
                f"Task {task.name!r} of {task.tasker.folder} is running already.",
                "it asks for its own value, directly or through others",
                "take the call out of the function",
                task=task.name,
                holder="itself",
            )


def _real_folder(task: TaskUnit) -> str:
    return os.path.realpath(task.tasker.folder)


def _place_of(task: TaskUnit) -> str:
    return f"in task {task.name!r} of {task.tasker.folder}"


def run(
    task: TaskUnit,
    look: Look,
    *,
    before: Callable[[], State],
    values: Callable[[], Mapping[str, Any]],
    is_first: bool,
) -> State:
    """Run `task`, whose lock is held, and give the state that was written.

    Parameters
    ----------
    before
        What the state will be, as it is known right before the function starts; without outputs.
    values
        Loads what goes in.
    is_first
        There is no state: until the run is over one says so, since files without any count by their times.
    """
    folder = task.tasker.folder
    for output in task.outs:  # what cannot be saved need not be computed
        if isinstance(output, FormatFile):
            output.require_libraries()
    begun = before()
    look.forget(task.output_paths)
    with _recorded(task, begun) as told:
        given = values()
        if is_first:
            write_state(folder, task.name, unfinished(task.output_keys))
        earlier = _plain_files(task, look)
        made = call(task, given)
        try:
            _refuse_left(task, earlier, look)
            outputs = _store(task, made.value, look)
        except BaseException as error:
            error.add_note(_place_of(task))
            raise
        state = replace(begun, outputs=outputs, conf={**begun.conf, **made.conf})
        write_state(folder, task.name, state)
        told(state)
    return state


@contextmanager
def _recorded(task: TaskUnit, begun: State) -> Iterator[Callable[[State], None]]:
    """Record the run in the block, if the Tasker is to; the block tells what it left."""
    if not task.tasker.record:
        yield lambda state: None
        return
    from smttask.tasker.recording import recording  # with all that records need

    with recording(task, begun) as told:
        yield told


def _plain_files(task: TaskUnit, look: Look) -> dict[str, FileState]:
    """Files and folders that the function is to write itself and that are there already."""
    found = {
        path: look.aged(path)
        for output, path in zip(task.outs, task.output_paths, strict=True)
        if not isinstance(output, FormatFile)
    }
    return {path: state for path, state in found.items() if state is not None}


def _refuse_left(task: TaskUnit, earlier: Mapping[str, FileState], look: Look) -> None:
    """Raise if the function left a plain file as an earlier run, or somebody, had made it."""
    for path, state in earlier.items():
        if look.stat(path) == state:
            raise OutputError(
                f"Task {task.name!r} did not write {file_key(task.tasker.folder, path)!r}.",
                f"found: {path}, as it was before the run",
                "the function writes its plain files whenever it runs: what they are made from changed",
                task=task.name,
                path=path,
            )


def _store(task: TaskUnit, value: Any, look: Look) -> dict[str, FileState]:
    """Save what was returned for files of a format, and find the plain files."""
    folder = task.tasker.folder
    found = {}
    items = zip(task.outs, _split(task, value), strict=True)
    digests = [output.save(item) if isinstance(output, FormatFile) else "" for output, item in items]
    for path, digest in zip(task.output_paths, digests, strict=True):  # all saved: one may lie in another
        state = look.made(path, digest)
        if state is None:
            raise OutputError(
                f"Task {task.name!r} did not write {file_key(folder, path)!r}.",
                f"searched: {path}",
                "the function writes plain files itself, in the folder of the Tasker or at tsk.output_files; "
                "for one that saves what is returned use a format: JSON('a.json')",
                task=task.name,
                path=path,
            )
        found[file_key(folder, path)] = state
    return found


def _split(task: TaskUnit, value: Any) -> list[Any]:
    """What was returned for each output."""
    n = len(task.outs)
    if n == 1:
        return [value]
    if value is None and not any(isinstance(output, FormatFile) for output in task.outs):
        return [None] * n
    if isinstance(value, list | tuple) and len(value) == n:
        return list(value)
    what = f"{len(value)} values" if isinstance(value, list | tuple) else type(value).__name__
    outputs = ", ".join(os.path.basename(path) for path in task.output_paths)
    raise OutputError(
        f"Task {task.name!r} returned {what} for {n} outputs.",
        f"returned: {short_repr(value)}\noutputs: {outputs}",
        f"return a list or tuple of {n}, in the order of the outputs; None stands for a plain file",
        task=task.name,
    )
