"""Outputs that a task declares as pickles, and nothing else that is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smttask import RecordedTask, config
from smttask.errors import (
    DamagedResultWarning,
    OutputError,
    ResultNotFoundError,
    SignatureError,
    StorageError,
)
from smttask.typing import OutputFile, Pickled

TASKS = """
from smttask import RecordedIterativeTask, RecordedTask, TaskOutput
from smttask.testing import count_call
from smttask.typing import Pickled, separate_outputs

class Model:
    def __init__(self, slope):
        self.slope = slope

    def __reduce__(self):
        if self.slope < 0:
            raise RuntimeError("it has open files")
        count_call()
        return Model, (self.slope,)

class Fit(TaskOutput):
    error: float
    model: Pickled[Model | None]
    models: separate_outputs(Pickled[Model], lambda names: names)

@RecordedTask
def Train(slope: float) -> Pickled[Model]:
    count_call()
    return Model(slope)

@RecordedTask
def TrainAll(names: list[str]) -> Fit:
    count_call()
    return 0.5, Model(1.0), [Model(float(k)) for k in range(len(names))]

@RecordedTask
def Use(model: Model) -> float:
    return 2 * model.slope

class State(TaskOutput):
    n: int
    model: Pickled[Model]

@RecordedIterativeTask("n", map={"n": "start", "model": "model"})
def Refine(n: int, start: int = 0, model: Model | None = None) -> State:
    count_call()
    return n, Model((model.slope if model else 0.0) + n - start)
"""


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


def test_an_object_of_any_class_is_stored_where_the_task_asks_for_it(lab: Any) -> None:
    """It is loaded by run, load, get_output, the record and tasks that take it, computed once."""
    task = lab.load("tasks").Train(1.5)
    assert task.run().slope == 1.5
    again = lab.load("tasks").Train(1.5)
    values = [again.run(), again.load(), again.get_output(), again.record.get_output()]
    assert [(type(value), value.slope) for value in values] == [(lab.load("tasks").Model, 1.5)] * 4
    assert lab.load("tasks").Use(task).run() == 3.0
    assert (again.last_hit, again.outputpaths[""].suffix) == ("disk", ".pickle")
    assert again.explain().hit
    assert lab.calls("Train") == 1


def test_fields_and_their_elements_may_be_pickles(lab: Any) -> None:
    """Each is a file of its own and comes back alone or with the others."""
    task = lab.load("tasks").TrainAll(["a", "b"])
    task.run()
    fit = lab.load("tasks").TrainAll(["a", "b"]).run()
    assert (fit.error, fit.model.slope, [model.slope for model in fit.models]) == (0.5, 1.0, [0.0, 1.0])
    assert task.get_output("models.b").slope == task.record.get_output("models")[1].slope == 1.0
    assert [path.suffix for path in task.resultpaths] == [".json", ".pickle", ".pickle", ".pickle"]
    assert lab.calls("TrainAll") == 1


def test_iterations_continue_from_a_pickle(lab: Any) -> None:
    """What the earlier run stored takes the place of the input."""
    lab.load("tasks").Refine(n=2).run()
    assert lab.load("tasks").Refine(n=5).run().model.slope == 5.0
    assert lab.load("tasks").Refine(n=5).record.input_data


def test_what_cannot_be_pickled_is_an_error_of_the_output(lab: Any) -> None:
    """The run is recorded as crashed, and the reason is told."""
    task = lab.load("tasks").Train(-1.0)
    with pytest.raises(
        OutputError, match=r"(?s)cannot be pickled.*RuntimeError: it has open files.*can be im"
    ):
        task.run()
    assert [record.status for record in lab.project.records.records()] == ["crashed"]
    with pytest.raises(ResultNotFoundError):
        task.load()


def test_a_pickle_is_not_read_when_its_task_declares_it_no_more(lab: Any) -> None:
    """Neither as the task's result nor through its record, which says what to do."""
    record = lab.load("tasks").Train(1.0).run() and lab.load("tasks").Train(1.0).record
    lab.write({"tasks.py": TASKS.replace("-> Pickled[Model]", "-> Model")})
    task = lab.reload("tasks").Train(1.0)
    with config.use(on_code_change="ignore"), pytest.raises(StorageError, match="not read") as caught:
        type(record)(lab.project, record.label).get_output()
    assert "the task 'Train' of today declares it as Pickled\n  if you trust the file" in str(caught.value)
    warned = pytest.warns(DamagedResultWarning, match="a pickle, which its task does not declare")
    with config.use(on_code_change="ignore"), warned, pytest.raises(ResultNotFoundError):
        task.load()


@pytest.mark.parametrize("annotation", [list[Pickled[Path]], Pickled[Path] | None, Pickled[OutputFile]])
def test_a_mark_that_cannot_be_followed_is_refused(annotation: Any) -> None:
    """Pickled stands outside, for the whole output."""

    def Make(x: int) -> None: ...

    Make.__annotations__.update({"x": int, "return": annotation})
    with pytest.raises(SignatureError, match="must be an output of its own"):
        RecordedTask(name=f"made.{abs(hash(str(annotation)))}")(Make)(x=1)
