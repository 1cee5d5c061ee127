"""Records of other stores taken into the record store of a project."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from smttask.care.home import require_home
from smttask.care.transfer import transfer_results
from smttask.errors import InputError, RecordStoreError
from smttask.project import Project, get_project, is_project
from smttask.records.backup import copy_sqlite
from smttask.records.editing import Noted, note_edit
from smttask.records.merging import RecordCopier
from smttask.records.originals import (
    CopiedRun,
    fingerprints,
    labels_of,
    manifests_of,
    names_of_projects,
    open_labels,
)
from smttask.records.reconciling import accounts, reconcile, reconciliation
from smttask.records.record import LABEL_WIDTH
from smttask.records.sqlite import SQLiteRecordStore
from smttask.records.stores import SQLRecordStore
from smttask.settings.address import hide_passwords, is_url, parse_url
from smttask.storage.atomic import storage_error
from smttask.view.editing import EDITS_FILE

__all__ = ["Collisions", "Merged", "merge"]

MARK_LENGTH = 12  # hex digits that tell a renamed record from the one that has its label

Collisions = Literal["stop", "ours", "rename"]


@dataclass(slots=True)
class Merged:
    """What a merge did, or would do.

    Parameters
    ----------
    source
        As it was named.
    added
        Labels of the records that the store did not have.
    updated
        Labels of those that it had, and that got tags, comments, a reason or their end.
    n_equal
        How many were equal.
    renamed
        Label in the source -> in the store: records of other runs with a label that was taken.
    collisions
        Such labels that were left where they are.
    running
        Labels of runs that may be going on in the source; they were left out.
    results
        Labels of the results that were copied.
    backup
        Copy of the store as it was before; empty if there was nothing to change.
    """

    source: str
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    n_equal: int = 0
    renamed: dict[str, str] = field(default_factory=dict)
    collisions: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    backup: str = ""


def merge(
    project: Project,
    source: str | os.PathLike[str],
    *,
    collisions: Collisions = "stop",
    source_project: str | None = None,
    data: bool = False,
    backup: bool = True,
    dry_run: bool = False,
) -> Merged:
    """Take the records of another store into that of `project`; the source is only read.

    A record of a run that is there already adds its tags, and the lines of its comments and reason, and
    how the run ended if ours does not know it. Rows that records share stay shared. Killed at any
    instant, the same call completes it; done again, it changes nothing.

    Parameters
    ----------
    source
        Folder of a project, SQLite file, or ``postgresql://`` URL; made by smttask or by Sumatra.
    collisions
        What becomes of records whose label is taken by another run. ``"stop"`` changes nothing
        if there are any, ``"ours"`` leaves them out, ``"rename"`` adds them as ``<label>~<12 hex>``.
    source_project
        Whose records, where the source has those of several projects.
    data
        Also copy the results of a project's folder that are not here, and make their links.
    backup
        Keep a copy of the store beside it: ``records.<time>.backup``, an SQLite file in any case.
    dry_run
        Only tell.

    Raises
    ------
    InputError
        If the source is none, is the store itself, or does not tell whose records are meant.
    RecordStoreError
        If a store cannot be read or written, has another schema, or is written by another host; or if
        there are collisions, which `labels` of the error lists, and `collisions` is ``"stop"``.
    StorageError
        If results cannot be copied.
    """
    target = project.records
    done = Merged(hide_passwords(os.fspath(source)))
    with _opened(project, os.fspath(source)) as (theirs, other):
        name = _project_name(theirs, other, done.source, source_project)
        plan = _Plan(project, theirs, name, collisions, done)
        if done.collisions and collisions == "stop":
            raise _colliding(done, target)
        if dry_run:
            return done
        require_home(project, "merged")
        if data:
            done.results = transfer_results(_folder(other, done.source), project)
        if not plan.changes_anything:
            return done
        if backup and target.is_made() and target.count():
            done.backup = str(_back_up(project))
        copier = RecordCopier(theirs, target)
        noted = project.root / EDITS_FILE
        copier.copy(plan.runs(), lambda labels: plan.note_added(labels, noted))
        reconcile(copier, theirs, target, plan.reconciliations, lambda edit: note_edit(noted, edit))
    return done


class _Plan:
    """What is to be done; filled into `done`."""

    def __init__(
        self, project: Project, theirs: SQLRecordStore, name: str, collisions: str, done: Merged
    ) -> None:
        self._project = project
        self._theirs = theirs
        self._done = done
        ours = project.records
        self._there = labels_of(theirs, name)
        here = labels_of(ours, ours.project_name) if ours.is_made() else {}
        done.running = sorted(open_labels(theirs, name))
        for label in done.running:
            self._there.pop(label, None)
        common = [label for label in self._there if label in here]
        self._marks = fingerprints(theirs, [self._there[label] for label in common])
        marks = fingerprints(ours, [here[label] for label in common]) if common else {}
        pairs = []
        for label in common:
            mark = self._marks[self._there[label]]
            if marks[here[label]] == mark:
                pairs.append((label, label))
            elif (other := _other_label(label, mark)) in here:
                pairs.append((label, other))
            elif collisions == "rename":
                done.renamed[label] = other
            else:
                done.collisions.append(label)
        done.added = sorted(label for label in self._there if label not in here)
        known_ours = accounts(ours, [here[label] for _, label in pairs]) if pairs else {}
        known_theirs = accounts(theirs, [self._there[label] for label, _ in pairs])
        found = [
            reconciliation(label, known_ours[here[label]], known_theirs[self._there[other]])
            for other, label in pairs
        ]
        self.reconciliations = [item for item in found if item is not None]
        done.updated = [item.label for item in self.reconciliations]
        done.n_equal = len(pairs) - len(done.updated)

    @property
    def changes_anything(self) -> bool:
        return bool(self._done.added or self._done.renamed or self.reconciliations)

    def runs(self) -> list[CopiedRun]:
        """The records to be copied, in the order of their labels."""
        output_dir = self._project.data.output_dir
        wanted = [self._there[label] for label in self._done.added]
        manifests = manifests_of(self._theirs, wanted)
        self._manifests = {
            label: manifest
            for label in self._done.added
            if (manifest := manifests.get(self._there[label], ""))
        }
        runs = [
            CopiedRun(
                self._there[label],
                label,
                has_result=label in self._manifests and os.path.isfile(output_dir / self._manifests[label]),
            )
            for label in self._done.added
        ]
        renamed = self._done.renamed.items()
        return [*runs, *(CopiedRun(self._there[label], new, is_renamed=True) for label, new in renamed)]

    def note_added(self, labels: Sequence[str], path: Path) -> None:
        """Note what users edited in new records, for `rebuild`, which knows the manifests alone."""
        ids = {self._there[label]: label for label in labels if self._manifests.get(label)}
        known = accounts(self._theirs, ids)
        for tags in {account.tags for account in known.values() if account.tags}:
            chosen = [ids[key] for key, account in known.items() if account.tags == tags]
            note_edit(path, {"column": "tags", "labels": chosen, "added": sorted(tags), "removed": []})
        for column in ("reason", "outcome"):
            texts = {ids[key]: getattr(account, column) for key, account in known.items()}
            edit: Noted = {"column": column, "texts": {key: text for key, text in texts.items() if text}}
            if edit["texts"]:
                note_edit(path, edit)


def _other_label(label: str, mark: str) -> str:
    """The label of another run than the one that has `label`; the same whenever it is asked for."""
    end = f"~{mark[:MARK_LENGTH]}"
    return label[: LABEL_WIDTH - len(end)] + end


def _colliding(done: Merged, target: SQLRecordStore) -> RecordStoreError:
    n = len(done.collisions)
    return RecordStoreError(
        f"{n} record{'' if n == 1 else 's'} of {done.source} cannot be merged: their labels are taken.",
        "\n".join(f"another run: {label}" for label in done.collisions) + f"\nin: {target.address}",
        "nothing was changed; leave them out with --collisions ours, or add them under other labels "
        "with --collisions rename",
        labels=tuple(done.collisions),
    )


# The source


@contextmanager
def _opened(project: Project, source: str) -> Iterator[tuple[SQLRecordStore, Project | None]]:
    """The record store that `source` names, to be read alone, and its project if it is a folder."""
    target = project.records
    other = None if is_url(source) or not is_project(source) else get_project(source)
    store = other.records if other is not None else _at_url(project, source) if is_url(source) else None
    path = Path(source) if store is None else store.path
    if not (store.is_made() if store is not None else os.path.isfile(source)):
        raise InputError(
            f"There is no record store at {hide_passwords(source)}.",
            "expected: the folder of a project, an SQLite file, or a postgresql:// URL",
            "check the path",
        )
    address = str(path) if store is None else store.address
    if address == target.address or (path is not None and _is_same(path, target.address)):
        raise InputError(
            f"{hide_passwords(source)} is the record store of this project.",
            f"found: {target.address}",
            "name another one",
        )
    if store is not None and path is None:
        yield store, other
        return
    assert path is not None
    # A copy stays as it is while others write, and the source is not even given our indexes
    folder = tempfile.mkdtemp(prefix="smttask-merge-")
    try:
        copy = copy_sqlite(path, Path(folder) / "records")
        opened = SQLiteRecordStore(copy, project.name, input_root="/", output_root="/")
        try:
            yield opened, other
        finally:
            opened.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _at_url(project: Project, source: str) -> SQLRecordStore:
    try:
        return project.records_at(parse_url(source))
    except ValueError as error:
        raise InputError(
            f"{hide_passwords(source)} is no record store.",
            f"found: {error}",
            "write it as postgresql://user@host/database",
        ) from None


def _is_same(path: Path, address: str) -> bool:
    return os.path.exists(address) and os.path.samefile(path, address)


def _project_name(theirs: SQLRecordStore, other: Project | None, source: str, wanted: str | None) -> str:
    """Whose records of the source are meant."""
    names = names_of_projects(theirs)
    if wanted is None and other is not None:
        return other.name
    if wanted is None and len(names) < 2:
        return names[0] if names else ""
    if wanted in names:
        return str(wanted)
    raise InputError(
        f"{source} has no records of a project {wanted!r}."
        if wanted is not None
        else f"{source} has the records of {len(names)} projects.",
        f"found: {', '.join(map(repr, names))}",
        "choose one with --project",
    )


def _folder(other: Project | None, source: str) -> Project:
    if other is not None:
        return other
    raise InputError(
        f"{source} has records alone, no results.",
        "expected: the folder of a project",
        "name that folder, or leave out --data",
    )


# The backup


def _back_up(project: Project) -> Path:
    """Copy the records of `project` as they are into a file that nobody writes."""
    target = project.records
    path = target.path
    place = project.root / ".smt" / "records" if path is None else path
    backup = place.with_name(f"{place.name}.{datetime.now():%Y%m%d-%H%M%S-%f}.backup")
    part = backup.with_name(f".{backup.name}.part")
    part.unlink(missing_ok=True)
    try:
        if path is not None:
            copy_sqlite(path, part)
        else:
            kept = SQLiteRecordStore(part, target.project_name, input_root="/", output_root="/")
            labels = labels_of(target, target.project_name)
            RecordCopier(target, kept).copy([CopiedRun(key, label) for label, key in labels.items()])
            kept.close()
        os.replace(part, backup)
    except OSError as error:
        raise storage_error("The record store cannot be backed up.", str(backup), error) from error
    finally:
        for rubbish in part.parent.glob(f"{part.name}*"):
            rubbish.unlink(missing_ok=True)
    return backup
