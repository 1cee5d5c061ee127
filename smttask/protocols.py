"""The seams between the floors: what one room may ask of another.

Lower floors know tasks only as `Runnable`, the runner knows record stores and
formats only by their protocols, so each can be replaced and tested on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

if TYPE_CHECKING:
    from datetime import datetime

    from smttask.executors.outcome import Outcome
    from smttask.executors.progress import Display
    from smttask.executors.work import Work
    from smttask.records.editing import Edit
    from smttask.records.query import Selection
    from smttask.records.record import DataKey, Dependency, Record
    from smttask.records.runs import OpenRun, PastRun

__all__ = [
    "TASK_MODULES",
    "Executor",
    "Format",
    "RecordStore",
    "RunRecords",
    "Runnable",
    "ViewRegistry",
    "Wiring",
    "view_registry",
]

#: Modules above the room of tasks that define types of tasks: imported when a description names them.
TASK_MODULES = frozenset({"smttask.tasker.bridge"})


class Runnable:
    """Stands for a value that is computed when it is needed.

    A task is one. Values (typing), canonical bytes (identity) and JSON forms
    meet tasks inside other values and know them by this class alone.
    """

    __slots__ = ()

    @property
    def digest(self) -> str:
        """Name of the computation: what its inputs are, defaults left out; with suffix."""
        raise AttributeError("digest")

    @property
    def full_digest(self) -> str:
        """Name of the computation with every input, defaults included."""
        raise AttributeError("full_digest")

    #: Whether the digests are known only after a run; then no canonical bytes can hold it.
    has_late_digest: bool = False

    @property
    def session_key(self) -> str:
        """Name of the computation within this process, known without any run."""
        return self.full_digest

    def stand_in(self) -> Runnable:
        """The task that stands for it among the inputs of other tasks: itself, if it is one.

        Asked once for each place where it is given, if its digest is late.
        """
        return self


class Wiring:
    """Says what is computed where and from what, not how, so that it is no code.

    A Tasker is wiring, its tasks and its files are. Code fingerprints pass over what such an object
    holds and how it was made, and follow its class alone.
    """

    __slots__ = ()


@runtime_checkable
class Format(Protocol):
    """One kind of file: how a value becomes bytes and comes back the same.

    `name` stands in manifests and is a promise; `suffix` ends the file's name. A format
    of several files also has `companions`, the suffixes of the others, and
    ``save_companion(suffix, value, file)``; `load` finds them beside the first. A format
    whose files hold paths has `at(root)`: the same for the project in the folder `root`,
    to which it writes them relative, so that the project can be moved and copied.
    """

    name: str
    suffix: str

    def accepts(self, value: object) -> bool:
        """Whether `save` can write `value` such that `load` returns it unchanged."""
        ...

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write `value` to `file`, open for writing bytes at its start."""
        ...

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read the value in the file at `path`; never runs code found in it.

        With `mmap` the data may stay on disk, read-only, where the format can.
        """
        ...


class RunRecords(Protocol):
    """What takes the records of runs: the part of a record store that the runner needs."""

    def open_record(self, record: Record) -> None:
        """Add `record`, open if its status says so; as a whole or not at all.

        Raises
        ------
        RecordStoreError
            If the store cannot be written, or has this label already.
        """
        ...

    def close_record(
        self,
        label: str,
        *,
        status: str,
        outcome: str = "",
        duration_s: float | None = None,
        output_data: Sequence[DataKey] = (),
        dependencies: Sequence[Dependency] = (),
        stdout_stderr: str = "",
        ended: datetime | None = None,
        parameters: str | None = None,
    ) -> None:
        """Complete the record `label` with what the run brought; as a whole or not at all.

        Parameters
        ----------
        status
            One of `smttask.records.record.STATUSES`; tags of the user stay.
        outcome
            Goes below what a user wrote meanwhile.
        duration_s, ended
            Either tells how long the run took.
        dependencies
            All that is imported by now; those named at the start need not be left out.
        parameters
            JSON text in place of the parameters that the record was opened with.

        Raises
        ------
        RecordNotFoundError
            If there is no such record.
        RecordStoreError
            If the store cannot be written.
        """
        ...

    def open_runs(self, *, digest: str | None = None) -> list[OpenRun]:
        """Runs whose records are open, of this and other processes; of the task `digest` if given."""
        ...

    def mark_killed(self, label: str, *, outcome: str = "") -> bool:
        """Close the record `label` as killed if it is still open, and return whether it was."""
        ...


class RecordStore(RunRecords, Protocol):
    """Where records are kept, looked at and edited; safe with many threads and processes.

    `smttask.testing.RecordStoreContract` holds the tests that every record store passes.
    Selections say what they ask for in SQL, so a store is SQL underneath.
    """

    @property
    def address(self) -> str:
        """Where the records are, for people: a path, or a URL without a password."""
        ...

    @property
    def project_name(self) -> str:
        """Whose records are looked at and written."""
        ...

    def is_made(self) -> bool:
        """Whether there is a store already; asking does not make it."""
        ...

    def get(self, label: str) -> Record:
        """Return the record `label`, or raise `RecordNotFoundError`."""
        ...

    def has(self, label: str) -> bool:
        """Whether there is a record `label`."""
        ...

    def count(self, selection: Selection = ...) -> int:
        """How many records are selected; all if nothing is said."""
        ...

    def labels(self, selection: Selection = ...) -> list[str]:
        """Labels of the selected records, in their order."""
        ...

    def records(self, selection: Selection = ...) -> Iterator[Record]:
        """Yield the selected records in their order."""
        ...

    def columns(self, selection: Selection, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return one tuple per selected record with the values of `smttask.records.query.COLUMNS`."""
        ...

    def find_parameters(self, label: str) -> tuple[Any, str] | None:
        """Parameters, parsed, and digest of a record."""
        ...

    def latest_runs(self, module: str, task: str, n: int) -> list[PastRun]:
        """The last `n` runs of a task whose records were opened, latest first."""
        ...

    def find_latest_run(self, digest: str) -> PastRun | None:
        """The last run of the task `digest`, whatever became of it."""
        ...

    def edit(self, selection: Selection, edit: Edit, *, noted_in: Path) -> int:
        """Change the selected records together, note it in a file, and return how many changed."""
        ...

    def close(self) -> None:
        """Give back what this process holds; the next use opens it again."""
        ...


class Executor(Protocol):
    """Where works are run: other processes, threads, other hosts.

    Every executor passes the tests of ``tests/executors/test_contract.py``.
    """

    name: str

    def run(self, works: Iterator[Work], told: Display) -> Generator[Outcome, None, None]:
        """Run all `works`, and yield what became of each, in the order in which that happens.

        Closing the generator ends what runs. An error of one work is its outcome; what is
        raised concerns all of them.

        Parameters
        ----------
        works
            Read in the thread that asks for outcomes, only so far ahead as is needed to keep all busy.
        told
            Is told what begins (`started`), what is left without an outcome (`idle`), what
            is known of what runs (`watched`), and, at least five times a second while it waits for outcomes,
            to `refresh`. Outcomes are told to it by who asks for them.
        """
        ...

    def stop(self) -> None:
        """Stop, from a signal handler or another thread; returns at once.

        The first time, running tasks are stopped, so that their records say killed, and nothing new
        begins; `run` yields their outcomes and ends. Called again, all is ended within a second.
        """
        ...


class ViewRegistry:
    """What the room `view` gives to the floors below, which never import it.

    The package says how to load the room; when it is loaded, it registers itself.
    """

    def __init__(self) -> None:
        self._load: Callable[[], object] | None = None
        self._record_view: Callable[[Any, str], Any] | None = None

    def load_with(self, load: Callable[[], object]) -> None:
        """Call `load` when something is first asked for and nothing is registered."""
        self._load = load

    def register_record_view(self, make: Callable[[Any, str], Any]) -> None:
        """Let `make`, given a project and a label, make views of records."""
        self._record_view = make

    def record_view(self, project: Any, label: str) -> Any:
        """The `smttask.view.RecordView` of the record `label` of `project`."""
        if self._record_view is None and self._load is not None:
            self._load()
        if self._record_view is None:
            raise LookupError("no view of records is registered; import smttask.view")
        return self._record_view(project, label)


view_registry = ViewRegistry()
