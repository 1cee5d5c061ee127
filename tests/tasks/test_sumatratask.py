"""Description files of SumatraTask 0.2 give today's tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smttask import Task
from smttask.errors import DescriptionError

TASKS = """
from typing import Any
from smttask import RecordedTask

@RecordedTask
def Add(a: float, b: float = 1.0) -> float:
    return a + b

@RecordedTask
def Mean(x: Any) -> float:
    return float(x.mean())

@RecordedTask
def Total(parts: list[float]) -> float:
    return sum(parts)
"""


def old(name: str, reason: str | None = None, **inputs: Any) -> dict[str, Any]:
    """As `task.save` of SumatraTask 0.2.0 wrote it."""
    digests = {"digest": "0123456789", "hashed_digest": "0123456789", "unhashed_digests": {}}
    return {"taskname": name, "module": "tasks", "inputs": {**digests, **inputs}, "reason": reason}


@pytest.fixture
def tasks(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS}).load("tasks")


def test_a_file_of_sumatratask_is_read(tasks: Any, tmp_path: Any) -> None:
    """Tasks among the inputs, at any depth, come with it; equal ones are one task."""
    add = old("Add", a=2, b=3.0)
    path = tmp_path / "Total__0123456789.taskdesc.json"
    path.write_text(json.dumps(old("Total", "old times", parts=[add, 1.5, add])))
    task = Task.from_desc(path)
    assert task == tasks.Total([tasks.Add(2, 3), 1.5, tasks.Add(2, 3)])
    assert (task.reason, task.run()) == ("old times", 11.5)


def test_values_in_scityping_s_form_are_read(tasks: Any) -> None:
    """Arrays come back as arrays, whatever the annotation says."""
    written = json.loads((Path(__file__).parents[1] / "typing" / "scityping_0_6.json").read_text())
    task = Task.from_desc(old("Mean", x=written["small"]))
    assert task == tasks.Mean(np.arange(3))
    assert task.run() == 1.0


def test_what_cannot_be_read_says_why(tasks: Any) -> None:
    """A generated task, a task that is gone, inputs that do not fit."""
    generated = {**old("Create", x=1), "generator_module": "smttask.task_generators"}
    for description, message in [
        (generated, "is of a generated task, 'Create'"),
        (old("Gone", x=1), "has no task 'Gone'"),
        (old("Add", a="text"), "a does not take 'text'"),
    ]:
        with pytest.raises(DescriptionError, match=message):
            Task.from_desc(description)
