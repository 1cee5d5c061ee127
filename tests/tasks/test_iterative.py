"""Iterative tasks: more iterations continue from fewer, and give what one run from the first gives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smttask import MemoizedTask, RecordedIterativeTask, Task, TaskOutput, config
from smttask.errors import CodeChangedWarning, DamagedResultWarning, InputError, SignatureError

TASKS = """
import numpy as np
from smttask import MemoizedTask, RecordedIterativeTask, RecordedTask, TaskOutput
from smttask.testing import count_call
from smttask.typing import Array

class Grown(TaskOutput):
    n: int
    x: Array[float]
    first: int

@RecordedTask
def Begin(size: int) -> Array[float]:
    count_call()
    return np.linspace(0.1, 0.9, size)

@RecordedIterativeTask("n", map={"n": "start", "x": "x0"})
def Grow(n: int, rate: float, x0: Array[float], start: int = 0) -> Grown:
    count_call()
    x = np.array(x0)
    for _ in range(start, n):
        x = rate * x * (1 - x)
    return Grown(n, x, start)

@RecordedTask
def Total(grown: Grown) -> float:
    return float(grown.x.sum())
"""


@pytest.fixture
def tasks(scratch: Any) -> Any:
    project = scratch({"tasks.py": TASKS})
    module = project.load("tasks")
    module.project = project
    return module


@pytest.fixture
def grow(tasks: Any) -> Callable[..., Any]:
    """Makes the task after so many iterations, of an array whose growth is chaotic."""
    return lambda n, **inputs: tasks.Grow(**{"n": n, "rate": 3.9, "x0": tasks.Begin(8), **inputs})


def in_one_go(n: int) -> np.ndarray[Any, Any]:
    x = np.linspace(0.1, 0.9, 8)
    for _ in range(n):
        x = 3.9 * x * (1 - x)
    return x


def test_the_number_of_iterations_is_a_suffix(tasks: Any, grow: Any) -> None:
    """It is not hashed, it stands in digest, label and link, and it distinguishes tasks."""
    task = grow(5)
    assert task.digest == grow(3).digest.replace("n_3", "n_5")
    assert task.full_digest.endswith("__n_5")
    assert task != grow(3)
    assert task == grow(5)
    task.run()
    digest, _, suffix = task.digest.partition("__")
    data = tasks.project.project.data.input_dir
    assert (data / "Grow" / digest / "n_5.json").is_symlink()
    assert suffix == "n_5"
    assert task.record.label.endswith(f"_{digest[:6]}__n_5")
    assert {path.name for path in task.resultpaths} >= {f"{task.record.label}.json"}


def test_more_iterations_continue_from_the_most_that_are_stored(tasks: Any, grow: Any) -> None:
    """Asked for 3, 9, then 5: 9 and 5 continue from 3, never from more, bit-identical to one run."""
    results = [grow(n).run() for n in (3, 9, 5)]
    assert [result.first for result in results] == [0, 3, 3]
    for result in results:
        assert result.x.tobytes() == in_one_go(result.n).tobytes()
    assert (grow(9).run().first, grow(7).run().first) == (3, 5)
    assert tasks.project.calls("Grow") == 4


def test_other_inputs_are_another_series(grow: Any) -> None:
    """A run with other inputs is not continued, whether they are mapped or not."""
    grow(3).run()
    assert grow(5, rate=3.8).run().first == 0
    assert grow(5, x0=[0.5]).run().first == 0
    assert grow(5, start=1).run().first == 1


def test_a_hit_needs_no_earlier_result(tasks: Any, grow: Any) -> None:
    """The result for the same number is found like that of any task, in another process too."""
    grow(3).run()
    task = grow(3)
    assert (task.run().first, task.last_hit) == (0, "disk")
    done = tasks.project.run(
        "import tasks; t = tasks.Grow(n=3, rate=3.9, x0=tasks.Begin(8)); t.run(); print(t.last_hit)"
    )
    assert done.stdout.split() == ["disk"]


def test_a_damaged_result_is_passed_over(grow: Any) -> None:
    """With 3 and 5 stored and 5 damaged, 7 continues from 3, and the damage is told."""
    grow(3).run()
    five = grow(5)
    five.run()
    path = five.resultpaths[0]
    path.write_bytes(path.read_bytes().replace(b'"first"', b'"fifth"', 1))
    with pytest.warns(DamagedResultWarning):
        seven = grow(7).run()
    assert (seven.first, seven.x.tobytes()) == (3, in_one_go(7).tobytes())


def test_a_deleted_output_is_passed_over(tmp_path: Path, tasks: Any) -> None:
    """A result whose file is gone cannot be continued; the next lower one is."""
    large = tasks.Begin(20_000)
    small, gone = (tasks.Grow(n=n, rate=3.9, x0=large) for n in (2, 4))
    small.run()
    gone.run()
    gone.outputpaths["x"].unlink()
    assert tasks.Grow(n=6, rate=3.9, x0=large).run().first == 2


def test_the_record_keeps_the_inputs_and_names_the_run_it_continued(tasks: Any, grow: Any) -> None:
    """Parameters are those asked for; manifest and input data name the earlier run."""
    first, then = grow(3), grow(9)
    first.run()
    then.run()
    record, label = then.record, first.record.label
    assert (record.get_param("n"), record.get_param("start"), record.get_param("x0.size")) == (9, 0, 8)
    assert record.task == then
    assert [key.path for key in record.input_data if label in key.path]
    data = tasks.project.project.data
    rest = data.read_rest(then._head)
    assert rest["continued_from"]["label"] == label
    assert "continued_from" not in data.read_rest(first._head)


def test_upstream_tasks_that_are_replaced_are_not_run(tasks: Any, grow: Any) -> None:
    """Where the initial value comes from a task and a later one is stored, the task is left alone."""
    grow(3).run()
    tasks.Begin(8).invalidate()
    assert grow(5).run().first == 3
    assert tasks.project.calls("Begin") == 1
    grow(5).run(recompute=True)
    assert tasks.project.calls("Begin") == 2


def test_recompute_begins_from_the_first_iteration(grow: Any) -> None:
    """run(recompute=True) uses no earlier result; the others stay."""
    grow(3).run()
    assert grow(5).run(recompute=True).first == 0
    assert grow(3).has_run


def test_invalidate_is_for_one_number_of_iterations(grow: Any) -> None:
    """After 5 was invalidated, 7 continues from 3."""
    grow(3).run()
    grow(5).run()
    assert grow(5).invalidate()
    assert grow(7).run().first == 3


OTHER_CODE = TASKS.replace("rate * x * (1 - x)", "rate * (1 - x) * x")


@pytest.mark.parametrize(("policy", "first"), [("warn", 3), ("ignore", 3), ("recompute", 0), ("error", 0)])
def test_a_run_by_other_code_is_continued_where_its_result_would_be_loaded(
    policy: str, first: int, tasks: Any, grow: Any, recwarn: Any
) -> None:
    """`warn` says so; `recompute` and `error` begin anew; the result counts for neither code alone."""
    grow(3).run()
    project = tasks.project
    project.write({"tasks.py": OTHER_CODE})
    edited = project.reload("tasks")
    with config.use(on_code_change=policy):
        task = edited.Grow(n=5, rate=3.9, x0=edited.Begin(8))
        assert task.run().first == first
    warned = [item for item in recwarn if item.category is CodeChangedWarning]
    assert bool(warned) is (policy == "warn")
    with config.use(on_code_change="recompute"):
        again = edited.Grow(n=5, rate=3.9, x0=edited.Begin(8))
        again.run()
        assert again.last_hit == ("disk" if first == 0 else "computed")


def test_what_continued_from_other_code_says_so_later(tasks: Any, grow: Any) -> None:
    """A result that began with other code is loaded with a warning that names the run."""
    grow(3).run()
    label = grow(3).record.label
    tasks.project.write({"tasks.py": OTHER_CODE})
    edited = tasks.project.reload("tasks")
    with config.use(on_code_change="ignore"):
        edited.Grow(n=5, rate=3.9, x0=edited.Begin(8)).run()
    with pytest.warns(CodeChangedWarning, match=f"it continued from {label}, which other code made"):
        edited.Grow(n=5, rate=3.9, x0=edited.Begin(8)).run()


def test_outputs_of_other_annotations_are_passed_over(tasks: Any, grow: Any) -> None:
    """A result stored when the outputs were others is not continued."""
    grow(3).run()
    flat = TASKS.replace("x: Array[float]\n    first", "x: Array[float, 2]\n    first")
    tasks.project.write({"tasks.py": flat.replace("Grown(n, x, start)", "Grown(n, x.reshape(2, -1), start)")})
    edited = tasks.project.reload("tasks")
    with config.use(on_code_change="ignore"):
        task = edited.Grow(n=5, rate=3.9, x0=edited.Begin(8))
        with pytest.warns(CodeChangedWarning, match="A stored result is not used"):
            assert task.run().first == 0


def test_a_task_of_iterations_is_an_input_like_any_other(tasks: Any, grow: Any) -> None:
    """A parent of another number of iterations is another task."""
    totals = [tasks.Total(grow(n)) for n in (3, 5)]
    assert totals[0].digest != totals[1].digest
    assert [task.run() for task in totals] == [float(in_one_go(n).sum()) for n in (3, 5)]
    assert totals[1].run() == grow(5).run().x.sum()


def test_a_description_keeps_the_number_and_its_check(tasks: Any, grow: Any, tmp_path: Path) -> None:
    """Saved, loaded and pickled, it is the same task; an edited number is an error."""
    task = grow(5)
    file = task.save(tmp_path)
    assert file.name == f"Grow__{task.digest}.taskdesc.json"
    assert Task.from_desc(file) == task
    file.write_text(file.read_text().replace('"n": 5', '"n": 6'))
    with pytest.raises(Exception, match="not what its digest says"):
        Task.from_desc(file)


def test_four_processes_at_once(tasks: Any, tmp_path: Path) -> None:
    """Asked for 7, 8, 9 and 10 together, each gets its own result, right and recorded."""
    code = (
        "import sys, tasks; n = int(sys.argv[1]); "
        "print(tasks.Grow(n=n, rate=3.9, x0=tasks.Begin(8)).run().x.tobytes().hex())"
    )
    root = tasks.project.root
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(n)], cwd=root, stdout=subprocess.PIPE, text=True)
        for n in (7, 8, 9, 10)
    ]
    for n, process in zip((7, 8, 9, 10), running, strict=True):
        assert process.communicate()[0].strip() == in_one_go(n).tobytes().hex()
        assert process.returncode == 0
    records = [record for record in tasks.project.project.records.records() if record.task == "Grow"]
    assert [record.status for record in records] == ["finished"] * 4


def test_results_in_memory_are_continued_too(tasks: Any, grow: Any) -> None:
    """Without recording, more iterations continue from what this process holds."""
    with config.use(record=False):
        assert [grow(n).run().first for n in (3, 9, 5)] == [0, 3, 3]
        grow(3).clear()
        grow(5).clear()
        assert grow(4).run().first == 0
    assert not grow(3).has_run


@pytest.mark.parametrize("n", [-1, 2**63, "task"])
def test_the_number_of_iterations_is_a_number(n: Any, grow: Any) -> None:
    """A negative or endless number or a task in its place is refused."""
    with pytest.raises(InputError, match="'n' is no number of iterations"):
        grow(One(1) if n == "task" else n)


@MemoizedTask
def One(x: int) -> int:
    return x


class State(TaskOutput):
    n: int
    x: float


@pytest.mark.parametrize(
    ("parameter", "by_output", "message"),
    [
        ("k", {"x": "x"}, "'k' is not both an argument and an output"),
        ("start", {"x": "x"}, "'start' is not both an argument and an output"),
        (None, {"x": "x"}, "(?s)must be told how.*the name of the iteration parameter"),
        ("n", None, "(?s)must be told how.*missing: map"),
        ("x", {"n": "start"}, "'x' is no integer"),
        ("n", {}, "(?s)its map does not lead from outputs to inputs.*found: {}"),
        ("n", "x", "(?s)its map.*found: 'x'"),
        ("n", {"y": "x"}, "(?s)its map.*output 'y'"),
        ("n", {"x": "y"}, "(?s)its map.*input 'y'"),
        ("n", {"n": "n"}, "(?s)its map.*input 'n', which says where to end"),
        ("n", {"n": "x", "x": "x"}, "(?s)its map.*one input for two outputs"),
    ],
)
def test_a_wrong_parameter_or_map_is_refused_at_decoration(
    parameter: Any, by_output: Any, message: str
) -> None:
    """The error says what there is to choose from."""

    def step(n: int, x: float, start: int = 0) -> State:
        return State(n, x)

    with pytest.raises(SignatureError, match=message):
        RecordedIterativeTask(parameter, map=by_output, name="test.iterative")(step)


def test_the_bare_decorator_says_what_to_write() -> None:
    """It cannot know what counts iterations; the message has an example."""

    def step(n: int, x: float) -> State:
        return State(n, x)

    with pytest.raises(SignatureError, match=r'(?s)without arguments.*@RecordedIterativeTask\("n", map='):
        RecordedIterativeTask(step)


def test_an_output_that_never_fits_its_input_is_refused_at_decoration() -> None:
    """Before anything is computed that could not be continued; the message shows both annotations."""

    def step(n: int, x: list[float], start: int = 0) -> State:
        return State(n, x[0])

    with pytest.raises(SignatureError, match="(?s)output 'x' never fits input 'x'.*float.*list"):
        RecordedIterativeTask("n", map={"n": "start", "x": "x"}, name="test.iterative")(step)


def test_an_iterative_task_has_named_outputs() -> None:
    """A plain return value cannot be mapped."""

    def step(n: int, x: float) -> float:
        return x

    with pytest.raises(SignatureError, match="has no named outputs"):
        RecordedIterativeTask("n", map={"x": "x"}, name="test.iterative")(step)


def test_an_output_that_its_input_does_not_take_is_an_error(scratch: Any) -> None:
    """Nothing is computed from the start behind one's back; the message names both."""
    text = TASKS.replace("x0: Array[float], start", "x0: float, start").replace("array(x0)", "array([x0])")
    module = scratch({"tasks.py": text}).load("tasks")
    module.Grow(n=1, rate=2.0, x0=0.5).run()
    with pytest.raises(InputError, match="after n = 1: input 'x0' does not take output 'x'"):
        module.Grow(n=2, rate=2.0, x0=0.5).run()


def test_files_and_outputs_stored_one_by_one_are_continued(scratch: Any) -> None:
    """An output of several files takes the place of its input like any other."""
    text = """
from pathlib import Path
from smttask import RecordedIterativeTask, TaskOutput, output_dir
from smttask.typing import OutputFile, separate_outputs

class Walked(TaskOutput):
    n: int
    log: OutputFile
    places: separate_outputs(float, lambda: ["x", "y"])
    first: int

@RecordedIterativeTask("n", map={"n": "start", "log": "log", "places": "places"})
def Walk(n: int, places: tuple[float, ...], log: Path | None = None, start: int = 0) -> Walked:
    lines = [] if log is None else log.read_text().split()
    for i in range(start, n):
        places = tuple(x + i for x in places)
        lines.append(str(i))
    path = output_dir() / "log.txt"
    path.write_text(" ".join(lines))
    return Walked(n, path, places, start)
"""
    walk = scratch({"tasks.py": text}).load("tasks").Walk
    walk(n=2, places=(0, 1)).run()
    result = walk(n=4, places=(0, 1)).run()
    assert (result.first, result.places, Path(result.log).read_text()) == (2, (6, 7), "0 1 2 3")


def test_other_packages_are_passed_over_where_they_are_an_error(grow: Any, monkeypatch: Any) -> None:
    """A result that would not be loaded because of its packages is not continued."""
    plain = [0.5]
    grow(3, x0=plain).run()
    versions = {"numpy": "0.0"}
    found = "smttask.runner.packages.installed_versions"
    monkeypatch.setattr(found, lambda names: {name: versions.get(name, "1") for name in names})
    for policy in ("recompute", "error"):
        with config.use(on_package_change=policy):
            assert grow(5, x0=plain).run().first == 0
            assert grow(5, x0=plain).invalidate()
