from __future__ import annotations

import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from smttask.errors import UnknownOutputWarning
from smttask.testing import ScratchProject
from smttask.view import ParameterComparison


def test_a_table_has_a_row_for_each_record_and_typed_columns(lab: SimpleNamespace) -> None:
    """The table of a view keeps its order; times are aware, durations are durations."""
    frame = lab.view.dframe()
    assert list(frame.label) == lab.view.labels()
    assert list(frame.columns[:6]) == ["label", "task", "timestamp", "duration", "status", "tags"]
    assert str(frame.timestamp.dtype) == "datetime64[us, UTC]"
    assert str(frame.duration.dtype) == "timedelta64[us]"
    assert frame.status.value_counts().to_dict() == {"finished": 6, "crashed": 1}
    assert frame.timestamp[0] == lab.view[0].timestamp
    assert frame.duration[0] == lab.view[0].duration


def test_an_empty_table_has_the_same_columns_and_types(lab: SimpleNamespace) -> None:
    """A view of no records gives a table with no rows and all columns, as they always are."""
    empty = lab.view.filter.task("Nothing").dframe(parameters=True, outputs=True)
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == lab.view.dframe().dtypes.to_dict()


def test_a_sweep_becomes_a_table_with_its_inputs_and_outputs(lab: SimpleNamespace) -> None:
    """Inputs and outputs are columns; an input whose name is taken has its kind before it."""
    frame = lab.view.filter.task("Square").dframe(parameters=True, outputs=True)
    assert list(frame.x) == [-1.0, 3.0, 2.0, 1.0]
    assert list(frame.result[1:]) == [9.0, 4.0, 1.0]
    assert pd.isna(frame.result[0])
    assert list(frame["inputs.tags"]) == [["a"]] * 4
    assert list(frame.tags) == [""] * 4


def test_inputs_and_outputs_are_chosen_by_name_and_path(lab: SimpleNamespace) -> None:
    """Paths lead through dataclasses and tasks; what a record lacks is missing in the table."""
    frame = lab.view.dframe(parameters=["model.sigma", "series.degree", "x"], outputs=["peak"])
    assert list(frame.columns[-4:]) == ["model.sigma", "series.degree", "x", "peak"]
    assert list(frame["model.sigma"].dropna()) == [4.0, 0.25] == list(frame.peak.dropna() / [2.0, 1.0])
    assert list(frame["series.degree"].dropna()) == [2.0]


def test_one_name_may_be_given_for_a_list_of_one(lab: SimpleNamespace) -> None:
    """A text is a name, not the letters in it; whatever names things will do."""
    analyzed = lab.view.filter.task("Analyze")
    table = analyzed.dframe(parameters="model.sigma", outputs="peak")
    assert list(table.columns[-2:]) == ["model.sigma", "peak"]
    differing = ParameterComparison(analyzed.filter.tags("finished")).differences
    assert "model.sigma" in analyzed.dframe(parameters=differing)


def test_a_misspelt_output_is_told(lab: SimpleNamespace) -> None:
    """A column of nothing but missing values is explained by the outputs that there are."""
    with pytest.warns(UnknownOutputWarning) as caught:
        table = lab.view.filter.task("Analyze").dframe(outputs=["peek", "power"])
    assert table["peek"].isna().all()
    (text,) = [str(each.message) for each in caught]
    assert text.splitlines()[0] == "None of the newest results has an output 'peek'."
    assert "outputs: peak, power" in text
    assert "did you mean 'peak'?" in text


def test_what_does_not_fit_a_cell_stands_as_text(lab: SimpleNamespace) -> None:
    """Tasks stand as their digest, dataclasses and enums as text, outputs in files as paths."""
    frame = lab.view.filter.task("Analyze").dframe(parameters=True, outputs=True)
    assert list(frame.model) == ["Model(sigma=4.0, n=9)", "Model(sigma=0.25, n=3)"]
    assert list(frame["mode"]) == ["Mode.SLOW", "Mode.FAST"]
    assert frame.series[1] == lab.flat.digest
    assert frame.power[1] == lab.deep.outputpaths["power"]


def test_pandas_is_loaded_by_the_first_table_only(lab: SimpleNamespace) -> None:
    """Looking at records does not load pandas."""
    scratch: ScratchProject = lab.scratch
    code = "import sys; from smttask import RSView; v = RSView(); v.latest, repr(v), v[0].get_param('x')"
    assert scratch.run(f"{code}; print('pandas' in sys.modules)").stdout.strip() == "False"
    assert sys.modules["pandas"] is pd


def test_equal_inputs_of_two_records_are_two_cells(lab: SimpleNamespace) -> None:
    """Whoever changes a list in one cell changes no other."""
    cells = lab.view.filter.task("Square").dframe(parameters=True)["inputs.tags"]
    cells[0].append("b")
    assert list(cells[1:]) == [["a"]] * 3
