"""The links of tasks to their results, as the manifests tell them."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator

from smttask.care.inventory import key_of
from smttask.errors import DamagedResultError
from smttask.project import Project
from smttask.storage.acceptance import ACCEPTED_FILE, read_acceptances
from smttask.storage.atomic import read_link, replace_link
from smttask.storage.layout import OLDER_DIR, Key, link_name, older_name
from smttask.storage.locks import computing
from smttask.storage.manifest import Head, read_head

__all__ = ["Relinking"]

Version = tuple[str, str]
"""Full digest and code."""


class Relinking:
    """Gathers results, a few hundred bytes each, and then makes the links to them that are missing.

    The main link of a task leads to its latest result, those in ``.older`` to the latest of each other
    pair of full digest and code, and to results that were accepted for one.
    """

    def __init__(self, project: Project) -> None:
        data = project.data
        self._input_dir = str(data.input_dir)
        self._output_dir = os.path.realpath(data.output_dir)
        self._to_results = os.path.relpath(self._output_dir, os.path.realpath(data.input_dir))
        self._accepted = read_acceptances(project.root / ACCEPTED_FILE)
        self._versions: dict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._versions)

    def add(self, head: Head) -> None:
        """Count with the result `head`; those of a task come in the order of their labels."""
        folder = os.path.basename(os.path.dirname(head.file))
        version = head.full_digest, sys.intern(head.code), head.label
        self._versions[sys.intern(folder), head.digest].append(version)

    def missing(self) -> Iterator[dict[str, str]]:
        """For each task, its links that lead to none of its results: where they should lead, by path."""
        for (folder, name), versions in self._versions.items():
            key = key_of(folder, name)
            place = f"{self._input_dir}/{key.link_folder}"
            main = f"{place}/{link_name(key)}"
            label_of = {(full_digest, code): label for full_digest, code, label in versions}
            latest = max(versions, key=lambda version: version[2])
            wanted = {main: latest[2]}
            at_main = self._standing(main, latest[2], key) or latest[:2]
            labels = {version[2] for version in versions}
            accepted = {
                (full_digest, code): label
                for full_digest, code, label in self._accepted.get((folder, name), ())
                if label in labels
            }
            for version, label in {**accepted, **label_of}.items():
                if version != at_main:
                    wanted[f"{place}/{OLDER_DIR}/{older_name(key, *version)}"] = label
            yield {
                path: self._target(path, folder, label)
                for path, label in wanted.items()
                if self._standing(path, label, key) is None
            }

    def make(self, missing: dict[str, str]) -> None:
        """Make the links of one task that `missing` gave.

        Raises
        ------
        StorageError, OSError
            If they cannot be made.
        """
        path = next(iter(missing))
        folder, name = os.path.split(path)
        if os.path.basename(folder) == OLDER_DIR:
            folder, name = os.path.dirname(folder), f"{name.partition('.')[0]}.json"
        with computing(f"{folder}/.{name}.lock"):  # as those who move links
            for path, target in missing.items():
                replace_link(target, path)

    def _target(self, path: str, folder: str, label: str) -> str:
        up = "../" * os.path.relpath(path, self._input_dir).count(os.sep)
        return f"{up}{self._to_results}/{folder}/{label}.json"

    def _standing(self, path: str, label: str, key: Key) -> Version | None:
        """Full digest and code of the result of `key` that the link at `path` leads to."""
        try:
            target = read_link(path)
            if target is None:
                return None
            if target == self._target(path, key.folder, label):  # no need to open what was read just now
                return self._version_of(key, label)
            head = read_head(os.path.join(os.path.dirname(path), target))
        except (DamagedResultError, OSError, ValueError):
            return None
        is_of_task = head.digest == key.name and head.path.parent.name == key.folder
        return (head.full_digest, head.code) if is_of_task else None

    def _version_of(self, key: Key, label: str) -> Version | None:
        versions = self._versions[key.folder, key.name]
        return next((version[:2] for version in reversed(versions) if version[2] == label), None)
