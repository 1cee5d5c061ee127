"""Results that are still valid although other code made them: they serve as if today's had."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from smttask.jsonlines import append_line, read_lines
from smttask.storage.atomic import replace_link, storage_error
from smttask.storage.layout import OLDER_DIR, Key, link_name, older_name
from smttask.storage.locks import computing
from smttask.storage.manifest import Head

__all__ = ["ACCEPTED_FILE", "accept_result", "read_acceptances"]

ACCEPTED_FILE = ".smt/accepted.jsonl"
"""Relative to the root of a project."""


def accept_result(input_dir: Path, key: Key, code: str, head: Head, *, noted_in: Path | None = None) -> None:
    """Let `DataStore.find` give the result `head` for `key` and `code` as if this code had made it.

    A link under the accepting inputs and code leads to the manifest, which stays as it is. A result
    that this code computes later takes its place.

    Parameters
    ----------
    input_dir
        The input store.
    head
        What `DataStore.find` gave: a result of the same inputs by other code.
    noted_in
        A file that gets a line, from which the link is made again if the input store is lost.

    Raises
    ------
    StorageError
        If the input store cannot be written.
    """
    folder = f"{input_dir}/{key.link_folder}"
    link = f"{folder}/{OLDER_DIR}/{older_name(key, key.full_digest, code)}"
    try:
        with computing(f"{folder}/.{link_name(key)}.lock"):  # as those who move links
            os.makedirs(os.path.dirname(link), exist_ok=True)
            target = os.path.relpath(os.path.realpath(head.file), os.path.realpath(os.path.dirname(link)))
            if noted_in is not None:
                _note(noted_in, key, code, head.label)
            replace_link(target, link)
    except OSError as error:
        raise storage_error(f"Cannot accept the result {head.label}.", link, error) from error


def _note(path: Path, key: Key, code: str, label: str) -> None:
    facts = {"folder": key.folder, "digest": key.name, "full_digest": key.full_digest, "code": code}
    with computing(f"{path}.lock"):
        append_line(path, {**facts, "label": label})


def read_acceptances(path: Path) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
    """What `accept_result` noted in the file at `path`.

    Full digest, code and label by folder and digest with suffix of the task, in their order. A line that
    a killed process left half written is passed over; no file is no acceptances.

    Raises
    ------
    StorageError
        If the file cannot be read.
    """
    try:
        lines = read_lines(path)
    except OSError as error:
        raise storage_error("Cannot read which results were accepted.", str(path), error) from error
    found: dict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)
    for told in lines:
        with suppress(KeyError, TypeError):
            version = told["full_digest"], told["code"], told["label"]
            found[told["folder"], told["digest"]].append(version)
    return dict(found)
