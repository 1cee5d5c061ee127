"""Tasks made from classes and from other tasks."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from smttask import Create, Join, MemoizedTask, Task, config
from smttask.errors import ArgumentError, DescriptionError, InputError, NotRecordedWarning, SignatureError
from smttask.tasks.description import pickled_task


class Model:
    """Holds something that no file could."""

    def __init__(self, rate: float, n: int = 3, *, log: Any = object(), **more: Any) -> None:  # noqa: B008
        self.rate, self.n, self.log, self.more = rate, n, log, more


@dataclass
class Grid:
    size: int
    step: float = 0.5


@MemoizedTask
def Rate(model: Model, by: float = 1.0) -> float:
    return model.rate * by


@MemoizedTask
def Half(x: float) -> float:
    return x / 2


def test_create_builds_an_object_of_the_class() -> None:
    """Once; equal tasks share it, and it stands wherever the object may."""
    task = Create(Model)(rate=2, n=5)
    assert isinstance(task.run(), Model)
    assert task.run() is Create(Model)(2.0, 5).run()
    assert Rate(task.as_input, by=10).run() == 20
    assert repr(task) == "Create(Model)(rate=2.0, n=5)"


def test_create_converts_by_annotations_and_leaves_defaults_out() -> None:
    """The arguments of the class are treated like those of a function."""
    assert Create(Model)(2).digest == Create(Model)(rate=2.0, n=3).digest
    assert Create(Grid)(size=3).digest != Create(Grid)(size=4).digest
    with pytest.raises(InputError, match="Task 'CreateModel': rate does not take 'fast'"):
        Create(Model)("fast")  # type: ignore[arg-type]


def test_create_takes_names_that_the_class_takes() -> None:
    """Arguments of any name where the class has ``**more``, else an error names them."""
    task = Create(Model)(rate=1, depth=[1, 2], width=Half(3))
    assert task.run().more == {"depth": [1, 2], "width": 1.5}
    assert Create(Model).bind(depth=2)(rate=1).run().more == {"depth": 2}
    with pytest.raises(ArgumentError, match="'CreateGrid' has no argument 'sise'"):
        Create(Grid)(sise=3)  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="argument 'size' is missing"):
        Create(Grid)()  # type: ignore[call-arg]


def test_create_works_for_classes_that_say_nothing_of_their_arguments() -> None:
    """Also for those written in C, and those of other packages."""
    assert Create(Fraction)(1, 3).run() == Fraction(1, 3)
    assert list(Create(dict)(a=1).run().items()) == [("a", 1)]  # type: ignore[call-overload]


def test_created_tasks_pickle_and_are_told_apart() -> None:
    """By class and arguments."""
    task = Create(Model)(rate=2, depth=1)
    assert pickle.loads(pickle.dumps(task)) == task
    assert Create(Grid)(size=1) != Create(Model)(rate=1)


def test_create_takes_classes_only() -> None:
    """Functions, tasks and classes with a reserved argument are refused."""

    class Bad:
        def __init__(self, reason: str) -> None: ...

    with pytest.raises(SignatureError, match="Create does not take <function"):
        Create(lambda: 1)
    with pytest.raises(SignatureError, match="expected: a class"):
        Create(Half)  # type: ignore[arg-type]
    with pytest.raises(SignatureError, match=r"Create\(Bad\): the argument name 'reason' is reserved"):
        Create(Bad)


PROJECT = {
    "models.py": """
from fractions import Fraction
from subprocess import Popen
class Model:
    def __init__(self, rate: float, n: int = 3):
        self.value = rate * n
""",
    "tasks.py": """
from typing import Any
import numpy as np
from smttask import RecordedTask, TaskOutput
from smttask.testing import count_call
from smttask.typing import Array
from models import Model

@RecordedTask
def Use(model: Model) -> float:
    count_call()
    return model.value

class Pair(TaskOutput):
    low: float
    field: Array[float]

@RecordedTask
def Make(x: float) -> Pair:
    count_call()
    return x, np.arange(x)
""",
}


def test_a_created_object_is_described_by_its_class(scratch: Any) -> None:
    """The description leads back to the class in another process, and its code counts."""
    lab = scratch(PROJECT)
    tasks, models = lab.load("tasks"), lab.load("models")
    task = tasks.Use(Create(models.Model)(rate=2))
    assert task.run() == 6
    task.save(lab.root / "todo.json")
    code = "from smttask import Task; t = Task.from_desc('todo.json'); print(t.run(), t.last_hit)"
    assert lab.run(code).stdout == "6.0 disk\n"
    lab.write({"models.py": PROJECT["models.py"].replace("rate * n", "rate + n")})
    done = lab.run(code)
    assert "models:Model changed" in done.stderr or "CreateModel" in done.stderr


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("subprocess", "Popen", "not of the project"),
        ("models", "Popen", "no task can be made"),
        ("models", "Gone", "no task can be made"),
        ("tasks", "Use", "no task can be made"),
        ("os", "system", "no task can be made"),
    ],
)
def test_a_description_makes_objects_of_the_projects_classes_only(
    scratch: Any, module: str, name: str, message: str
) -> None:
    """A class of another package, one that was only imported, and what is no class are refused."""
    lab = scratch(PROJECT)
    lab.load("tasks")
    entry = {"name": name, "module": module, "made_by": "Create", "inputs": {"args": ["true"]}}
    with pytest.raises(DescriptionError, match=message):
        Task.from_desc({"format": 1, "task": "a", "tasks": {"a": entry}})


def test_a_trusted_package_may_be_named(scratch: Any) -> None:
    """The setting lets descriptions build objects of its classes."""
    scratch(PROJECT)
    text = json.loads(pickled_task(Create(Fraction)(numerator=1, denominator=4)))
    with pytest.raises(DescriptionError, match="add 'fractions' to config.trusted_packages"):
        Task.from_desc(text)
    with config.use(trusted_packages=["fractions"]):
        assert Task.from_desc(text).run() == Fraction(1, 4)


def test_join_gives_the_results_in_order() -> None:
    """Of like and unlike tasks, one by one or as a list."""
    with config.use(record=False):
        assert Join(Half(1), Half(3)).run() == [0.5, 1.5]
        assert Join([Half(3), Create(Fraction)(1, 2)]).run() == [1.5, Fraction(1, 2)]
    assert Join(Half(1), Half(3)) == Join([Half(1), Half(3)])
    assert Join(Half(1), Half(3)) != Join(Half(3), Half(1))


@pytest.mark.parametrize("given", [(), ([],), (1.5,), (Half(1), "a")])
def test_join_takes_tasks_only(given: Any) -> None:
    """Nothing at all, and anything else, is refused."""
    with pytest.raises(ArgumentError, match="Join takes tasks"):
        Join(*given)


def test_a_join_is_stored_and_recorded(scratch: Any) -> None:
    """Loaded again, each result is what its own task gives; arrays are in one file."""
    lab = scratch(PROJECT)
    tasks, models = lab.load("tasks"), lab.load("models")
    parts = [tasks.Make(20_000), tasks.Use(Create(models.Model)(rate=2)), Half(3)]
    first = Join(*parts, reason="both").run()
    again = Join(*parts)
    pair, used, half = again.run()
    assert again.last_hit == "disk"
    assert type(pair) is type(first[0]) is tasks.Pair
    assert (pair.low, used, half) == (20_000, 6, 1.5)
    assert np.array_equal(pair.field, np.arange(20_000))
    assert again.get_output()[0].low == 20_000
    assert again.record.reason == "both"
    assert again.record.main_file == "tasks.py"
    assert {path.parent.name for path in again.resultpaths} == {"Join"}
    assert lab.calls("Make") == 1


def test_a_join_is_described_and_found_in_another_process(scratch: Any) -> None:
    """Its file names its tasks; its record leads back to it."""
    lab = scratch(PROJECT)
    tasks = lab.load("tasks")
    join = Join(tasks.Make(2), tasks.Make(3))
    join.run()
    join.save(lab.root / "todo.json")
    assert join.record.task == join
    code = "from smttask import Task; t = Task.from_desc('todo.json'); print(t.run()[1].low, t.last_hit)"
    assert lab.run(code).stdout == "3.0 disk\n"


def test_a_join_with_a_task_of_main_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What git does not keep is not recorded."""

    def Local(x: float) -> float:
        return x

    Local.__module__, Local.__qualname__ = "__main__", "Local"
    local = MemoizedTask(Local)
    with pytest.warns(NotRecordedWarning, match="Task 'Join' is defined in __main__"):
        assert Join(Half(1), local(1)).run() == [0.5, 1.0]
