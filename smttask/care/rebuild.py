"""Links and records that were lost, made again from the manifests."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from smttask.care.edits import edited, read_edits
from smttask.care.home import require_home
from smttask.care.inventory import iter_manifests
from smttask.care.relinking import Relinking
from smttask.errors import DamagedResultError, RecordStoreError, ResultNotFoundError
from smttask.project import Project
from smttask.records.record import (
    DataKey,
    Dependency,
    Executable,
    Platform,
    Record,
    RepositoryAddress,
)
from smttask.runner import settle_open_runs, take_in_journals
from smttask.runner.recovery import output_keys
from smttask.storage.manifest import Head, read_head, read_rest
from smttask.view.editing import EDITS_FILE
from smttask.view.progress import watched

__all__ = ["Rebuilt", "mend_links", "rebuild", "record_from_manifest"]


@dataclass(slots=True)
class Rebuilt:
    """What was made again.

    Parameters
    ----------
    links
        Paths of links.
    records
        Labels of records made from manifests.
    settled
        Labels of open records that were closed, because their process is dead.
    damaged
        Manifests and journals that could not be used, and why.
    journaled
        Labels of records that came from journals of other hosts.
    """

    links: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    journaled: list[str] = field(default_factory=list)


def rebuild(project: Project, *, links: bool = True, records: bool = True, dry_run: bool = False) -> Rebuilt:
    """Make the links and records that are missing, and close the records of dead processes.

    What is there and right stays as it is, so a second call changes nothing, and one that was
    killed is completed by the next. The main link of a task leads to its latest result; results
    that were invalidated are found again, since nothing but the missing link says that they were.
    Journals of other hosts are taken in first. Progress is shown in a terminal.

    Parameters
    ----------
    links, records
        Whether to make these.
    dry_run
        Only tell; open records are not closed.

    Raises
    ------
    StorageError, RecordStoreError
        If a store cannot be read or written, or if another host writes the record store.
    """
    done = Rebuilt()
    if records and not dry_run:
        require_home(project, "rebuilt", else_="links alone can be made anywhere: --no-records")
        taken = take_in_journals(project, wait=True)
        done.journaled, done.damaged = taken.opened, list(taken.damaged)
        done.settled = taken.settled + settle_open_runs(project)
    missing = _MissingRecords(project, done, dry_run) if records else None
    relinking = Relinking(project) if links else None
    # Names alone are held, in the order of time: it is that of the keys of records
    paths = sorted(iter_manifests(project.data), key=os.path.basename)
    for path in watched(paths, len(paths), "manifests"):
        head = _read(path, done)
        if head is not None:
            if relinking is not None:
                relinking.add(head)
            if missing is not None:
                missing.make(head)
    if done.records and not dry_run:
        project.records.survey(len(done.records))
    if relinking is not None:
        for targets in watched(relinking.missing(), len(relinking), "tasks"):
            done.links += targets
            if targets and not dry_run:
                relinking.make(targets)
    return done


def mend_links(project: Project, tasks: Collection[tuple[str, str]]) -> None:
    """Make the missing links of these tasks: folder, and digest with suffix.

    Raises
    ------
    StorageError
        If a store cannot be read or written.
    """
    relinking, done = Relinking(project), Rebuilt()
    for folder in {folder for folder, _ in tasks}:
        for path in iter_manifests(project.data, folder):
            head = _read(path, done)
            if head is not None and (folder, head.digest) in tasks:
                relinking.add(head)
    for targets in relinking.missing():
        if targets:
            relinking.make(targets)


def _read(path: str, done: Rebuilt) -> Head | None:
    """The head of a manifest; None if it was deleted meanwhile, or is damaged, which is noted."""
    try:
        return read_head(path)
    except FileNotFoundError:
        return None
    except (DamagedResultError, OSError) as error:
        done.damaged.append((path, _reason(error)))
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, DamagedResultError):
        return error.found.rpartition("\n")[2]
    return str(getattr(error, "strerror", None) or error)


class _MissingRecords:
    """Makes the records that results have not."""

    def __init__(self, project: Project, done: Rebuilt, dry_run: bool) -> None:
        self._project = project
        self._done = done
        self._dry_run = dry_run
        self._store = project.records
        self._has_store = self._store.is_made() or not dry_run  # asking would make it
        self._known = set(self._store.labels()) if self._has_store else set()
        self._edits = read_edits(project.root / EDITS_FILE)

    def make(self, head: Head) -> None:
        """Make the record of `head`, with the edits that were noted, unless there is one."""
        if head.label in self._known:
            return
        try:
            record = record_from_manifest(self._project, head, read_rest(head))
        except FileNotFoundError:
            return
        except (DamagedResultError, KeyError, ValueError, TypeError) as error:
            self._done.damaged.append((head.file, _reason(error)))
            return
        if not self._dry_run:
            try:
                # with its last status: such a record is not open
                self._store.open_record(edited(record, self._edits.get(head.label, ())))
            except RecordStoreError:
                if not self._store.has(head.label):
                    raise
                return  # made meanwhile, by another that rebuilds or by a run that ended
        self._done.records.append(head.label)


def record_from_manifest(project: Project, head: Head, rest: Mapping[str, Any]) -> Record:
    """The record of a finished run, as its manifest tells it."""
    data = project.data
    url, upstream = rest["repository"]
    path, version = rest["executable"]
    return Record(
        label=head.label,
        timestamp=datetime.fromisoformat(rest["started"]),
        task=head.task,
        module=rest["module"],
        digest=head.digest,
        full_digest=head.full_digest,
        manifest=os.path.relpath(head.file, data.output_dir).replace(os.sep, "/"),
        parameters=json.dumps(rest["parameters"], separators=(",", ":"), allow_nan=False),
        main_file=rest["main_file"],
        version=rest["commit"],
        diff=_diff(project, rest["diff"]),
        reason=rest["reason"],
        script_arguments=rest["script_arguments"],
        user=rest["user"],
        working_directory=str(project.root),
        executable=Executable(path, version),
        repository=RepositoryAddress(url, upstream),
        platform=Platform(**rest["platform"]),
        dependencies=_dependencies(json.dumps(rest["distributions"])),
        input_data=tuple(_input_key(project, **entry) for entry in rest["input_data"]),
        output_data=tuple(output_keys(head, project)),
        status="finished",
        outcome=rest["outcome"],
        duration_s=rest["duration_s"],
        stdout_stderr=rest["output_text"],
    )


def _diff(project: Project, name: str) -> str:
    try:
        return project.data.get_text(name) if name else ""
    except (ResultNotFoundError, DamagedResultError) as error:
        return f"[lost: {error.what}]"


@lru_cache(maxsize=8)
def _dependencies(text: str) -> tuple[Dependency, ...]:
    """One tuple for equal texts: the writer of rows looks each up once."""
    return tuple(Dependency(name, path, version) for name, (version, path) in json.loads(text).items())


def _input_key(project: Project, path: str, **metadata: Any) -> DataKey:
    """The key of a file that was read; the manifest does not tell when it was made, the file may."""
    created = None
    for root in (project.data.input_dir, project.data.output_dir):
        try:
            created = datetime.fromtimestamp(os.stat(root / path).st_mtime, UTC)
            break
        except OSError:
            continue
    return DataKey(path, created, metadata)
