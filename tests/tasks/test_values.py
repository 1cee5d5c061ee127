"""Values of science as inputs and outputs of recorded tasks, from file to file."""

import json
from pathlib import Path

import numpy as np
import pytest

from smttask import Task
from smttask.errors import DescriptionError, InputError

TASKS = """
from collections.abc import Callable
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure as LiveFigure
from smttask import RecordedTask, TaskOutput
from smttask.typing import Array, Distribution, Figure, InputDir, PureFunction

RATE = 2.0

@PureFunction
def doubled(x):
    return RATE * x

def shifted(x, by=0.0):
    return x + by

@RecordedTask
def Apply(fn: PureFunction, x: float) -> float:
    return float(fn(x))

@RecordedTask
def Count(folder: InputDir) -> int:
    return len(folder.files)

@RecordedTask
def Draw(dist: Distribution, n: int) -> Array[float, 1]:
    return dist.rvs(n, random_state=1)

class Report(TaskOutput):
    table: pd.DataFrame
    field: xr.DataArray
    plot: Figure

@RecordedTask
def Summarize(values: pd.Series) -> Report:
    figure = LiveFigure(figsize=(1, 1))
    figure.subplots().plot(values)
    field = xr.DataArray(values.to_numpy(), dims="x", attrs={"unit": "mV"})
    return values.to_frame("value"), field, figure

@RecordedTask
def Total(table: pd.DataFrame) -> float:
    return float(table["value"].sum())
"""


@pytest.fixture
def tasks(scratch):
    made = scratch({"tasks.py": TASKS})
    tasks = made.load("tasks")
    tasks.made = made
    return tasks


def test_functions_are_inputs_that_travel_in_files(tasks, tmp_path):
    """A task with a function of the project runs, is found again, and comes back from its description."""
    task = tasks.Apply(tasks.doubled + np.sqrt, 4.0)
    assert (task.run(), task.last_hit) == (10.0, "computed")
    again = Task.from_desc(task.save(tmp_path))
    assert again.digest == task.digest
    assert (again.run(), again.last_hit) == (10.0, "disk")


def test_a_lambda_is_an_input_that_is_recorded_but_not_saved(tasks, tmp_path):
    """The record holds the source of a function that nobody finds by name; a file would be of no use."""
    task = tasks.Apply(lambda x: x + 1, 1.0)
    assert task.run() == 2.0
    assert "lambda x: x + 1" in json.dumps(task.record.parameters)
    with pytest.raises(DescriptionError, match="top level of a module"):
        task.save(tmp_path)


def test_a_description_does_not_bring_in_functions_of_libraries(tasks, tmp_path):
    """A file that names a function of the system is refused, and nothing runs."""
    file = tasks.Apply(tasks.shifted, 1.0).save(tmp_path)
    for hostile in ("os:system", "shutil:rmtree", "tasks:LiveFigure"):
        changed = json.loads(file.read_text().replace("tasks:shifted", hostile))
        with pytest.raises(DescriptionError, match="cannot be used|not of the project"):
            Task.from_desc(changed)


def test_distributions_and_tables_go_through_tasks(tasks, tmp_path):
    """Outputs of one kind are the inputs of the next, computed or loaded."""
    from scipy import stats

    report = tasks.Summarize(values=[1.0, 2.0, 3.0])
    first = report.run()
    assert (report.run(), report.last_hit)[1] == "disk"
    table, field, plot = report.load()
    assert table.equals(first.table)
    assert field.identical(first.field)
    assert plot == first.plot
    endings = [path.suffix for path in report.resultpaths]
    assert sorted(endings[1:]) == [".nc", ".parquet", ".png", ".svg"]
    assert tasks.Total(table=report.get_output("table")).run() == 6.0
    drawn = tasks.Draw(stats.norm(0, 1), 3)
    assert drawn.digest == tasks.Draw(stats.norm(loc=0, scale=1.0), 3).digest
    assert Task.from_desc(drawn.save(tmp_path)).run().tolist() == drawn.run().tolist()


def test_a_table_that_was_handed_out_can_be_changed_without_harm(tasks):
    """Each caller gets a table of its own."""
    report = tasks.Summarize(values=[1.0, 2.0])
    table = report.run(cache=True).table
    table.loc[0, "value"] = 100.0
    assert report.run(cache=True).table["value"].tolist() == [1.0, 2.0]


def test_a_folder_is_an_input_that_is_watched(tasks):
    """The files of a folder stand in the record, and a changed folder refuses the run."""
    folder = Path(tasks.__file__).parent / "raw"
    folder.mkdir()
    (folder / "a.csv").write_text("1")
    task = tasks.Count(folder)
    assert task.run() == 1
    assert any(key.path.endswith("raw/a.csv") for key in task.record.input_data)
    stale = tasks.Count(folder)
    (folder / "b.csv").write_text("2")
    assert tasks.Count(folder).run() == 2
    with pytest.raises(InputError, match="changed since the task was constructed"):
        stale.run(recompute=True)
