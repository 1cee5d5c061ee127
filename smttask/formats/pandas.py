"""pandas' tables as pandas itself keeps them: HDF5 by `pandas.HDFStore`, and Parquet.

Unlike the formats of `smttask.formats.tables` these read any file that pandas wrote; texts and objects in
HDF5 are pickles, so a file is trusted by whoever reads it.
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from smttask.errors import StorageError, error_text
from smttask.extras import require

__all__ = ["HDFStoreFormat", "PandasParquetFormat"]

_IN_MEMORY: dict[str, Any] = {"driver": "H5FD_CORE", "driver_core_backing_store": 0}
_serial = itertools.count()
_MAKERS = ("create_array", "create_carray", "create_earray", "create_table", "create_vlarray")


class HDFStoreFormat:
    """A DataFrame or Series under one key of an HDF5 file; equal tables make equal bytes.

    Parameters
    ----------
    key
        Name in the file; with ``/`` between groups.
    beside
        A file of the kind whose other keys are written too; it need not exist.
    """

    name = "hdfstore"
    suffix = ".h5"

    def __init__(self, key: str, beside: str | os.PathLike[str] | None = None) -> None:
        self.key = key
        self.beside = beside

    def accepts(self, value: object) -> bool:
        """Whether it is a table of pandas."""
        return isinstance(value, pd.DataFrame | pd.Series)

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write the file at once: HDF5 goes back and forth.

        Raises
        ------
        TypeError
            If `value` is no table.
        NotImplementedError
            If pandas cannot keep it in HDF5.
        StorageError
            If there are other tables in the file, and they cannot be read.
        """
        if not self.accepts(value):
            raise TypeError("it is no table of pandas")
        require("tables")
        tables = {**self._others(), "/" + self.key.strip("/"): _Table(value)}
        file.write(_content(tables))

    def _others(self) -> dict[str, _Table]:
        """Tables under other keys of the file that is there; none if it is of another kind."""
        path = os.fspath(self.beside or "")
        if not os.path.exists(path) or not require("tables").is_hdf5_file(path):
            return {}
        try:
            with pd.HDFStore(path, mode="r") as store:
                # Categories are tables below the one that they belong to.
                keys = [key for key in store if "/meta/" not in key]
                return {key: _Table.stored(store, key) for key in keys}
        except Exception as error:  # the errors of HDF5, and what a pickle says
            raise StorageError(
                f"The other tables in {os.path.basename(path)!r} cannot be kept, since they cannot be read.",
                f"{path}: {type(error).__name__}: {_last_line(error)}",
                "remove the file if nothing in it is needed, or give this table a file of its own",
                path=path,
            ) from error

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read the table; `mmap` makes no difference.

        Raises
        ------
        ValueError
            If the file has no such key.
        """
        if not require("tables").is_hdf5_file(os.fspath(path)):
            raise ValueError("it is no HDF5 file")
        with pd.HDFStore(os.fspath(path), mode="r") as store:
            if self.key not in store:
                keys = ", ".join(repr(key.removeprefix("/")) for key in store) or "none"
                raise ValueError(f"it has no key {self.key!r}; its keys: {keys}")
            return store.get(self.key)


@dataclass(frozen=True)
class _Table:
    """A table, and what pandas shall make of it: "fixed" where it can, "table" with columns to select by."""

    value: Any
    layout: str = "fixed"
    data_columns: Any = None

    @classmethod
    def stored(cls, store: Any, key: str) -> _Table:
        storer = store.get_storer(key)
        if not storer.is_table:
            return cls(store.get(key))
        return cls(store.get(key), "table", storer.data_columns or None)


def _content(tables: Mapping[str, _Table]) -> bytes:
    """An HDF5 file of `tables` by key, the same for the same tables."""
    name = f"smttask-{os.getpid()}-{next(_serial)}.h5"  # PyTables knows what is open by name
    with warnings.catch_warnings(), pd.HDFStore(name, mode="w", **_IN_MEMORY) as store:
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)  # that texts are pickled
        handle = store.root._v_file
        for maker in _MAKERS:
            setattr(handle, maker, partial(_made, getattr(handle, maker)))
        # An index, which nobody asked for, has a time too; pandas puts categories by the same method.
        store.put = put = partial(store.put, track_times=False, index=False)
        for key, table in sorted(tables.items()):  # a table above others would remove them
            try:
                put(key, table.value, format=table.layout, data_columns=table.data_columns)
            except NotImplementedError:  # categories
                put(key, table.value, format="table")
        return bytes(handle.get_file_image())


def _last_line(error: Exception) -> str:
    return (error_text(error).strip().splitlines() or [""])[-1]


def _made(make: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What PyTables makes, without the time, which would make files of equal tables differ."""
    if "vlarray" in make.__name__:
        options["chunkshape"] = 1  # one object in a piece: by default an array of texts takes a megabyte
    return make(*args, **{**options, "track_times": False})


class PandasParquetFormat:
    """A DataFrame as Parquet, by pandas' own rules."""

    name = "pandas-parquet"
    suffix = ".parquet"

    def accepts(self, value: object) -> bool:
        """Whether it is a DataFrame; not all have columns that Parquet takes."""
        return isinstance(value, pd.DataFrame)

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write `value`.

        Raises
        ------
        TypeError
            If it is no DataFrame.
        """
        if not self.accepts(value):
            raise TypeError("Parquet takes a DataFrame; series.to_frame() makes one")
        require("pyarrow")
        value.to_parquet(file, engine="pyarrow")

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read the frame; `mmap` makes no difference."""
        require("pyarrow")
        return pd.read_parquet(path, engine="pyarrow")
