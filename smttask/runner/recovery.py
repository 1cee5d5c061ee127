"""Records that nobody closed: the process that ran the task has ended."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime

from smttask.errors import DamagedResultError
from smttask.hashing import hash_file
from smttask.project import Project
from smttask.records.record import DataKey
from smttask.storage.manifest import Head, read_head, read_rest

__all__ = ["output_keys", "settle_open_runs"]


def settle_open_runs(project: Project, *, digest: str | None = None) -> list[str]:
    """Close the records of runs whose process is dead; returns their labels.

    A run whose manifest is there has finished, and its record is closed from it;
    any other was killed.

    Parameters
    ----------
    digest
        Only runs of this task, digest with suffix.

    Raises
    ------
    RecordStoreError
        If the record store cannot be read or written.
    """
    settled = []
    records = project.records
    for run in records.open_runs(digest=digest):
        if not run.is_abandoned:
            continue
        # One that was deleted meanwhile, or whose manifest we may not read, keeps nobody from the others
        with suppress(LookupError, OSError):
            _settle(project, run.label, run.manifest)
            settled.append(run.label)
    return settled


def _settle(project: Project, label: str, manifest: str) -> None:
    try:
        head = read_head(project.data.output_dir / manifest)
        rest = read_rest(head)
    except (FileNotFoundError, DamagedResultError):
        project.records.mark_killed(label, outcome="The process ended before the run did.")
        return
    project.records.close_record(
        label,
        status="finished",
        outcome=rest["outcome"],
        duration_s=rest["duration_s"],
        output_data=output_keys(head, project),
        stdout_stderr=rest["output_text"],
    )


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
    keys = [DataKey.of_file(head.file, root, size=stat.st_size, blake3=hash_file(head.file), created=created)]
    for entry in head.outputs.values():
        for name, size, blake3 in entry.files:
            path = f"{folder}/{name}"
            keys.append(DataKey.of_file(path, root, size=size, blake3=blake3, created=created))
    return keys
