"""What tasks read and write by a format: `JSON("a.json")`, `Pandas("c.h5")` and their kin."""

from __future__ import annotations

import os
from copy import copy
from pathlib import Path
from typing import Any, BinaryIO, Self

from smttask.errors import InputError, OutputError, short_repr
from smttask.storage.atomic import storage_error, write_whole

__all__ = ["FormatFile", "JSON", "Npy", "Pickle", "Text"]


class FormatFile(os.PathLike[str]):
    """A file with the format of its content; read anew at each call.

    Parameters
    ----------
    filename
        Absolute, or relative: to the folder of the Tasker where a task stores it, else to the
        current directory when it is read or saved.

    Examples
    --------
    >>> JSON("a.json")
    JSON('a.json')
    """

    filename: Path
    folder: str = ""

    def __init__(self, filename: str | os.PathLike[str]) -> None:
        self.filename = Path(filename)

    @property
    def path(self) -> Path:
        """Where it is, absolute."""
        return Path(os.fspath(self))

    def __fspath__(self) -> str:
        return os.path.abspath(os.path.join(self.folder, self.filename))

    def at(self, folder: str | os.PathLike[str]) -> Self:
        """The same file name in `folder`; the same file, if the name is absolute."""
        placed = copy(self)
        placed.folder = os.path.abspath(folder)
        return placed

    def __call__(self) -> Any:
        """The value, read anew."""
        return self.read()

    def read(self) -> Any:
        """The value, read anew.

        Raises
        ------
        InputError
            If the file is not of this format, or damaged.
        StorageError
            If there is no file, or it cannot be read.
        """
        path = os.fspath(self)
        kind = type(self).__name__
        try:
            return self._load(Path(path))
        except OSError as error:
            raise storage_error(f"The {kind} file {self.filename} cannot be read.", path, error) from error
        except Exception as error:
            raise InputError(
                f"The file {self.filename} is no {kind} file that can be read.",
                f"{path}: {type(error).__name__}: {error}",
                "see what wrote it; if a task did, clear and run that task",
                place=path,
            ) from error

    def save(self, value: Any) -> str:
        """Replace the file at once, whole or not at all; its folder is made.

        Returns the blake3 of the file, 64 hex.

        Raises
        ------
        OutputError
            If the format does not take `value`.
        StorageError
            If the file cannot be written.
        """
        path = os.path.realpath(self)  # a link stays one
        kind = type(self).__name__
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return write_whole(path, lambda file: self._save(value, file))
        except OSError as error:
            raise storage_error(f"The {kind} file {self.filename} cannot be written.", path, error) from error
        except Exception as error:
            raise OutputError(
                f"The value for {self.filename} does not fit into a {kind} file.",
                f"found: {short_repr(value)} ({type(error).__name__}: {error})",
                self._remedy,
            ) from error

    _remedy = "Pickle takes any Python object"

    def _load(self, path: Path) -> Any:
        raise NotImplementedError

    def _save(self, value: Any, file: BinaryIO) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.filename)!r})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), self.filename))


class JSON(FormatFile):
    """Plain values as JSON."""

    def _load(self, path: Path) -> Any:
        import json

        return json.loads(path.read_bytes())

    def _save(self, value: Any, file: BinaryIO) -> None:
        import json

        file.write(json.dumps(value, indent=1).encode() + b"\n")


class Pickle(FormatFile):
    """Any Python object."""

    def _load(self, path: Path) -> Any:
        from smttask.formats.pickle import PickleFormat

        return PickleFormat().load(path)

    def _save(self, value: Any, file: BinaryIO) -> None:
        from smttask.formats.pickle import PickleFormat

        PickleFormat().save(value, file)


class Text(FormatFile):
    """A text as UTF-8."""

    def _load(self, path: Path) -> Any:
        return path.read_bytes().decode()

    def _save(self, value: Any, file: BinaryIO) -> None:
        file.write(value.encode())


class Npy(FormatFile):
    """An array."""

    def _load(self, path: Path) -> Any:
        from smttask.formats.numpy import NpyFormat

        return NpyFormat().load(path)

    def _save(self, value: Any, file: BinaryIO) -> None:
        from smttask.formats.numpy import NpyFormat

        NpyFormat().save(value, file)
