"""pandas' tables as pandas itself keeps them: HDF5 by `pandas.HDFStore`, and Parquet.

Unlike the formats of `smttask.formats.tables` these read any file that pandas wrote; texts and objects in
HDF5 are pickles, so a file is trusted by whoever reads it.
"""

from __future__ import annotations

import os
import posixpath
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from smttask.extras import require

__all__ = ["HDFStoreFormat", "PandasParquetFormat"]

_IN_MEMORY: dict[str, Any] = {"driver": "H5FD_CORE", "driver_core_backing_store": 0}
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
            If `value` is no table, or pandas cannot keep it in HDF5.
        """
        if not self.accepts(value):
            raise TypeError("it is no table of pandas")
        require("tables")
        try:
            content = self._content(value, "fixed")
        except NotImplementedError:  # categories, whole numbers with gaps
            content = self._content(value, "table")
        file.write(content)

    def _content(self, value: Any, layout: str) -> bytes:
        with warnings.catch_warnings(), pd.HDFStore("memory.h5", mode="w", **_IN_MEMORY) as store:
            warnings.simplefilter("ignore", pd.errors.PerformanceWarning)  # that texts are pickled
            handle = store.root._v_file
            for name in _MAKERS:
                setattr(handle, name, partial(_made, getattr(handle, name)))
            # An index, which nobody asked for, has a time too; pandas puts categories by the same method.
            store.put = put = partial(store.put, track_times=False, index=False)
            put(self.key, value, format=layout)
            self._copy_others(handle)
            return bytes(handle.get_file_image())

    def _copy_others(self, handle: Any) -> None:
        if self.beside is None or not os.path.exists(self.beside):
            return
        own = "/" + self.key.strip("/")
        try:
            store = pd.HDFStore(os.fspath(self.beside), mode="r")
        except Exception:  # noqa: BLE001 - libraries have their own errors for damaged files, which are replaced
            return
        with store:
            done = [own]
            for key in sorted(store):
                if any(f"{key}/".startswith(f"{above}/") for above in done):  # a part of that table
                    continue
                group, name = posixpath.split(key)
                if group not in handle:
                    handle.create_group(*posixpath.split(group), createparents=True)
                store.get_node(key)._f_copy(handle.get_node(group), name, recursive=True)
                done.append(key)

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
