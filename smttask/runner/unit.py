"""What the runner asks of a computation whose result is kept, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from smttask.code.fingerprint import CodeFingerprint
from smttask.errors import RecordNotFoundError, RecordStoreError
from smttask.project import Project
from smttask.records.record import DataKey
from smttask.storage.layout import Key
from smttask.storage.manifest import Head
from smttask.storage.newrun import NewRun

__all__ = ["Stored", "Unit", "UnitFacts"]


class Unit(Protocol):
    """What the runner asks of a computation whose result is kept."""

    @property
    def name(self) -> str:
        """Name of the task, for people."""

    @property
    def key(self) -> Key:
        """What its result is found by."""

    @property
    def fingerprint(self) -> CodeFingerprint:
        """Its own code as loaded, that of upstream tasks left out."""

    @property
    def code_policy(self) -> str | None:
        """Its own policy on changed code; None for that of the settings."""

    @property
    def sourced_files(self) -> tuple[str, ...]:
        """Files of which git need not hold the code, since `UnitFacts.source` is it; absolute paths."""

    def is_same(self, rest: Mapping[str, Any]) -> bool:
        """Whether a stored result whose manifest has this rest is of the same inputs."""

    def changed_code(self, rest: Mapping[str, Any], results: Path) -> list[str]:
        """Which functions are others than those that made the result with this rest, in words.

        Those of the tasks it depends on are told with the name of their task, as far as is known.

        Parameters
        ----------
        results
            The output store, where the manifests of upstream results are.
        """

    def call(self) -> Any:
        """Compute; what the function returned."""

    def split(self, returned: Any) -> tuple[dict[str, Any], str]:
        """Outputs by name, validated, and the outcome for the record; `OutputError`."""

    def save_output(self, new_run: NewRun, name: str, value: Any) -> Any:
        """Store one of what `split` gave; returns it as it is handed out, such as a file at its new place."""

    def may_unpickle(self, name: str) -> bool:
        """Whether the task declares that the output stored under this name is a pickle."""

    def facts(self, project: Project) -> UnitFacts:
        """What the record and the manifest say of it, once its upstream values are there."""


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """What stands in record and manifest besides the run itself.

    Parameters
    ----------
    code
        Combined fingerprint of the code used: its own and, for the upstream
        results used, theirs.
    parameters_text
        Description of the task as JSON in ASCII, on one line: upstream tasks by digest and label,
        large values by digest.
    defaults
        What stands at which default, in the task and in all that it depends on: digests by
        task or class and by input or field.
    source
        Text that defines the function, where no file that git holds does.
    upstream
        Digest of each direct upstream task -> its name, its label if it is recorded,
        and the code of the result used.
    input_data
        Stored results and files that were read.
    continued_from
        For an iterative task: label, digest and code of the run whose outputs it continued from.
    output_names
        Of all outputs; ``""`` for the unnamed one.
    """

    code: str
    module: str
    main_file: str
    parameters_text: str
    defaults: Mapping[str, Mapping[str, str]]
    upstream: Mapping[str, Mapping[str, str]]
    input_data: tuple[DataKey, ...]
    output_names: tuple[str, ...]
    reason: str
    source: str
    script_arguments: str
    continued_from: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored result: its outputs by name, and the head of its manifest.

    `record_error` is set if it was computed and stored but could not be recorded.
    """

    outputs: Mapping[str, Any]
    head: Head
    computed: bool = False
    record_error: RecordStoreError | RecordNotFoundError | None = None
