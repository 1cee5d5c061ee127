"""Every kind of task and result: described, run by workers, recorded, found, and noticed when damaged."""

from __future__ import annotations

from typing import Any

import pytest

from smttask import Create, Join, RSView, Task
from smttask.errors import DamagedResultWarning

TASKS = """
from collections.abc import Iterable, Iterator
import numpy as np
import pandas as pd
import xarray as xr
from smttask import (
    Create, Join, NonMemoizedTask, RecordedIterativeTask, RecordedTask, TaskOutput, UnpureMemoizedTask,
    output_dir,
)
from smttask.testing import count_call
from smttask.typing import Array, Figure, OutputFile, separate_outputs

class Grown(TaskOutput):
    n: int
    x: Array[float]

@RecordedIterativeTask("n", map={"n": "start", "x": "x"})
def Grow(n: int, x: Array[float], start: int = 0) -> Grown:
    count_call()
    return n, x * 2.0 ** (n - start)

class Gain:
    def __init__(self, factor: float):
        self.factor = factor

@RecordedTask
def Apply(gain: Gain, x: float) -> float:
    return gain.factor * x

@UnpureMemoizedTask
def Read(channel: int) -> float:
    return 20.5

@NonMemoizedTask
def Numbers(n: int) -> Iterator[int]:
    yield from range(n)

@RecordedTask
def Sum(numbers: Iterable[int]) -> int:
    return sum(numbers)

@RecordedTask
def Table(n: int) -> pd.DataFrame:
    return pd.DataFrame({"a": np.arange(n), "b": ["x"] * n}, index=np.arange(n) * 2)

@RecordedTask
def Field(n: int) -> xr.DataArray:
    return xr.DataArray(np.arange(float(n)), dims="t", coords={"t": np.arange(n)})

@RecordedTask
def Draw(n: int) -> Figure:
    from matplotlib.figure import Figure
    figure = Figure()
    figure.subplots().plot(range(n))
    return figure

@RecordedTask
def Write(n: int) -> OutputFile:
    path = output_dir() / "out.txt"
    path.write_text("x" * n)
    return path

@RecordedTask
def Split(n: int) -> separate_outputs(Array[float], lambda n: [f"part{k}" for k in range(n)]):
    return [np.arange(3.0) + k for k in range(n)]

@RecordedTask(name="lab.fixed")
def Named(x: int) -> int:
    return x

def all_kinds():
    grown = Grow(3, [1.0, 2.0])
    tasks = [
        grown, Grow.bind(x=[1.0, 2.0])(n=5), Apply(Create(Gain)(2), 3), Apply(Create(Gain)(4), Read(1)),
        Sum(Numbers(4)), Table(3), Field(3), Draw(3), Write(3), Split(2), Named(1),
    ]
    return [*tasks, Join(grown, Table(3), Write(3), Draw(3), Split(2))]
"""
LAZY = 3  # place in `all_kinds` of the task whose digest is that of a result


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


def test_each_kind_is_run_by_workers_and_found(lab: Any) -> None:
    """Saved, run by two workers and found here; the record gives the task and its outputs again."""
    tasks = lab.load("tasks")
    folder = lab.root.parent / "todo"
    for place, task in enumerate(tasks.all_kinds()):
        assert Task.from_desc(task.save(folder)).digest == task.digest or place == LAZY
    done = lab.smttask("run", "-n2", str(folder))
    assert not list(folder.iterdir()), done.stderr
    assert {record.status for record in RSView()} == {"finished"}
    for task in tasks.all_kinds():
        assert task.explain().hit
        result = task.run()
        assert (task.last_hit, task.record.task, task.record.task.digest) == ("disk", task, task.digest)
        names = getattr(result, "_fields", ("",))
        assert (
            str([task.record.get_output(name) for name in names])
            == str([getattr(result, name) if name else result for name in names])
            or type(task) is Join
        )
        assert all(path.is_file() for path in task.resultpaths)
    assert (lab.calls("Grow"), str(RSView()).count("Join")) == (2, 1)


@pytest.mark.parametrize("kind", ["Table", "Field", "Draw", "Write", "Split", "Grow", "Join"])
def test_each_damaged_file_is_noticed_and_made_again(lab: Any, kind: str) -> None:
    """Parquet, netCDF, PNG, SVG, NumPy or any other: never returned, told, kept aside, computed anew."""
    tasks = lab.load("tasks")

    def make() -> Any:
        return next(task for task in tasks.all_kinds() if type(task).__name__ == kind)

    make().run()
    for index in range(len(make().resultpaths)):
        task = make()
        path = task.resultpaths[index]
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x10
        path.chmod(0o600)
        path.write_bytes(data)
        assert "damaged" in task.explain().reason
        with pytest.warns(DamagedResultWarning):
            result = task.run()
        assert task.last_hit == "computed"
        assert list(path.parent.glob(f".damaged/{path.name}"))
        again = make()
        assert (str(again.run()), again.last_hit) == (str(result), "disk")


def test_what_create_builds_is_described_by_its_arguments(lab: Any) -> None:
    """Two equal ones are one task; `bind` and `map` make them too."""
    tasks = lab.load("tasks")
    make = Create(tasks.Gain)
    assert make(2) == make(factor=2.0) == make.bind(factor=2)()
    assert [task.run().factor for task in make.map(factor=[1, 2])] == [1, 2]
    assert tasks.Apply(make(2), 3).run() == 6
