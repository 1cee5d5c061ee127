"""Files that get one JSON object a line: notes that outlive what they tell of."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["append_line", "json_object", "read_lines"]


def append_line(path: Path, facts: Mapping[str, Any], *, durable: bool = False) -> None:
    """Append `facts` to the file at `path`, as a line with the ``time``; for one writer at a time.

    Half a line, which a writer left that was killed or found the disk full, spoils only itself.

    Parameters
    ----------
    facts
        Anything that `json` writes, with texts as names.
    durable
        Return when the line is on the disk.

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     append_line(Path(folder, "notes.jsonl"), {"label": "a"})
    ...     [line["label"] for line in read_lines(Path(folder, "notes.jsonl"))]
    ['a']
    """
    line = json.dumps({"time": datetime.now(UTC).isoformat(), **facts}) + "\n"
    with open(path, "ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(line.encode())
        file.flush()
        if durable:
            os.fsync(file.fileno())


def read_lines(path: Path) -> list[Mapping[str, Any]]:
    """The objects in the file at `path`, in their order, without what is none; nothing if there is no file.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [found for line in lines if (found := json_object(line)) is not None]


def json_object(line: bytes) -> Mapping[str, Any] | None:
    """The JSON object that a line holds; None if it holds none.

    Examples
    --------
    >>> json_object(b'{"x": 1}'), json_object(b'{"x": ')
    ({'x': 1}, None)
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
