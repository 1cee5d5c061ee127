"""Digests of values of libraries, and of functions, never change."""

import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from smttask.identity import canonical_bytes, digest
from smttask.typing import Figure, InputDir, PureFunction

DAYS = pd.date_range("2026-03-28", periods=2, freq="D", unit="us")
FRAME = pd.DataFrame(
    {
        "n": np.array([1, 2], "i8"),
        "text": ["a", np.nan],
        "kind": pd.Categorical(["x", "y"]),
        "zone": DAYS.tz_localize("Europe/Zurich"),
        "whole": pd.array([1, None], dtype="Int64"),
    },
    index=pd.Index([1.5, 2.5], name="t"),
)
LEVELS = pd.MultiIndex.from_product([["a"], [1, 2]], names=["k", None])
FIELD = xr.DataArray([[1.0, 2.0]], dims=("x", "y"), coords={"x": [1]}, name="u", attrs={"unit": "mV"})
GOLDEN = {
    "function": (np.sin, "8a56e5e12bbbea6020b1"),
    "builtin": (math.sin, "685bc7e95db90d0b005d"),
    "partial": (partial(np.power, 2, dtype=float), "7224d490b89911e3fad3"),
    "composite": (2 * PureFunction(np.sin) + 1, "07fd67400ddd23c1b1e3"),
    "class": (int, "e17b68fa42dc93f30727"),
    "frame": (FRAME, "33fd943a468225ccb943"),
    "series": (pd.Series([1.5, 2.5], index=DAYS, name="x"), "1fb3b711da4fba8721c0"),
    "levels": (LEVELS, "f9c6adb3c91a0c18d1cc"),
    "timestamp": (pd.Timestamp("2026-03-28 12:00", tz="UTC").as_unit("us"), "581043f3f70eaf4e6d2d"),
    "array of xarray": (FIELD, "af2d7f5f15999189b7e1"),
    "dataset": (xr.Dataset({"a": FIELD}, attrs={"n": 1}), "0f1a6f592f69fb245eb9"),
    "distribution": (stats.norm(1, 2), "0034183886079471983f"),
    "normal of many": (stats.multivariate_normal([0, 1], [[1, 0.5], [0.5, 2]]), "50e06c180b664353735a"),
    "figure": (Figure(b"\x89PNG", "<svg/>"), "13a6f954139171108e28"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_digests_of_library_values_never_change(name):
    """A stored result is found by this digest with every version of the library."""
    value, expected = GOLDEN[name]
    assert digest(canonical_bytes(value)) == expected


def test_the_digest_of_a_folder_never_changes(tmp_path):
    """An input folder is found by names and contents below it."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "b.csv").write_bytes(b"3,4")
    (tmp_path / "a.csv").write_bytes(b"1,2")
    assert digest(canonical_bytes(InputDir(tmp_path))) == "583d94d0504a25e9656a"
