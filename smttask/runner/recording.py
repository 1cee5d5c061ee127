"""The record of one run: opened before the function is called, closed whatever becomes of it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from weakref import WeakSet

from smttask.code.fingerprint import CodeFingerprint
from smttask.code.source import loaded_files, stale_files
from smttask.errors import (
    RecordNotFoundError,
    RecordStoreError,
    RecordStoreWarning,
    StaleModuleError,
    error_text,
    warn,
)
from smttask.project import Project
from smttask.protocols import RunRecords
from smttask.records import provenance
from smttask.records.record import DataKey, Record, check_widths
from smttask.records.repository import RepositoryState
from smttask.runner.recovery import settle_open_runs

__all__ = ["RunRecord", "data_key", "surroundings", "usable_code"]

_settled: WeakSet[RunRecords] = WeakSet()
"""Stores of which all open records were looked at once; later only those of the task in question."""


def usable_code(
    what: str, code: CodeFingerprint, project: Project, *, apart_from: Collection[str] = ()
) -> RepositoryState:
    """State of the working copy, if the loaded code may be used for a new result.

    Parameters
    ----------
    what
        Who asks, to begin a message: ``"Task 'Analyze' (3f9c1b)"``.
    code
        That would run.
    apart_from
        Files whose text is kept elsewhere, so that they may differ from what git has and from what is loaded.

    Raises
    ------
    UncommittedChangesError, StaleModuleError, RepositoryError
        If the code that would run is not what git has or its file says.
    """
    files = [file for file in code.files if file not in apart_from]
    if stale := stale_files({*files, *loaded_files(project.scope)}):
        raise StaleModuleError(
            f"{what} would run code that its file no longer holds.",
            "edited since it was loaded: " + ", ".join(sorted(stale)),
            "restart Python or reload the module",
            files=tuple(stale),
        )
    if held := code.outdated:
        raise StaleModuleError(
            f"{what} would run code that its file no longer holds.",
            "held from before a reload: " + ", ".join(sorted(held)),
            "restart Python, or reload the modules that import it too",
            files=tuple(dict.fromkeys(held.values())),
        )
    repository = project.repository
    state = repository.require_committed(
        files,
        apart_from=apart_from,
        allow_changes=project.setting("allow_uncommitted_changes"),
        what=what,
    )
    repository.keep(state.commit)
    return state


def data_key(
    path: Path, store_dir: Path, project: Project, *, size: int, blake3: str, created: datetime
) -> DataKey:
    """How a record names a file of the user's: relative to a store if in the project, which may move.

    Parameters
    ----------
    path
        Absolute.
    store_dir
        The input store for what was read, the output store for what was written.
    """
    key = DataKey.of_file(path, store_dir, size=size, blake3=blake3, created=created)
    if path.is_relative_to(project.root):
        return replace(key, path=os.path.relpath(path, store_dir))
    return key


def surroundings(project: Project, state: RepositoryState) -> dict[str, Any]:
    """What a `Record` tells of the surroundings of its run: commit, user, machine, packages.

    Parameters
    ----------
    state
        Of the working copy, as `usable_code` gave it.
    """
    repository = project.repository
    return {
        "version": state.commit,
        "diff": state.diff,
        "user": repository.user() or provenance.user(),
        "executable": provenance.executable(),
        "repository": repository.address,
        "platform": provenance.platform(),
        "dependencies": provenance.distributions(),
    }


class RunRecord:
    """The record of one run in the record store of a project.

    A store that fails loses nothing but the record: it is told as a warning, and stands in `error`.

    Parameters
    ----------
    record
        What is known of the run, with `surroundings`.
    key_paths
        Paths that the data keys of outputs may have.

    Raises
    ------
    RecordStoreError
        If no record could hold the label, the main file or one of the paths.
    """

    def __init__(self, record: Record, project: Project, *, key_paths: Iterable[str] = ()) -> None:
        self.project = project
        self.record = record
        self.error: RecordStoreError | RecordNotFoundError | None = None
        self._records: RunRecords
        input_paths = [key.path for key in record.input_data]
        check_widths(label=record.label, main_file=record.main_file, key_paths=[*input_paths, *key_paths])

    def open(self, *, settles: bool = True) -> None:
        """Close what dead processes left open, then open the record of this run.

        Parameters
        ----------
        settles
            Whether dead processes may have left open records of this task. All others are looked
            at when a store is first used.
        """
        try:
            self._records = records = self.project.run_records
            if records not in _settled:
                settle_open_runs(self.project)
                _settled.add(records)
            elif settles:
                settle_open_runs(self.project, digest=self.record.digest)
            records.open_record(self.record)
        except RecordStoreError as error:
            if (journal := self._journal(error)) is not None:
                with suppress(RecordStoreError):
                    journal.open_record(self.record)
                    self._records = journal
                    return
            self.error = error
            warn(
                f"Task {self.record.task!r} runs without a record; its result is stored all the same.\n"
                f"{error}",
                RecordStoreWarning,
            )

    def close(
        self,
        status: str,
        outcome: str,
        duration_s: float,
        *,
        text: str,
        output_data: Sequence[DataKey] = (),
        parameters: str | None = None,
    ) -> None:
        """Close the record with what the run brought, in the store where it was opened.

        Parameters
        ----------
        text
            What the run printed.
        parameters
            In place of those it was opened with.
        """
        if self.error is not None:
            return

        def close(records: RunRecords) -> None:
            records.close_record(
                self.record.label,
                status=status,
                outcome=outcome,
                duration_s=duration_s,
                output_data=output_data,
                dependencies=provenance.distributions(),
                stdout_stderr=text,
                parameters=parameters,
            )

        try:
            close(self._records)
        except (RecordStoreError, RecordNotFoundError) as error:
            if isinstance(error, RecordStoreError) and (journal := self._journal(error)) is not None:
                with suppress(RecordStoreError):
                    close(journal)
                    return
            self.error = error
            warn(
                f"The record {self.record.label} of task {self.record.task!r} could not be closed.\n{error}",
                RecordStoreWarning,
            )

    def _journal(self, error: RecordStoreError) -> RunRecords | None:
        """What keeps the record in place of a record store that failed with `error`; None if nothing does."""
        journal = self.project.fall_back()
        if journal is not None:
            warn(f"Records are kept in a journal, to be taken in later, for:\n{error}", RecordStoreWarning)
        return journal

    def close_failed(self, error: BaseException, duration_s: float, *, text: str) -> None:
        """Close the record as killed or crashed, and note on the error which record tells of it."""
        status = "killed" if isinstance(error, KeyboardInterrupt) else "crashed"
        outcome = f"{type(error).__name__}: {error_text(error).partition(chr(10))[0]}".removesuffix(": ")
        text += "".join(traceback.format_exception(error))
        record = self.record
        error.add_note(f"in task {record.task!r} ({record.digest}), record {record.label}")
        self.close(status, outcome, duration_s, text=text)
