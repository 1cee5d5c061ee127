"""Tasks of Taskers among the inputs of other tasks, and those of smttask among the inputs of a Tasker's.

``Analyze(data=t.summary)``: in the place of `t.summary` stands a `TaskerTask`, which gives what
calling `t.summary` gives. What names it is the content of the files that the task stores, found
when a digest is first asked for, after they were brought up to date. So the digest of `Analyze` is
another when they came out different, and no value is loaded where its result is stored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast
from weakref import WeakValueDictionary

from blake3 import blake3

from smttask.code.fingerprint import CodeFingerprint
from smttask.errors import CodeChangedError, InputError, PackageChangedError, TaskfileError
from smttask.identity.canonical import canonical_bytes
from smttask.identity.digest import digest
from smttask.project import current_project
from smttask.protocols import Runnable
from smttask.storage.manifest import OutputEntry
from smttask.tasker.discovery import find_taskfile, use
from smttask.tasker.ordering import Graph
from smttask.tasker.state import State, file_key, read_state
from smttask.tasks import naming
from smttask.tasks.evaluation import RunOptions, Session
from smttask.tasks.explanation import Explanation
from smttask.tasks.recorded import Recorded
from smttask.tasks.signature import Signature
from smttask.tasks.task import Task
from smttask.tasks.unpure import Unpure
from smttask.typing.files import InputDir, InputFile
from smttask.typing.ownership import freeze_own, owned

if TYPE_CHECKING:
    from smttask.tasker.directory import Tasker
    from smttask.tasker.unit import TaskUnit

__all__ = ["TaskerTask", "key_of", "result_names", "stand_in"]

_taskers: WeakValueDictionary[str, Tasker] = WeakValueDictionary()
"""By folder: the Tasker whose task was last given to a task of smttask."""


def _function(
    folder: Path, task: str, taskfile: str = "taskfile.py", taskfile_sub: str = "taskfile_sub.py"
) -> Any:
    return None


_function.__name__ = _function.__qualname__ = "TaskerTask"


class TaskerTask(Unpure[Any]):
    """A task of a Tasker as one of smttask's: its value is what calling it gives.

    The digest is fixed for each object when it is first asked for, and names the files
    as they were then; an object whose files changed since refuses to compute with others.

    Parameters
    ----------
    folder
        Of the Tasker, absolute.
    task
        Its name.
    taskfile, taskfile_sub
        Names of the file that makes the Tasker in another process, in the folder and above it.
    """

    _signature = Signature(_function)
    _identity = ("smttask.tasker", "TaskerTask")
    full_name = "smttask.tasker:TaskerTask"
    _options: ClassVar[Mapping[str, Any]] = {}
    __wrapped__ = _function
    __signature__ = _signature.inspected

    #: What it was made of, in the process where it was.
    _given: TaskUnit | None = None
    _tasker: Tasker | None = None

    @property
    def name(self) -> str:
        """Name of the Tasker's task."""
        return cast("str", self._values["task"])

    @property
    def unit(self) -> TaskUnit:
        """The Tasker's task, as it is defined now.

        Raises
        ------
        TaskfileError
            If this process has no such Tasker and no taskfile of the project makes one, or not this task.
        """
        folder = cast("Path", self._values["folder"])
        if self._tasker is None:
            known = _taskers.get(str(folder))
            is_known = known is not None and self.name in known.tasks
            self._tasker = known if is_known else self._used(folder)
        tasker = cast("Tasker", self._tasker)
        if self.name not in tasker.tasks:
            raise TaskfileError(
                f"The Tasker of {folder} has no task {self.name!r}.",
                f"found: {', '.join(tasker.tasks) or 'none'}",
                "define the task again, or construct anew what depends on it",
            )
        return tasker.tasks[self.name]

    def _used(self, folder: Path) -> Tasker:
        """The Tasker that the taskfile makes, which is executed only if it lies in the project."""
        names = {name: self._values[name] for name in ("taskfile", "taskfile_sub")}
        taskfile = Path(find_taskfile(str(folder), **names))
        project = current_project()
        # Without its name, which could be that of a package that is trusted wherever it lies
        if project is None or not project.scope.contains_source("", str(taskfile)):
            raise TaskfileError(
                f"Task {self.name!r} of {folder} is not run from a description.",
                f"found: its taskfile {taskfile} is not of "
                + (f"the project {project.root}" if project else "a project, and there is none here"),
                f"move the taskfile into the project, or construct the task with one of "
                f"smttask.tasker.use({str(folder)!r})",
                taskfile=str(taskfile),
            )
        return use(folder, **names)

    # -- what it is called

    @classmethod
    def path_root(cls) -> None:
        """No folder: that of the Tasker is named by its absolute path, in whatever project."""

    @property
    def code_fingerprint(self) -> CodeFingerprint:
        """Nothing: whether the code counts is for the Tasker to say; here the files count that it made."""
        return CodeFingerprint("", {}, (), ())

    @property
    def unsavable(self) -> str:
        """Why another process cannot make the Tasker; empty if it can."""
        unit = self._given
        if unit is None or (unit.use is not None and unit.use.folder == unit.tasker.p):
            return ""
        return f"the Tasker of {unit.tasker.folder} was not made by a taskfile"

    @property
    def how_to_save(self) -> str:
        """What to do if it is `unsavable`."""
        return "define its tasks in `use(dir)` of a taskfile.py, and make it by smttask.tasker.use(dir)"

    def _late_digests_from(self, session: Session) -> tuple[str, str]:
        """The digest of the files that the task stores, or of its value if it stores none, twice."""
        unit = self.unit
        if not unit.output_paths:
            found = super()._late_digests_from(session)
            self.named_files = _files_of(unit)
            return found
        unit.update(wait=True)
        self.named_files = _files_of(unit)
        name = digest(canonical_bytes(list(self.named_files), full=True, place="result"))
        return name, name

    # -- its result

    @property
    def _memory_key(self) -> Hashable:
        """Of this object alone: another one looks anew whether the value is up to date."""
        return (self._identity, self.session_key)

    @property
    def has_run(self) -> bool:
        """Whether the value could be had without running a task that stores something."""
        return self.unit.is_current() if self.unit.output_paths else super().has_run

    def recall(self, session: Session, options: RunOptions) -> tuple[bool, Any]:
        """Whether the result is at hand, and the result."""
        if not self.unit.output_paths:
            return super().recall(session, options)
        if options.recompute or (self._found_digests is None and not self.unit.is_current()):
            return False, None
        self.last_hit = "disk"
        return True, self._loaded()

    def compute(self, session: Session, options: RunOptions) -> Any:
        """The result, after the task was brought up to date."""
        unit = self.unit
        if not unit.output_paths:
            return super().compute(session, options)
        if options.recompute:
            unit.force(wait=True)
        else:
            unit.update(wait=True)
        self.last_hit = "computed"
        return self._loaded()

    def _call(self, session: Session) -> Any:
        """The value of a task that stores nothing."""
        return _frozen(self.unit(wait=True))

    def _loaded(self) -> Any:
        """What the files hold, if they are still those that the digest names."""
        value = self.unit.load()
        for file in self.named_files:
            if file.changed():
                raise InputError(
                    f"Task {self.name!r} of {self._values['folder']} ({self.digest}): "
                    f"its {file.kind} {file.path} changed since the digest was found.",
                    f"expected: content {file.digest}",
                    "construct anew the task that it is an input of",
                    place=str(file.path),
                )
        return _frozen(value)

    def _explained(self, session: Session, options: RunOptions, name: str) -> Explanation:
        if not self.unit.output_paths:
            return super()._explained(session, options, name)
        stale = self.unit.report()
        reason = f"{stale[0].task.name}: {stale[0].why}" if stale else "up to date"
        return Explanation(self.name, name, not stale, reason, where="" if stale else "disk")

    def __repr__(self) -> str:
        folder = Path(self._values["folder"])
        shown = f"…/{folder.parent.name}/{folder.name}" if len(folder.parts) > 3 else folder
        return f"<task {self.name} of {shown}>"  # the end tells folders apart where texts are cut

    def _searched(self) -> str:
        return str(self._values["folder"])


naming.remember(TaskerTask)


def stand_in(unit: TaskUnit) -> TaskerTask:
    """What stands for `unit` among the inputs of a task."""
    tasker, names = unit.tasker, {}
    if unit.use is not None:
        taskfile = unit.use.taskfile
        names = {"taskfile" if taskfile.parent == tasker.p else "taskfile_sub": taskfile.name}
    task = TaskerTask(folder=tasker.p, task=unit.name, **names)
    task._given, task._tasker = unit, tasker
    _taskers[tasker.folder] = tasker
    return task


def _files_of(unit: TaskUnit) -> tuple[InputFile | InputDir, ...]:
    """What a task that is up to date stores, or, if nothing, what was stored for it: as states tell it."""
    storing = {unit: unit.output_paths} if unit.output_paths else Graph([unit]).behind(unit).storing
    found: list[InputFile | InputDir] = []
    for task, paths in storing.items():
        folder = task.tasker.folder
        outputs = (read_state(folder, task.name) or State()).outputs
        for path in paths:
            known = outputs.get(file_key(folder, path))
            kind = InputDir if os.path.isdir(path) else InputFile
            found.append(kind(path, known.blake3 or None if known else None))
    return tuple(found)


def _frozen(value: Any) -> Any:
    """`value`, which nobody else has, as several tasks may be given it."""
    holder = [value]
    freeze_own(holder)
    return owned(holder.pop())


def key_of(task: Runnable) -> str:
    """What a task of smttask is called in the state of a task that it is an input of; runs nothing."""
    known = cast("Task[Any]", task)
    return f"{known.name}({known.description_key})"


def result_names(task: Runnable) -> dict[str, str]:
    """What names the result that a task of smttask would give without computing it; empty if it would.

    Of a stored result these are the digests of its outputs, by their names; of one that stays in
    memory what decides it besides the inputs: the code, or what an unpure task gave.
    """
    known = cast("Task[Any]", task)
    if known.unpure_to_run() is not None:
        return {}
    if isinstance(known, Recorded) and not known.stays_in_memory:
        try:
            head = known.find_head()
        except (CodeChangedError, PackageChangedError):  # whoever runs it is told
            return {}
        return {} if head is None else {name or "result": _name_of(e) for name, e in head.outputs.items()}
    with Session.current() as session:
        named = {"digest": known.digest} if known.has_late_digest else {}
        return {**named, "code": session.expected_code(known)}


def _name_of(entry: OutputEntry) -> str:
    """The digest of an output: of its file, or of the form that stands in the manifest."""
    told = [entry.json] if entry.file is None else [content for _, _, content in entry.files]
    return blake3(json.dumps([entry.format, *told], sort_keys=True).encode()).hexdigest(length=20)
