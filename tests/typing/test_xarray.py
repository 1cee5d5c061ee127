"""xarray's objects as values, exactly."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from smttask.errors import DigestError, InputError
from smttask.identity import canonical_bytes
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.ownership import fresh, owned
from smttask.typing.validation import Validator

FIELD = xr.DataArray(
    np.arange(6.0).reshape(2, 3),
    dims=("x", "y"),
    coords={"x": [1, 2], "t": ("x", [3.0, 4.0]), "y": ["a", "b", "c"], "s": 5},
    name="field",
    attrs={"unit": "mV", "n": 3, "limits": (0, [1.5])},
)
LEVELS = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["k", "l"])
VALUES = [
    FIELD, FIELD.rename(None), FIELD.isel(x=0), FIELD.T, xr.DataArray(3), xr.DataArray(np.zeros((0, 3))),
    xr.DataArray(np.arange(4), coords=xr.Coordinates.from_pandas_multiindex(LEVELS, "z"), name=("a", 1)),
    xr.DataArray([1, 2], dims="x", coords=xr.Coordinates({"x": [1, 2]}, indexes={})),
    xr.DataArray([1, 2], dims="x", coords={"w": ("x", [1, 2])}).set_xindex("w"),
    xr.DataArray(np.array([1, 2], "f4"), dims="x", coords={"x": np.array([1, 2], "f4")}, name="x"),
    xr.DataArray(np.array(["a", None], object)), xr.DataArray(pd.date_range("2026", periods=2), dims="time"),
    xr.Dataset(), xr.Dataset(attrs={"title": "x", "weights": np.arange(3)}),
    xr.Dataset({"a": FIELD, "time": pd.date_range("2026", periods=2), "c": ("q", np.array([1j, 2]))}),
]  # fmt: skip


def again(value):
    return from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))


@pytest.mark.parametrize("copy", [again, owned, fresh])
@pytest.mark.parametrize("number", range(len(VALUES)))
def test_every_object_comes_back_exactly(number, copy):
    """Data, dimensions, coordinates with and without index, names and attributes survive."""
    value = VALUES[number]
    twin = copy(value)
    assert type(twin) is type(value)
    assert twin.identical(value)
    assert {n: type(i) for n, i in twin.xindexes.items()} == {n: type(i) for n, i in value.xindexes.items()}
    assert [twin[name].dtype for name in value.coords] == [value[name].dtype for name in value.coords]
    assert canonical_bytes(twin) == canonical_bytes(value)


def test_what_makes_arrays_differ_makes_digests_differ():
    """A name, an attribute, a coordinate or a dimension changes the digest; order and layout do not."""
    others = [FIELD.rename("other"), FIELD.assign_attrs(unit="V"), FIELD.drop_vars("t"), FIELD.rename(x="z")]
    assert len({canonical_bytes(value) for value in [FIELD, FIELD.T, FIELD + 1, *others]}) == 7
    fortran = FIELD.copy(data=np.asfortranarray(FIELD.to_numpy()))
    pair = xr.Dataset({"a": FIELD, "b": FIELD})
    assert canonical_bytes(fortran) == canonical_bytes(FIELD)
    assert canonical_bytes(pair[["b", "a"]]) == canonical_bytes(pair)


def test_a_held_array_cannot_change():
    """What was handed in can change; what the task holds does not."""
    field = FIELD.copy(deep=True)
    kept = owned(field)
    field[0, 0] = 9
    field.attrs["unit"] = "V"
    assert kept.identical(FIELD)


def test_annotations_take_their_own_class_only():
    """An array of xarray is given as one, or in its JSON form."""
    assert Validator(xr.DataArray)(FIELD) is FIELD
    assert Validator(xr.DataArray)(to_json(FIELD)).identical(FIELD)
    with pytest.raises(InputError, match=r"expected an xarray\.Dataset"):
        Validator(xr.Dataset)(FIELD)


def test_indexes_of_other_kinds_are_named():
    """An index that cannot be rebuilt is an error."""

    class Odd(xr.indexes.PandasIndex):
        pass

    odd = xr.DataArray([1, 2], dims="x", coords={"w": ("x", [1, 2])}).set_xindex("w", Odd)
    with pytest.raises(DigestError, match="an index of type Odd"):
        canonical_bytes(odd)
    with pytest.raises(DigestError, match="a variable of dtype category"):
        canonical_bytes(xr.Dataset({"a": ("x", pd.Categorical(["u", "v"]))}))
