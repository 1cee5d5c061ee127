"""Paths, and data files that are inputs by their content."""

from __future__ import annotations

import os
from abc import abstractmethod
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, ClassVar

from pydantic_core import core_schema

from smttask.errors import InputError, short_repr
from smttask.hashing import file_digest, iter_files, joined_digest
from smttask.typing.registry import TypeEntry, register_entry

__all__ = ["INPUT_PATHS", "InputDir", "InputFile"]


class _InputPath(os.PathLike[str]):
    """What input files and folders share: an absolute path, and a digest fixed at construction."""

    __slots__ = ("digest", "path")
    path: Path
    digest: str
    kind: ClassVar[str]

    def __init__(self, path: str | os.PathLike[str], digest: str | None = None) -> None:
        absolute = Path(path).absolute()
        if digest is None:
            try:
                digest = self._read_digest(absolute)
            except OSError as error:
                raise InputError(
                    f"Input {self.kind} {short_repr(str(path))} cannot be read.",
                    f"{error.filename or absolute}: {error.strerror or error}",
                    f"give the path of a {self.kind}, relative to the current directory or absolute",
                ) from error
        object.__setattr__(self, "path", absolute)
        object.__setattr__(self, "digest", digest)

    @staticmethod
    @abstractmethod
    def _read_digest(path: Path) -> str:
        """The digest of what stands at `path` now, 64 hex digits."""

    def changed(self) -> bool:
        """Whether it is gone or its content is not what it was at construction."""
        try:
            return self._read_digest(self.path) != self.digest
        except OSError:
            return True

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is fixed: {name!r} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self.path), self.digest)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self.path, self.digest) == (other.path, other.digest)

    def __hash__(self) -> int:
        return hash((self.path, self.digest))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._from_value,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: str(value.path)),
        )

    @classmethod
    def _from_value(cls, value: Any) -> Any:
        if isinstance(value, cls):
            return value
        if not isinstance(value, (str, os.PathLike)):
            expected = f"expected an {cls.__name__} or the path of a {cls.kind}"
            raise ValueError(f"{expected}, not a {type(value).__name__}")
        return cls(value)


class InputFile(_InputPath):
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

    __slots__ = ()
    kind: ClassVar[str] = "file"

    @staticmethod
    def _read_digest(path: Path) -> str:
        return file_digest(path)

    @property
    def files(self) -> tuple[tuple[Path, str], ...]:
        """The file with its content digest, as an `InputDir` has many."""
        return ((self.path, self.digest),)


class InputDir(_InputPath):
    """A folder of data files as an input: what counts are the names below it and the contents.

    Neither the folder's own name nor empty folders count, nor the files that file managers
    leave (``.DS_Store``, ``Thumbs.db``, ``desktop.ini``). Links are followed.

    Parameters
    ----------
    path
        The folder, relative to the current directory.
    digest
        Its digest where that is known already (64 hex); then the folder is not looked at.

    Raises
    ------
    InputError
        If there is no such folder, something in it cannot be read or is no file, or it contains itself.

    Examples
    --------
    >>> folder = InputDir(Path(__file__).parent)
    >>> folder.path.name, folder.changed()
    ('typing', False)
    """

    __slots__ = ()
    kind: ClassVar[str] = "folder"

    @staticmethod
    def _read_digest(path: Path) -> str:
        return joined_digest((name, file_digest(file)) for name, file in sorted(iter_files(path)))

    @property
    def files(self) -> tuple[tuple[Path, str], ...]:
        """The files in it as they are now, by name, each with its content digest."""
        return tuple((Path(file), file_digest(Path(file))) for _, file in sorted(iter_files(self.path)))


def _plain_path(value: _InputPath) -> dict[str, str]:
    return {"path": str(value.path), "digest": value.digest}


def _from_plain(cls: type[_InputPath], plain: Any) -> _InputPath:
    path, digest = plain["path"], plain["digest"]
    if type(path) is not str or type(digest) is not str or len(plain) != 2:
        raise ValueError("expected a path and a digest")
    return cls(path, digest)


INPUT_PATHS: dict[type, str] = {InputFile: "$inputfile", InputDir: "$inputdir"}
for _kind, _tag in INPUT_PATHS.items():
    register_entry(TypeEntry(_tag[1:], _kind, _plain_path, partial(_from_plain, _kind)))
for _cls in (PurePosixPath, PureWindowsPath):
    register_entry(TypeEntry(_cls.__name__.lower(), _cls, str, _cls))
