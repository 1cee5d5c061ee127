"""Arrays, dicts of arrays and xarray's objects as Zarr: a folder of compressed pieces."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from smttask.extras import require

__all__ = ["MARK", "load_zarr", "save_zarr"]

MARK = "smttask_array"  # attribute of a Dataset of xarray: "=" and the name of the DataArray that it was


def save_zarr(value: Any, path: Path) -> None:
    """Write `value` into a new folder `path`.

    Raises
    ------
    TypeError
        If it is no object of xarray, no array and no dict of arrays by name.
    """
    zarr = require("zarr")
    xarray = sys.modules.get("xarray")  # whoever has such a value has imported it
    if xarray is not None and isinstance(value, xarray.DataArray | xarray.Dataset):
        _xarrays().as_dataset(value).to_zarr(path, mode="w", consolidated=False)
    elif isinstance(value, Mapping):
        arrays = {name: _array(item, f"{name!r}") for name, item in value.items()}
        group = zarr.open_group(path, mode="w")
        for name, array in arrays.items():
            group.create_array(_member(name), data=array)
    else:
        zarr.create_array(path, data=_array(value, "it"))


def _xarrays() -> Any:
    """Our own forms of xarray's objects, imported when there is one."""
    return import_module("smttask.formats.xarray")


def _array(value: Any, what: str) -> np.ndarray[Any, Any]:
    array = np.asarray(value)
    if isinstance(value, np.ma.MaskedArray) or array.dtype.hasobject:
        raise TypeError(f"{what} is no array of numbers, texts or times")
    return array


def _member(name: object) -> str:
    if type(name) is not str or not name or "/" in name or name.startswith((".", "__")):
        raise TypeError(f"{name!r} cannot be the name of an array in a folder")
    return name


def load_zarr(path: Path) -> Any:
    """What `save_zarr` wrote, or any other Zarr folder: an array, a dict, or an object of xarray."""
    return _value(require("zarr").open(path, mode="r"), path)


def _value(node: Any, path: Path) -> Any:
    if hasattr(node, "shape"):
        return np.asarray(node[...])
    arrays = dict(node.arrays())
    if MARK in node.attrs or (arrays and all(map(_has_dimensions, arrays.values()))):
        with require("xarray").open_zarr(path, consolidated=False) as stored:
            return _xarrays().from_dataset(stored.load())
    return {
        **{name: _value(arrays[name], path) for name in sorted(arrays)},
        **{name: _value(group, path / name) for name, group in sorted(node.groups())},
    }


def _has_dimensions(array: Any) -> bool:
    """Whether the names of its dimensions are told, as by xarray."""
    return "_ARRAY_DIMENSIONS" in array.attrs or None not in (
        getattr(array.metadata, "dimension_names", None) or (None,)
    )
