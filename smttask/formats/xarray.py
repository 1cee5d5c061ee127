"""xarray's arrays and datasets as netCDF-4, which any program for such files reads.

Imported when a value of xarray is first met. Times and texts are written by the CF
conventions; what netCDF cannot tell (types of attributes, which coordinates have an
index) stands in attributes whose names begin with ``smttask``. What netCDF cannot hold
at all, such as complex numbers, becomes ``.npz`` or JSON.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xarray as xr

from smttask.extras import is_installed, require
from smttask.formats.rooted import Rooted
from smttask.formats.zarr import MARK
from smttask.protocols import Format
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.registry import entry_of

__all__ = ["AnyNetCDFFormat", "FORMATS", "NetCDFFormat", "as_dataset", "from_dataset"]

_NOTES = "smttask"
_NOTES_BYTES = 32_000  # HDF5 keeps attributes of less than 64 kB
_UNITS = {"D": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds",
          "us": "microseconds", "ns": "nanoseconds"}  # fmt: skip
_NAME = re.compile(r"[^\W\d_][\w .+@-]*(?<! )|__xarray_dataarray_variable__")
_RESERVED = frozenset({"_FillValue", "coordinates", "dtype"})
_ARRAY_NAME = "__xarray_dataarray_variable__"  # what xarray calls the variable of an array without name


class NetCDFFormat(Rooted):
    """A DataArray or Dataset as ``.nc``; `xarray.open_dataset` shows it with its coordinates.

    Examples
    --------
    >>> NetCDFFormat().accepts(xr.DataArray([1j]))
    False
    """

    name = "netcdf"
    suffix = ".nc"

    def accepts(self, value: object) -> bool:
        """True where names are those of netCDF and all data are numbers, truth values, texts or times."""
        if type(value) not in (xr.DataArray, xr.Dataset) or not is_installed("h5netcdf"):
            return False
        try:
            to_json(value, on_large=lambda array: "x")
        except (TypeError, ValueError):
            return False
        dataset: Any = value.to_dataset(name=_ARRAY_NAME) if isinstance(value, xr.DataArray) else value
        names = [*dataset.variables, *dataset.sizes]
        has_names = all(type(name) is str and _NAME.fullmatch(name) for name in names)
        variables = dataset.variables.values()
        return has_names and 0 not in dataset.sizes.values() and all(map(_has_form, variables))

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write the file at once: HDF5 goes back and forth, which a file that is hashed does not."""
        entry: Any = entry_of(type(value))
        plain = entry.to_plain(value)
        memory = io.BytesIO()
        with require("h5netcdf").File(memory, "w") as store:
            for group in ("coords", "variables"):
                for name, part in plain[group].items():
                    part["stored"] = stored = _stored_name(name, value, plain["coords"])
                    part["dtype"] = part["values"].dtype.str
                    _write(store, stored, part.pop("values"), part)
            _set_attributes(store, plain["attrs"])
            others = [
                name for name, part in plain["coords"].items() if part["dims"] != [name] and " " not in name
            ]
            if others:
                store.attrs["coordinates"] = " ".join(others)
            notes = json.dumps(to_json({entry.name: plain}, root=self.root), allow_nan=False)
            for n, start in enumerate(range(0, len(notes), _NOTES_BYTES)):
                store.attrs[f"{_NOTES}_{n}"] = notes[start : start + _NOTES_BYTES]
        file.write(memory.getbuffer())

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read all of it; `mmap` makes no difference."""
        with require("h5netcdf").File(path, "r") as store:
            pieces: list[str] = []
            while f"{_NOTES}_{len(pieces)}" in store.attrs:
                pieces.append(store.attrs[f"{_NOTES}_{len(pieces)}"])
            ((name, plain),) = from_json(json.loads("".join(pieces)), root=self.root).items()
            for group in ("coords", "variables"):
                for part in plain[group].values():
                    part["values"] = _read(store[part.pop("stored")], np.dtype(part.pop("dtype")))
        entry: Any = entry_of({"xarray.DataArray": xr.DataArray, "xarray.Dataset": xr.Dataset}[name])
        return entry.from_plain(plain)


class AnyNetCDFFormat(NetCDFFormat):
    """The same, and as xarray itself does it what that leaves out: files of others, texts in objects.

    Such values come back as xarray's own rules have it.
    """

    name = "any-netcdf"

    def accepts(self, value: object) -> bool:
        """Whether it is of xarray; `save` may still raise."""
        return isinstance(value, xr.DataArray | xr.Dataset)

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write the file at once.

        Raises
        ------
        TypeError
            If `value` is not of xarray.
        """
        if not self.accepts(value):
            raise TypeError("netCDF takes a DataArray or a Dataset of xarray")
        require("h5netcdf")
        if super().accepts(value):
            super().save(value, file)
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "value.nc")
            as_dataset(value).to_netcdf(path, engine="h5netcdf")
            file.write(path.read_bytes())

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read all of it; `mmap` makes no difference."""
        require("h5netcdf")
        with xr.open_dataset(path) as dataset:
            if f"{_NOTES}_0" not in dataset.attrs:
                return from_dataset(dataset.load())
        return super().load(path)


def as_dataset(value: Any) -> Any:
    """A Dataset of xarray that tells whether it was one, or a DataArray."""
    if isinstance(value, xr.Dataset):
        return value.assign_attrs({MARK: ""})
    name = value.name if isinstance(value.name, str) else ""
    return value.to_dataset(name=_ARRAY_NAME).assign_attrs({MARK: f"={name}"})


def from_dataset(dataset: Any) -> Any:
    """What `as_dataset` was given; a Dataset of others stays what it is."""
    mark = dataset.attrs.pop(MARK, "")
    return dataset[_ARRAY_NAME].rename(mark[1:] or None) if mark else dataset


def _has_form(variable: Any) -> bool:
    """Whether netCDF has a form for the data of `variable` from which they come back exactly."""
    dtype = variable.dtype
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufUmM":
        return False
    if dtype.kind in "mM":
        unit, count = np.datetime_data(dtype)
        return unit in _UNITS and count == 1
    if dtype.kind == "U":
        text = "".join(variable.to_numpy().reshape(-1).tolist())
        return "\0" not in text and text.isprintable()
    return dtype.kind != "f" or dtype.itemsize in (4, 8)


def _stored_name(name: str, value: Any, coords: Any) -> Any:
    """What a variable is called in the file; the data of an array by the array's own name, if it can be."""
    if not isinstance(value, xr.DataArray) or name in coords:
        return name
    can_be = isinstance(value.name, str) and _NAME.fullmatch(value.name) and value.name not in value.sizes
    return value.name if can_be and value.name not in coords else _ARRAY_NAME


def _write(store: Any, name: str, values: Any, part: Any) -> None:
    for dim, size in zip(part["dims"], values.shape, strict=True):
        if dim not in store.dimensions:
            store.dimensions[dim] = size
    kind = values.dtype.kind
    if kind == "U":
        variable = store.create_variable(name, part["dims"], dtype=require("h5py").string_dtype())
        variable[...] = values.astype(object)
    elif kind in "mM":
        integers = values.view(f"{values.dtype.byteorder}i8")
        unit = _UNITS[np.datetime_data(values.dtype)[0]]
        variable = store.create_variable(name, part["dims"], data=integers, fillvalue=np.iinfo(np.int64).min)
        variable.attrs["units"] = f"{unit} since 1970-01-01" if kind == "M" else unit
        if kind == "M":
            variable.attrs["calendar"] = "proleptic_gregorian"
    elif kind == "b":
        variable = store.create_variable(name, part["dims"], data=values.astype(np.int8))
        variable.attrs["dtype"] = "bool"  # as xarray tells truth values from numbers
    else:
        variable = store.create_variable(name, part["dims"], data=values)
    _set_attributes(variable, part["attrs"])


def _read(variable: Any, dtype: np.dtype[Any]) -> Any:
    values = variable[...]
    if dtype.kind == "U":
        texts = [text.decode() if isinstance(text, bytes) else text for text in np.ravel(values)]
        return np.array(texts, dtype=dtype).reshape(np.shape(values))
    values = np.asarray(values)
    return values.astype(bool) if dtype.kind == "b" else values.view(dtype)


def _set_attributes(place: Any, attributes: Any) -> None:
    """Show attributes to other programs, as far as netCDF has a form for them."""
    for name, value in attributes.items():
        is_free = type(name) is str and _NAME.fullmatch(name) and name not in place.attrs
        if not is_free or name in _RESERVED or name.startswith(_NOTES):
            continue
        if isinstance(value, str) and value and len(value) < _NOTES_BYTES and value.isprintable():
            place.attrs[name] = value
        elif isinstance(value, bool | int | float) and abs(value) < 2**63:
            place.attrs[name] = np.asarray(int(value) if isinstance(value, bool) else value)[()]


FORMATS: tuple[Format, ...] = (NetCDFFormat(),)
