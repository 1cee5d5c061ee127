"""What is kept about one run, and the widths of the columns that keep it.

The fields are those of Sumatra's schema (Sumatra 0.8, `recordstore/django_store/models.py`)
and the few that smttask needs to find a run again.
"""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from blake3 import blake3

from smttask.errors import RecordStoreError, short_repr

__all__ = [
    "DataKey",
    "Dependency",
    "Executable",
    "Platform",
    "Record",
    "RepositoryAddress",
    "STATUSES",
    "check_widths",
    "fit",
]

STATUSES = ("initialized", "running", "finished", "crashed", "killed")

LABEL_WIDTH = 100
MAIN_FILE_WIDTH = 100
KEY_PATH_WIDTH = 200
TAG_WIDTH = 50
TAGS_WIDTH = 255
MARK_LENGTH = 12  # hex digits of the whole value's blake3 after the "~" of a cut one

# What Sumatra takes for "do not compare": with any other digest it would demand SHA-1 of the file
IGNORED_DIGEST = "0" * 40

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Executable:
    """The interpreter of a run."""

    path: str
    version: str
    name: str = "Python"
    options: str = ""


@dataclass(frozen=True, slots=True)
class Platform:
    """The machine of a run; `ip_addr` is always the loopback address, as no network is asked."""

    architecture_bits: str
    architecture_linkage: str
    machine: str
    network_name: str
    processor: str
    release: str
    system_name: str
    version: str
    ip_addr: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Dependency:
    """An imported distribution: its name, the folder or file it was imported from, its version."""

    name: str
    path: str
    version: str
    diff: str = ""
    source: str | None = None


@dataclass(frozen=True, slots=True)
class RepositoryAddress:
    """Where the code of a run is kept: the working copy's root, and the remote it came from if any."""

    url: str
    upstream: str | None = None


@dataclass(frozen=True, slots=True)
class DataKey:
    """A file that a run read or wrote.

    Parameters
    ----------
    path
        Relative to the store's `input_root` or `output_root`, or absolute; at most 200 characters.
    created
        When the file was made, aware; kept to the second.
    metadata
        JSON values; `size` in bytes, `blake3` in hex, `mimetype` and `encoding` as Sumatra wants them.

    Examples
    --------
    >>> DataKey("Analyze/a.npy", metadata={"size": 8}).path
    'Analyze/a.npy'
    """

    path: str
    created: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    @classmethod
    def of_file(
        cls, path: Path | str, root: Path | str, *, size: int, blake3: str, created: datetime
    ) -> DataKey:
        """Describe the file at `path`: its key is relative to `root` if inside, else absolute.

        Parameters
        ----------
        path, root
            Absolute. They are not looked at.
        size
            In bytes.
        blake3
            Hex digits of the file's content.

        Examples
        --------
        >>> now = datetime.fromisoformat("2026-11-22T10:15:00Z")
        >>> DataKey.of_file("/p/data/x.csv", "/p", size=3, blake3="ab", created=now).path
        'data/x.csv'
        """
        text, prefix = os.fspath(path), os.path.join(os.fspath(root), "")
        key = text[len(prefix) :] if text.startswith(prefix) else text
        mimetype, encoding = _guess_type(key.rpartition("/")[2].partition(".")[2])
        metadata = {"blake3": blake3, "encoding": encoding, "mimetype": mimetype, "size": size}
        return cls(key, created, MappingProxyType(metadata))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run of a recorded task, as it stands in the record store.

    Parameters
    ----------
    label
        Unique name of the run; at most 100 characters.
    timestamp
        Start of the run, aware.
    task, module
        Name and module of the task.
    digest, full_digest
        Of the task, as it has them.
    manifest
        Path of the manifest, relative to the store's output root.
    parameters
        Description of the task as JSON text; its inputs stand under ``inputs``.
    main_file
        Source file of the task's module; at most 100 characters.
    version, diff
        Commit in hex, and what the working copy held beyond it.
    working_directory
        Absolute.
    status
        One of `STATUSES`.
    tags
        What users added; the status is not among them.
    duration_s
        None while the run is open or if it was killed.
    """

    label: str
    timestamp: datetime
    task: str = ""
    module: str = ""
    digest: str = ""
    full_digest: str = ""
    manifest: str = ""
    parameters: str = "{}"
    main_file: str = ""
    version: str = ""
    diff: str = ""
    reason: str = ""
    script_arguments: str = ""
    user: str = ""
    working_directory: str = ""
    executable: Executable = Executable("python", "unknown")
    repository: RepositoryAddress = RepositoryAddress("")
    platform: Platform | None = None
    dependencies: tuple[Dependency, ...] = ()
    input_data: tuple[DataKey, ...] = ()
    output_data: tuple[DataKey, ...] = ()
    status: str = "running"
    tags: frozenset[str] = frozenset()
    outcome: str = ""
    duration_s: float | None = None
    stdout_stderr: str = ""


@lru_cache(maxsize=256)
def _guess_type(ending: str) -> tuple[str | None, str | None]:
    """Mimetype and encoding of files whose names end so, after the first dot."""
    return mimetypes.guess_type(f"x.{ending}")


def fit(text: str, width: int | None = None) -> str:
    """Return `text` as a column of `width` characters takes it.

    Text that is too long is cut and ends in ``~`` and 12 hex digits of its blake3, so
    that different texts stay different. Characters that a database refuses (NUL, lone
    surrogates) become U+FFFD.

    Examples
    --------
    >>> fit("short", 20)
    'short'
    >>> fit("a" * 30, 20)
    'aaaaaaa~0f5b50af502c'
    """
    stored = text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("\ufffd", text)
    if width is None or len(stored) <= width:
        return stored
    mark = blake3(text.encode("utf-8", "surrogatepass")).hexdigest()[:MARK_LENGTH]
    return f"{stored[: width - MARK_LENGTH - 1]}~{mark}"


def check_widths(*, label: str = "", main_file: str = "", key_paths: Iterable[str] = ()) -> None:
    """Refuse what no record could hold; to be called before a run.

    Raises
    ------
    RecordStoreError
        If a label or main file is longer than 100 characters, the path of a data
        key longer than 200, or one of them contains NUL.

    Examples
    --------
    >>> check_widths(label="20261122-101500-123456_3f9c1b", main_file="tasks.py")
    """
    named = [("label", label, LABEL_WIDTH), ("main file", main_file, MAIN_FILE_WIDTH)]
    named += [("path of the data key", path, KEY_PATH_WIDTH) for path in key_paths]
    for what, text, width in named:
        if len(text) <= width and "\0" not in text:
            continue
        found = "it contains NUL" if "\0" in text else f"length: {len(text)}; a record takes {width}"
        raise RecordStoreError(
            f"No record can hold the {what} {short_repr(text)}.",
            found,
            "use a shorter name for the task, its module or its files",
            text=text,
        )
