"""Records that nobody closed: the process that ran the task has ended."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from smttask.errors import DamagedResultError, LockError, RecordStoreError, RecordStoreWarning, warn
from smttask.hashing import hash_file
from smttask.project import JOURNAL_DIR, Project
from smttask.records.intake import Intake, take_in
from smttask.records.journal import JournalRecordStore
from smttask.records.originals import kept_elsewhere
from smttask.records.query import Selection
from smttask.records.record import DataKey
from smttask.records.runs import OpenRun
from smttask.records.stores import SQLRecordStore
from smttask.storage.locks import computing
from smttask.storage.manifest import Head, read_head, read_rest

__all__ = ["output_keys", "settle_open_runs", "take_in_journals"]

RunRecords = SQLRecordStore | JournalRecordStore


def settle_open_runs(project: Project, *, digest: str | None = None) -> list[str]:
    """Close the records of runs whose process is dead; returns their labels.

    A run whose manifest is there has finished, and its record is closed from it;
    any other was killed, as are those of tasks that write none, whose outputs stand in a folder
    of the user's. One whose manifest is in another working copy is left to that.
    What other hosts keep in journals is taken in first.

    Parameters
    ----------
    digest
        Only runs of this task, digest with suffix; journals are left alone.

    Raises
    ------
    RecordStoreError
        If the record store cannot be read or written.
    """
    records = project.run_records
    settled = _settled_by_journals(project) if digest is None else []
    for run in records.open_runs(digest=digest):
        if not run.is_abandoned or _is_of_another_copy(project, records, run):
            continue
        # One that was deleted meanwhile, or whose manifest we may not read, keeps nobody from the others
        with suppress(LookupError, OSError):
            _settle(project, records, run)
            settled.append(run.label)
    return settled


def _is_of_another_copy(project: Project, records: RunRecords, run: OpenRun) -> bool:
    """Whether another working copy, which shares the record store, has the result of a run."""
    if isinstance(records, JournalRecordStore):
        return False
    ids = [row[0] for row in records.columns(Selection().with_labels(run.label), ["id"])]
    places = kept_elsewhere(records, ids, project.data.output_dir).values()
    return any(os.path.isfile(f"{place}/{run.manifest}") for place in places)


def _settled_by_journals(project: Project) -> list[str]:
    try:
        return take_in_journals(project).settled
    except RecordStoreError as error:  # which keeps nobody from recording what runs here
        warn(str(error), RecordStoreWarning)
        return []


def take_in_journals(project: Project, *, wait: bool = False) -> Intake:
    """Bring what other hosts wrote in journals into the record store, if this host writes it.

    Costs one look at a folder where there is none.

    Parameters
    ----------
    wait
        Whether to wait while another process does so; else it is left to that one.

    Raises
    ------
    RecordStoreError
        If a journal cannot be read, or the record store read or written.
    """
    folder = project.root / JOURNAL_DIR
    if not folder.exists() or project.run_records is not project.records:
        return Intake()
    records = project.records
    try:
        with computing(project.root / ".smt" / "locks" / "journal.lock", timeout_s=None if wait else 0):
            return take_in(folder, records, lambda run: _settle(project, records, run))
    except LockError:
        return Intake()


def _settle(project: Project, records: RunRecords, run: OpenRun) -> None:
    """Close the record of a run whose process is dead."""
    found = _find_result(project, run.manifest)
    if found is None:
        records.mark_killed(run.label, outcome="The process ended before the run did.")
        return
    head, rest = found
    records.close_record(
        run.label,
        status="finished",
        outcome=rest["outcome"],
        duration_s=rest["duration_s"],
        output_data=output_keys(head, project),
        stdout_stderr=rest["output_text"],
    )


def _find_result(project: Project, manifest: str) -> tuple[Head, dict[str, Any]] | None:
    """Both parts of a whole manifest; None if there is none."""
    if not manifest:
        return None
    try:
        head = read_head(project.data.output_dir / manifest)
        return head, read_rest(head)
    except (FileNotFoundError, DamagedResultError):
        return None


def output_keys(head: Head, project: Project) -> list[DataKey]:
    """The manifest and every output file of a result, relative to the output store.

    Parameters
    ----------
    head
        As `NewRun.commit` gave it, or read from the manifest in the output store itself.
    """
    root = project.data.output_dir
    stat = os.stat(head.file)
    created = datetime.fromtimestamp(stat.st_mtime, UTC)
    folder = os.path.dirname(head.file)
    blake3 = head.whole_blake3 or hash_file(head.file)
    keys = [DataKey.of_file(head.file, root, size=stat.st_size, blake3=blake3, created=created)]
    for entry in head.outputs.values():
        for name, size, blake3 in entry.files:
            path = f"{folder}/{name}"
            keys.append(DataKey.of_file(path, root, size=size, blake3=blake3, created=created))
    return keys
