"""Kept inputs and texts that no result and no record names any more."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

from smttask.care.inventory import iter_manifests, task_folders
from smttask.project import JOURNAL_DIR, Project
from smttask.records.originals import iter_parameters
from smttask.storage.atomic import storage_error
from smttask.storage.layout import DAMAGED_DIR, VALUES_DIR
from smttask.view.progress import watched

__all__ = ["HOUR_S", "remove_value", "unused_values"]

#: A value is in use for so long after a run asked for it, in which the run opens its record
HOUR_S = 3600.0
FILE = re.compile(r"([0-9a-f]{64})\.\w+")
NAME = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def unused_values(project: Project) -> list[str]:
    """Paths of the files in ``.values`` that nothing in the stores of `project` names, sorted.

    Looked through are manifests, damaged ones too, the records of all projects in the record store, and
    journals. Values that a run asked for within the last hour are in use.

    Raises
    ------
    StorageError, RecordStoreError
        If something cannot be read that may name one.
    """
    folder = f"{project.data.output_dir}/{VALUES_DIR}"
    unused: dict[bytes, list[str]] = {}
    for path in _files(folder):
        if (match := FILE.fullmatch(os.path.basename(path))) and _is_old(path):
            unused.setdefault(match[1].encode(), []).append(path)
    for text in _texts(project) if unused else ():
        for name in NAME.findall(text):
            unused.pop(name, None)
    return sorted(path for paths in unused.values() for path in paths)


def remove_value(path: str) -> bool:
    """Remove a file that `unused_values` found; False if a run has asked for it since, or it is gone.

    It is put aside first, so that a run either finds it and says so, or writes it anew.

    Raises
    ------
    OSError
        If it cannot be removed.
    """
    aside = f"{os.path.dirname(path)}/.{os.path.basename(path)}.part"
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return False
    if not _is_old(aside):
        os.rename(aside, path)
        return False
    os.unlink(aside)
    return True


def _is_old(path: str) -> bool:
    try:
        return time.time() - os.stat(path).st_mtime >= HOUR_S
    except FileNotFoundError:  # removed meanwhile, or a link of a clone to what is gone
        return False


def _texts(project: Project) -> Iterator[bytes]:
    """All that may name a value."""
    data = project.data
    manifests = list(iter_manifests(data))
    manifests += [
        path for task in task_folders(data) for path in _files(f"{data.output_dir}/{task}/{DAMAGED_DIR}")
    ]
    for path in watched(manifests, len(manifests), "results"):
        yield _read(path)
    for path in _files(str(project.root / JOURNAL_DIR)):  # before the records, which take them in
        yield _read(path)
    if project.records.is_made():
        for text in iter_parameters(project.records):
            yield text.encode(errors="replace")


def _files(folder: str) -> list[str]:
    """The files in `folder`, hidden ones left out; none if there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if not entry.name.startswith(".") and not entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise storage_error("Cannot see which values are in use.", folder, error) from error


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:  # deleted meanwhile
        return b""
    except OSError as error:
        raise storage_error("Cannot see which values are in use.", path, error) from error
