"""A recorded task as the runner sees it: a computation whose result is kept on disk."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smttask.code.fingerprint import CodeFingerprint
from smttask.code.source import MAIN_NAMES
from smttask.errors import InputError, OutputError, SmttaskError, short_repr
from smttask.formats.pickle import PickleFormat
from smttask.hashing import hash_file
from smttask.identity.standing import still_stand
from smttask.project import Project
from smttask.records.record import DataKey
from smttask.runner import UnitFacts, data_key
from smttask.storage.manifest import Head
from smttask.storage.newrun import NewRun
from smttask.tasks.codechanges import code_differences
from smttask.tasks.composition import iter_leaves
from smttask.tasks.description import describe_task
from smttask.tasks.evaluation import RunOptions, Session
from smttask.tasks.mainmodule import main_path, reached_source
from smttask.tasks.naming import main_place
from smttask.tasks.outputforms import is_pickled
from smttask.tasks.remembered import Remembered
from smttask.tasks.task import Task
from smttask.tasks.watching import combined_code
from smttask.typing.files import InputDir, InputFile
from smttask.typing.ownership import freeze_own

if TYPE_CHECKING:
    from smttask.tasks.recorded import Recorded

__all__ = ["StoredUnit", "manifest_keys"]

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class StoredUnit:
    """One recorded task as the runner sees it."""

    def __init__(self, task: Recorded[Any], session: Session, options: RunOptions) -> None:
        self.task = task
        self.session = session
        self.options = options
        self.name = task.name
        self.key = task.stored_key()
        self._element_names: dict[str, list[str]] = {}

    @Remembered
    def fingerprint(self) -> CodeFingerprint:
        """Its own code and that of the classes of its inputs, that of upstream tasks left out."""
        return self.task.code_fingerprint

    @Remembered
    def code(self) -> str:
        """Name of its code and of what made the upstream results at hand, which may be older."""
        upstream = [self.session.code_of(parent) for parent in self.task.upstream]
        return combined_code(self.fingerprint.digest, upstream)

    @property
    def code_policy(self) -> str | None:
        """Its own policy on changed code; None for that of the settings."""
        if self.task.home_module in MAIN_NAMES:  # a cell that was run again says so by itself
            return "recompute"
        policy: str | None = self.task._options["on_code_change"]
        return policy

    @property
    def sourced_files(self) -> tuple[str, ...]:
        """Files of which git need not hold the code, since the manifest holds it."""
        path = main_path() if self.task.home_module in MAIN_NAMES else None
        return () if path is None else (str(path),)

    def is_same(self, rest: Mapping[str, Any]) -> bool:
        """Whether a stored result whose manifest has this rest is of the same inputs."""
        return still_stand(rest["defaults"], self.session.standing_defaults(self.task))

    def changed_code(self, rest: Mapping[str, Any], results: Path) -> list[str]:
        """Which functions of it and of the tasks it depends on are others than then, in words."""
        differences = code_differences(self.task, self.fingerprint.parts, rest, self.session, results)
        return [str(difference) for difference in differences]

    def call(self) -> Any:
        """Compute; what the function returned."""
        holder = [self.task._call_function(self.session, self._name_elements)]
        freeze_own(holder)
        self._check_files("while the task ran; the run does not count")
        return holder.pop()

    def split(self, returned: Any) -> tuple[dict[str, Any], str]:
        """Outputs by name, validated, and the outcome for the record."""
        holder: list[Any] = [*self.task.output_spec.split(returned, self._element_names)]
        freeze_own(holder)  # what conversion made
        return holder[0], holder[1]

    def _name_elements(self, inputs: Mapping[str, Any]) -> None:
        """Ask for the names of elements that are stored one by one, before anything is computed."""
        spec = self.task.output_spec
        self._element_names = {
            name: form.element_names(inputs, self.name) for name, form in spec.forms.items() if form.separate
        }

    def save_output(self, new_run: NewRun, name: str, value: Any) -> Any:
        """Store one output; what the caller gets for it."""
        form = self.task.output_spec.form_of(name)
        if form.is_file and value is not None:
            return new_run.take_file(name, value)
        if form.is_pickled:
            self._save_pickle(new_run, name, value)
        else:
            new_run.save_output(name, value, inline=form.separate is None)
        return value

    def _save_pickle(self, new_run: NewRun, name: str, value: Any) -> None:
        try:
            new_run.save_output(name, value, format=PickleFormat())
        except SmttaskError:
            raise
        except Exception as error:  # what a foreign __reduce__ raises can be anything
            raise OutputError(
                f"Task {self.name!r}: {self.task.output_spec.form_of(name).label} cannot be pickled.",
                f"found: {short_repr(value)}\n{type(error).__name__}: {error}",
                "return an object of a class that can be imported, without open files, locks or lambdas",
            ) from error

    def may_unpickle(self, name: str) -> bool:
        """Whether the task declares that the output stored under this name is a pickle."""
        return is_pickled(self.task.output_spec.forms.values(), name)

    def facts(self, project: Project) -> UnitFacts:
        """What the record and the manifest say of it, once its upstream values are there."""
        self._check_files("since the task was constructed")
        task, session = self.task, self.session
        upstream = {}
        for parent in task.upstream:
            code, head = session.code_of(parent), session.heads.get(parent.session_key)
            facts = {"name": parent.name, "code": code, "label": head.label if head else ""}
            upstream[parent.record_key] = facts
        parameters = describe_task(
            task,
            on_large=lambda value: project.data.put_value(value),
            leave_out=lambda parent: _reference(parent, session),
            get_key=lambda task: task.record_key,
        )
        reason = self.options.reason if self.options.reason is not None else task.reason
        return UnitFacts(
            code=self.code,
            module=task.__wrapped__.__module__,
            main_file=_main_file(task.home_module, project.root),
            parameters_text=_encode(parameters),
            defaults=session.standing_defaults(task),
            upstream=upstream,
            input_data=tuple(self._input_data(project)),
            output_names=task._signature.outputs.names,
            reason=reason,
            source=self._source(),
            script_arguments=" ".join(part for part in (task.name, self.options.source) if part),
        )

    def _source(self) -> str:
        """The text of the cells of a task of ``__main__``."""
        if self.task.home_module not in MAIN_NAMES:
            return ""
        return reached_source(self.task.main_definition, self.fingerprint.parts)

    @Remembered
    def _input_files(self) -> list[InputFile | InputDir]:
        """The data files among the inputs, and those that the digests of upstream tasks name."""
        leaves = iter_leaves(self.task.raw_inputs)
        files = [leaf for leaf in leaves if isinstance(leaf, InputFile | InputDir)]
        stack = [*self.task.upstream] if self.task.has_late_digest else []
        seen: set[str] = set()
        while stack:
            current = stack.pop()
            if current.session_key not in seen and current.session_key not in self.session.heads:
                seen.add(current.session_key)
                files += current.named_files
                stack += current.upstream
        return list(dict.fromkeys(files))

    def _check_files(self, when: str) -> None:
        for file in self._input_files:
            if file.changed():
                raise InputError(
                    f"Task {self.name!r} ({self.task.digest}): "
                    f"the input {file.kind} {file.path} changed {when}.",
                    f"expected: content {file.digest}",
                    "construct the task again, so that it names the file as it is now",
                    place=str(file.path),
                )

    def _input_data(self, project: Project) -> list[DataKey]:
        keys: list[DataKey] = []
        used: dict[str, Head] = {}
        for parent in self.task.upstream:
            used.update(self.session.heads_behind(parent))
        for head in used.values():
            keys += manifest_keys(head, project)
        for given in self._input_files:
            files = given.files if isinstance(given, InputDir) else [(given.path, given.digest)]
            keys += [_file_key(path, digest, project) for path, digest in files]
        return keys


def _file_key(path: Path, digest: str, project: Project) -> DataKey:
    stat = path.stat()
    created = datetime.fromtimestamp(stat.st_mtime, UTC)
    return data_key(path, project.data.input_dir, project, size=stat.st_size, blake3=digest, created=created)


def manifest_keys(head: Head, project: Project) -> list[DataKey]:
    """How a record names a result that was used; nothing if it was deleted since it was loaded."""
    path = head.path
    try:
        stat, blake3 = path.stat(), hash_file(str(path))
    except FileNotFoundError:
        return []
    created = datetime.fromtimestamp(stat.st_mtime, UTC)
    root = project.data.input_dir
    return [DataKey.of_file(path, root, size=stat.st_size, blake3=blake3, created=created)]


def _reference(parent: Task[Any], session: Session) -> Any:
    """How a record names an upstream task: a stored one by digest and label, another is described whole."""
    head = session.heads.get(parent.session_key)
    return None if head is None else {"$task": parent.digest, "label": head.label}


def _main_file(module: str, root: Path) -> str:
    """The module's file, relative to the project, or to where it is imported from."""
    if module in MAIN_NAMES:
        return main_place(module)
    return _relative_file(module, getattr(sys.modules.get(module), "__file__", None), root)


@lru_cache(maxsize=256)
def _relative_file(module: str, file: str | None, root: Path) -> str:
    if file is None:
        return ""
    path = Path(file).resolve()
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    tail = module.replace(".", "/")
    return f"{tail}/{path.name}" if path.name == "__init__.py" else f"{tail}{path.suffix}"
