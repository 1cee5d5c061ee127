"""Outputs in files of their own: one for each element, or a file that the task wrote."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest

from smttask import Join, MemoizedTask, NonMemoizedTask, RecordedTask, output_dir
from smttask.errors import DamagedResultError, DamagedResultWarning, OutputError, SignatureError
from smttask.typing import OutputFile, SeparateOutputs, separate_outputs

PROJECT = {
    "tasks.py": """
import subprocess, sys
from pathlib import Path
from typing import Any
import numpy as np
from smttask import RecordedTask, TaskOutput, output_dir
from smttask.testing import count_call
from smttask.typing import Array, InputFile, OutputFile, separate_outputs

class Powers(TaskOutput):
    square: float
    more: separate_outputs(float, lambda n: [f"p{k}" for k in range(3, n + 1)])

@RecordedTask
def Raise(x: float, n: int = 5) -> Powers:
    count_call()
    return x**2, [x**k for k in range(3, n + 1)]

@RecordedTask
def Fields(
    names: list[str], size: int, wrong: int = 0
) -> separate_outputs(Array[float], lambda names: names):
    count_call()
    return [np.full(size, k) for k in range(len(names) - wrong)]

@RecordedTask
def Total(powers: Powers) -> float:
    return powers.square + sum(powers.more)

@RecordedTask
def Write(text: str, where: str = "here", name: str = "note.txt") -> OutputFile:
    count_call()
    folder = output_dir()
    (folder / "scratch").write_text("left over")
    path = folder / name
    program = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    subprocess.run([sys.executable, "-c", program, str(path), text], check=True)
    elsewhere = Path(__file__)
    return {"here": path, "relative": Path(name), "text": str(path), "outside": elsewhere,
            "missing": folder / "gone", "folder": folder}[where]

class Report(TaskOutput):
    n: int
    log: OutputFile | None
    parts: separate_outputs(OutputFile, lambda n: [f"part{k}" for k in range(n)])

@RecordedTask
def Split(n: int, log: bool = True) -> Report:
    folder = output_dir()
    for k in range(n):
        (folder / f"{k}.csv.gz").write_bytes(b"x" * k)
    (folder / "run.log").write_text("done")
    return n, folder / "run.log" if log else None, [folder / f"{k}.csv.gz" for k in range(n)]

@RecordedTask
def Read(file: InputFile) -> str:
    return Path(file).read_text()
""",
}


def test_each_element_of_separate_outputs_is_a_file_of_its_own(scratch: Any) -> None:
    """Named after the element; run() gives a tuple, stored or loaded."""
    lab = scratch(PROJECT)
    tasks = lab.load("tasks")
    task = tasks.Raise(2.0)
    assert task.run() == tasks.Raise(2.0).run() == (4.0, (8.0, 16.0, 32.0))
    assert lab.calls("Raise") == 1
    paths = task.outputpaths
    assert list(paths) == ["square", "more.p3", "more.p4", "more.p5"]
    label = task.record.label
    assert [path.name for path in paths.values()] == [
        f"{label}.json",
        *(f"{label}_more.p{k}.json" for k in (3, 4, 5)),
    ]
    assert json.loads(paths["more.p4"].read_text()) == 16.0


def test_one_element_is_loaded_alone(scratch: Any) -> None:
    """By its name; the others are not even looked at."""
    tasks = scratch(PROJECT).load("tasks")
    task = tasks.Fields(["a", "b"], 20_000)
    task.run()
    task.outputpaths["a"].write_bytes(bytes(task.outputpaths["a"].stat().st_size))
    assert task.get_output("b")[0] == 1
    assert [path.suffix for path in task.outputpaths.values()] == [".npy", ".npy"]
    powers = tasks.Raise(2.0)
    powers.run()
    assert powers.get_output("more") == powers.record.get_output("more") == (8.0, 16.0, 32.0)
    assert powers.get_output("more.p4") == powers.record.get_output("more.p4") == 16.0
    with pytest.raises(OutputError, match="Task 'Fields' has no output 'c'"):
        task.get_output("c")
    with pytest.raises(DamagedResultError):
        task.get_output()


def test_a_record_gives_no_elements_where_none_were_stored(scratch: Any) -> None:
    """An empty tuple, as the task does, named or not; other names are still refused."""
    tasks = scratch(PROJECT).load("tasks")
    named, unnamed = tasks.Raise(2.0, 2), tasks.Fields([], 3)
    assert (named.run().more, unnamed.run()) == ((), ())
    assert named.get_output("more") == named.record.get_output("more") == ()
    assert unnamed.get_output() == unnamed.record.get_output() == ()
    with pytest.raises(OutputError, match="(?s)no output 'gone'.*expected: none, it has no outputs"):
        unnamed.record.get_output("gone")


def test_separate_outputs_are_an_input_like_any_value(scratch: Any) -> None:
    """A parent gets the tuple; none at all is fine too."""
    tasks = scratch(PROJECT).load("tasks")
    assert tasks.Total(tasks.Raise(2.0, 4)).run() == 4 + 8 + 16
    assert tasks.Raise(2.0, 2).run() == tasks.Raise(2.0, 2).run() == (4.0, ())
    assert Join(tasks.Raise(2.0)).run() == Join(tasks.Raise(2.0)).run() == [tasks.Raise(2.0).run()]
    assert tasks.Raise(3.0).run(record=False).more == (27.0, 81.0, 243.0)


@pytest.mark.parametrize(
    ("names", "wrong", "message"),
    [
        (["a", "a"], 0, "the names for the returned value cannot be used"),
        (["a", ""], 0, "the names for the returned value cannot be used"),
        (["a", "b"], 1, "has other elements than names"),
    ],
)
def test_names_that_do_not_fit_are_refused(scratch: Any, names: list[str], wrong: int, message: str) -> None:
    """Unusable names before anything is computed, a wrong number of elements afterwards."""
    lab = scratch(PROJECT)
    task = lab.load("tasks").Fields(names, 3, wrong)
    with pytest.raises(OutputError, match=message):
        task.run()
    assert lab.calls("Fields") == wrong
    assert not task.has_run


def test_names_may_depend_on_inputs_only() -> None:
    """An argument of the function for names that is no input is refused at construction."""

    @MemoizedTask
    def Bad(x: int) -> separate_outputs(int, lambda depth: ["a"]):  # type: ignore[valid-type]
        return (x,)

    with pytest.raises(SignatureError, match="Task 'Bad': the names of separate outputs depend on 'depth'"):
        Bad(1)


def test_the_form_for_type_checkers_is_the_same_type() -> None:
    """`separate_outputs` is short for an annotated tuple."""

    def names() -> list[str]:
        return ["a"]

    assert separate_outputs(float, names) == Annotated[tuple[float, ...], SeparateOutputs(names)]


@pytest.mark.parametrize("where", ["here", "relative", "text"])
def test_a_file_that_the_task_wrote_moves_into_the_store(scratch: Any, where: str) -> None:
    """The path that run() gives holds it, stored or loaded; what else was written is gone."""
    lab = scratch(PROJECT)
    tasks = lab.load("tasks")
    task = tasks.Write("hello", where)
    path = task.run()
    assert path.read_text() == "hello"
    assert path == tasks.Write("hello", where).run() == task.get_output() == task.outputpaths[""]
    assert path.name == f"{task.record.label}_result.txt"
    assert lab.calls("Write") == 1
    assert sorted(item.name for item in path.parent.iterdir()) == [f"{task.record.label}.json", path.name]
    assert not path.stat().st_mode & 0o222
    assert [key.path for key in task.record.output_data] == [f"Write/{p.name}" for p in task.resultpaths]


def test_a_changed_output_file_is_noticed(scratch: Any) -> None:
    """It is checked like every other output, set aside and computed anew."""
    lab = scratch(PROJECT)
    tasks = lab.load("tasks")
    path = tasks.Write("hello").run()
    path.chmod(0o644)
    path.write_text("HELLO")
    with pytest.warns(DamagedResultWarning):
        assert tasks.Write("hello").run().read_text() == "hello"
    assert lab.calls("Write") == 2


def test_an_output_file_is_read_by_the_next_task(scratch: Any) -> None:
    """Where an InputFile is expected, a task that writes one may stand."""
    tasks = scratch(PROJECT).load("tasks")
    assert tasks.Read(tasks.Write("hello")).run() == "hello"
    assert tasks.Read(tasks.Write("hello").run()).run() == "hello"


def test_files_may_be_fields_missing_or_many(scratch: Any) -> None:
    """Optional files, and a file for each element, keep their endings."""
    tasks = scratch(PROJECT).load("tasks")
    tasks.Split(2).run()
    task = tasks.Split(2)
    report = task.run()
    assert report.log.read_text() == "done"
    assert [part.read_bytes() for part in report.parts] == [b"", b"x"]
    endings = [path.name.removeprefix(task.record.label) for path in report.parts]
    assert endings == ["_parts.part0.csv.gz", "_parts.part1.csv.gz"]
    assert tasks.Split(1, log=False).run().log is None is tasks.Split(1, log=False).run().log


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("outside", "it is not in the folder of the run"),
        ("missing", "there is no such file"),
        ("folder", "it is not in the folder of the run"),
    ],
)
def test_a_path_that_is_no_file_of_the_run_is_refused(scratch: Any, where: str, found: str) -> None:
    """The run crashes; the value, and the files that were written, are kept."""
    lab = scratch(PROJECT)
    tasks = lab.load("tasks")
    with pytest.raises(OutputError, match=found) as caught:
        tasks.Write("hello", where).run()
    kept = lab.root / f"{caught.value.saved}.files" / "note.txt"
    assert kept.read_text() == "hello"
    assert [record.status for record in lab.project.records.records()] == ["crashed"]


def test_without_a_store_the_file_stays_in_a_temporary_folder(scratch: Any) -> None:
    """With record=False the path leads to it until the process ends."""
    lab = scratch(PROJECT)
    path = lab.load("tasks").Write("hello").run(record=False)
    assert path.read_text() == "hello"
    assert not path.is_relative_to(lab.root)
    code = "import tasks; print(tasks.Write('hello').run(record=False))"
    gone = lab.run(code).stdout.strip()
    assert gone.endswith("note.txt")
    assert not path.parent.joinpath(gone).exists()


def test_output_dir_outside_a_run_is_refused() -> None:
    """There is no folder where nothing runs."""
    with pytest.raises(OutputError, match=r"output_dir\(\) is called outside a run"):
        output_dir()


@pytest.mark.parametrize("annotation", [list[OutputFile], dict[str, OutputFile], tuple[OutputFile, None]])
def test_output_files_inside_other_values_are_refused(annotation: Any) -> None:
    """Each must be an output of its own, so that it is stored and checked."""

    @RecordedTask(name="forms.inside")
    def Inside(x: int) -> annotation:
        return x

    with pytest.raises(SignatureError, match="an OutputFile must be an output of its own"):
        Inside(1)


@pytest.mark.parametrize("decorate", [MemoizedTask, NonMemoizedTask])
def test_only_recorded_tasks_write_output_files(decorate: Any) -> None:
    """The store is where they move."""

    @decorate
    def Loose(x: int) -> OutputFile:
        return output_dir() / "a"

    with pytest.raises(SignatureError, match="Task 'Loose' cannot return an OutputFile"):
        Loose(1)
