"""Results that are still valid although other code made them: they serve as if today's had."""

from __future__ import annotations

import os
from pathlib import Path

from smttask.storage.atomic import replace_link, storage_error
from smttask.storage.layout import OLDER_DIR, Key, link_name, older_name
from smttask.storage.locks import computing
from smttask.storage.manifest import Head

__all__ = ["accept_result"]


def accept_result(input_dir: Path, key: Key, code: str, head: Head) -> None:
    """Let `DataStore.find` give the result `head` for `key` and `code` as if this code had made it.

    A link under the accepting inputs and code leads to the manifest, which stays as it is. A result
    that this code computes later takes its place.

    Parameters
    ----------
    input_dir
        The input store.
    head
        What `DataStore.find` gave: a result of the same inputs by other code.

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
            replace_link(target, link)
    except OSError as error:
        raise storage_error(f"Cannot accept the result {head.label}.", link, error) from error
