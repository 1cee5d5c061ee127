"""Tasks as JSON files: complete, checked, and harmless whoever wrote them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from smttask import NonMemoizedTask, Task, config
from smttask.errors import DefaultsChangedWarning, DescriptionError, NotRecordableError, StorageError

TASKS = """
from dataclasses import dataclass
from enum import Enum
from smttask import MemoizedTask, RecordedTask
from smttask.typing import Array

class Kind(Enum):
    A = 1
    B = 2

@dataclass
class Setup:
    sigma: float
    kind: Kind = Kind.A

@RecordedTask
def Square(x: float, n: int = 2) -> float:
    return x**n

@MemoizedTask
def Sum(parts: list[float], setup: Setup | None = None) -> float:
    return sum(parts)

@MemoizedTask
def Mean(x: Array) -> float:
    return float(x.mean())
"""


@pytest.fixture
def tasks(scratch: Any) -> Any:
    project = scratch({"tasks.py": TASKS})
    module = project.load("tasks")
    module.project = project
    return module


def test_a_saved_task_comes_back_the_same(tasks: Any, tmp_path: Path) -> None:
    """With its reason and all that it depends on, from a folder that save makes."""
    task = tasks.Sum([tasks.Square(2), tasks.Square(3)], tasks.Setup(0.5), reason="why")
    path = task.save(tmp_path / "new" / "taskdir")
    assert path.name == f"Sum__{task.digest}.taskdesc.json"
    again = Task.from_desc(path)
    assert (again, again.reason, again.full_digest) == (task, "why", task.full_digest)
    assert again.setup == tasks.Setup(0.5)


def test_every_kind_of_source_is_read(tasks: Any, tmp_path: Path) -> None:
    """A mapping, JSON text, a path, its text, an open file."""
    task = tasks.Square(2)
    path = task.save(tmp_path / "task.json")
    assert path == tmp_path / "task.json"
    sources = [task.desc, json.dumps(task.desc), path, str(path), io.StringIO(path.read_text())]
    assert [Task.from_desc(source) for source in sources] == [task] * 5
    assert tasks.Square.from_desc(path) == task
    with pytest.raises(DescriptionError, match="The description is of task 'Square'"):
        tasks.Sum.from_desc(path)


def test_the_form_is_flat_and_final(tasks: Any) -> None:
    """Files of today are read for ever: this form is a promise."""
    square = tasks.Square(2.0)
    task = tasks.Sum([square], reason="why")
    assert task.desc == {
        "format": 1,
        "task": task.digest,
        "tasks": {
            square.digest: {
                "name": "Square",
                "module": "tasks",
                "inputs": {"x": 2.0, "n": 2},
                "defaults": ["n"],
            },
            task.digest: {
                "name": "Sum",
                "module": "tasks",
                "inputs": {"parts": [{"$task": square.digest}], "setup": None},
                "defaults": ["setup"],
                "reason": "why",
            },
        },
    }
    assert (square.digest, task.digest) == ("879ac9252e777e3f58d8", "8604f3b8af534d02b0e3")


def test_a_default_changed_since_is_told_and_the_value_in_the_file_holds(tasks: Any) -> None:
    """The task gets the digest of today."""
    desc = tasks.Sum([tasks.Square(2)]).desc
    project = tasks.project
    project.write({"tasks.py": TASKS.replace("n: int = 2", "n: int = 3")})
    project.reload("tasks")
    with pytest.warns(DefaultsChangedWarning) as told:
        task = Task.from_desc(desc)
    assert [str(warning.message).partition(" (")[0] for warning in told] == ["Task 'Square'"]
    assert task.parts[0].n == 2
    assert task.digest != desc["task"]


FIELD = "kind: Kind = Kind.A"


def test_a_field_default_changed_since_is_told_and_the_value_in_the_file_holds(tasks: Any) -> None:
    """As with defaults of the task itself; the same whether a field moved away from its default or to it."""
    descs = [tasks.Sum([], tasks.Setup(0.5)).desc, tasks.Sum([], tasks.Setup(0.5, kind=tasks.Kind.B)).desc]
    tasks.project.write({"tasks.py": TASKS.replace(FIELD, "kind: Kind = Kind.B\n    scale: float = 1.0")})
    module = tasks.project.reload("tasks")
    for desc, kind in zip(descs, (module.Kind.A, module.Kind.B), strict=True):
        with pytest.warns(DefaultsChangedWarning, match="Task 'Sum'"):
            task = Task.from_desc(desc)
        assert (task.setup, task.digest == desc["task"]) == (module.Setup(0.5, kind=kind), False)
        assert task == module.Sum([], module.Setup(0.5, kind=kind))


def test_a_value_edited_under_a_changed_field_default_is_refused(tasks: Any) -> None:
    """The table of defaults in the file must explain its digest."""
    desc = tasks.Sum([], tasks.Setup(0.5)).desc
    desc["tasks"][desc["task"]]["inputs"]["setup"]["fields"]["sigma"] = 0.7
    tasks.project.write({"tasks.py": TASKS.replace(FIELD, "kind: Kind = Kind.B")})
    tasks.project.reload("tasks")
    with pytest.raises(DescriptionError, match="is not what its digest says"):
        Task.from_desc(desc)
    desc["tasks"][desc["task"]]["field_defaults"] = {"tasks:Setup": ["kind"]}
    with pytest.raises(DescriptionError, match="is no table by class"):
        Task.from_desc(desc)


def test_a_default_added_since_changes_nothing(tasks: Any) -> None:
    """An old file gives the same digest as a new task."""
    desc = tasks.Square(2).desc
    tasks.project.write({"tasks.py": TASKS.replace("n: int = 2", "n: int = 2, k: float = 1.0")})
    module = tasks.project.reload("tasks")
    assert Task.from_desc(desc) == module.Square(2)


def edited(desc: dict[str, Any], **changes: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(desc))
    copy["tasks"][copy["task"]].update(changes)
    return dict(copy)


def test_an_edited_file_is_refused(tasks: Any) -> None:
    """What its digest does not fit is not run as if it did."""
    desc = edited(tasks.Square(2).desc, inputs={"x": 5.0, "n": 2})
    with pytest.raises(DescriptionError, match="is not what its digest says(.|\n)*was edited"):
        Task.from_desc(desc)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{", "is not whole JSON"),
        ("[" * 100_000, "is no task description|cannot be read"),
        ("{" + '"a":{' * 100_000, "is not whole JSON"),
        ("[]", "cannot be read"),
        ("{}", "is no task description"),
        (3, "is no task description"),
        ('{"format": 99}', "has format 99(.|\n)*newer"),
        ('{"format": 1, "task": "a", "tasks": {}}', "entry of the task itself is missing"),
        ('{"format": 1, "task": "a", "tasks": {"a": {}}}', "lacks inputs, module, name"),
        (
            '{"format": 1, "task": "a", "tasks": {"a": {"name": 1, "module": "m", "inputs": {}}}}',
            "is no text",
        ),
        ("no/such/file.json", "cannot be read"),
    ],
)
def test_damaged_and_foreign_files_say_what_is_wrong(source: Any, message: str) -> None:
    """Truncated, too deep, newer, or something else altogether."""
    with pytest.raises(DescriptionError, match=message):
        Task.from_desc(source)


def entry(module: str, name: str, **inputs: Any) -> dict[str, Any]:
    return {"format": 1, "task": "a", "tasks": {"a": {"name": name, "module": module, "inputs": inputs}}}


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("os", "system", "module 'os' has no task 'system'"),
        ("antigravity", "fly", "is not of the project"),
        ("../../etc", "passwd", "is gone"),
        (
            "no_such_module",
            "Task",
            "Description in memory: the module of task 'Task' is gone(.|\n)*PYTHONPATH=",
        ),
        ("tasks", "Gone", "module 'tasks' has no task 'Gone'"),
        ("tasks", "Square.__init__", "has no task"),
        ("tasks", "RecordedTask", "has no task"),
        ("broken", "Task", "module 'broken' of task 'Task' cannot be imported"),
        ("script", "Task", "module 'script' of task 'Task' cannot be imported(.|\n)*SystemExit"),
    ],
)
def test_only_tasks_of_the_project_are_looked_up(tasks: Any, module: str, name: str, message: str) -> None:
    """A hostile file gets an error; nothing that it names is imported or executed."""
    import sys

    tasks.project.write({"broken.py": "import no_such_library", "script.py": "raise SystemExit(0)"})
    before = set(sys.modules)
    with pytest.raises(DescriptionError, match=message):
        Task.from_desc(entry(module, name))
    assert not {"antigravity", "broken", "script"} & (set(sys.modules) - before)


def test_a_trusted_package_may_be_imported(tasks: Any) -> None:
    """`config.trusted_packages` widens what files may name."""
    with config.use(trusted_packages=["fractions"]), pytest.raises(DescriptionError, match="has no task"):
        Task.from_desc(entry("fractions", "Fraction"))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": {"$task": "b"}}, "refers to 'b', which is not described"),
        ({"x": {"$task": "a"}}, "which depends on it in turn"),
        ({"y": 1}, "has no argument 'y'"),
        ({"reason": 1}, "a name that no argument can have"),
        ({"x": "text"}, "x does not take 'text'"),
        ({"x": {"$enum": "os:environ", "name": "PATH"}}, "os.environ is no type of values"),
    ],
)
def test_wrong_inputs_in_a_file_are_errors_of_the_file(tasks: Any, inputs: Any, message: str) -> None:
    """Unknown tasks, cycles, unknown arguments and hostile values."""
    with pytest.raises(DescriptionError, match=message):
        Task.from_desc(entry("tasks", "Square", **inputs))


def test_tasks_that_cannot_be_found_again_are_not_saved(tmp_path: Path) -> None:
    """A task defined in a function has no name that a file could give."""

    @NonMemoizedTask
    def Local(x: int) -> int:
        return x

    with pytest.raises(
        NotRecordableError, match="'Local' .* cannot be saved(.|\n)*defined inside a function"
    ):
        Local(1).save(tmp_path)


def test_a_folder_that_cannot_be_written_says_so(tasks: Any, tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Cannot save task 'Square'"):
        tasks.Square(2).save(tmp_path / "file" / "dir")


def test_large_arrays_are_in_the_file_itself(tasks: Any, tmp_path: Path) -> None:
    """A description is self-contained."""
    import numpy as np

    task = tasks.Mean(np.arange(20_000.0))
    again = Task.from_desc(task.save(tmp_path))
    assert again == task
    assert again.run() == 9999.5
