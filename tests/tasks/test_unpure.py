"""Unpure tasks: named by their result, and so is all that depends on them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smttask import MemoizedTask, NonMemoizedTask, RSView, Task, UnpureMemoizedTask, config
from smttask.errors import ArgumentError, DescriptionError, DigestError, SignatureError
from smttask.project import use_project
from smttask.tasks.memory import memory
from smttask.typing import Array

TASKS = """
from dataclasses import dataclass
from pathlib import Path
from pydantic import BaseModel
from smttask import MemoizedTask, NonMemoizedTask, RecordedTask, UnpureMemoizedTask
from smttask.testing import count_call

HERE = Path(__file__).parent

class Setup(BaseModel):
    level: float = 0.0

@UnpureMemoizedTask
def Read(name: str, scale: float = 1.0) -> float:
    count_call()
    return scale * float((HERE / name).read_text())

class Meter:
    def __init__(self, name):
        self.path = HERE / name

@UnpureMemoizedTask
class Instrument:
    def __call__(self, name: str) -> Meter:
        return Meter(name)

@UnpureMemoizedTask
def Measure(instrument: object) -> float:
    return float(instrument.path.read_text())

@NonMemoizedTask
def Shift(x: float, by: float = 1.0) -> float:
    return x + by

@RecordedTask
def Double(x: float) -> float:
    count_call()
    return 2 * x

@RecordedTask
def Sum(parts: list[float], setup: Setup = Setup()) -> float:
    count_call()
    return sum(parts) + setup.level
"""

n_runs: list[int] = []


@pytest.fixture(autouse=True)
def _fresh_memory() -> None:
    n_runs.clear()
    for task in (Count(1), Count(2)):
        task.clear()


@pytest.fixture
def tasks(scratch: Any) -> Any:
    project = scratch({"tasks.py": TASKS})
    (project.root / ".git/info/exclude").write_text("*.txt\n")
    module = project.load("tasks")
    module.project = project
    write(module, 5)
    return module


def write(tasks: Any, value: float) -> None:
    """What the unpure task reads from now on."""
    (tasks.project.root / "now.txt").write_text(str(value))


@UnpureMemoizedTask
def Count(start: int) -> int:
    n_runs.append(start)
    return start + len(n_runs)


@UnpureMemoizedTask
def Field(start: int) -> Array[float]:
    return np.full(4, float(start))


@UnpureMemoizedTask
def Opaque(x: int) -> object:
    n_runs.append(x)
    return object()


@MemoizedTask
def Twice(x: int) -> int:
    return 2 * x


@MemoizedTask
def Pair(x: Any, y: Any) -> tuple[Any, Any]:
    return x, y


@NonMemoizedTask
def Plain(x: int) -> int:
    return x


@NonMemoizedTask
def Shown(x: object) -> str:
    return type(x).__name__


def test_nothing_runs_before_a_digest_or_result_is_asked_for() -> None:
    """Construction, comparison, description, pickle and display run nothing."""
    task = Twice(Count(1))  # type: ignore[arg-type]
    assert task == Twice(Count(1))  # type: ignore[arg-type]
    assert len({task, Twice(Count(1)), Twice(Count(2))}) == 2  # type: ignore[arg-type]
    assert "u-" in task.describe()
    assert repr(task) == "Twice(x=Count(start=1))"
    assert all(key.startswith("u-") for key in task.desc["tasks"])
    assert pickle.loads(pickle.dumps(task)) == task
    assert len(task.graph.tasks) == 2
    assert n_runs == []


def test_the_digest_is_that_of_the_result() -> None:
    """Equal results, equal digests; it is found by running once, and fixed."""
    one, two = Count(1), Count(2)
    n_runs.append(0)
    assert two.digest == Count(2).digest  # 2 + 2
    assert n_runs == [0, 2]
    n_runs[:] = [0, 0]
    assert one.digest == two.digest  # 1 + 3
    assert (one.run(), two.run()) == (4, 4)
    assert one != two
    assert Twice(one).digest == Twice(two).digest  # type: ignore[arg-type]
    assert Twice(one).digest == Twice(one).full_digest  # type: ignore[arg-type]


def test_the_result_is_shared_by_equal_tasks_until_cleared() -> None:
    """Like that of any memoized task; an object that has run keeps the result its digest names."""
    first = Count(1)
    assert (first.run(), Count(1).run(), len(n_runs)) == (2, 2, 1)
    assert first.has_run
    digest = first.digest
    first.clear()
    assert Count(1).run() == 3
    assert (first.run(), first.digest, first.load()) == (2, digest, 2)
    assert (first.last_hit, Count(1).last_hit) == ("memory", None)


def test_a_result_that_made_room_for_others_still_fits_its_digest() -> None:
    """What was run under a digest is what parents get, although memory dropped it."""
    one = Count(1)
    _ = one.digest
    memory.forget(one._memory_key)
    other = Count(1)
    assert Pair(one, [other, one]).run() == (2, [3, 2])
    assert Pair(one, [other, one]).digest != Pair(one, [one, one]).digest


def test_run_again_only_as_a_new_object() -> None:
    """recompute=True before the first run goes past memory; afterwards it is refused."""
    first = Count(1)
    first.run()
    with pytest.raises(ArgumentError, match=r"(?s)has run, and its digest.*Count\(…\).run\(recompute=True\)"):
        first.run(recompute=True)
    assert Count(1).run(recompute=True) == 3
    assert Count(1).run() == 3


def test_a_reason_is_refused() -> None:
    """It leaves no record that could hold it."""
    with pytest.raises(ArgumentError, match="Task 'Count' takes no reason"):
        Count(1, reason="why")  # type: ignore[call-arg]


def test_a_result_that_cannot_be_digested_is_still_a_result() -> None:
    """run() gives it; a digest that depends on it is an error that names the task."""
    task = Opaque(1)
    assert task.run() is task.run()
    with pytest.raises(DigestError, match=r"Task 'Opaque' \(u-\w{20}\) has a result that cannot be digested"):
        _ = task.digest
    with pytest.raises(DigestError, match="Task 'Opaque'"):
        Twice(task).run()  # type: ignore[arg-type]
    assert Plain(1).run() == 1
    assert n_runs == [1]
    assert task.load() is task.run()


def test_explain_tells_of_a_result_that_cannot_be_digested() -> None:
    """What needs its digest cannot run, and the reason names the task; what does not is told as ever."""
    task = Opaque(2)
    assert "Opaque" in Pair(task, 0).explain().reason
    task.run()
    told = Pair(task, 0).explain()
    assert (told.hit, told.digest[:2]) == (False, "u-")
    assert "it has no digest, so that it cannot be run: Task 'Opaque'" in told.reason
    assert (task.explain().hit, task.explain().where) == (True, "memory")
    assert "are not kept" in Shown(task).explain().reason
    assert n_runs == [2]


def test_an_unpure_default_is_refused() -> None:
    """A default belongs to the function, and must be known without a run."""

    @MemoizedTask
    def Wrong(x: Any = Count(1)) -> int:  # noqa: B008
        return 0

    with pytest.raises(SignatureError, match="default of argument 'x'"):
        Wrong()
    assert n_runs == []


def test_arrays_are_digested_by_content() -> None:
    """Equal arrays of two tasks are one input."""
    assert Pair(Field(1), 0).digest == Pair(Field(1), 0).digest
    assert Pair(Field(1), 0).digest != Pair(Field(2), 0).digest
    field = Field(1).run()
    assert not field.flags.writeable


def test_a_recorded_task_is_found_exactly_if_the_result_is_as_it_was(tasks: Any) -> None:
    """A new reading is a new result; the old reading finds the old one."""
    calls = lambda: tasks.project.calls("Double")  # noqa: E731
    assert tasks.Double(tasks.Read("now.txt")).run() == 10
    write(tasks, 6)
    assert tasks.Double(tasks.Read("now.txt")).run() == 10  # memory
    tasks.Read("now.txt").clear()
    assert tasks.Double(tasks.Read("now.txt")).run() == 12
    write(tasks, 5)
    tasks.Read("now.txt").clear()
    task = tasks.Double(tasks.Read("now.txt"))
    assert (task.run(), task.last_hit, calls()) == (10, "disk", 2)
    assert task.digest == tasks.Double(tasks.Read("now.txt", scale=1.0)).digest


def test_the_record_names_result_and_unpure_task(tasks: Any) -> None:
    """The record is found by the digest; its description keeps the unpure task, and is read again."""
    task = tasks.Sum([tasks.Shift(tasks.Read("now.txt")), tasks.Double(tasks.Read("now.txt"))])
    assert task.run() == 16
    record = task.record
    assert record.digest == task.digest
    assert record.get_param("parts")[0] == tasks.Shift(tasks.Read("now.txt"))
    assert record.task == task
    assert tasks.Double(tasks.Read("now.txt")).record.get_param("x.name") == "now.txt"
    described = tasks.project.project.data.read_rest(task._head)["parameters"]["tasks"]
    assert sum(key.startswith("u-") for key in described) == 1


def test_another_process_finds_the_result(tasks: Any) -> None:
    """Run there, the unpure task gives the same, so the recorded one is a hit."""
    tasks.Double(tasks.Read("now.txt")).run()
    done = tasks.project.run(
        "import tasks; t = tasks.Double(tasks.Read('now.txt')); print(t.run(), t.last_hit, t.digest)"
    )
    assert done.stdout.split() == ["10.0", "disk", tasks.Double(tasks.Read("now.txt")).digest]


def test_files_are_saved_and_run_by_key(tasks: Any, tmp_path: Path) -> None:
    """Nothing runs to save or load; `smttask run` runs what the file describes."""
    task = tasks.Double(tasks.Read("now.txt"))
    file = task.save(tmp_path)
    assert file.name == f"Double__{task.description_key}.taskdesc.json"
    assert task.description_key.startswith("u-")
    loaded = Task.from_desc(file)
    assert loaded == task
    assert tasks.project.calls("Read") == 0
    tasks.project.smttask("run", str(file))
    assert (task.run(), task.last_hit, tasks.project.calls("Double")) == (10, "disk", 1)


def test_an_edited_file_is_noticed(tasks: Any, tmp_path: Path) -> None:
    """The key covers name and inputs, through all levels."""
    file = tasks.Double(tasks.Read("now.txt")).save(tmp_path)
    file.write_text(file.read_text().replace("now.txt", "other.txt"))
    with pytest.raises(DescriptionError, match="'Read' is not what its digest says"):
        Task.from_desc(file)


def test_in_models_and_containers(tasks: Any) -> None:
    """An unpure task may stand at any depth, in a model too."""
    setup = tasks.Setup.model_construct(level=tasks.Read("now.txt"))
    task = tasks.Sum([1.0, tasks.Read("now.txt")], setup=setup)
    assert task.desc["task"].startswith("u-")
    assert (task.run(), task.run(), tasks.project.calls("Sum")) == (11, 11, 1)
    assert Pair({"a": (Count(1),)}, None).run() == ({"a": (2,)}, None)


def test_an_instrument_is_never_digested(tasks: Any) -> None:
    """An unpure task may use another whose result has no digest."""
    task = tasks.Double(tasks.Measure(tasks.Instrument("now.txt")))
    assert task.run() == 10
    assert task.load() == 10


def test_long_chains_need_no_recursion() -> None:
    """Thousands of levels build, hash, describe and run, unpure and pure in turn."""
    top: Any = Count(1)
    for _ in range(3000):
        top = Twice(Pass(top))  # type: ignore[arg-type]
    assert top.desc["task"].startswith("u-")
    assert len(top.digest) == 20
    assert top.run() == 2 * 2**3000


@UnpureMemoizedTask
def Pass(x: Any) -> Any:
    return x


def test_with_recording_off_it_is_found_in_memory(tasks: Any) -> None:
    """The memory too goes by the result."""
    with config.use(record=False):
        assert tasks.Double(tasks.Read("now.txt")).run() == 10
        task = tasks.Double(tasks.Read("now.txt"))
        assert (task.run(), task.last_hit) == (10, "memory")


def test_a_file_with_a_digest_for_a_key_is_refused(tasks: Any, tmp_path: Path) -> None:
    """Only records hold digests that nothing but a run could check."""
    task = tasks.Double(tasks.Read("now.txt"))
    file = task.save(tmp_path)
    file.write_text(file.read_text().replace(task.description_key, "0" * 20))
    with pytest.raises(DescriptionError, match="'Double' is not what its digest says"):
        Task.from_desc(file)


def test_records_are_found_by_the_unpure_task(tasks: Any) -> None:
    """A filter takes the unpure task as the value of an input."""
    tasks.Double(tasks.Read("now.txt")).run()
    with use_project(tasks.project.project):
        assert len(RSView().filter.params(eq={"x": tasks.Read("now.txt")})) == 1
        assert len(RSView().filter.params(eq={"x": tasks.Read("other.txt")})) == 0
