"""Recorded tasks: stored, found, recorded; the project decides where."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smttask import config
from smttask.errors import (
    InputError,
    OutputError,
    ResultNotFoundError,
    SettingError,
    SignatureError,
)
from smttask.hashing import hash_file

TASKS = '''
import dataclasses
from pathlib import Path
from typing import Any
import numpy as np
from pydantic import BaseModel
from smttask import MemoizedTask, RecordedTask, TaskOutput
from smttask.testing import count_call
from smttask.typing import Array, InputDir, InputFile

class Fit(TaskOutput):
    mean: float
    field: Array

@RecordedTask
def Square(x: float, n: int = 2) -> float:
    """Power of a number."""
    count_call()
    print("squaring", x)
    return x**n

@RecordedTask
def MakeFit(x: Array) -> Fit:
    count_call()
    return {"mean": x.mean(), "field": x * 2, "outcome": "fine"}

@MemoizedTask
def Twice(x: float) -> float:
    return 2 * x

@RecordedTask
def Add(x: float, y: float) -> float:
    return x + y

LARGE = np.zeros(200_000)

@RecordedTask
def FillLarge(x: float) -> Array:
    LARGE[:] = x
    return LARGE

@RecordedTask
def Sums(arrays: list[Array]) -> list[float]:
    return [float(array[0]) for array in arrays]

@RecordedTask(cache=True)
def Cached(x: Array) -> Array:
    count_call()
    return x

@RecordedTask
def Unfit(x: int) -> list[int]:
    return {"not": object}

@RecordedTask
def Fail(x: int) -> int:
    print("about to fail")
    raise RuntimeError("no luck")

@RecordedTask
def Read(file: InputFile) -> str:
    count_call()
    return Path(file).read_text()

@RecordedTask
def ReadAll(folder: InputDir) -> int:
    return len(folder.files)

@RecordedTask
def Meddle(file: InputFile) -> str:
    Path(file).write_text("changed while it ran")
    return "done"

@RecordedTask
def Inner(x: float) -> float:
    return Square(x).run() + 1

@MemoizedTask
def Offset(x: float) -> float:
    return x

@RecordedTask
def Sum(parts: list[float]) -> float:
    return sum(parts)

buffer = np.zeros(3)

@RecordedTask(cache=True)
def Fill(x: float) -> Array[float]:
    buffer[:] = x
    return buffer[:2]

@RecordedTask
def Join(parts: list[Array[float]]) -> list[float]:
    return [float(part[0]) for part in parts]

@RecordedTask
def Values(values: list[Any]) -> list[str]:
    return [type(value).__name__ for value in values]

class Holder(BaseModel):
    file: InputFile

@RecordedTask
def ReadHeld(held: Holder) -> str:
    return Path(held.file).read_text()

@MemoizedTask
def Shown(x: Any) -> Any:
    return x.k

@dataclasses.dataclass
class Scale:
    k: float = 1

@RecordedTask(name="lab.cube")
def Cube(x: float) -> float:
    return x**3

@RecordedTask
def Itself(x: int) -> int:
    return Itself(x).run()
'''


@pytest.fixture
def tasks(scratch: Any) -> Any:
    project = scratch({"tasks.py": TASKS})
    module = project.load("tasks")
    module.project = project
    return module


def test_a_result_is_computed_once_and_found_by_every_equal_task(tasks: Any) -> None:
    """The second task of the same inputs loads what the first stored."""
    first, second = tasks.Square(3), tasks.Square(3.0)
    assert first.run() == second.run() == second.load() == 9.0
    assert (first.last_hit, second.last_hit) == ("computed", "disk")
    assert tasks.project.calls("Square") == 1
    assert tasks.Square.__doc__.splitlines() == [
        "Square(x: float, n: int = 2) -> float",
        "",
        "Power of a number.",
    ]


def test_every_run_is_a_record_with_its_facts(tasks: Any) -> None:
    """Reason, outcome, output and status stand in the record, and hits add none."""
    task = tasks.MakeFit([1.0, 3.0], reason="first look")
    task.run()
    task.run()
    (record,) = tasks.project.project.records.records()
    assert (record.task, record.digest, record.reason) == ("MakeFit", task.digest, "first look")
    assert (record.status, record.outcome, record.main_file) == ("finished", "fine", "tasks.py")
    assert record.version == tasks.project.project.repository.state().commit
    assert {Path(key.path).suffix for key in record.output_data} == {".json", ".npy"}


def test_a_task_leads_to_the_record_of_its_result(tasks: Any) -> None:
    """task.record is the run that made what run() returns."""
    task = tasks.Square(3, reason="first")
    with pytest.raises(ResultNotFoundError):
        _ = task.record
    task.run()
    assert (task.record.reason, task.record.task) == ("first", task)


def test_the_reason_of_a_run_replaces_that_of_its_task(tasks: Any) -> None:
    """run(reason=…) serves typed code."""
    tasks.Square(3, reason="old").run(reason="new")
    (record,) = tasks.project.project.records.records()
    assert (record.reason, record.stdout_stderr) == ("new", "squaring 3.0\n")


def test_several_outputs_are_stored_apart_and_come_back_as_one_object(tasks: Any) -> None:
    """Small ones stand in the manifest, arrays beside it."""
    task = tasks.MakeFit([1.0, 3.0])
    assert task.outputpaths == {}
    assert task.resultpaths == ()
    task.run()
    result = task.run()
    assert result.mean == 2.0
    assert list(result.field) == [2.0, 6.0]
    assert isinstance(result, tasks.Fit)
    assert list(task.get_output("field")) == [2.0, 6.0]
    assert {name: path.suffix for name, path in task.outputpaths.items()} == {
        "mean": ".json",
        "field": ".npy",
    }
    assert len(task.resultpaths) == 2
    with pytest.raises(OutputError, match="has no output 'median'(.|\n)*mean, field"):
        task.get_output("median")


def test_upstream_results_are_named_in_the_record_of_the_parent(tasks: Any) -> None:
    """Recorded ones by digest and label, others whole; so the lineage is complete."""
    square, offset = tasks.Square(2), tasks.Offset(1.5)
    task = tasks.Sum([square, offset, 1.0])
    assert task.run() == 6.5
    record = next(iter(tasks.project.project.records.records()))
    assert square.resultpaths[0].stem in record.parameters
    assert '"Offset"' in record.parameters
    assert [key.path for key in record.input_data] == [f"run_dump/Square/{square.resultpaths[0].name}"]


def test_recompute_runs_again_and_keeps_both_runs(tasks: Any) -> None:
    """Nothing in the output store is overwritten."""
    task = tasks.Square(3)
    task.run()
    first = task.resultpaths[0]
    assert task.run(recompute=True) == 9.0
    assert tasks.project.calls("Square") == 2
    assert first.exists()
    assert task.resultpaths[0] != first


def test_invalidate_unlinks_the_result_and_keeps_the_run(tasks: Any) -> None:
    """The next run computes; the record stays."""
    task = tasks.Square(3)
    assert not task.invalidate()
    task.run()
    assert task.has_run
    assert task.invalidate()
    assert not task.has_run
    with pytest.raises(ResultNotFoundError, match="searched: .*data/Square"):
        task.load()
    task.run()
    assert tasks.project.calls("Square") == 2


def test_a_cached_result_stays_in_memory_and_is_read_only(tasks: Any) -> None:
    """cache=True keeps the result besides storing it; clear() drops it from memory alone."""
    task = tasks.Cached([1.0])
    task.run()
    result = task.run()
    assert task.last_hit == "memory"
    with pytest.raises(ValueError, match="read-only"):
        result[0] = 2
    task.clear()
    task.run()
    assert task.last_hit == "disk"


def test_a_function_may_fill_the_same_array_for_every_call(tasks: Any) -> None:
    """What was handed out, to the user or to another task, keeps its values; the next call can write."""
    first, second = tasks.FillLarge(1).run(), tasks.FillLarge(2).run(cache=True)
    assert tasks.Sums([tasks.FillLarge(3), tasks.FillLarge(4)]).run() == [3.0, 4.0]
    assert (first[0], second[-1], tasks.FillLarge(2).run(cache=True)[0]) == (1.0, 2.0, 2.0)
    assert not first.flags.writeable
    assert tasks.LARGE.flags.writeable


def test_a_stored_result_behind_one_in_memory_is_named_in_the_record(tasks: Any) -> None:
    """By label, digest and data key, whether the memoized task ran or was found in memory."""
    square = tasks.Square(7.0)
    described = []
    for x in (1.0, 2.0):
        tasks.Add(tasks.Twice(square), x).run()
        record = next(r for r in tasks.project.project.records.records() if r.task == "Add")
        (key,) = record.input_data
        assert key.metadata["blake3"] == hash_file(str(square.resultpaths[0]))
        assert key.path.endswith(f"{square.record.label}.json")
        assert f'"label":"{square.record.label}"' in record.parameters
        described.append(key)
    assert described[0] == described[1]
    assert tasks.Twice(square).has_run


def test_a_result_from_memory_is_named_in_the_record_of_its_parent(tasks: Any) -> None:
    """By digest and label, like one from disk."""
    cached = tasks.Cached([1.0])
    cached.run()
    tasks.MakeFit(cached).run()
    parent = next(r for r in tasks.project.project.records.records() if r.task == "MakeFit")
    assert cached.resultpaths[0].stem in parent.parameters


def test_a_function_may_fill_its_buffer_anew(tasks: Any) -> None:
    """Results stay what they were when the function returned, for parents and in memory."""
    assert tasks.Join([tasks.Fill(1), tasks.Fill(2)]).run() == [1.0, 2.0]
    assert tasks.Fill(1).run().tolist() == [1.0, 1.0]


def test_a_result_in_memory_serves_also_when_its_files_were_deleted(tasks: Any) -> None:
    """Deleted data is no error for a parent of what is still in memory."""
    part = tasks.Fill(1)
    part.run()
    shutil.rmtree(tasks.project.root / "data")
    assert tasks.Join([part]).run() == [1.0]


def test_tasks_that_differ_only_in_the_form_of_a_default_are_both_run(tasks: Any) -> None:
    """A default given as another type has the digest of the default and is a value of its own."""
    parts = [tasks.Shown(tasks.Scale(1)), tasks.Shown(tasks.Scale(1.0))]
    assert parts[0].digest == parts[1].digest
    assert tasks.Values(parts).run() == ["int", "float"]


def test_a_large_result_can_stay_on_disk(tasks: Any) -> None:
    """mmap=True maps the file instead of reading it."""
    task = tasks.MakeFit([1.0, 3.0])
    task.run()
    field = task.run(mmap=True).field
    assert list(field) == [2.0, 6.0]
    assert not field.flags.writeable


def test_without_record_nothing_is_written_or_recorded(tasks: Any) -> None:
    """record=False computes in memory and asks neither git nor the stores."""
    (tasks.project.root / "untracked.py").write_text("x = 1")
    assert tasks.Square(3).run(record=False) == 9.0
    assert not (tasks.project.root / "data").exists()
    assert tasks.project.project.records.count() == 0
    with config.use(record=False):
        assert tasks.Square(3).run() == 9.0
        assert tasks.project.calls("Square") == 1
    assert tasks.Square(3).run() == 9.0
    assert tasks.project.project.records.count() == 1


def test_a_value_that_does_not_fit_is_kept_and_the_run_counts_as_crashed(tasks: Any) -> None:
    """Hours of computing are not lost to a wrong annotation: the error names the file."""
    with pytest.raises(
        OutputError, match="Task 'Unfit': the returned value does not fit(.|\n)*kept in"
    ) as caught:
        tasks.Unfit(1).run()
    assert Path(str(caught.value.saved)).exists()
    (record,) = tasks.project.project.records.records()
    assert record.status == "crashed"
    assert "does not fit" in record.outcome


def test_a_failing_task_leaves_a_crashed_record_and_no_result(tasks: Any) -> None:
    """The error arrives whole, with the label of the record as a note."""
    task = tasks.Fail(1)
    with pytest.raises(RuntimeError, match="no luck") as caught:
        task.run()
    assert "in task 'Fail'" in caught.value.__notes__[0]
    (record,) = tasks.project.project.records.records()
    assert (record.status, record.outcome) == ("crashed", "RuntimeError: no luck")
    assert "about to fail" in record.stdout_stderr
    assert "Traceback" in record.stdout_stderr
    assert not task.has_run


def test_an_input_file_that_changed_refuses_the_run(tasks: Any, tmp_path: Path) -> None:
    """The task names the content; other content is another task."""
    file = tmp_path / "a.txt"
    file.write_text("one")
    task = tasks.Read(file)
    file.write_text("two!")
    with pytest.raises(InputError, match="the input file .* changed since the task was constructed"):
        task.run()
    assert tasks.project.project.records.count() == 0
    assert tasks.Read(file).run() == "two!"


def test_an_input_file_in_a_model_is_looked_at_too(tasks: Any, tmp_path: Path) -> None:
    """Files count wherever they stand among the inputs."""
    (tmp_path / "data.txt").write_text("one")
    task = tasks.ReadHeld({"file": tmp_path / "data.txt"})
    (tmp_path / "data.txt").write_text("other")
    with pytest.raises(InputError, match="changed since the task was constructed"):
        task.run()


def test_data_files_in_the_project_are_named_relative_to_it(tasks: Any) -> None:
    """So the record still finds them when the project moves; folders name each file in them."""
    root = tasks.project.root
    (root / "raw" / "deep").mkdir(parents=True)
    for name in ("raw/a.txt", "raw/deep/b.txt"):
        (root / name).write_text(name)
    tasks.Read(root / "raw" / "a.txt").run()
    tasks.ReadAll(root / "raw").run()
    keys = {
        record.task: [key.path for key in record.input_data]
        for record in tasks.project.project.records.records()
    }
    assert keys == {"Read": ["../raw/a.txt"], "ReadAll": ["../raw/a.txt", "../raw/deep/b.txt"]}


def test_a_folder_that_changed_refuses_the_run(tasks: Any, tmp_path: Path) -> None:
    """A file added to it makes it another input."""
    task = tasks.ReadAll(tmp_path)
    (tmp_path / "new.txt").write_text("x")
    with pytest.raises(InputError, match="the input folder .* changed since the task was constructed"):
        task.run()


def test_an_input_file_that_changes_during_the_run_spoils_it(tasks: Any, tmp_path: Path) -> None:
    """The run is recorded as crashed, and no result is stored."""
    file = tmp_path / "a.txt"
    file.write_text("one")
    with pytest.raises(InputError, match="changed while the task ran"):
        tasks.Meddle(file).run()
    (record,) = tasks.project.project.records.records()
    assert record.status == "crashed"


def test_a_run_inside_a_task_is_recorded_too(tasks: Any) -> None:
    """Both runs have records and results."""
    assert tasks.Inner(3).run() == 10.0
    assert {record.task for record in tasks.project.project.records.records()} == {"Inner", "Square"}


def test_a_fixed_name_is_the_identity(tasks: Any) -> None:
    """The folder is the whole name; results are found wherever the code moves."""
    task = tasks.Cube(2)
    task.run()
    assert task.resultpaths[0].parent.name == "lab.cube"
    assert task.full_name == ":lab.cube"


def test_a_task_that_asks_for_itself_is_refused(tasks: Any) -> None:
    """Instead of waiting for ever it says so."""
    with pytest.raises(Exception, match="already held by this thread"):
        tasks.Itself(1).run()


def test_names_and_policies_are_checked_at_decoration(tasks: Any) -> None:
    """A wrong name, a name of another function, a wrong policy, a task inside a function."""
    from smttask import RecordedTask

    with pytest.raises(SignatureError, match="cannot be named 'a/b'"):

        @RecordedTask(name="a/b")
        def Bad(x: int) -> int:
            return x

    with pytest.raises(SignatureError, match="'lab.cube' is used by two functions"):

        @RecordedTask(name="lab.cube")
        def Worse(x: int) -> int:
            return x

    with pytest.raises(SettingError, match="does not take on_code_change='never'"):
        RecordedTask(on_code_change="never")
    with pytest.raises(SettingError, match="does not take cache='w'"):
        RecordedTask(cache="w")  # type: ignore[call-overload]
    with pytest.raises(SignatureError, match="'Local' is defined inside a function"):

        @RecordedTask
        def Local(x: int) -> int:
            return x


def test_without_a_project_a_recorded_task_says_how_to_make_one(tmp_path: Path) -> None:
    """record=False still works there."""
    from smttask.testing import scratch_project

    module = tmp_path / "lonely.py"
    module.write_text(
        "from smttask import RecordedTask\n@RecordedTask\ndef F(x: int) -> int:\n    return x\n"
    )
    with scratch_project(tmp_path / "other") as other:
        script = (
            f"import sys, os; sys.path.insert(0, {str(tmp_path)!r}); os.chdir({str(tmp_path)!r})\n"
            "import lonely, smttask\n"
            "print(lonely.F(1).run(record=False))\n"
            "try: lonely.F(1).run()\n"
            "except smttask.errors.ProjectError as error: print(error)\n"
        )
        out = other.run(script).stdout
    assert out.startswith("1\nNo project found for module 'lonely'.")
    assert "smttask project init" in out


def test_one_file_under_two_module_names_is_refused(scratch: Any) -> None:
    """Its tasks would have two identities."""
    text = "from smttask import RecordedTask\n@RecordedTask\ndef F(x: int) -> int:\n    return x\n"
    project = scratch({"pkg/__init__.py": "", "pkg/mod.py": text})
    project.load("pkg.mod")
    sys.path.insert(0, str(project.root / "pkg"))
    try:
        with pytest.raises(SignatureError, match="imported under two names"):
            project.load("mod")
    finally:
        sys.path.remove(str(project.root / "pkg"))


def test_two_tasks_of_one_name_in_two_modules_do_not_meet(scratch: Any) -> None:
    """The module is part of the identity."""
    text = "from smttask import RecordedTask\n@RecordedTask\ndef F(x: int) -> int:\n    return x + {}\n"
    project = scratch({"one.py": text.format(1), "two.py": text.format(2)})
    one, two = project.load("one").F(0), project.load("two").F(0)
    assert (one.run(), two.run(), one.run(), two.run()) == (1, 2, 1, 2)
    assert one.digest != two.digest


SPAWNING = """
import multiprocessing
from dataclasses import dataclass
from smttask import MemoizedTask

@dataclass
class Scale:
    by: float

@MemoizedTask
def Scaled(x: float, scale: Scale) -> float:
    return x * scale.by

def run(task):
    return task.run()

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(pool.map_async(run, [Scaled(2, Scale(3))]).get(30))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="fork and forkserver are of POSIX")
@pytest.mark.slow
def test_tasks_of_a_script_run_in_processes_of_every_kind(scratch: Any) -> None:
    """A task of a script is the same task where multiprocessing imports the script under another name."""
    project = scratch({"script.py": SPAWNING})
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=project.root, capture_output=True, text=True, timeout=100
    )
    assert (done.stdout, done.stderr) == ("[6.0]\n" * 3, "")


MAIN = """
import warnings, os
import smttask
from smttask import RecordedTask

@RecordedTask
def Twice(x: int) -> int:
    print("computing")
    return 2 * x

task = Twice(4)
print(task.run(), task.run(), task.last_hit)
try:
    task.run(record=True)
except smttask.errors.NotRecordableError as error:
    print(error.what)
try:
    task.save("taskdir")
except smttask.errors.NotRecordableError as error:
    print(error.found)
import pickle
print(pickle.loads(pickle.dumps(task)) == task, task.full_name)
"""


def test_tasks_of_a_script_run_in_memory_and_warn_once(scratch: Any) -> None:
    """record=True and save refuse; the identity is the script's path in the project."""
    import subprocess
    import sys

    project = scratch({"script.py": MAIN})
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=project.root, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "computing",
        "8 8 memory",
        f"Task 'Twice' ({done.stdout.split('Task')[1].split('(')[1][:20]}) cannot be recorded.",
        "found: it is defined in __main__",
        "True __main__:script.py:Twice",
    ]
    assert done.stderr.count("NotRecordedWarning") == 1
    assert not (project.root / "data").exists()
