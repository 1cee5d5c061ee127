"""pandas' tables as Parquet, or as HDF5 where Parquet cannot hold them or is not installed.

Imported when a table is first met; without both libraries tables become ``.npz`` or JSON.
Nothing is unpickled: the HDF5 files are not those of `pandas.HDFStore`, which are, but plain
datasets that any program reads, one for each column of numbers or times.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from smttask.extras import is_installed, require
from smttask.formats.rooted import Rooted
from smttask.protocols import Format
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.registry import entry_of
from smttask.typing.tables import TEXT_IS_OBJECT

__all__ = ["FORMATS", "HDF5Format", "ParquetFormat"]

_KEY = b"smttask"
_EXACT_KINDS = "biuf"  # of numpy's dtypes, those that Parquet gives back as they were
_EXACT_NAMES = frozenset(
    ["boolean", "Float32", "Float64"] + [f"{kind}{n}" for kind in ("Int", "UInt") for n in (8, 16, 32, 64)]
)
_UNITS = ("ms", "us", "ns")


class ParquetFormat(Rooted):
    """A DataFrame as ``.parquet``, as pandas and others read it.

    Examples
    --------
    >>> ParquetFormat().accepts(pd.Series([1, 2]))
    False
    """

    name = "parquet"
    suffix = ".parquet"

    def accepts(self, value: Any) -> bool:
        """True for frames whose names are texts and whose dtypes Parquet gives back exactly."""
        if type(value) is not pd.DataFrame or not is_installed("pyarrow"):
            return False
        columns, index = value.columns, value.index
        if type(columns) is not pd.Index or columns.name is not None or isinstance(index, pd.MultiIndex):
            return False
        if len(columns) == 0 or not (isinstance(columns.dtype, pd.StringDtype) or _is_text(columns)):
            return False
        names = [*columns, *([] if index.name is None else [index.name])]
        if len({*names}) < len(names) or any(type(n) is not str or n.startswith("__index") for n in names):
            return False
        is_range = isinstance(index, pd.RangeIndex)
        series = [value.iloc[:, n] for n in range(len(columns))]
        return all(_is_exact(one.dtype) or _is_text(one) for one in [*series, *([] if is_range else [index])])

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write `value` with pandas' own notes about it, and ours."""
        arrow, parquet = require("pyarrow"), require("pyarrow.parquet")
        table = arrow.Table.from_pandas(value if _is_plain(value.attrs) else _without_attributes(value))
        notes = {"freq": getattr(value.index, "freqstr", None), "attrs": dict(value.attrs)}
        table = table.replace_schema_metadata(
            {**table.schema.metadata, _KEY: json.dumps(to_json(notes, root=self.root)).encode()}
        )
        parquet.write_table(table, file)

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read the frame; `mmap` makes no difference."""
        table = require("pyarrow.parquet").ParquetFile(path).read()
        frame = table.to_pandas()
        notes = from_json(json.loads(table.schema.metadata[_KEY]), root=self.root)
        if notes["freq"] is not None and isinstance(frame.index, pd.DatetimeIndex | pd.TimedeltaIndex):
            frame.index.freq = notes["freq"]
        frame.attrs = notes["attrs"]
        return frame


def _is_plain(attributes: dict[Any, Any]) -> bool:
    try:
        json.dumps(attributes)
    except (TypeError, ValueError):
        return False
    return True


def _without_attributes(frame: Any) -> Any:
    """The frame for pandas' own notes, which warn of what JSON has no form for; ours have all attributes."""
    bare = frame.copy(deep=False)
    bare.attrs = {}
    return bare


def _is_exact(dtype: Any) -> bool:
    if isinstance(dtype, np.dtype):
        if dtype.kind in "mM":
            return dtype.isnative and np.datetime_data(dtype)[0] in _UNITS
        return dtype.kind in _EXACT_KINDS and dtype.isnative and dtype.itemsize <= 8 and dtype != np.float16
    if isinstance(dtype, pd.DatetimeTZDtype):
        return dtype.unit in _UNITS and isinstance(getattr(dtype.tz, "key", None), str)
    if isinstance(dtype, pd.StringDtype):
        return bool(dtype == pd.StringDtype(na_value=dtype.na_value))  # in the storage that is read
    if isinstance(dtype, pd.CategoricalDtype):
        is_text = isinstance(dtype.categories.dtype, pd.StringDtype) or _is_text(dtype.categories)
        return len(dtype.categories) > 0 and is_text
    return dtype.name in _EXACT_NAMES


def _is_text(values: Any) -> bool:
    """Whether these are the objects that pandas before version 3 holds texts as, and nothing is missing."""
    return TEXT_IS_OBJECT and values.dtype == object and {str}.issuperset(map(type, values))


class HDF5Format(Rooted):
    """A DataFrame or Series as ``.h5``: a dataset for each column, and a text that says what they are.

    Times are integers in the unit that the dataset's attribute ``dtype`` states.

    Examples
    --------
    >>> HDF5Format().accepts([1, 2])
    False
    """

    name = "hdf5"
    suffix = ".h5"

    def accepts(self, value: object) -> bool:
        """True for frames and series whose dtypes have a JSON form."""
        if type(value) not in (pd.DataFrame, pd.Series) or not is_installed("h5py"):
            return False
        try:
            to_json(value, on_large=lambda array: "x")
        except (TypeError, ValueError):
            return False
        return True

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write the file at once: HDF5 goes back and forth, which a file that is hashed does not."""
        entry = entry_of(type(value))
        plain = entry.to_plain(value)  # type: ignore[union-attr]
        memory = io.BytesIO()
        with require("h5py").File(memory, "w") as store:
            members = _Members(store, plain)
            form = to_json(plain, on_large=members.add, large_bytes=0, root=self.root)
            tree = {f"${entry.name}": form}  # type: ignore[union-attr]
            text = np.frombuffer(json.dumps(tree, allow_nan=False).encode("ascii"), dtype=np.uint8)
            store.create_dataset("smttask_tree", data=text)
        file.write(memory.getbuffer())

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read the table; `mmap` makes no difference."""
        with require("h5py").File(path, "r") as store:
            tree = json.loads(store["smttask_tree"][()].tobytes())
            return from_json(tree, get_large=lambda name: _read_member(store[name]), root=self.root)


class _Members:
    """The arrays of a table, each a dataset under the name of its column where it has one."""

    def __init__(self, store: Any, plain: dict[str, Any]) -> None:
        self._store = store
        values = plain["values"] if "columns" in plain else [plain["values"]]
        labels = plain["columns"]["values"] if "values" in plain.get("columns", {}) else [plain.get("name")]
        labels = labels["values"] if isinstance(labels, dict) else labels
        arrays = [part.get("values") if isinstance(part, dict) else part for part in values]
        self._wished = {
            id(array): label
            for array, label in zip(arrays, labels, strict=False)
            if type(label) is str and re.fullmatch(r"\w[\w -]*", label)
        }

    def add(self, array: Any) -> str | None:
        """Write an array of numbers or times; returns its name, None for what stays in the text."""
        if array.dtype.kind not in "biufcmM" or array.dtype.char in "gG":
            return None
        name, n = self._wished.get(id(array), "array_0"), 0
        while name in self._store:
            n += 1
            name = f"array_{n}"
        data = (
            array.view(array.dtype.str.replace(array.dtype.str[1:], "i8"))
            if array.dtype.kind in "mM"
            else array
        )
        dataset = self._store.create_dataset(name, data=data)
        if array.dtype.kind in "mM":
            dataset.attrs["dtype"] = array.dtype.str
        return name


def _read_member(dataset: Any) -> Any:
    array = dataset[()]
    return array.view(np.dtype(dataset.attrs["dtype"])) if "dtype" in dataset.attrs else array


FORMATS: tuple[Format, ...] = (ParquetFormat(), HDF5Format())
