"""The folder of one run for files that its function writes, and that become outputs."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from smttask.storage.atomic import storage_error

__all__ = ["WorkFolder", "file_ending"]

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_ENDING = re.compile(r"(\.[A-Za-z0-9_+\-]{1,15}){0,2}")  # what is longer or stranger is part of the name


class WorkFolder:
    """Made when it is first asked for, and gone when the run ends."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._is_made = False

    def make(self) -> Path:
        """The folder, without links in its path.

        Raises
        ------
        StorageError
            If it cannot be made.
        """
        try:
            os.makedirs(self._path, exist_ok=True)
        except OSError as error:
            raise storage_error("Cannot make a folder for the files of a run.", self._path, error) from error
        self._is_made = True
        return Path(os.path.realpath(self._path))

    def keep_as(self, path: str) -> None:
        """Let what is in it stay, under the name `path`."""
        if self._is_made:
            os.rename(self._path, path)
            self._is_made = False

    def remove(self) -> None:
        """Remove it with all that is in it, if it was made."""
        if self._is_made:
            shutil.rmtree(self._path, ignore_errors=True)


def file_ending(name: str) -> str:
    """The ending of a file's name, with the one before it if it only says how the file is compressed.

    Empty if it has more than 15 characters, or others than letters, digits and ``_+-``.

    Examples
    --------
    >>> file_ending("field.v2.vtk"), file_ending("table.csv.gz"), file_ending("at 3.5 m")
    ('.vtk', '.csv.gz', '')
    """
    stem, ending = os.path.splitext(name)
    if ending in COMPRESSED:
        ending = os.path.splitext(stem)[1] + ending
    return ending if _ENDING.fullmatch(ending) else ""
