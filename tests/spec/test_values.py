"""Values that tasks take and return: exact, or refused and kept."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from smttask.errors import OutputError, RegistrationError

TASKS = """
from smttask import RecordedTask, register_type

class Angle:
    def __init__(self, degrees):
        self.degrees = degrees

class Rounded(Angle):
    pass

class Strange:
    pass

register_type(Angle, lambda angle: angle.degrees, Angle, name="lab.Angle", example=Angle(0.123))
register_type(Rounded, lambda angle: round(angle.degrees, 2), Rounded, name="lab.Rounded")

@RecordedTask
def Turn(angle: Angle, by: float) -> Angle:
    return Angle(angle.degrees + by)

@RecordedTask
def Degrees(angle: Rounded) -> float:
    return angle.degrees

@RecordedTask
def Make(x: int) -> Strange:
    return Strange()
"""


def test_a_loss_that_depends_on_the_value_is_found_where_it_happens(scratch: Any) -> None:
    """Two values never get one digest, although the first ones came back the same."""
    tasks = scratch({"tasks.py": TASKS}).load("tasks")
    assert Degrees(tasks, 0.25) == 0.25
    with pytest.raises(RegistrationError, match=r"'lab.Rounded' do not come back the same"):
        Degrees(tasks, 0.123)
    assert Degrees(tasks, 0.5) == 0.5


def Degrees(tasks: Any, degrees: float) -> float:
    result: float = tasks.Degrees(tasks.Rounded(degrees)).run()
    return result


def test_a_registered_value_is_stored_recorded_and_found(scratch: Any) -> None:
    """As input, result and upstream result."""
    tasks = scratch({"tasks.py": TASKS}).load("tasks")
    task = tasks.Turn(tasks.Turn(tasks.Angle(10.0), 5), 5)
    assert task.run().degrees == task.get_output().degrees == task.record.get_output().degrees == 20
    assert task.record.task == task
    assert (tasks.Turn(tasks.Turn(tasks.Angle(10.0), 5), 5).explain().hit, task.run().degrees) == (True, 20)


def test_a_result_that_nothing_can_store_is_kept(scratch: Any) -> None:
    """The run crashes; what it took hours to compute is in the file that the error names."""
    lab = scratch({"tasks.py": TASKS})
    tasks = lab.load("tasks")
    with pytest.raises(
        OutputError, match=r"(?s)Strange cannot be stored.*the returned value is kept in"
    ) as caught:
        tasks.Make(1).run()
    with open(caught.value.saved, "rb") as file:
        assert type(pickle.load(file)) is tasks.Strange
    assert [record.status for record in lab.project.records.records()] == ["crashed"]
    assert not tasks.Make(1).has_run
