"""Annotations for the classes of pandas and xarray."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
import xarray as xr
from pydantic import BaseModel

import smttask.typing
from smttask import MemoizedTask
from smttask.errors import InputError
from smttask.typing import DataArray, DataFrame, Dataset, Series


class Survey(BaseModel):
    table: DataFrame
    column: Series | None = None
    grid: DataArray | None = None
    data: Dataset | None = None


@MemoizedTask
def Total(survey: Survey) -> float:
    return float(survey.table["x"].sum())


TABLE = pd.DataFrame({"x": [1.5, 2.0]}, index=pd.Index(["a", "b"], name="site"))


def test_models_with_tables_have_json():
    """Tables and arrays in a pydantic model are written by the model's own JSON and come back the same."""
    grid = xr.DataArray([[1.0, 2.0]], dims=("x", "y"), name="g")
    survey = Survey(table=TABLE, column=TABLE["x"], grid=grid, data=grid.to_dataset())
    again = Survey.model_validate_json(survey.model_dump_json())
    pd.testing.assert_frame_equal(again.table, TABLE)
    pd.testing.assert_series_equal(again.column, TABLE["x"])
    xr.testing.assert_identical(again.grid, grid)
    xr.testing.assert_identical(again.data, grid.to_dataset())


def test_models_with_tables_are_inputs():
    """The model, or a dict, stands for an input; what is no table is refused with its place."""
    assert Total(Survey(table=TABLE)).run() == 3.5
    assert Total({"table": {"x": [1.0, 2.0]}}).run() == 3.0
    with pytest.raises(InputError, match=r"survey\['table'\] does not take 3"):
        Total({"table": 3})


def test_a_name_that_is_not_there():
    """Other names are none of ours."""
    with pytest.raises(AttributeError, match="has no attribute 'Panel'"):
        smttask.typing.Panel  # noqa: B018 - looking it up is the test
    assert {"Array", "DataFrame"} <= set(dir(smttask.typing))


def test_the_library_is_loaded_when_its_annotation_is_asked_for():
    """Importing smttask.typing loads neither pandas nor xarray."""
    script = (
        "import sys, smttask.typing as t; before = {'pandas', 'xarray'} & set(sys.modules);"
        "t.DataFrame; print(before, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set() True\n"
