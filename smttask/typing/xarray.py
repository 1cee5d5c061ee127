"""xarray's arrays and datasets as values: variables by name, dimensions, attributes, indexed coordinates.

Imported when a value or an annotation of xarray is first met. How a variable would be
written to a file (its ``encoding``) and whether its data were loaded lazily is no part of
the value.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from xarray.core.indexes import PandasIndex, PandasMultiIndex

from smttask.typing.accept import accept_instances
from smttask.typing.registry import TypeEntry, register_acceptor, register_entry
from smttask.typing.tables import index_from_plain, plain_index

__all__ = ["dataset_from_parts", "index_names"]


def index_names(data: Any) -> tuple[list[Hashable], list[tuple[Any, list[Hashable]]]]:
    """The names of coordinates with an index of their own, and multi-indexes with the names they give.

    Raises
    ------
    TypeError
        If there is an index of another kind.
    """
    single: list[Hashable] = []
    multiple: list[tuple[Any, list[Hashable]]] = []
    for index, coordinates in data.xindexes.group_by_index():
        if type(index) is PandasMultiIndex:
            multiple.append((index, list(coordinates)))
        elif type(index) is PandasIndex:
            single.extend(coordinates)
        else:
            raise TypeError(f"an index of type {type(index).__name__}")
    return single, multiple


def _plain_variable(variable: Any) -> dict[str, Any]:
    if not isinstance(variable.dtype, np.dtype):
        raise TypeError(f"a variable of dtype {variable.dtype}")
    return {
        "dims": list(variable.dims),
        "values": np.asarray(variable.to_numpy()),
        "attrs": dict(variable.attrs),
    }


def _plain_dataset(dataset: Any) -> dict[str, Any]:
    single, multiple = index_names(dataset)
    made = {name for _, names in multiple for name in names}
    return {
        "variables": {name: _plain_variable(dataset[name].variable) for name in dataset.data_vars},
        "coords": {
            name: _plain_variable(dataset[name].variable) for name in dataset.coords if name not in made
        },
        "indexed": single,
        "multiindexes": [
            {"dim": index.dim, "index": plain_index(index.index), "attrs": _attributes(dataset, names)}
            for index, names in multiple
        ],
        "attrs": dict(dataset.attrs),
    }


def _attributes(dataset: Any, names: list[Hashable]) -> dict[Hashable, dict[str, Any]]:
    return {name: dict(dataset[name].attrs) for name in names if dataset[name].attrs}


def _variable(plain: Any) -> Any:
    return xr.Variable(list(plain["dims"]), plain["values"].copy(), dict(plain["attrs"]))


def _dataset(plain: Any) -> Any:
    return dataset_from_parts(
        {name: _variable(part) for name, part in plain["variables"].items()},
        {name: _variable(part) for name, part in plain["coords"].items()},
        plain["indexed"],
        plain["multiindexes"],
        plain["attrs"],
    )


def dataset_from_parts(
    variables: Mapping[Any, Any],
    coords: Mapping[Any, Any],
    indexed: list[Any],
    multiindexes: list[Any],
    attrs: Mapping[Any, Any],
) -> Any:
    """The dataset of these variables, with exactly the indexes that are named."""
    dataset = xr.Dataset(variables, xr.Coordinates(coords, indexes={}), dict(attrs))
    for name in indexed:
        dataset = dataset.set_xindex(name, PandasIndex)
    for part in multiindexes:
        index = index_from_plain(part["index"])
        dataset = dataset.assign_coords(xr.Coordinates.from_pandas_multiindex(index, part["dim"]))
        for name, attributes in part["attrs"].items():
            dataset[name].attrs.update(attributes)
    return dataset


_WHOLE = "<this-array>"  # a name that a coordinate of an array is unlikely to have


def _plain_array(array: Any) -> dict[str, Any]:
    return {**_plain_dataset(array.to_dataset(name=_WHOLE)), "name": array.name}


def _data_array(plain: Any) -> Any:
    array = _dataset(plain)[_WHOLE]
    array.name = plain["name"]
    return array


def _copy(data: Any) -> Any:
    """A copy that shares nothing that can change; None if it holds objects that can."""
    parts = (
        [data.variable, *data.coords.values()] if isinstance(data, xr.DataArray) else data.variables.values()
    )
    if any(part.dtype == object for part in parts):
        return None
    return data.copy(deep=True).load()


register_entry(
    TypeEntry("xarray.DataArray", xr.DataArray, _plain_array, _data_array, is_mutable=True, copy=_copy)
)
register_entry(TypeEntry("xarray.Dataset", xr.Dataset, _plain_dataset, _dataset, is_mutable=True, copy=_copy))
register_acceptor(xr.DataArray, accept_instances(xr.DataArray, None, "an xarray.DataArray"))
register_acceptor(xr.Dataset, accept_instances(xr.Dataset, None, "an xarray.Dataset"))
