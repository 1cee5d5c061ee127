"""What stands beside each result, and makes it one: the manifest.

A manifest is a file of JSON lines. The first line, the head, holds what a hit
needs, its own checksum in front and the checksum of the rest at its end::

    {"check": "<16 hex>", "format": 1, "label": …, "task": …, "digest": …, "full_digest": …,
     "code": …, "outputs": {name: entry}, "rest": {"size": bytes, "blake3": "<64 hex>"}}

``check`` is the blake3 of all that follows ``", `` behind it up to the end of
the line. An entry is ``{"format": "json", "json": value}`` for a small output,
else ``{"format": name, "file": name, "size": bytes, "blake3": "<64 hex>"}``, with
``"also": [[file, size, blake3]]`` for a format of several files.
The lines of the rest are objects of one key each, read when asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blake3 import blake3

from smttask.errors import DamagedResultError

__all__ = ["FORMAT", "Head", "JSONText", "OutputEntry", "compose", "damaged", "read_head", "read_rest"]

FORMAT = 1

CHECK_BYTES = 8
PREFIX = b'{"check": "'
BODY_START = len(PREFIX) + 2 * CHECK_BYTES + len('", ')
# A manifest up to this size comes in one read, and is then checked to its end (measured: 3 us for 8 kB).
FIRST_READ_BYTES = 16_384

_encode = json.JSONEncoder(allow_nan=False).encode
_EMPTY: Mapping[type, str] = {str: '""', list: "[]", tuple: "[]", dict: "{}"}


class _Openings(dict[str, str]):
    """What a line of the rest begins with, by its key: there are twenty, which are made once."""

    def __missing__(self, key: str) -> str:
        text = self[key] = f"{{{_encode(key)}: "
        return text


_OPENINGS = _Openings()


class JSONText(str):
    """A value of the rest that is JSON text already, strict, ASCII and on one line; it is taken as it is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class OutputEntry:
    """Where one output is and how to know that it is whole.

    Parameters
    ----------
    format
        Name of the format it was saved by.
    json
        The value in JSON form, if `file` is None.
    file
        Name of its file, in the folder of the manifest.
    size
        Of the file, in bytes.
    blake3
        Of the file, 64 hex.
    also
        Name, size and blake3 of each further file, where the format has several.
    """

    format: str
    json: Any = None
    file: str | None = None
    size: int = 0
    blake3: str = ""
    also: tuple[tuple[str, int, str], ...] = ()

    @property
    def files(self) -> tuple[tuple[str, int, str], ...]:
        """Name, size and blake3 of each file; none if the value stands in the manifest."""
        return () if self.file is None else ((self.file, self.size, self.blake3), *self.also)

    def to_json(self) -> dict[str, Any]:
        """The entry as it stands in a manifest."""
        if self.file is None:
            return {"format": self.format, "json": self.json}
        form = {"format": self.format, "file": self.file, "size": self.size, "blake3": self.blake3}
        return {**form, "also": [list(part) for part in self.also]} if self.also else form


@dataclass(frozen=True, slots=True)
class Head:
    """What a hit needs to know about a stored result: the first line of its manifest.

    Parameters
    ----------
    digest
        With suffix.
    code
        Digest of the code fingerprint of the run.
    outputs
        By name; a single unnamed output has the name ``""``.
    file
        The manifest as it was found; `path` is the same without detours.
    rest_size, rest_blake3
        Of all the lines but the first.
    whole_blake3
        Of the manifest as it was composed; empty if it was read.
    """

    label: str
    task: str
    digest: str
    full_digest: str
    code: str
    outputs: Mapping[str, OutputEntry]
    file: str = field(compare=False)
    rest_size: int
    rest_blake3: str
    whole_blake3: str = field(default="", compare=False)

    @property
    def path(self) -> Path:
        """The manifest, absolute and without links."""
        return Path(os.path.realpath(self.file))

    def output_path(self, name: str) -> Path | None:
        """The file of the output `name`; None if it stands in the manifest itself."""
        file = self.outputs[name].file
        return None if file is None else self.path.parent / file


def compose(
    *,
    label: str,
    task: str,
    digest: str,
    full_digest: str,
    code: str,
    outputs: Mapping[str, OutputEntry],
    rest: Mapping[str, Any],
    file: str,
) -> tuple[Head, bytes]:
    """The head and the bytes of a manifest.

    Raises
    ------
    ValueError
        If `rest` or an output is no strict JSON (NaN is not).
    """
    lines = [
        f"{_OPENINGS[key]}{value if value.__class__ is JSONText else _text(value)}}}\n"
        for key, value in rest.items()
    ]
    rest_bytes = "".join(lines).encode("ascii")
    rest_blake3 = blake3(rest_bytes).hexdigest()
    fields = {
        "format": FORMAT,
        "label": label,
        "task": task,
        "digest": digest,
        "full_digest": full_digest,
        "code": code,
        "outputs": {name: entry.to_json() for name, entry in outputs.items()},
        "rest": {"size": len(rest_bytes), "blake3": rest_blake3},
    }
    body = _encode(fields)[1:].encode("ascii")
    check = blake3(body).hexdigest(length=CHECK_BYTES).encode()
    text = b"".join((PREFIX, check, b'", ', body, b"\n", rest_bytes))
    rest_of_head = len(rest_bytes), rest_blake3, blake3(text).hexdigest()
    return Head(label, task, digest, full_digest, code, dict(outputs), file, *rest_of_head), text


def _text(value: Any) -> str:
    """A value of the rest as JSON."""
    return (_EMPTY.get(type(value)) if not value else None) or _encode(value)


def damaged(path: str, reason: str, **facts: Any) -> DamagedResultError:
    """The error that says that the file at `path` is not as it was written."""
    return DamagedResultError(
        f"Damaged result: {os.path.basename(path)}.",
        f"{path}\n{reason}",
        "run the task again: the file is set aside and the result is computed anew",
        path=path,
        reason=reason,
        **facts,
    )


def read_head(path: str | os.PathLike[str]) -> Head:
    """The head of the manifest at `path`, checked; one open.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DamagedResultError
        If it is not as it was written, or no manifest.
    """
    path = os.fspath(path)
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        try:
            text = os.read(fd, FIRST_READ_BYTES)
        except IsADirectoryError as error:
            raise damaged(path, "a folder where a manifest should be") from error
        n_read = len(text)
        end = text.find(b"\n")
        while end < 0:
            more = os.read(fd, 1 << 20)
            if not more:
                raise damaged(path, f"cut within its first line, after {n_read} bytes")
            text += more
            end = text.find(b"\n", n_read)
            n_read = len(text)
        size = os.fstat(fd).st_size
    finally:
        os.close(fd)
    head = _parse(path, text[:end])
    if end + 1 + head.rest_size != size:
        raise damaged(path, f"its rest has {size - end - 1} bytes instead of {head.rest_size}")
    if n_read == size and blake3(memoryview(text)[end + 1 :]).hexdigest() != head.rest_blake3:
        raise damaged(path, "the checksum of its rest does not fit")
    return head


def _entry(*, also: Any = (), **entry: Any) -> OutputEntry:
    return OutputEntry(**entry, also=tuple([(file, size, name) for file, size, name in also]))


def _parse(path: str, line: bytes) -> Head:
    """The head in the first line of a manifest."""
    body = line[BODY_START:]
    if not line.startswith(PREFIX):
        raise damaged(path, "it does not begin like a manifest")
    if line[len(PREFIX) : BODY_START] != blake3(body).hexdigest(length=CHECK_BYTES).encode() + b'", ':
        raise damaged(path, "the checksum of its first line does not fit")
    try:
        fields = json.loads(str(line, "ascii"))
        if fields["format"] != FORMAT:
            found = f"it has format {fields['format']!r}, this smttask reads format {FORMAT}"
            raise damaged(path, found, is_newer=True)
        outputs = {name: _entry(**entry) for name, entry in fields["outputs"].items()}
        for entry in outputs.values():
            for file, _, _ in entry.files:
                if os.path.basename(file) != file:
                    raise damaged(path, f"it names a file outside its folder: {file!r}")
        rest = fields["rest"]
        return Head(
            fields["label"],
            fields["task"],
            fields["digest"],
            fields["full_digest"],
            fields["code"],
            outputs,
            path,
            rest["size"],
            rest["blake3"],
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged(path, f"its first line is no head of a manifest: {error!r}") from error


def read_rest(head: Head) -> dict[str, Any]:
    """All but the first line of the manifest of `head`, checked: inputs, code, provenance, output text.

    Raises
    ------
    FileNotFoundError
        If the manifest was deleted since `head` was read.
    DamagedResultError
        If it is not as it was written.
    """
    with open(head.file, "rb") as file:
        file.readline()
        text = file.read()
    if blake3(text).hexdigest() != head.rest_blake3:
        raise damaged(head.file, "the checksum of its rest does not fit")
    rest: dict[str, Any] = {}
    for line in text.splitlines():
        rest.update(json.loads(line))
    return rest
