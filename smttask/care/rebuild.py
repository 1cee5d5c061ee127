"""Links and records that were lost, made again from the manifests."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from smttask.care.edits import edited, read_edits
from smttask.care.inventory import iter_links, iter_manifests, key_of
from smttask.errors import DamagedResultError, ResultNotFoundError
from smttask.project import Project
from smttask.records.query import Selection
from smttask.records.record import (
    DataKey,
    Dependency,
    Executable,
    Platform,
    Record,
    RepositoryAddress,
)
from smttask.runner import recovery
from smttask.storage.atomic import read_link, replace_link
from smttask.storage.layout import OLDER_DIR, link_name, older_name
from smttask.storage.locks import computing
from smttask.storage.manifest import Head, read_head, read_rest
from smttask.view.editing import EDITS_FILE

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
        Manifests that could not be used, and why.
    """

    links: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)


def rebuild(project: Project, *, links: bool = True, records: bool = True, dry_run: bool = False) -> Rebuilt:
    """Make the links and records that are missing, and close the records of dead processes.

    What is there and right stays as it is, so a second call changes nothing, and one that was
    killed is completed by the next. The main link of a task leads to its latest result; results
    that were invalidated are found again, since nothing but the missing link says that they were.

    Parameters
    ----------
    links, records
        Whether to make these.
    dry_run
        Only tell; open records are not closed.

    Raises
    ------
    StorageError, RecordStoreError
        If a store cannot be read or written.
    """
    done = Rebuilt()
    heads = list(_heads(project, done))
    if links:
        _rebuild_links(project, heads, done, dry_run)
    if records:
        if not dry_run:
            done.settled = recovery.settle_open_runs(project)
        _rebuild_records(project, heads, done, dry_run)
    return done


def mend_links(project: Project, tasks: Collection[tuple[str, str]]) -> None:
    """Make the missing links of these tasks: folder, and digest with suffix.

    Raises
    ------
    StorageError
        If a store cannot be read or written.
    """
    done = Rebuilt()
    for folder in {folder for folder, _ in tasks}:
        heads = [head for head in _heads(project, done, folder) if (folder, head.digest) in tasks]
        _rebuild_links(project, heads, done, dry_run=False)


def _heads(project: Project, done: Rebuilt, folder: str | None = None) -> Iterable[Head]:
    for path in iter_manifests(project.data, folder):
        try:
            yield read_head(path)
        except FileNotFoundError:  # deleted meanwhile
            continue
        except (DamagedResultError, OSError) as error:
            done.damaged.append((path, _reason(error)))


def _reason(error: Exception) -> str:
    if isinstance(error, DamagedResultError):
        return error.found.rpartition("\n")[2]
    return str(getattr(error, "strerror", None) or error)


# Links


def _rebuild_links(project: Project, heads: list[Head], done: Rebuilt, dry_run: bool) -> None:
    data = project.data
    standing = _standing_links(project)
    newest: dict[tuple[str, str], dict[tuple[str, str], Head]] = {}
    for head in sorted(heads, key=lambda head: head.label):
        folder = os.path.basename(os.path.dirname(head.file))
        newest.setdefault((folder, head.digest), {})[head.full_digest, head.code] = head
    to_results = os.path.relpath(os.path.realpath(data.output_dir), os.path.realpath(data.input_dir))
    for (folder, name), by_code in newest.items():
        key = key_of(folder, name)
        place = f"{data.input_dir}/{key.link_folder}"
        main = f"{place}/{link_name(key)}"
        latest = max(by_code.values(), key=lambda head: head.label)
        at_main = standing.get(main) or latest
        wanted = {main: latest}
        for (full_digest, code), head in by_code.items():
            if (full_digest, code) != (at_main.full_digest, at_main.code):
                wanted[f"{place}/{OLDER_DIR}/{older_name(key, full_digest, code)}"] = head
        missing = {path: head for path, head in wanted.items() if path not in standing}
        if not missing:
            continue
        done.links += missing
        if dry_run:
            continue
        with computing(f"{place}/.{link_name(key)}.lock"):  # as those who move links
            for path, head in missing.items():
                up = "../" * (os.path.relpath(path, data.input_dir).count(os.sep))
                replace_link(f"{up}{to_results}/{folder}/{head.label}.json", path)


def _standing_links(project: Project) -> dict[str, Head]:
    """Links that lead to a result of their task, by path."""
    standing = {}
    for folder, link in iter_links(project.data):
        try:
            target = read_link(link.path)
            if target is None:
                continue
            head = read_head(os.path.join(os.path.dirname(link.path), target))
        except (DamagedResultError, OSError, ValueError):
            continue
        if head.digest == link.name and head.path.parent.name == folder:
            standing[link.path] = head
    return standing


# Records


def _rebuild_records(project: Project, heads: list[Head], done: Rebuilt, dry_run: bool) -> None:
    store = project.records
    is_there = store.path.exists()
    if not is_there and dry_run:
        done.records += [head.label for head in heads]
        return
    known = set(store.labels(Selection())) if is_there else set()
    edits = read_edits(project.root / EDITS_FILE)
    for head in sorted(heads, key=lambda head: head.label):
        if head.label in known:
            continue
        try:
            record = edited(record_from_manifest(project, head, read_rest(head)), edits.get(head.label, ()))
        except FileNotFoundError:
            continue
        except (DamagedResultError, KeyError, ValueError, TypeError) as error:
            done.damaged.append((head.file, _reason(error)))
            continue
        done.records.append(head.label)
        if not dry_run:
            store.open_record(record)  # with its last status: such a record is not open


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
        output_data=tuple(recovery.output_keys(head, project)),
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
