"""Files that a task wrote itself: kept as they are, whatever is in them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["FileFormat"]


class FileFormat:
    """Any file; its value is its path. Chosen only where the task's annotation says so."""

    name = "file"
    suffix = ".file"  # the file keeps the ending it has

    def accepts(self, value: object) -> bool:
        """No value: a path is an ordinary value, unless it is promised as a file."""
        return False

    def save(self, value: Any, file: BinaryIO) -> None:
        """Copy the content of the file at the path `value`."""
        with open(value, "rb") as source:
            shutil.copyfileobj(source, file)

    def load(self, path: Path, *, mmap: bool = False) -> Path:
        """The path, absolute and without links."""
        return Path(os.path.realpath(path))
