"""What tasks read and write by a format: `JSON("a.json")`, `Pandas("c.h5")` and their kin.

A file of any origin is read, as long as it is of the kind. Formats, and the libraries that they need, are
imported when the first value is read or saved.
"""

from __future__ import annotations

import os
from copy import copy
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self

from smttask.errors import (
    InputError,
    MissingExtraError,
    OutputError,
    SmttaskError,
    error_text,
    short_repr,
)
from smttask.extras import require
from smttask.storage.atomic import reading_error, storage_error, write_folder_whole, write_whole

__all__ = ["FormatFile", "JSON", "NetCDF", "Npy", "Npz", "Pandas", "Pickle", "Text", "Zarr"]

_PARQUET = frozenset({".parquet", ".pq"})
_OF_OTHERS = frozenset({".csv", ".feather", ".json", ".pickle", ".pkl", ".tsv", ".txt", ".xls", ".xlsx"})


class FormatFile(os.PathLike[str]):
    """A file with the format of its content; the value is read anew at each call.

    Parameters
    ----------
    filename
        Absolute, or relative: to the folder of the Tasker where one of its tasks names it, else to
        the current directory at the time it is read or saved.
    """

    filename: Path
    #: ``module:class`` of the `smttask.protocols.Format`.
    format: ClassVar[str]
    #: Optional libraries that each such file needs.
    libraries: ClassVar[tuple[str, ...]] = ()
    #: What to return instead of a value that does not fit.
    remedy: ClassVar[str]
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
        """The file of the same name in `folder`; the same file, if the name is absolute."""
        placed = copy(self)
        placed.folder = os.path.abspath(folder)
        return placed

    def __call__(self) -> Any:
        """The value, read anew; errors as of `read`."""
        return self.read()

    def read(self) -> Any:
        """The value, read anew.

        Raises
        ------
        StorageError
            If there is no such file, or the system does not let us read it.
        InputError
            If the file is damaged, or of another kind.
        MissingExtraError
            If a library for such files is not installed.
        """
        path = os.fspath(self)
        self.require_libraries()
        try:
            self._open(path)
            return self._load(Path(path))
        except SmttaskError:
            raise
        except OSError as error:
            if error.errno is not None:
                what = f"The file {str(self.filename)!r} cannot be read."
                raise reading_error(what, path, error) from error
            raise self._misfit(path, error) from error
        except Exception as error:  # whatever libraries, and what a pickle says, may raise
            raise self._misfit(path, error) from error

    def save(self, value: Any) -> str:
        """Replace the file at once, whole or not at all; its folder is made, a link stays a link.

        Returns its blake3, 64 hex; an empty text where it is a folder.

        Raises
        ------
        OutputError
            If the format does not take `value`.
        StorageError
            If the file cannot be written.
        MissingExtraError
            If a library for such files is not installed.
        """
        path = os.path.realpath(self)
        self.require_libraries()
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return self._write(value, path)
        except SmttaskError:
            raise
        except OSError as error:
            what = f"The file {str(self.filename)!r} cannot be written."
            raise storage_error(what, path, error) from error
        except Exception as error:
            raise OutputError(
                f"The value for {str(self.filename)!r} does not fit into a file of {type(self).__name__}.",
                f"{type(error).__name__}: {_brief(error)}\nfound: {short_repr(value)}",
                self.remedy,
                path=path,
            ) from error

    @property
    def kind(self) -> str:
        """What tells such a file from one of another format at the same place."""
        return type(self).__name__

    def require_libraries(self) -> None:
        """Import the libraries that such files need, so that a lack of them is told before any work is done.

        Raises
        ------
        MissingExtraError
            If one of them is not installed.
        """
        for name in self._libraries():
            try:
                require(name)
            except MissingExtraError as error:
                raise MissingExtraError(
                    f"The file {str(self.filename)!r} needs the library {name!r}, which is not installed.",
                    error.found,
                    error.remedy,
                    library=name,
                ) from error

    def _libraries(self) -> tuple[str, ...]:
        return self.libraries

    def _misfit(self, path: str, error: Exception) -> InputError:
        return InputError(
            f"The file {str(self.filename)!r} cannot be read as {type(self).__name__}.",
            f"{path}: {type(error).__name__}: {_brief(error)}",
            "see what wrote it; if a task did, run that task again",
            path=path,
        )

    def _made_format(self) -> Any:
        module, _, name = self.format.partition(":")
        return getattr(import_module(module), name)()

    def _open(self, path: str) -> None:
        """Let the system say what is wrong, which libraries tell in many ways."""
        with open(path, "rb"):
            pass

    def _load(self, path: Path) -> Any:
        return self._made_format().load(path)

    def _write(self, value: Any, path: str) -> str:
        return write_whole(path, lambda file: self._save(value, file))

    def _save(self, value: Any, file: BinaryIO) -> None:
        self._made_format().save(value, file)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.filename)!r})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), self.filename, self.folder))


def _brief(error: Exception) -> str:
    """What `error` says, without the many lines in the middle that HDF5 has."""
    lines = [line for line in error_text(error).splitlines() if line.strip()]
    return "\n".join(lines if len(lines) <= 4 else [lines[0], "…", lines[-1]])


class JSON(FormatFile):
    """Numbers, texts, lists and dicts as JSON that people and other programs read.

    Tuples and arrays come back as lists, numpy's scalars as numbers, names in dicts as texts.

    Examples
    --------
    >>> import tempfile
    >>> file = JSON(tempfile.mkdtemp() + "/a.json")
    >>> _ = file.save({"mean": 1.5, "range": (0, 3)})
    >>> file()
    {'mean': 1.5, 'range': [0, 3]}
    """

    format = "smttask.formats.plainjson:PlainJsonFormat"
    remedy = (
        "return numbers, texts, lists and dicts; sorted(…) makes a list of a set; Pickle takes any object"
    )


class Pickle(FormatFile):
    """Any Python object; whoever reads the file trusts who wrote it."""

    format = "smttask.formats.pickle:PickleFormat"
    remedy = "return data; not functions without a name, open files, locks or generators"


class Text(FormatFile):
    """A text as UTF-8, its ends of line as they are."""

    format = "smttask.formats.text:TextFormat"
    remedy = "return a str; str(…) or '\\n'.join(…) makes one"

    def _save(self, value: Any, file: BinaryIO) -> None:
        if not isinstance(value, str):
            raise TypeError("it is no text")
        super()._save(value, file)


class Npy(FormatFile):
    """An array of numbers, texts or times as NumPy's ``.npy``; lists and numbers become one."""

    format = "smttask.formats.numpy:NpyFormat"
    remedy = "return an array without Python objects and mask; Pickle takes any object"

    def _load(self, path: Path) -> Any:
        array = super()._load(path)
        array.flags.writeable = True  # the caller's own
        return array

    def _save(self, value: Any, file: BinaryIO) -> None:
        as_plain_array = import_module("smttask.formats.numpy").as_plain_array
        super()._save(as_plain_array(value), file)


class Npz(FormatFile):
    """A dict of arrays by name as NumPy's ``.npz``."""

    format = "smttask.formats.npz:PlainNpzFormat"
    remedy = "return a dict of names and arrays without Python objects; Pickle takes any object"


class Pandas(FormatFile):
    """A table of pandas: ``.parquet`` and ``.pq`` as Parquet, all else as HDF5 by `pandas.HDFStore`.

    Parameters
    ----------
    filename
        As for all format files.
    key
        Name within an HDF5 file; the stem of the file name if left out. Other keys in the
        file stay when this one is saved.

    Raises
    ------
    InputError
        If the name is that of another kind of file, such as ``a.csv``.
    """

    remedy = "return a DataFrame (HDF5: or a Series); .parquet takes more types of columns, Pickle any object"

    def __init__(self, filename: str | os.PathLike[str], key: str | None = None) -> None:
        super().__init__(filename)
        if self.filename.suffix.lower() in _OF_OTHERS:
            raise InputError(
                f"The file {str(self.filename)!r} cannot be one of tasker.Pandas.",
                f"found: {self.filename.suffix}\nexpected: .parquet or .pq, which is Parquet, or .h5",
                f"to read such a file, let its name go in, table={str(self.filename)!r}, and use a function "
                "of pandas; to write one, store it as a plain file",
                path=self.filename,
            )
        self.key = self.filename.stem if key is None else key

    @property
    def kind(self) -> str:
        """The format, with the name within the file if that is not the stem."""
        return super().kind if self.key == self.filename.stem else f"{super().kind} {self.key!r}"

    def _libraries(self) -> tuple[str, ...]:
        return ("pyarrow",) if self._is_parquet else ("tables",)

    @property
    def _is_parquet(self) -> bool:
        return self.filename.suffix.lower() in _PARQUET

    def _made_format(self) -> Any:
        formats = import_module("smttask.formats.pandas")
        if self._is_parquet:
            return formats.PandasParquetFormat()
        return formats.HDFStoreFormat(self.key, beside=os.fspath(self))

    def __repr__(self) -> str:
        key = "" if self.key == self.filename.stem else f", key={self.key!r}"
        return f"Pandas({str(self.filename)!r}{key})"


class NetCDF(FormatFile):
    """A DataArray or Dataset of xarray as netCDF-4."""

    format = "smttask.formats.xarray:AnyNetCDFFormat"
    libraries = ("xarray", "h5netcdf")
    remedy = "return a DataArray or Dataset without complex numbers; Zarr or Pickle take more"


class Zarr(FormatFile):
    """An array, a dict of arrays, or an object of xarray as Zarr, which is a folder."""

    libraries = ("zarr",)
    remedy = "return an array, a dict of names and arrays, or an object of xarray; Pickle takes any object"

    def _open(self, path: str) -> None:
        os.listdir(path)

    def _load(self, path: Path) -> Any:
        return import_module("smttask.formats.zarr").load_zarr(path)

    def _write(self, value: Any, path: str) -> str:
        save_zarr = import_module("smttask.formats.zarr").save_zarr
        write_folder_whole(path, lambda folder: save_zarr(value, Path(folder)))
        return ""
