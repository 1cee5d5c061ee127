"""Runs that are not wanted any more: their results, links and records."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from smttask.care.inventory import iter_links, iter_manifests
from smttask.care.rebuild import mend_links
from smttask.errors import DamagedResultError
from smttask.project import Project
from smttask.records.deletion import delete_records
from smttask.records.query import Selection
from smttask.storage.atomic import read_link, storage_error, unlink_if_there
from smttask.storage.manifest import Head, read_head, read_rest

__all__ = ["Deletion", "delete", "plan_deletion"]


@dataclass(slots=True)
class Deletion:
    """What would be deleted, and what not.

    Parameters
    ----------
    labels
        Of the records, newest first.
    results
        Heads of the results among them; a run that failed has none.
    size
        Of the files of the results, in bytes.
    kept
        Label -> why it stays.
    """

    labels: list[str] = field(default_factory=list)
    results: list[Head] = field(default_factory=list)
    size: int = 0
    kept: dict[str, str] = field(default_factory=dict)


def plan_deletion(project: Project, labels: Iterable[str]) -> Deletion:
    """What can go of the runs `labels`; nothing is changed.

    Runs whose process may live are kept, and results that a result that stays was computed
    from. Every manifest is read for this.

    Raises
    ------
    StorageError, RecordStoreError
        If a store cannot be read.
    """
    wanted = dict.fromkeys(labels)
    kept = {
        run.label: "it is running"
        for run in project.records.open_runs()
        if run.label in wanted and not run.is_abandoned
    }
    heads, needs = _read_results(project)
    is_settled = False
    while not is_settled:  # what a kept result needs is kept too
        is_settled = True
        for label, upstream in needs.items():
            if label in wanted and label not in kept:
                continue
            for needed in upstream & wanted.keys() - kept.keys():
                kept[needed] = f"result {label} was computed from it"
                is_settled = False
    going = [label for label in wanted if label not in kept]
    results = [heads[label] for label in going if label in heads]
    size = sum(_size(head) for head in results)
    return Deletion(going, results, size, {label: kept[label] for label in wanted if label in kept})


def delete(project: Project, deletion: Deletion) -> int:
    """Do what was planned; returns how many records were deleted.

    The links of a task lead to its latest result that is left. Killed at any instant, the same
    call completes it.

    Raises
    ------
    StorageError, RecordStoreError
        If a store cannot be written.
    """
    for head in deletion.results:
        for path in (
            str(head.path),
            *_output_files(head),
        ):  # the manifest first: without it there is no result
            try:
                unlink_if_there(path)
            except OSError as error:
                raise storage_error(f"Cannot delete the result {head.label}.", path, error) from error
    _mend(project, deletion.labels)
    return delete_records(project.records, deletion.labels)


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


def _output_files(head: Head) -> list[str]:
    folder = os.path.dirname(head.path)
    return [f"{folder}/{name}" for entry in head.outputs.values() for name, _, _ in entry.files]


def _size(head: Head) -> int:
    return os.stat(head.file).st_size + sum(
        size for entry in head.outputs.values() for _, size, _ in entry.files
    )


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
