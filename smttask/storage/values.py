"""Large inputs and long texts, each kept once under the name of its content."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, BinaryIO, cast

from blake3 import blake3

from smttask.errors import ResultNotFoundError
from smttask.formats.registry import format_for, iter_formats
from smttask.hashing import HashingFile, hash_file
from smttask.protocols import Format
from smttask.storage.atomic import storage_error, write_whole
from smttask.storage.damage import move_aside
from smttask.storage.layout import VALUES_DIR
from smttask.storage.manifest import damaged

__all__ = ["ValueStore"]


class ValueStore:
    """The folder ``.values`` of an output store; its files never change.

    Parameters
    ----------
    output_dir
        The output store.
    """

    def __init__(self, output_dir: Path) -> None:
        self.path = output_dir / VALUES_DIR
        self._dir = str(self.path)

    def put(self, value: Any) -> str:
        """Keep `value` in the format that fits it; returns the blake3 of the file, 64 hex.

        A value that is there already is hashed, not written.

        Raises
        ------
        OutputError
            If no format takes the value.
        StorageError
            If it cannot be written.
        """
        format = format_for(value)
        hashed = _hashed(format, value)
        self._keep(hashed.blake3 + format.suffix, hashed.n_bytes, lambda file: format.save(value, file))
        return hashed.blake3

    def name_of(self, value: Any) -> str:
        """The name that `put` would give `value`; nothing is written."""
        return _hashed(format_for(value), value).blake3

    def get(self, name: str) -> Any:
        """The value that `put` kept under this blake3, checked; arrays read-only.

        Raises
        ------
        ResultNotFoundError
            If there is none.
        DamagedResultError
            If it is not as it was written; it is set aside, so that the next `put` writes it anew.
        """
        _check_name(name)
        for format in iter_formats():
            path = f"{self._dir}/{name}{format.suffix}"
            if format.name != "pickle" and os.path.exists(path):
                self._check(path, name)
                return format.load(Path(path))
        raise _not_found(f"{self._dir}/{name}.*")

    def put_text(self, text: str, ending: str) -> str:
        """Keep `text` as UTF-8; returns the blake3 of the file, 64 hex.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        data = text.encode(errors="surrogateescape")
        name = blake3(data).hexdigest()
        self._keep(name + ending, len(data), lambda file: file.write(data))
        return name

    def get_text(self, name: str, ending: str) -> str:
        """The text that `put_text` kept under this blake3, checked.

        Raises
        ------
        ResultNotFoundError
            If there is none.
        DamagedResultError
            If it is not as it was written.
        """
        _check_name(name)
        path = f"{self._dir}/{name}{ending}"
        if not os.path.exists(path):
            raise _not_found(path)
        self._check(path, name)
        return Path(path).read_bytes().decode(errors="surrogateescape")

    def _keep(self, file_name: str, n_bytes: int, save: Any) -> None:
        path = f"{self._dir}/{file_name}"
        if _is_kept(path, n_bytes):
            return
        try:
            os.makedirs(self._dir, exist_ok=True)
            write_whole(path, save)
        except OSError as error:
            raise storage_error(f"Cannot keep the value {file_name[:12]}.", path, error) from error

    def _check(self, path: str, name: str) -> None:
        try:
            found = hash_file(path)
        except OSError as error:
            raise storage_error(f"Cannot read the value {name[:12]}.", path, error) from error
        if found != name:
            try:
                move_aside(self._dir, [os.path.basename(path)])
            except OSError:  # on a read-only disk it stays, and is refused each time
                pass
            raise damaged(path, "its content has another checksum than its name says")


def _is_kept(path: str, n_bytes: int) -> bool:
    """Whether the value is there; then it is marked as in use, for who removes what is not."""
    try:
        if os.stat(path).st_size != n_bytes:
            return False
    except FileNotFoundError:
        return False
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:  # it belongs to another user
        pass
    return True


def _hashed(format: Format, value: Any) -> HashingFile:
    with HashingFile(None, expected_bytes=getattr(value, "nbytes", 0)) as file:
        format.save(value, cast(BinaryIO, file))
    return file


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{64}", name):
        raise ResultNotFoundError(f"No stored value {name!r}.", "expected 64 hex digits", "see the manifest")


def _not_found(path: str) -> ResultNotFoundError:
    return ResultNotFoundError(
        f"No stored value {os.path.basename(path)[:12]}.", f"{path} is not there", "run the task again"
    )
