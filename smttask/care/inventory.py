"""What stands in the two data stores: the manifests and the links, by their names alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from smttask.storage.atomic import storage_error
from smttask.storage.datastore import DataStore
from smttask.storage.layout import OLDER_DIR, Key

__all__ = ["Link", "is_label", "iter_links", "iter_manifests", "key_of", "task_folders"]

LABEL = re.compile(r"\d{8}-\d{6}-\d{6}_[0-9a-f]{6}(__\w+_\d+)?")
DIGEST = re.compile(r"[0-9a-f]{20}")
# With an older link's 12 hex behind the stem or without
LINK = re.compile(r"(?P<stem>[0-9a-f]{20}|\w+_\d+)(\.[0-9a-f]{12})?\.json")


@dataclass(frozen=True, slots=True)
class Link:
    """A link in the input store.

    Parameters
    ----------
    path
        Absolute.
    name
        Digest with suffix of the task it stands for.
    """

    path: str
    name: str


def is_label(text: str) -> bool:
    """Whether `text` is made like the label of a run.

    Examples
    --------
    >>> is_label("20261122-101500-000000_3f9c1b"), is_label("field")
    (True, False)
    """
    return LABEL.fullmatch(text) is not None


def key_of(folder: str, name: str, full_digest: str = "") -> Key:
    """The key of the task in `folder` whose digest with suffix is `name`.

    Examples
    --------
    >>> key_of("Grow", "88aa01__n_5").suffix
    '__n_5'
    """
    digest, mark, rest = name.partition("__")
    return Key(folder, digest, mark + rest, full_digest)


def task_folders(data: DataStore) -> list[str]:
    """Names of the folders of tasks in the output store, sorted; none if the store is not there."""
    return [name for name, is_dir in _entries(str(data.output_dir)) if is_dir and not name.startswith(".")]


def iter_manifests(data: DataStore, folder: str | None = None) -> Iterator[str]:
    """Paths of the manifests in the output store, by folder and then by time; none is opened.

    Parameters
    ----------
    folder
        Only those of this task folder.

    Raises
    ------
    StorageError
        If a folder cannot be listed.
    """
    for name in task_folders(data) if folder is None else [folder]:
        place = f"{data.output_dir}/{name}"
        files = {file for file, is_dir in _entries(place) if not is_dir}
        for file in sorted(files):
            label = file.removesuffix(".json")
            # An output may be called `_n_5`: its file looks like the manifest of an iteration
            is_output = "__" in label and f"{label.partition('__')[0]}.json" in files
            if label != file and is_label(label) and not is_output:
                yield f"{place}/{file}"


def iter_links(data: DataStore) -> Iterator[tuple[str, Link]]:
    """The folder of the task and the link, for each link in the input store.

    What else users keep in the input store is passed over.

    Raises
    ------
    StorageError
        If a folder cannot be listed.
    """
    root, results = str(data.input_dir), os.path.realpath(data.output_dir)
    for folder, is_dir in _entries(root):
        place = f"{root}/{folder}"
        if not is_dir or folder.startswith(".") or os.path.realpath(place) == results:
            continue
        yield from ((folder, link) for link in _links_in(place, ""))
        for digest, is_inner in _entries(place):
            if is_inner and DIGEST.fullmatch(digest):
                yield from ((folder, link) for link in _links_in(f"{place}/{digest}", digest))


def _links_in(place: str, digest: str) -> Iterator[Link]:
    """The links in a folder and its ``.older``; `digest` is that of its iterations, or empty."""
    for inner in (place, f"{place}/{OLDER_DIR}"):
        for file, is_dir in _entries(inner):
            match = LINK.fullmatch(file)
            if is_dir or match is None or bool(match[2]) != (inner != place):
                continue
            stem = match["stem"]
            if bool(DIGEST.fullmatch(stem)) is not bool(digest):
                yield Link(f"{inner}/{file}", f"{digest}__{stem}" if digest else stem)


def _entries(path: str) -> list[tuple[str, bool]]:
    """Name, and whether it is a folder, of each entry, sorted; none if there is no such folder."""
    try:
        with os.scandir(path) as entries:
            return sorted((entry.name, _is_folder(entry)) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise storage_error("Cannot look through a store.", path, error) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link of the user that leads in a circle
        return False
