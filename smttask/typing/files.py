"""Paths, and data files that are inputs by their content."""

from __future__ import annotations

import os
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from time import time_ns
from typing import Any, NamedTuple

from pydantic_core import core_schema

from smttask.errors import InputError, short_repr
from smttask.hashing import new_hasher
from smttask.typing.registry import TypeEntry, register_entry

__all__ = ["InputFile", "file_digest"]

_RACY_NS = 2_000_000_000  # a file younger than this when hashed may change within one tick of its clock


class _Stat(NamedTuple):
    size: int
    mtime_ns: int
    inode: int


_known: dict[str, tuple[_Stat, str]] = {}


def _stat(path: Path) -> _Stat:
    found = os.stat(path)
    return _Stat(found.st_size, found.st_mtime_ns, found.st_ino)


def file_digest(path: Path) -> str:
    """The blake3 of the file's content, 64 hex digits; remembered while the file looks the same."""
    stat = _stat(path)
    known = _known.get(str(path))
    if known is not None and known[0] == stat:
        return known[1]
    hasher = new_hasher(stat.size)
    hashed_at_ns = time_ns()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            hasher.update(block)
    digest = hasher.hexdigest()
    if stat == _stat(path) and hashed_at_ns - stat.mtime_ns > _RACY_NS:
        _known[str(path)] = (stat, digest)
    else:
        _known.pop(str(path), None)
    return digest


class InputFile(os.PathLike[str]):
    """A data file as an input: what counts is its name without folder and its content.

    The content is hashed once, when the object is made; later changes of the file
    are found by `changed`, not followed.

    Parameters
    ----------
    path
        The file, relative to the current directory.
    digest
        Its content digest where that is known already (64 hex); then the file is not looked at.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.

    Examples
    --------
    >>> InputFile(__file__).path.name
    'files.py'
    """

    __slots__ = ("digest", "path")
    path: Path
    digest: str

    def __init__(self, path: str | os.PathLike[str], digest: str | None = None) -> None:
        absolute = Path(path).absolute()
        if digest is None:
            try:
                digest = file_digest(absolute)
            except OSError as error:
                raise InputError(
                    f"Input file {short_repr(str(path))} cannot be read.",
                    f"{absolute}: {error.strerror or error}",
                    "give the path of an existing file, relative to the current directory or absolute",
                ) from error
        object.__setattr__(self, "path", absolute)
        object.__setattr__(self, "digest", digest)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"InputFile is fixed: {name!r} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self.path), self.digest)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"InputFile({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InputFile):
            return NotImplemented
        return (self.path, self.digest) == (other.path, other.digest)

    def __hash__(self) -> int:
        return hash((self.path.name, self.digest))

    def changed(self) -> bool:
        """Whether the file is gone or its content is not what it was at construction."""
        try:
            return file_digest(self.path) != self.digest
        except OSError:
            return True

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _to_input_file,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: str(value.path)),
        )


def _to_input_file(value: Any) -> InputFile:
    if isinstance(value, InputFile):
        return value
    if not isinstance(value, (str, os.PathLike)):
        raise ValueError(f"expected an InputFile or the path of a file, not a {type(value).__name__}")
    return InputFile(value)


def _plain_file(value: InputFile) -> dict[str, str]:
    return {"path": str(value.path), "digest": value.digest}


def _file(plain: Any) -> InputFile:
    path, digest = plain["path"], plain["digest"]
    if type(path) is not str or type(digest) is not str or len(plain) != 2:
        raise ValueError("expected a path and a digest")
    return InputFile(path, digest)


register_entry(TypeEntry("inputfile", InputFile, _plain_file, _file))
for _cls in (PurePosixPath, PureWindowsPath):
    register_entry(TypeEntry(_cls.__name__.lower(), _cls, str, _cls))
PATH_TYPES = (PosixPath, WindowsPath)
