"""Tasks made from tasks, and what they hand each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from smttask import Join, MemoizedTask, RecordedTask, config
from smttask.errors import CodeChangedWarning, SignatureError
from smttask.typing import Array


@MemoizedTask
def Ramp(n: int) -> Array[float]:
    return np.arange(float(n))


@MemoizedTask
def Spoil(values: Array[float], how: str) -> float:
    if how == "item":
        values[0] = 9
    elif how == "sort":
        values.sort()
    else:
        values *= 2
    return float(values.sum())


@pytest.mark.parametrize("how", ["item", "sort", "in place"])
@pytest.mark.parametrize("values", [[1.0, 2.0], Ramp(3)])
def test_a_function_that_changes_its_input_is_told_to_change_a_copy(how: str, values: Any) -> None:
    """The task and the result that it was given stay as they were."""
    task = Spoil(values, how)
    with pytest.raises(ValueError, match="read-only") as caught:
        task.run()
    assert any("change a copy" in note for note in caught.value.__notes__)
    assert Ramp(3).run().tolist() == [0, 1, 2]
    assert task == Spoil(values, how)


def test_a_join_is_bound_like_any_task() -> None:
    """It is the same task."""
    tasks = [Ramp(1), Ramp(2)]
    assert Join.bind(tasks=tasks)() == Join(tasks)
    with config.use(record=False):
        assert [array.size for array in Join.bind(tasks=tasks)().run()] == [1, 2]


FILES = """
from pathlib import Path
from smttask import Join, RecordedTask, output_dir
from smttask.typing import OutputFile, separate_outputs

@RecordedTask
def Write(n: int) -> OutputFile:
    path = output_dir() / "out.txt"
    path.write_text(str(n))
    return path

@RecordedTask
def Several(n: int) -> separate_outputs(OutputFile, lambda n: [f"part{k}" for k in range(n)]):
    paths = [output_dir() / f"{k}.txt" for k in range(n)]
    for path in paths:
        path.write_text(str(n))
    return paths
"""


@pytest.mark.parametrize("which", ["Write", "Several"])
def test_a_join_never_gives_a_file_that_is_gone(scratch: Any, which: str) -> None:
    """The task that wrote it is run again, and so is the join."""
    tasks = scratch({"tasks.py": FILES}).load("tasks")
    write = getattr(tasks, which)
    join = Join(write(2), write(3))
    join.run()
    write(2).resultpaths[-1].unlink()
    join = Join(write(2), write(3))
    assert "is gone" in join.explain().reason
    with pytest.warns(CodeChangedWarning, match="is gone"):
        files = [file for item in join.run() for file in ([item] if which == "Write" else item)]
    assert [file.read_text() for file in files] == (["2", "3"] if which == "Write" else [*"22333"])
    assert join.record.task == join


@pytest.mark.parametrize("name", ["", "..", "../a", ".hidden", "a b", 3, ["a"]])
def test_a_name_that_is_no_name_of_a_folder_is_refused(name: Any) -> None:
    """Whatever its type."""
    with pytest.raises(SignatureError, match="cannot be named"):

        @RecordedTask(name=name)
        def Task(x: int) -> int:
            return x
