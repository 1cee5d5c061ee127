"""One task of a folder: called, loaded, run, cleared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smttask.errors import ResultNotFoundError, SignatureError
from smttask.protocols import Runnable, Wiring
from smttask.storage.atomic import storage_error, unlink_if_there
from smttask.tasker.conf import Conf
from smttask.tasker.definition import Definition
from smttask.tasker.files import FormatFile
from smttask.tasker.inputs import Needs, needs_of
from smttask.tasker.judging import Stale, Walk
from smttask.tasker.reporting import judge
from smttask.tasker.running import locked
from smttask.tasker.state import file_key, read_state, state_path, write_state
from smttask.tasker.taskcode import TaskCode
from smttask.tasker.taskprogress import Progress
from smttask.tasker.updating import Update

if TYPE_CHECKING:
    from smttask.tasker.directory import Tasker
    from smttask.tasker.using import Use

__all__ = ["TaskUnit"]


class TaskUnit(Wiring, Runnable):
    """A function of a Tasker with what goes in and what it stores; the decorators make it.

    The function gets it as its first argument.

    Attributes
    ----------
    func
        The function.
    tasker
        The Tasker that it belongs to.
    ins
        Inputs by argument, as they were given; of ``create_task`` what was given as `ins`.
    outs
        Outputs: files of a format, and absolute paths of plain files.
    """

    has_late_digest = True  # it is named by what it stores

    def __init__(self, tasker: Tasker, definition: Definition, use: Use | None = None) -> None:
        self.tasker = tasker
        self.definition = definition
        self.use = use
        self.name = self.__name__ = self.__qualname__ = definition.name
        self.__doc__ = definition.doc
        self.__module__ = getattr(definition.function, "__module__", None) or "__main__"
        self.func = definition.function
        self.ins: Any = definition.inputs["ins"] if definition.takes_ins else dict(definition.inputs)
        self.outs: list[FormatFile | Path] = [
            output.at(tasker.p)
            if isinstance(output, FormatFile)
            else Path(os.path.normpath(os.path.join(tasker.folder, output)))
            for output in definition.outputs
        ]
        self.output_paths = tuple(
            os.path.normpath(output.path if isinstance(output, FormatFile) else output)
            for output in self.outs
        )
        self.output_keys = tuple(file_key(tasker.folder, path) for path in self.output_paths)
        if len(set(self.output_paths)) < len(self.output_paths):
            raise SignatureError(
                f"Task {self.name!r} stores a file twice.",
                f"found: {', '.join(self.output_paths)}",
                "give each output its own name",
            )

    # ------------------------------------------------------------ what it is

    @property
    def p(self) -> Path:
        """The folder, absolute."""
        return self.tasker.p

    @property
    def conf(self) -> Conf:
        """Values of the Tasker."""
        return self.tasker.conf

    @property
    def needs(self) -> Needs:
        """Files and tasks that go in, as they are defined now."""
        return needs_of(self)

    @property
    def input_files(self) -> list[Path]:
        """Absolute paths of the files among its inputs, also of those that a task of the Tasker stores."""
        return [Path(path) for path in self.needs.named_files]

    @property
    def output_files(self) -> list[Path]:
        """Absolute paths of what it stores."""
        return [Path(path) for path in self.output_paths]

    @property
    def input_tasks(self) -> list[TaskUnit]:
        """Tasks that it depends on directly."""
        return list(self.needs.tasks)

    def __repr__(self) -> str:
        return f"<task {self.name} of {self.tasker.folder}>"

    @property
    def digest(self) -> str:
        """What the records of its runs have as digest: of the folder, in its project, and the name.

        Raises
        ------
        ProjectError
            If there is no project around the folder.
        """
        from smttask.tasker.recording import project_of, record_digest  # with numpy and pydantic

        return record_digest(self, project_of(self.tasker.p))

    def stand_in(self) -> Runnable:
        """What stands for it among the inputs of smttask's own tasks."""
        from smttask.tasker.bridge import stand_in  # with numpy and pydantic

        return stand_in(self)

    # ------------------------------------------------------------ what it does

    def __call__(self, *, wait: bool = False) -> Any:
        """Bring all it depends on, and itself, up to date; return its value.

        A value is a fresh one each time. Several outputs come as a list, plain files as paths.

        Parameters
        ----------
        wait
            Wait while another process runs one of the tasks.

        Raises
        ------
        LockError
            If another process runs one of the tasks, and `wait` is false.
        DefinitionError
            If tasks depend on each other in a circle.
        OutputError
            If a function did not return or write what its task stores.
        Exception
            What a function raises; a note names task and folder.
        """
        return Update([self], wait=wait).value(self)

    def update(self, *, wait: bool = False) -> None:
        """Do what calling does, but give no value; a task without outputs is not run itself.

        Errors are those of calling.
        """
        Update([self], wait=wait).bring()

    def force(self, *, wait: bool = False) -> Any:
        """Bring up to date what it depends on, run it whatever it stored, and return its value.

        Errors are those of calling.
        """
        return Update([self], wait=wait, forced=[self]).value(self)

    def run(self, *, wait: bool = False) -> Any:
        """Run this task alone, on its inputs as they are, and return its value.

        Raises
        ------
        ResultNotFoundError
            If an input is not there.
        LockError
            If it is running already, and `wait` is false.
        """
        return Update([self], wait=wait).run_alone(self)

    def load(self) -> Any:
        """The stored value; runs nothing and does not look whether it is up to date.

        Raises
        ------
        ResultNotFoundError
            If it is not there, or not whole.
        """
        if not self.output_paths:
            raise ResultNotFoundError(
                f"Task {self.name!r} of {self.tasker.folder} stores nothing.",
                "it is computed when it is called",
                "call it, or give it outputs: @t.stores(…)",
            )
        state = read_state(self.tasker.folder, self.name)
        missing = [path for path in self.output_paths if not os.path.lexists(path)]
        if missing or (state is not None and not state.is_finished):
            raise ResultNotFoundError(
                f"No stored result for task {self.name!r} of {self.tasker.folder}.",
                f"missing: {', '.join(missing)}" if missing else "its last run did not finish",
                "call the task to make it",
            )
        return self.read_outputs()

    def read_outputs(self) -> Any:
        """What the files hold: one value, or a list of several."""
        if self.use is not None:
            self.use.bring_forward()  # a value may be of a class of the taskfile
        values = [output() if isinstance(output, FormatFile) else output for output in self.outs]
        return values[0] if len(values) == 1 else values

    def is_current(self) -> bool:
        """Whether it and all it depends on are up to date; runs nothing. Errors are those of `report`."""
        return judge([self]).is_done(self)

    def report(self) -> list[Stale]:
        """The stale tasks, this one and those it depends on, in the order in which they would run.

        Each has the reason as `.why`, and counts as its task: ``t.one in t.two.report()``. Nothing is run.

        Raises
        ------
        DefinitionError
            If tasks depend on each other in a circle.
        StorageError
            If a file cannot be read.
        """
        return judge([self]).stale()

    def accept(self) -> None:
        """Mark what it stored as still valid, though code that made it changed.

        Raises
        ------
        ResultNotFoundError
            If it stored nothing, or is stale for another reason.
        LockError
            If it is running.
        """
        with locked(self, wait=False):
            walk = Walk([self])
            state, seen, found = walk.judged(self)
            reasons = [why for why in found.reasons if not why.startswith("code: ")]
            if state is None or reasons:
                raise ResultNotFoundError(
                    f"Task {self.name!r} of {self.tasker.folder} has nothing to accept.",
                    f"found: {reasons[0] if reasons else 'no state file'}",
                    "call the task to make it",
                )
            write_state(self.tasker.folder, self.name, replace(state, code=seen.code))

    def clear(self) -> None:
        """Delete the files and folders that it stored.

        Raises
        ------
        ResultNotFoundError
            If it stores nothing.
        LockError
            If it is running.
        """
        if not self.output_paths:
            raise ResultNotFoundError(
                f"Task {self.name!r} of {self.tasker.folder} stores nothing, so there is nothing to clear.",
                "it has no outputs",
                "clear the tasks that it depends on: see input_tasks",
            )
        with locked(self, wait=False):
            _remove(self.output_paths)  # the state last: outputs without one would count by their times
            with suppress(FileNotFoundError):
                os.unlink(state_path(self.tasker.folder, self.name))
            self.progress.forget()

    @cached_property
    def code(self) -> TaskCode:
        """The code of the function, with all it reaches in the project."""
        return TaskCode(self)

    @cached_property
    def progress(self) -> Progress:
        """Tells how far the function is: ``tsk.progress.working(3, 10)``, ``tsk.progress.tally(items)``."""
        return Progress(self.p, self.name, always=bool(self.output_paths))


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                unlink_if_there(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise storage_error(f"Cannot delete {os.path.basename(path)}.", path, error) from error
