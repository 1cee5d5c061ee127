"""Recorded tasks: results on disk, every run a record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from smttask.code.source import MAIN_NAMES
from smttask.errors import (
    CodeChangedWarning,
    NotRecordableError,
    NotRecordedWarning,
    OutputError,
    RecordNotFoundError,
    RecordStoreError,
    ResultNotFoundError,
    warn,
)
from smttask.project import Project, current_project, get_current_project
from smttask.protocols import view_registry
from smttask.runner import (
    Stored,
    compute_stored,
    find_any_code,
    find_stored,
    load_stored,
    temporary_dir,
    working_in,
)
from smttask.settings import config
from smttask.storage.acceptance import ACCEPTED_FILE, accept_result
from smttask.storage.layout import Key
from smttask.storage.manifest import Head
from smttask.tasks.evaluation import RunOptions, Session
from smttask.tasks.explaining import explain_stored
from smttask.tasks.explanation import Explanation
from smttask.tasks.mainmodule import main_source
from smttask.tasks.memory import memory
from smttask.tasks.outputforms import is_pickled
from smttask.tasks.stored import StoredUnit
from smttask.tasks.task import Task
from smttask.tasks.tracking import track
from smttask.typing.ownership import fresh

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Recorded"]

R = TypeVar("R", covariant=True)

_warned: set[type] = set()


class Recorded(Task[R]):
    """A task whose result is stored on disk and whose runs are recorded."""

    is_recorded: ClassVar[bool] = True
    lives_in_session: ClassVar[bool] = False
    #: Set if the last run was stored but could not be recorded.
    record_error: RecordStoreError | RecordNotFoundError | None = None

    # -- for evaluation

    def recall(self, session: Session, options: RunOptions) -> tuple[bool, Any]:
        """Whether the result is at hand, and the result."""
        project = self._project(options)
        if options.recompute:
            return False, None
        code = session.expected_code(self)
        if project is None or self._is_cached(options, project):
            found, kept = self._find_in_memory(project, code)
            if found:
                if project is not None and kept[1] is not None:
                    track(kept[1], project)
                return True, self._from_memory(kept, session, code)
        if project is None:
            return False, None
        unit = self._unit(session, options)
        head = find_stored(unit, project, code)
        if head is None:
            return False, None
        stored = load_stored(head, project, mmap=options.mmap, may_unpickle=unit.may_unpickle)
        if stored is None:
            return False, None
        return self._arrive(stored, session, options, project)

    def compute(self, session: Session, options: RunOptions) -> Any:
        """The result, computed; those of the upstream tasks are in the session."""
        project = self._project(options)
        if project is None:
            return self._compute_in_memory(session, options, session.used_code(self))
        unit = self._unit(session, options)
        code = unit.code
        stored = compute_stored(unit, project, code, recompute=options.recompute, mmap=options.mmap)
        found, value = self._arrive(stored, session, options, project)
        if not found:
            stored = compute_stored(unit, project, code, recompute=True, mmap=options.mmap)
            found, value = self._arrive(stored, session, options, project)
        return value

    def _arrive(
        self, stored: Stored, session: Session, options: RunOptions, project: Project
    ) -> tuple[bool, Any]:
        """The result made of stored outputs; not found if they do not fit the annotation of today."""
        outputs = stored.outputs
        if not stored.computed:
            try:
                outputs = self.output_spec.validated(outputs)
            except OutputError as error:
                warn(f"A stored result is not used: {error}", CodeChangedWarning)
                return False, None
        else:
            outputs = self.output_spec.grouped(outputs)
        value = self.output_spec.join(outputs)
        if stored.computed:  # the function may keep what it returned, such as a buffer to fill anew
            value = fresh(value)
        session.codes[self.session_key] = stored.head.code
        session.heads[self.session_key] = stored.head
        self.last_hit = "computed" if stored.computed else "disk"
        self.record_error = stored.record_error
        track(stored.head, project)
        if not options.mmap and self._is_cached(options, project):
            kept = (value, stored.head, project.setting("on_package_change"))
            memory.keep(self._memory_key(project), kept, stored.head.code)
        return True, value

    def _compute_in_memory(self, session: Session, options: RunOptions, code: str) -> Any:
        key = self._memory_key(None)
        with memory.computing(key):
            found, kept = memory.find(key, code)
            if found and not options.recompute:
                return self._from_memory(kept, session, code)
            with working_in(temporary_dir()):
                value = self._call(session)
            memory.keep(key, (value, None, ""), code)
        self.last_hit = "computed"
        session.codes[self.session_key] = code
        return value

    def _find_in_memory(self, project: Project | None, code: str) -> tuple[bool, Any]:
        """Whether the result is kept in memory, and the result as `_from_memory` takes it.

        One that was found under another policy on changed packages is not used: the policy of now
        has not looked at it.
        """
        found, kept = memory.find(self._memory_key(project), code)
        if found and project is not None:
            policy = project.setting("on_package_change")
            if policy not in ("ignore", kept[2]):
                return False, None
        return found, kept

    def _from_memory(self, kept: tuple[Any, Head | None, str], session: Session, code: str) -> Any:
        """A result kept in memory, with the head of its manifest if it is stored too."""
        value, head, _ = kept
        self.last_hit = "memory"
        session.codes[self.session_key] = code
        if head is not None:
            session.heads[self.session_key] = head
        return value

    def _is_cached(self, options: RunOptions, project: Project) -> bool:
        cache = options.cache if options.cache is not None else self._options["cache"]
        return bool(project.setting("cache_runs") if cache is None else cache)

    def _memory_key(self, project: Project | None) -> Hashable:
        return (self._identity, self.full_digest, None if project is None else project.root)

    # -- the project

    def _project(self, options: RunOptions) -> Project | None:
        """The project that keeps the result; None if it stays in memory."""
        module = self.home_module
        project = current_project(module)
        if module in MAIN_NAMES and not (
            project is not None and project.setting("allow_main") and main_source(self.main_definition)
        ):
            if options.asked:
                raise NotRecordableError(
                    f"Task {self.name!r} ({self.description_key}) cannot be recorded.",
                    "found: it is defined in __main__, which git does not keep",
                    "move it to a module of the project and import it, "
                    "or set `allow_main = true` to record it with the source of its cell",
                )
            self._warn_once()
            return None
        if project is None:
            return get_current_project(module) if config.record else None
        return project if project.setting("record") else None

    @property
    def main_definition(self) -> Callable[..., Any]:
        """The function or class that the code comes from, if it is of ``__main__``."""
        return type(self).__wrapped__

    def _warn_once(self) -> None:
        if config.record and type(self) not in _warned:
            _warned.add(type(self))
            warn(
                f"Task {self.name!r} is defined in __main__: its result stays in memory and is not recorded. "
                "Move it to a module of the project to have it recorded.",
                NotRecordedWarning,
            )

    # -- the stored result

    @property
    def _head(self) -> Head | None:
        """The head of the stored result, without a look at its code."""
        project = self._project(RunOptions())
        if project is None:
            return None
        with Session.current() as session:
            unit = self._unit(session, RunOptions())
            return find_any_code(unit, project, session.expected_code(self))

    def get_output(self, name: str = "") -> Any:
        """One output of the stored result that `load` would give; only its file is read.

        See `Task.get_output`.
        """
        project = self._project(RunOptions())
        if project is None:
            return super().get_output(name)
        head = self.find_head()
        parts = self.output_spec.parts(name, () if head is None else head.outputs)
        if head is None:
            raise self._not_found()
        verify = project.setting("verify")
        loaded = {
            part: project.data.load_output(
                head, part, verify=verify, allow_pickle=is_pickled(self.output_spec.forms.values(), part)
            )
            for part in parts
        }
        return self.output_spec.one(name, loaded)

    @property
    def stays_in_memory(self) -> bool:
        """Whether the result would be kept in memory alone, as that of a task of ``__main__``."""
        return self._project(RunOptions()) is None

    def find_head(self) -> Head | None:
        """The head of the stored result that `run()` would load; None if it would compute.

        None too if the result stays in memory.
        """
        project = self._project(RunOptions())
        if project is None:
            return None
        with Session.current() as session:
            unit = self._unit(session, RunOptions())
            return find_stored(unit, project, session.expected_code(self))

    def _unrecorded(self) -> ResultNotFoundError:
        if self.home_module in MAIN_NAMES:
            found = "it is defined in __main__, so its result stays in memory"
            remedy = (
                "move it to a module of the project and import it, "
                "or set `allow_main = true` to record it with the source of its cell"
            )
        else:
            found, remedy = "config.record is False, so its result stays in memory", "set it to True"
        return ResultNotFoundError(
            f"Task {self.name!r} ({self.description_key}) has no record.",
            f"found: {found}",
            remedy,
            task=self.name,
            digest=self.description_key,
        )

    def _searched(self) -> str:
        project = self._project(RunOptions())
        return "memory" if project is None else str(project.data.input_dir / self.folder)

    @property
    def has_run(self) -> bool:
        """Whether a result is stored; whether its code is of today is not asked."""
        if self._project(RunOptions()) is not None:
            return self._head is not None
        with Session.current() as session:
            return memory.find(self._memory_key(None), session.expected_code(self))[0]

    @property
    def record(self) -> Any:
        """The `RecordView` of the run that made the stored result; `ResultNotFoundError` if there is none."""
        project = self._project(RunOptions())
        if project is None:
            raise self._unrecorded()
        head = self._head
        if head is None:
            raise self._not_found()
        return view_registry.record_view(project, head.label)

    @property
    def folder(self) -> str:
        """Name of the task's folder in both stores."""
        return self.fixed_name or self.name

    def _unit(self, session: Session, options: RunOptions) -> StoredUnit:
        return StoredUnit(self, session, options)

    def stored_key(self) -> Key:
        """What the result is found by in the data store."""
        return Key(self.folder, self.digest, "", self.full_digest)

    @property
    def outputpaths(self) -> dict[str, Path]:
        """Name of each output -> the file that holds it: its own, or the manifest; empty if not run."""
        head = self._head
        return {} if head is None else {name: head.output_path(name) or head.path for name in head.outputs}

    @property
    def resultpaths(self) -> tuple[Path, ...]:
        """Every file of the stored result, the manifest first; empty if not run."""
        head = self._head
        if head is None:
            return ()
        names = [name for entry in head.outputs.values() for name, _, _ in entry.files]
        return (head.path, *(head.path.parent / name for name in names))

    def invalidate(self) -> bool:
        """Unlink the stored result, so that the next `run()` computes; the run and its record stay.

        Returns whether there was one.
        """
        self.clear()
        project = self._project(RunOptions())
        if project is None:
            return False
        with Session.current() as session:
            return project.data.invalidate(self._unit(session, RunOptions()).key)

    def accept(self) -> str:
        """Mark the stored result as still valid for the code of today; returns the label of its run.

        From then on it is loaded as if this code had made it. When the code changes again, the policy
        on changed code decides again. A result that this code made already stays as it is.

        Raises
        ------
        ResultNotFoundError
            If no result of these inputs is stored.
        """
        project = self._project(RunOptions())
        with Session.current() as session:
            code, unit = session.expected_code(self), self._unit(session, RunOptions())
            head = None if project is None else find_any_code(unit, project, code)
            if project is None or head is None:
                raise self._not_found()
            if head.code != code:
                noted_in = project.root / ACCEPTED_FILE
                accept_result(project.data.input_dir, unit.key, code, head, noted_in=noted_in)
        return head.label

    def _explained(self, session: Session, options: RunOptions, name: str) -> Explanation:
        project = self._project(options)
        if project is None or self._is_cached(options, project):
            if self._find_in_memory(project, session.expected_code(self))[0]:
                return Explanation(self.name, name, True, "in memory", where="memory")
            if project is None:
                return Explanation(self.name, name, False, "not in the memory of this process")
        return explain_stored(self, self._unit(session, options), project, session, options)

    def clear(self) -> None:
        """Drop the result from memory; on disk it stays."""
        memory.forget(self._memory_key(None))
        if (project := current_project(self.home_module)) is not None:
            memory.forget(self._memory_key(project))
