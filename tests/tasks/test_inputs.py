"""What a task holds is converted, owned and fixed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smttask import NonMemoizedTask
from smttask.errors import DigestError, InputError
from smttask.tasks.inputs import TaskInputs
from smttask.typing import Array, InputFile


@dataclass
class Setup:
    values: list[float] = field(default_factory=list)


@NonMemoizedTask
def Keep(x: Any) -> Any:
    return x


@NonMemoizedTask
def Number(x: int, y: float = 0.0) -> float:
    return x + y


@NonMemoizedTask
def Mutate(xs: list[int], setup: Setup) -> int:
    xs.append(5)
    setup.values.append(1.0)
    return len(xs)


def test_a_wrong_value_names_task_argument_expected_and_given() -> None:
    """The first line alone makes sense."""
    with pytest.raises(InputError, match=r"Task 'Number': x does not take 'a'(.|\n)*integer") as caught:
        Number(x="a")  # type: ignore[arg-type]
    assert (caught.value.place, caught.value.task) == ("x", "Number")  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [2.7, True])
def test_a_float_is_never_cut_and_a_bool_is_no_number(value: Any) -> None:
    """2.7 and True are refused for an int."""
    with pytest.raises(InputError):
        Number(x=value)


def test_an_integer_for_a_float_is_the_same_task() -> None:
    """3 and 3.0 are one input where a float is expected; numpy scalars count as their Python kin."""
    assert Number(1, y=3).digest == Number(1, y=3.0).digest == Number(np.int64(1), np.float64(3)).digest


def test_changing_what_was_handed_in_changes_nothing() -> None:
    """Arrays, lists and dataclasses are copied at construction."""
    array, numbers, setup = np.zeros(3), [1, 2], Setup([1.0])
    task = Keep([array, numbers, setup])
    digest = task.digest
    array[0] = 9
    numbers.append(3)
    setup.values.append(9.0)
    result = task.run()
    assert list(result[0]) == [0, 0, 0]
    assert result[1:] == [[1, 2], Setup([1.0])]
    assert Keep([np.zeros(3), [1, 2], Setup([1.0])]).digest == digest


def test_a_function_that_changes_its_inputs_does_not_change_the_task() -> None:
    """Each call gets a copy of its own."""
    task = Mutate([1], Setup())
    assert task.run() == task.run() == 2
    assert task.xs == [1]
    assert task.taskinputs.setup == Setup()


def test_inputs_cannot_be_set_or_deleted() -> None:
    """A task is fixed from its construction on; what is read from it is a copy."""
    inputs = Keep([1]).taskinputs
    with pytest.raises(AttributeError, match="cannot be set; construct another task"):
        inputs.x = 2
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del inputs.x
    inputs.x.append(2)
    assert inputs.x == inputs["x"] == [1]


def test_inputs_show_what_there_is() -> None:
    """An unknown input says which there are, and completion shows them."""
    inputs = TaskInputs({"dt": 0.5})
    with pytest.raises(AttributeError, match="no input 'dx'; the inputs are dt"):
        _ = inputs.dx
    assert "dt" in dir(inputs)
    assert repr(inputs) == "TaskInputs(dt=0.5)"


def test_arrays_differ_by_content_alone() -> None:
    """Memory order and byte order of an array do not change the digest."""
    array = np.arange(6, dtype="<f8").reshape(2, 3)
    same = [np.asfortranarray(array), array.astype(">f8"), np.repeat(array, 2, axis=1)[:, ::2]]
    assert {Keep(a).digest for a in [array, *same]} == {Keep(array).digest}


def test_dict_order_does_not_change_a_digest() -> None:
    """Entries count, not when they were put in."""
    assert Keep({"a": 1, "b": 2}).digest == Keep({"b": 2, "a": 1}).digest


def test_a_value_that_cannot_be_digested_names_its_place() -> None:
    """The error says where in the data it stands and what to use instead."""
    with pytest.raises(DigestError, match=r"Task 'Keep': x\['k'\]\[1\].*cannot be digested") as caught:
        Keep({"k": [0, object()]})
    assert caught.value.place == "x['k'][1]"


def test_files_are_inputs_by_content(tmp_path: Path) -> None:
    """Name and content of a file count, its folder and time do not."""

    @NonMemoizedTask
    def Read(file: InputFile, others: list[InputFile]) -> str:
        return file.path.read_text()

    (tmp_path / "copy").mkdir()
    for folder in (tmp_path, tmp_path / "copy"):
        (folder / "a.txt").write_text("hello")
    first, second = (Read(file=f / "a.txt", others=[]) for f in (tmp_path, tmp_path / "copy"))  # type: ignore[arg-type]
    assert first.digest == second.digest
    assert first.run() == "hello"
    assert Read(first.file, [first.file]).input_files == (tmp_path / "a.txt", tmp_path / "a.txt")


def test_arrays_of_other_numbers_are_converted_or_refused() -> None:
    """Array[float] takes integers and refuses text."""

    @NonMemoizedTask
    def Mean(x: Array[float]) -> float:
        return float(x.mean())

    assert Mean([1, 2]).run() == 1.5  # type: ignore[arg-type]
    with pytest.raises(InputError):
        Mean(["a"])  # type: ignore[arg-type]


def test_what_is_handed_out_cannot_be_made_writable(tmp_path: Path) -> None:
    """A function that insists on writing into its input gets an error; the task stays what it was."""

    @NonMemoizedTask
    def Insist(x: Array) -> float:
        x.flags.writeable = True
        x[0] = 9
        return float(x[0])

    task = Insist(np.zeros(3))
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        task.run()
    assert list(task.x) == [0, 0, 0]
