"""Which run made a file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from smttask.care.inventory import iter_manifests
from smttask.errors import DamagedResultError, ResultNotFoundError
from smttask.hashing import hash_file
from smttask.project import Project
from smttask.storage.manifest import Head, read_head

__all__ = ["FoundOutput", "find_outputs"]


@dataclass(frozen=True, slots=True)
class FoundOutput:
    """A run, and which of its outputs a file holds.

    Parameters
    ----------
    output
        Empty for the unnamed output, None for the manifest.
    path
        The file in the output store.
    """

    label: str
    task: str
    digest: str
    output: str | None
    path: str


def find_outputs(project: Project, path: str | os.PathLike[str]) -> list[FoundOutput]:
    """The runs that made the file at `path`: one by its name if it is in the store, else all by its content.

    Parameters
    ----------
    path
        A file or link in the stores, or a copy of an output under any name anywhere.

    Raises
    ------
    ResultNotFoundError
        If there is no such file, or no run made it.
    """
    real = os.path.realpath(path)
    if not os.path.isfile(real):
        found_there = " (a folder)" if os.path.isdir(real) else ""
        raise ResultNotFoundError(
            f"There is no file {path}.", f"looked at: {real}{found_there}", "name a file that a run made"
        )
    folder, name = os.path.split(real)
    inside = os.path.relpath(folder, os.path.realpath(project.data.output_dir))
    is_inside = inside != os.curdir and os.path.basename(inside) == inside
    # Labels begin with the time, so those of a folder that can be meant are few
    near = list(iter_manifests(project.data, inside)) if is_inside else []
    found = [part for head in _heads(near, name) if (part := _part(head, name)) is not None]
    if not found:
        blake3 = hash_file(real)
        heads = _heads(iter_manifests(project.data))
        found = [copy for head in heads if (copy := _copy(head, blake3)) is not None]

    if not found:
        raise ResultNotFoundError(
            f"No stored run made {path}.",
            f"searched: {project.data.output_dir}, by name and by content",
            "a file that a run made may have been edited since",
        )
    return found


def _heads(paths: Iterable[str], name: str = "") -> list[Head]:
    heads = []
    for path in paths:
        if name and not name.startswith(os.path.basename(path).removesuffix(".json")):
            continue
        try:
            heads.append(read_head(path))
        except (DamagedResultError, OSError):
            continue
    return heads


def _part(head: Head, name: str) -> FoundOutput | None:
    """What the file `name` beside the manifest of `head` is of it."""
    if name == os.path.basename(head.file):
        return FoundOutput(head.label, head.task, head.digest, None, str(head.path))
    for output, entry in head.outputs.items():
        if any(name == file for file, _, _ in entry.files):
            return FoundOutput(head.label, head.task, head.digest, output, str(head.path.parent / name))
    return None


def _copy(head: Head, blake3: str) -> FoundOutput | None:
    for output, entry in head.outputs.items():
        for file, _, known in entry.files:
            if known == blake3:
                return FoundOutput(head.label, head.task, head.digest, output, str(head.path.parent / file))
    return None
