"""A folder with links to every result that was used, for handing over with a paper."""

from __future__ import annotations

import os
from pathlib import Path

from smttask.project import Project
from smttask.storage.atomic import storage_error
from smttask.storage.manifest import Head

__all__ = ["track"]

_tracked: set[tuple[str, str]] = set()


def track(head: Head, project: Project) -> None:
    """Link all files of the result `head` in ``config.track_folder``, if it names a folder.

    They have the names that they have in the output store. Hard links where the disk
    allows, so that they outlive the store, else symbolic ones.

    Raises
    ------
    StorageError
        If a link cannot be made; the result is stored all the same.
    """
    chosen = project.setting("track_folder")
    if chosen is None:
        return
    manifest = head.path
    folder = project.root / chosen / manifest.parent.name
    if (str(folder), str(manifest)) in _tracked:
        return
    names = [manifest.name, *(name for entry in head.outputs.values() for name, _, _ in entry.files)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            _link(manifest.parent / name, folder / name)
    except OSError as error:
        raise storage_error(f"Cannot track the result {head.label}.", str(folder), error) from error
    _tracked.add((str(folder), str(manifest)))


def _link(file: Path, link: Path) -> None:
    try:
        os.link(file, link)
    except FileExistsError:
        pass
    except OSError:  # another disk, or one without hard links
        link.symlink_to(file)
