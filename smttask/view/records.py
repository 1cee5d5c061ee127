"""One record: what is kept about a run, and the way back to its task and its result."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smttask.errors import DescriptionError, ResultNotFoundError
from smttask.project import Project
from smttask.records.parameters import path_steps
from smttask.records.query import Selection
from smttask.records.reading import parse_timestamp, split_status
from smttask.records.record import DataKey, Executable, Platform, Record, RepositoryAddress
from smttask.records.stores import SQLRecordStore
from smttask.storage.layout import SUFFIX_MARK, Key
from smttask.storage.manifest import Head, read_head
from smttask.view import html, text
from smttask.view.dependencies import Dependencies
from smttask.view.parameters import Parameters
from smttask.view.paths import ParameterValues, computed, value_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from smttask.tasks import Task
    from smttask.view.source import SourceText

__all__ = ["LIGHT_COLUMNS", "RecordView"]

# Read at once for many records; what is long or stands in other tables is read when it is asked for
LIGHT_COLUMNS = (
    *("id", "label", "timestamp", "task", "module", "digest", "full_digest", "manifest", "parameters"),
    *("main_file", "version", "reason", "outcome", "script_arguments", "user", "tags", "duration_s"),
)


class RecordView:
    """A record as it was when it was read; nothing is changed through it.

    Views come from a `RecordStoreView` and from ``task.record``.

    Attributes
    ----------
    label
        Unique name of the run.
    task_name, module, digest, full_digest
        Of the task.
    reason, outcome, user
        Text.
    version
        Commit of the code, in hex.
    main_file
        Source file of the task's module, relative to the project's root.
    script_arguments
        Name of the task, and the file that was given to ``smttask run`` if it was.

    Raises
    ------
    RecordNotFoundError
        If there is no such record.

    Examples
    --------
    >>> RSView().latest.get_param("model.sigma", 1.0)  # doctest: +SKIP
    0.25
    """

    def __init__(
        self,
        project: Project,
        label: str,
        *,
        store: SQLRecordStore | None = None,
        row: Sequence[Any] | None = None,
    ) -> None:
        self._project = project
        self._store = store or project.records
        if row is None:
            self._store.get(label)  # says what is wrong if there is none
            row = self._store.columns(Selection().with_labels(label), LIGHT_COLUMNS)[0]
        fields = dict(zip(LIGHT_COLUMNS, row, strict=True))
        self.id: int = fields["id"]
        self.label: str = fields["label"]
        self.task_name: str = fields["task"]
        self.module: str = fields["module"]
        self.digest: str = fields["digest"]
        self.full_digest: str = fields["full_digest"]
        self.reason: str = fields["reason"]
        self.outcome: str = fields["outcome"]
        self.user: str = fields["user"]
        self.version: str = fields["version"]
        self.main_file: str = fields["main_file"]
        self.script_arguments: str = fields["script_arguments"]
        self._timestamp: str = fields["timestamp"]
        self._duration_s: float | None = fields["duration_s"]
        self._tags: str = fields["tags"]
        self._manifest: str = fields["manifest"]
        self._parameters = Parameters(project, self._store, fields["parameters"], self.digest)

    # -- the run

    @property
    def timestamp(self) -> datetime:
        """Start of the run, aware, in UTC."""
        return parse_timestamp(self._timestamp)

    @property
    def duration(self) -> timedelta | None:
        """How long the run took; None while it is open or if it was killed."""
        return None if self._duration_s is None else timedelta(seconds=self._duration_s)

    @property
    def status(self) -> str:
        """One of ``initialized``, ``running``, ``finished``, ``crashed``, ``killed``; empty if unknown."""
        return split_status(self._tags)[0]

    @property
    def tags(self) -> frozenset[str]:
        """What users added; the status is not among them."""
        return split_status(self._tags)[1]

    @cached_property
    def _record(self) -> Record:
        return self._store.get(self.label)

    @property
    def diff(self) -> str:
        """What the working copy held beyond the commit."""
        return self._record.diff

    @property
    def stdout_stderr(self) -> str:
        """What the run printed, at most the last MB."""
        return self._record.stdout_stderr

    @property
    def dependencies(self) -> Dependencies:
        """The imported distributions, with their versions; a tuple that shows itself as a table."""
        return Dependencies(self._record.dependencies)

    @property
    def platform(self) -> Platform | None:
        """The machine."""
        return self._record.platform

    @property
    def executable(self) -> Executable:
        """The interpreter."""
        return self._record.executable

    @property
    def repository(self) -> RepositoryAddress:
        """Where the code is kept."""
        return self._record.repository

    @property
    def working_directory(self) -> str:
        """Folder of the run, absolute."""
        return self._record.working_directory

    @property
    def input_data(self) -> tuple[DataKey, ...]:
        """The files that the run read; paths are relative to the input store, or absolute."""
        return self._record.input_data

    @property
    def output_data(self) -> tuple[DataKey, ...]:
        """The files that the run wrote; paths are relative to the output store."""
        return self._record.output_data

    # -- the task

    @property
    def parameters(self) -> Any:
        """The description of the task, parsed; the text itself if another program wrote another form."""
        return self._parameters.tree

    @computed
    def params(self) -> ParameterValues:
        """The inputs by name, which completion shows: ``record.params.model.sigma``."""
        return ParameterValues(self._parameters)

    @property
    def forms(self) -> Parameters:
        """The inputs in the JSON forms that the record has them in."""
        return self._parameters

    @property
    def input_texts(self) -> dict[str, str]:
        """Each input by name, as people read it; works without the task's module."""
        return {name: self._parameters.text(form) for name, form in self._parameters.inputs().items()}

    def get_param(self, path: str, default: Any = None) -> Any:
        """The value of an input, or of a part of it; `default` where there is none.

        Parameters
        ----------
        path
            Names between dots, positions in brackets: ``"dt"``, ``"model.sigma"``,
            ``"x[0]"``. A path leads through tasks: ``"spectrum.window"`` is the
            input `window` of the task that is the input `spectrum`. Of a dataclass, model
            or task whose module is gone the parts are given, as a mapping, of an enum the name.

        Raises
        ------
        InputError
            If `path` is none.
        DescriptionError
            If a class within the value is gone.
        """
        found, form = self._parameters.find(str(path))
        return value_of(self._parameters, path_steps(str(path)), form) if found else default

    @cached_property
    def task(self) -> Task[Any]:
        """The task, made anew from the record and those of the tasks it depends on.

        Raises
        ------
        DescriptionError
            If its module or function is gone, or the record of an upstream task is.
        """
        return self._parameters.load_task()

    @property
    def task_type(self) -> type[Task[Any]]:
        """The task's type, as it is defined today.

        Raises
        ------
        DescriptionError
            If its module or function is gone.
        """
        return type(self.task)

    @cached_property
    def task_code(self) -> SourceText:
        """The source of the task's module at the commit of the run; `diff` has what was changed beyond it.

        Raises
        ------
        RepositoryError
            If the commit or the file is not in the repository.
        """
        from smttask.view.source import SourceText

        return SourceText(self._project.repository.read(self.version, self.main_file))

    # -- the result

    @property
    def head(self) -> Head:
        """The first line of the manifest of the run; `ResultNotFoundError` if it has no result."""
        try:
            if self._manifest:
                return read_head(self._project.data.output_dir / self._manifest)
            searched = "no manifest is named: another program made the record, or a Tasker, whose files stay"
            remedy = "what it wrote is listed in record.output_data"
        except FileNotFoundError as error:
            searched = f"searched: {error.filename}"
            remedy = "to compute it, call record.task.run()"
        raise ResultNotFoundError(
            f"The run {self.label} of {self.task_name or 'a script'} has no result.",
            f"status: {self.status or 'unknown'}\n{searched}",
            remedy,
            label=self.label,
        )

    def get_output(self, name: str = "") -> Any:
        """The output `name` of the run, checked against its checksum.

        Parameters
        ----------
        name
            As in `outputpaths`; for separate outputs also what stands before the dot, which
            gives all their elements as a tuple.

        Raises
        ------
        OutputError
            If the run has no such output.
        ResultNotFoundError
            If the run has no result.
        DamagedResultError
            If it is not as it was written.
        StorageError
            If it is a pickle, and the task, as found today, does not declare it so.
        """
        from smttask.view.outputs import load_output

        return load_output(self, self._project, name)

    @property
    def outputpaths(self) -> dict[str, Path]:
        """Name of each output -> the file that holds it: its own, or the manifest.

        Raises
        ------
        ResultNotFoundError
            If the run has no result.
        """
        head = self.head
        return {name: head.output_path(name) or head.path for name in head.outputs}

    @property
    def outputpath(self) -> Path:
        """The file of the only output, or the manifest, which names those of several; see `outputpaths`."""
        head = self.head
        return next(iter(self.outputpaths.values())) if len(head.outputs) == 1 else head.path

    @property
    def resultpaths(self) -> tuple[Path, ...]:
        """Every file of the result, the manifest first.

        Raises
        ------
        ResultNotFoundError
            If the run has no result.
        """
        head = self.head
        names = [name for entry in head.outputs.values() for name, _, _ in entry.files]
        return (head.path, *(head.path.parent / name for name in names))

    def invalidate(self) -> bool:
        """Unlink what is stored for the task of this run, so that it is computed anew; the run stays.

        Links to results of other runs of an equal task go too. Returns whether there was one.

        Raises
        ------
        StorageError
            If the input store cannot be written.
        """
        if not self._manifest:
            return False
        with suppress(DescriptionError):  # its module is gone, and so are the objects that keep results
            self.task.clear()
        digest, mark, suffix = self.digest.partition(SUFFIX_MARK)
        key = Key(Path(self._manifest).parent.as_posix(), digest, mark + suffix)
        return self._project.data.invalidate(key)

    def describe(self) -> str:
        """Every field that is not empty, as readable text."""
        return text.record_text(self)

    # -- as an object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordView) and (self.label, self._store.address) == (
            other.label,
            other._store.address,
        )

    def __hash__(self) -> int:
        return hash(self.label)

    def __repr__(self) -> str:
        return text.record_line(self)

    def __str__(self) -> str:
        return text.record_text(self)

    def _repr_html_(self) -> str:
        return html.record_html(self)

    def __rich__(self) -> RenderableType:
        from smttask.view import terminal

        return terminal.record_table(self)
