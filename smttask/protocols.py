"""The seams between the floors: what one room may ask of another.

Lower floors know tasks only as `Runnable`, the runner knows record stores and
formats only by their protocols, so each can be replaced and tested on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Format", "RecordStore", "Runnable", "ViewRegistry", "view_registry"]


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


@runtime_checkable
class Format(Protocol):
    """One kind of file: how a value becomes bytes and comes back the same.

    `name` stands in manifests and is a promise; `suffix` ends the file's name. A format
    of several files also has `companions`, the suffixes of the others, and
    ``save_companion(suffix, value, file)``; `load` finds them beside the first.
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


class RecordStore(Protocol):
    """Where records are kept; safe with many threads and processes."""

    def open_record(self, record: Any) -> None:
        """Add a `smttask.records.record.Record` with status ``_running_``; one transaction."""
        ...

    def close_record(
        self,
        label: str,
        *,
        status: str,
        outcome: str = "",
        duration_s: float | None = None,
        output_data: Sequence[Any] = (),
        dependencies: Sequence[Any] = (),
        stdout_stderr: str = "",
        ended: datetime | None = None,
    ) -> None:
        """Complete the record `label` with what the run brought; one transaction."""
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
