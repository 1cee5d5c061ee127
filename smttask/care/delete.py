"""Runs that are not wanted any more: their results, links and records."""

from __future__ import annotations

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from smttask.care.home import require_home
from smttask.care.inventory import is_label, iter_links, iter_manifests
from smttask.care.rebuild import mend_links
from smttask.errors import DamagedResultError, LockError, RecordNotFoundError
from smttask.project import Project
from smttask.records.deletion import delete_records, require_deletable
from smttask.records.query import Selection
from smttask.storage.atomic import read_link, storage_error, unlink_if_there
from smttask.storage.locks import computing
from smttask.storage.manifest import Head, read_head, read_rest

__all__ = ["Deletion", "delete", "plan_deletion"]


@dataclass(slots=True)
class Deletion:
    """What would be deleted, or was, and what not.

    Parameters
    ----------
    labels
        Of the records, newest first.
    sizes
        Label -> size of the files of its result in bytes; a run that failed has none.
    kept
        Label -> why it stays.
    running
        Those among `kept` that may be going on.
    """

    labels: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Of all the results, in bytes."""
        return sum(self.sizes.values())


def plan_deletion(project: Project, labels: Iterable[str]) -> Deletion:
    """What can go of the runs `labels`; nothing is changed.

    Runs whose process may live are kept with what they were given, and results that a result that stays
    was computed from. Every manifest is read for this.

    Raises
    ------
    StorageError, RecordStoreError
        If a store cannot be read.
    """
    wanted = dict.fromkeys(labels)
    running, kept = _kept_by_runs(project)
    heads, needs = _read_results(project)
    waiting = [label for label in needs if label not in wanted or label in kept]
    while waiting:  # what a kept result needs is kept too
        label = waiting.pop()
        for needed in needs.get(label, set()) & wanted.keys() - kept.keys():
            kept[needed] = f"result {label} was computed from it"
            waiting.append(needed)
    going = [label for label in wanted if label not in kept]
    return Deletion(
        going,
        {label: _size(heads[label]) for label in going if label in heads},
        {label: kept[label] for label in wanted if label in kept},
        [label for label in wanted if label in running],
    )


def delete(project: Project, deletion: Deletion) -> Deletion:
    """Do what was planned; returns what was deleted, and what was kept after all.

    The files of a task's results are removed under the lock of the task, and what is being computed
    at this moment is kept. The links of a task lead to its latest result that is left. Killed at any
    instant, the same call completes it: a record goes last, and names all that is its own.

    Raises
    ------
    StorageError, RecordStoreError
        If a store cannot be written, or another host writes the records; if it is the record
        store, nothing is deleted.
    """
    require_home(project, "deleted")
    if deletion.labels:
        require_deletable(project.records)  # or results would go whose records stay
    running, kept = _kept_by_runs(project)  # those that began since it was planned
    going = [label for label in deletion.labels if label not in kept]
    taken = _remove_files(project, going)
    kept.update(taken)
    gone = [label for label in going if label not in taken]
    _mend(project, gone)
    delete_records(project.records, gone)
    sizes = {label: size for label in gone if (size := deletion.sizes.get(label)) is not None}
    kept = deletion.kept | {label: kept[label] for label in deletion.labels if label in kept}
    return Deletion(gone, sizes, kept, [label for label in kept if label in running])


# What stays


def _kept_by_runs(project: Project) -> tuple[set[str], dict[str, str]]:
    """Labels of the runs that may be going on; and why they, and the results they were given, stay."""
    running = {run.label for run in project.records.open_runs() if not run.is_abandoned}
    kept = dict.fromkeys(running, "it is running")
    for label in running:
        try:
            given = project.records.get(label).input_data
        except RecordNotFoundError:  # deleted meanwhile
            continue
        for key in given:
            name = posixpath.basename(key.path).removesuffix(".json")
            if is_label(name):
                kept.setdefault(name, f"run {label}, which may be going on, was given it")
    return running, kept


def _read_results(project: Project) -> tuple[dict[str, Head], dict[str, set[str]]]:
    """Head of each result by label, and the labels of the results that it was computed from."""
    heads: dict[str, Head] = {}
    needs: dict[str, set[str]] = {}
    for path in iter_manifests(project.data):
        try:
            head = read_head(path)
            heads[head.label] = head
            needs[head.label] = _upstream(read_rest(head))
        except (DamagedResultError, FileNotFoundError):
            continue
        except OSError as error:
            raise storage_error("Cannot see which results need others.", path, error) from error
    return heads, needs


def _upstream(rest: dict[str, Any]) -> set[str]:
    used = [*rest.get("upstream", {}).values(), rest.get("continued_from") or {}]
    return {facts["label"] for facts in used if facts.get("label")}


# What goes


def _remove_files(project: Project, labels: list[str]) -> dict[str, str]:
    """Remove the files of these runs; label -> why it stays, for those whose task is being computed."""
    root = project.data.output_dir
    chosen = Selection().with_labels(*labels)
    named = project.records.columns(chosen, ["label", "manifest", "digest"])
    runs = [(label, *posixpath.split(manifest), digest) for label, manifest, digest in named if manifest]
    by_task: dict[tuple[str, str], list[str]] = defaultdict(list)
    for label, folder, name, digest in runs:
        # Other paths lead to the results of others; a record may come from anywhere
        is_plain = "/" not in folder and not folder.startswith(".") and re.fullmatch(r"\w+", digest)
        if folder and is_plain and name == f"{label}.json" and is_label(label):
            by_task[folder, digest].append(label)
    files = {folder: _Files(f"{root}/{folder}") for folder, _ in by_task}
    kept = {}
    for (folder, digest), ours in by_task.items():
        lock = project.root / ".smt" / "locks" / f"{folder}-{digest}.lock"
        try:
            with computing(lock, timeout_s=0):
                for label in ours:
                    _unlink_all(label, files[folder].of(label))
        except LockError as error:
            holder = error.found.rpartition("\n")[2]
            kept.update(dict.fromkeys(ours, f"its task is being computed: {holder}"))
    return kept


class _Files:
    """The files in the folder of a task, by the run they belong to."""

    def __init__(self, folder: str) -> None:
        self._by_start: dict[str, list[str]] = defaultdict(list)
        self._folder = folder
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            names = []
        except OSError as error:
            raise storage_error("Cannot look through a store.", folder, error) from error
        for name in names:
            self._by_start[name.lstrip(".")[:29]].append(name)  # <date>-<time>-<us>_<6 digits>

    def of(self, label: str) -> Iterator[str]:
        """Paths of all files of the run, the manifest first: without it there is no result."""
        yield f"{self._folder}/{label}.json"
        for name in self._by_start.get(label[:29], ()):
            if name.startswith((f"{label}_", f"{label}.")) and name != f"{label}.json":
                yield f"{self._folder}/{name}"


def _unlink_all(label: str, paths: Iterable[str]) -> None:
    for path in paths:
        try:
            unlink_if_there(path)
        except OSError as error:
            raise storage_error(f"Cannot delete the result {label}.", path, error) from error


def _size(head: Head) -> int:
    outputs = sum(size for entry in head.outputs.values() for _, size, _ in entry.files)
    try:
        return os.stat(head.file).st_size + outputs
    except FileNotFoundError:
        return 0


def _mend(project: Project, labels: list[str]) -> None:
    """Let no link lead to what these runs had; it leads to what is left of its task, or is removed."""
    named = project.records.columns(Selection().with_labels(*labels), ["manifest"])
    root = project.data.output_dir
    gone = {os.path.realpath(root / manifest) for (manifest,) in named if manifest}
    links = [(folder, link) for folder, link in iter_links(project.data) if _target(link.path) in gone]
    if not links:
        return
    mend_links(project, {(folder, link.name) for folder, link in links})
    for _, link in links:
        if _target(link.path) in gone:
            try:
                unlink_if_there(link.path)
            except OSError as error:
                raise storage_error("Cannot remove a link.", link.path, error) from error


def _target(link: str) -> str | None:
    """The manifest that a link leads to, whether it is there or not."""
    try:
        target = read_link(link)
    except (OSError, ValueError):
        return None
    return None if target is None else os.path.realpath(os.path.join(os.path.dirname(link), target))
