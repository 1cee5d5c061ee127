"""Stored results of one project copied into another."""

from __future__ import annotations

import os
import shutil

from smttask.care.inventory import iter_manifests
from smttask.care.rebuild import mend_links
from smttask.errors import DamagedResultError
from smttask.project import Project
from smttask.storage.atomic import storage_error, write_whole
from smttask.storage.layout import VALUES_DIR
from smttask.storage.manifest import Head, read_head

__all__ = ["transfer_results"]


def transfer_results(source: Project, target: Project) -> list[str]:
    """Copy the results of `source` that `target` lacks, with the values they name; their labels.

    Nothing that is there is overwritten; a damaged result stays where it is. The manifest of a result
    comes last and its link after it, so that what is killed is completed by the next call.

    Raises
    ------
    StorageError
        If a file cannot be read or written.
    """
    copied: list[str] = []
    linked: set[tuple[str, str]] = set()
    _copy_values(source, target)
    for path in iter_manifests(source.data):
        inside = os.path.relpath(path, source.data.output_dir)
        here = f"{target.data.output_dir}/{inside}"
        try:
            head = read_head(path)
            linked.add((os.path.dirname(inside), head.digest))
            if os.path.lexists(here):
                continue
            _copy_result(head, os.path.dirname(here))
        except (DamagedResultError, FileNotFoundError):
            continue
        except OSError as error:
            raise storage_error(f"Cannot copy the result {inside}.", path, error) from error
        copied.append(head.label)
    mend_links(target, linked)
    return copied


def _copy_values(source: Project, target: Project) -> None:
    """Large inputs and diffs: named by their content, so what is there is the same."""
    folder, here = source.data.output_dir / VALUES_DIR, target.data.output_dir / VALUES_DIR
    if not folder.is_dir():
        return
    for entry in os.scandir(folder):
        if entry.is_file() and not entry.name.startswith(".") and not (here / entry.name).exists():
            try:
                here.mkdir(parents=True, exist_ok=True)
                _copy(entry.path, str(here / entry.name))
            except OSError as error:
                raise storage_error(f"Cannot copy the value {entry.name}.", entry.path, error) from error


def _copy_result(head: Head, folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    place = os.path.dirname(head.file)
    names = [name for entry in head.outputs.values() for name, _, _ in entry.files]
    for name in (*names, os.path.basename(head.file)):
        _copy(f"{place}/{name}", f"{folder}/{name}")


def _copy(path: str, here: str) -> None:
    with open(path, "rb") as file:
        write_whole(here, lambda made: shutil.copyfileobj(file, made, 1 << 20))
