"""Runs of a Tasker's tasks as Sumatra records: ``Tasker(dir, record=True)``.

A record is open while the function runs, and closed when the state file is written. There is no
manifest: what the task stored stays in its folder, where the next run replaces it, and the record
has names, sizes and digests of the files as this run left them.

The parameters have the form of a task's description, so that all that looks into records
finds values in them. Of `conf` they hold all while the run is open, and what was read when it
has finished::

    {"format": 1, "task": d, "tasks": {d: {"name": "summary", "module": "taskfile", "made_by": "Tasker",
        "inputs": {"folder": "rats/rat1", "task": "summary", "conf": {…}, "upstream": {…}}}}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from smttask.code.fingerprint import CodeFingerprint
from smttask.code.source import MAIN_NAMES
from smttask.errors import NotRecordableError, ProjectError, SmttaskError, short_repr
from smttask.identity.canonical import canonical_bytes, named_bytes
from smttask.identity.digest import digest
from smttask.project import Project, find_project
from smttask.records.capture import captured_output
from smttask.records.parameters import MADE_BY_TASKER
from smttask.records.record import DataKey, Record
from smttask.runner import RunRecord, data_key, surroundings, usable_code
from smttask.storage.layout import Key, label_for
from smttask.storage.manifest import Head
from smttask.tasker.bridge import key_of
from smttask.tasker.conf import NAMES, plain
from smttask.tasker.looking import Look
from smttask.tasker.ordering import Behind, Graph
from smttask.tasker.state import FileState, State, file_key, file_path, read_state
from smttask.tasks.description import FORMAT
from smttask.tasks.mainmodule import main_path, main_source, reached_source
from smttask.tasks.naming import main_place
from smttask.tasks.recorded import Recorded
from smttask.tasks.stored import manifest_keys
from smttask.typing.jsonform import to_json

if TYPE_CHECKING:
    from smttask.tasker.unit import TaskUnit

__all__ = ["project_of", "record_digest", "recording"]

JSON = Any


def project_of(folder: Path | str) -> Project:
    """The project that keeps the records of a Tasker: the one around its folder.

    Raises
    ------
    ProjectError
        If there is none.
    """
    project = find_project(folder)
    if project is None:
        raise ProjectError(
            f"Runs in {folder} cannot be recorded: it is in no project.",
            f"searched: {folder} and the folders above it",
            "make the folder that holds code and data a project: smttask project init\n"
            "or leave out record=True",
        )
    return project


def record_digest(task: TaskUnit, project: Project) -> str:
    """What the records of a task have as its digest: of its name and of the folder, in the project."""
    folder = _placed(task.tasker.p, project)
    parts = {"folder": canonical_bytes(folder, root=project.root), "task": canonical_bytes(task.name)}
    return digest(named_bytes("smttask.tasker", parts))


@contextmanager
def recording(task: TaskUnit, begun: State) -> Iterator[Callable[[State], None]]:
    """Record the run of `task` that the block is, in the project around its folder.

    Where the setting `record` is off nothing is. The block gets a function to be called with the
    state of the task when all is stored and written.

    Parameters
    ----------
    begun
        What is known of the run before it starts: inputs and upstream outputs.

    Raises
    ------
    ProjectError
        If there is no project.
    NotRecordableError
        If the function is of a notebook, and the project does not allow that.
    UncommittedChangesError, StaleModuleError, RepositoryError
        If the code is not what git has or its file says.
    RecordStoreError
        If no record could hold the path of a file.
    """
    project = project_of(task.tasker.p)
    if not project.setting("record"):
        yield lambda state: None
        return
    run = _Run(task, begun, project)
    run.record.open()
    begin = perf_counter()
    stored: list[State] = []
    with captured_output() as captured:
        try:
            yield stored.append
        except BaseException as error:
            if os.getpid() == run.pid:  # else it is a child that the function forked
                duration_s = perf_counter() - begin
                if stored:  # interrupted when all was done
                    run.close(stored[0], duration_s, captured.text)
                else:
                    run.record.close_failed(error, duration_s, text=captured.text)
            raise
        duration_s, text = perf_counter() - begin, captured.text
    run.close(stored[0], duration_s, text)


class _Run:
    """One run, on its way into the record store."""

    def __init__(self, task: TaskUnit, begun: State, project: Project) -> None:
        self.pid = os.getpid()
        self.task = task
        self.project = project
        self.started = datetime.now(UTC)
        self._behind = Graph([task]).behind(task)
        name = self._name = record_digest(task, project)
        code = _code_of(task, self._behind)
        is_main = task.func.__module__ in MAIN_NAMES
        if is_main:
            _check_main(task, project)
        place = main_path() if is_main else None
        what = f"Task {task.name!r} of {task.tasker.folder}"
        state = usable_code(what, code, project, apart_from=() if place is None else (str(place),))
        self._source = ""
        if is_main:
            self._source = project.data.put_text(reached_source(task.func, code.parts), ".py")
        self._conf = {key: self._form(value) for key, value in plain(task.conf).items()}
        self._inputs = self._inputs_of(begun)
        folder = _placed(task.tasker.p, project)
        shown = folder.relative_to(project.root) if folder.is_relative_to(project.root) else folder
        record = Record(
            label=label_for(Key("", name), self.started),
            timestamp=self.started,
            task=task.name,
            module=task.func.__module__,
            digest=name,
            full_digest=name,
            parameters=self._text(self._inputs),
            main_file=main_place(task.func.__module__) if is_main else _main_file(task, project),
            script_arguments=f"{task.name} {shown}",
            working_directory=str(folder),
            input_data=tuple(self._input_keys(begun)),
            **surroundings(project, state),
        )
        missing = FileState(0, -1, 0, "")
        keys = [self._key(path, missing, project.data.output_dir) for path in task.output_paths]
        self.record = RunRecord(record, project, key_paths=[key.path for key in keys])

    def close(self, state: State, duration_s: float, text: str) -> None:
        """Close the record of a run that stored its outputs."""
        folder, root = self.task.tasker.folder, self.project.data.output_dir
        keys = [self._key(file_path(folder, key), file, root) for key, file in state.outputs.items()]
        read = {name: form for name, form in self._conf.items() if NAMES in state.conf or name in state.conf}
        others = {name: told.text for name, told in state.conf.items() if ":" in name}  # of other Taskers
        parameters = self._text({**self._inputs, "conf": {**others, **read}})
        self.record.close("finished", "", duration_s, text=text, output_data=keys, parameters=parameters)

    def _key(self, path: str, file: FileState, root: Path) -> DataKey:
        modified = datetime.fromtimestamp(file.mtime_ns / 1e9, UTC) if file.mtime_ns >= 0 else self.started
        place = _placed(Path(path).parent, self.project) / os.path.basename(path)
        return data_key(place, root, self.project, size=file.size, blake3=file.blake3, created=modified)

    # -- what goes into the record

    def _text(self, inputs: Mapping[str, JSON]) -> str:
        """The parameters, with these inputs."""
        entry: dict[str, JSON] = {"name": self.task.name, "module": self.task.func.__module__}
        entry |= {"made_by": MADE_BY_TASKER, "inputs": inputs}
        if self._source:
            entry["source"] = self._source
        tree = {"format": FORMAT, "task": self._name, "tasks": {self._name: entry}}
        return json.dumps(tree, separators=(",", ":"), allow_nan=False)

    def _inputs_of(self, begun: State) -> dict[str, JSON]:
        labels = {key: {"$task": one.digest, "label": head.label} for key, (one, head) in self._heads.items()}
        return {
            "folder": self._form(_placed(self.task.tasker.p, self.project)),
            "task": self.task.name,
            "conf": self._conf,
            "upstream": {key: labels.get(key, dict(used)) for key, used in begun.upstream.items()},
        }

    def _form(self, value: Any) -> JSON:
        """The JSON form of a value; a text for people where there is none."""
        data, root = self.project.data, self.project.root
        try:
            return to_json(value, on_large=data.put_value, root=root, allow_sources=True)
        except SmttaskError:
            return short_repr(value)

    @cached_property
    def _heads(self) -> dict[str, tuple[Recorded[Any], Head]]:
        """The stored results of recorded tasks that go in, by what the state calls these."""
        return {
            key_of(one): (one, head)
            for one in self._behind.recorded
            if isinstance(one, Recorded) and (head := one.find_head()) is not None
        }

    def _input_keys(self, begun: State) -> Iterator[DataKey]:
        """Files that go in, outputs of other tasks, and stored results."""
        folder, root = self.task.tasker.folder, self.project.data.input_dir
        for key, file in begun.inputs.items():
            if file is not None:
                yield self._key(file_path(folder, key), file, root)
        look = Look()
        for upstream, paths in self._behind.storing.items():
            state = read_state(upstream.tasker.folder, upstream.name) or State()
            for path in paths:
                known = state.outputs.get(file_key(upstream.tasker.folder, path))
                if (file := look.now(path, known)) is not None:
                    yield self._key(path, file, root)
        for _, head in self._heads.values():
            yield from manifest_keys(head, self.project)


def _placed(folder: Path, project: Project) -> Path:
    """The folder without the links that lead into the project, whose root has none."""
    real = Path(os.path.realpath(folder))
    return real if real.is_relative_to(project.root) else folder


def _code_of(task: TaskUnit, behind: Behind) -> CodeFingerprint:
    """All the code that makes the outputs: that of tasks without outputs before it too."""
    found = [one.code.fingerprint() for one in (task, *behind.silent)]
    return CodeFingerprint(
        digest="",
        parts={name: part for one in found for name, part in one.parts.items()},
        unresolved=tuple(dict.fromkeys(text for one in found for text in one.unresolved)),
        files=tuple(dict.fromkeys(file for one in found for file in one.files)),
        held=tuple(entry for one in found for entry in one.held),
    )


def _check_main(task: TaskUnit, project: Project) -> None:
    if project.setting("allow_main") and main_source(task.func):
        return
    raise NotRecordableError(
        f"The run of task {task.name!r} of {task.tasker.folder} cannot be recorded.",
        "found: it is defined in __main__, which git does not keep",
        "move it to a taskfile of the project, or set `allow_main = true` to record it with the source "
        "of its cell; or leave out record=True",
    )


def _main_file(task: TaskUnit, project: Project) -> str:
    """The file of the function, relative to the project."""
    code = getattr(task.func, "__code__", None)
    if code is None:
        return ""
    path = Path(os.path.realpath(code.co_filename))
    return path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else path.name
