"""Tasks of Taskers as inputs of smttask's tasks, and the other way round."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smttask import Join, RSView, Task, config, run_tasks
from smttask.errors import InputError, NotRecordableError, ResultNotFoundError, TaskfileError
from smttask.hashing import hash_file
from smttask.storage.manifest import read_head, read_rest
from smttask.tasker import JSON, Tasker, use
from smttask.tasker.bridge import TaskerTask
from smttask.testing import ScratchProject, scratch_project

TASKFILE = """
from smttask import tasker
from smttask.testing import count_call
from tasks import Square

def use(dir):
    t = tasker.Tasker(dir)
    t.conf.x = 3

    @t.stores(tasker.JSON("numbers.json"))
    def numbers(tsk, source="a.txt"):
        count_call()
        return sorted(int(word) for word in source.read_text().split())

    @t.stores("movie.txt")
    def movie(tsk, numbers=numbers):
        (tsk.p / "movie.txt").write_text(" ".join(map(str, numbers)))

    @t
    def largest(tsk, numbers=numbers):
        return max(numbers)

    @t.stores(tasker.JSON("squared.json"))
    def squared(tsk, square=Square(x=4), numbers=numbers):
        count_call()
        return [square, *numbers]

    return t
"""
TASKS = """
import os
from pathlib import Path
from smttask import MemoizedTask, RecordedTask, UnpureMemoizedTask
from smttask.testing import count_call
from smttask.typing import InputFile

@RecordedTask
def Square(x: int) -> int:
    count_call()
    return x**2

@RecordedTask
def Sum(data: list[int], more: list[int] = []) -> int:
    count_call()
    return sum(data) + sum(more)

@RecordedTask
def Length(movie: Path) -> int:
    count_call()
    return len(movie.read_text())

@RecordedTask
def Spoil(movie: Path) -> int:
    movie.write_text("something else")
    return 1

@MemoizedTask
def Double(data: list[int]) -> list[int]:
    return [2 * number for number in data]

@UnpureMemoizedTask
def Now(name: str) -> int:
    count_call()
    return int(Path(name).read_text())
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ScratchProject]:
    """A committed project with tasks, a taskfile and the data of one rat."""
    files = {"taskfile_sub.py": TASKFILE, "tasks.py": TASKS, "rats/.gitignore": "*"}
    with scratch_project(tmp_path / "project", files) as scratch:
        scratch.write({"rats/rat1/a.txt": "1 2 3"}, commit=False)
        yield scratch


def rat(lab: ScratchProject) -> Tasker:
    return use(lab.root / "rats/rat1")


# ---------------------------------------------------------------- a Tasker's task as an input


def test_a_task_of_a_tasker_stands_for_its_value(lab: ScratchProject) -> None:
    """It is brought up to date first; so is one in a list, and one that stores nothing."""
    tasks, t = lab.load("tasks"), rat(lab)
    assert tasks.Sum(data=t.numbers).run() == 6
    assert tasks.Sum(data=[t.largest, 4]).run() == 7
    assert tasks.Double(data=t.numbers).run() == [2, 4, 6]
    assert Join(t.numbers, t.largest).run() == [[1, 2, 3], 3]
    assert lab.calls("use.<locals>.numbers") == 1


def test_what_is_current_is_a_hit_and_a_changed_output_a_new_digest(lab: ScratchProject) -> None:
    """The digest is that of the content: the same content later is found again."""
    tasks, t = lab.load("tasks"), rat(lab)
    first = tasks.Sum(data=t.numbers)
    assert first.run() == 6
    again = tasks.Sum(data=rat(lab).numbers)
    assert (again.run(), again.last_hit, again.digest) == (6, "disk", first.digest)
    (t.p / "a.txt").write_text("3 2 1 0")
    changed = tasks.Sum(data=t.numbers)
    assert (changed.run(), changed.last_hit) == (6, "computed")
    assert changed.digest != first.digest
    (t.p / "a.txt").write_text("2 3 1")
    assert tasks.Sum(data=t.numbers).digest == first.digest
    assert lab.calls("Sum") == 2


def test_a_hit_loads_no_value(lab: ScratchProject) -> None:
    """What names the input is the digest in the state file: large outputs are not read."""
    tasks, t = lab.load("tasks"), rat(lab)
    tasks.Length(movie=t.movie).run()
    (task,) = tasks.Length(movie=t.movie).upstream
    assert task.digest == tasks.Length(movie=t.movie).upstream[0].digest
    hit = tasks.Length(movie=t.movie)
    hit.run()
    assert hit.upstream[0].last_hit is None
    assert hit.last_hit == "disk"


def test_nothing_runs_before_the_digest_is_needed(lab: ScratchProject) -> None:
    """Constructing, showing and explaining run nothing."""
    tasks, t = lab.load("tasks"), rat(lab)
    task = tasks.Sum(data=t.numbers)
    assert repr(task.data) == f"<task numbers of …/{t.p.parent.name}/{t.p.name}>"
    assert f"data={task.data!r}," in repr(task)  # and is not cut there
    assert "numbers" in str(task.explain())
    assert lab.calls("use.<locals>.numbers") == 0
    task.run()
    assert tasks.Sum(data=t.numbers).explain().hit
    (t.p / "a.txt").write_text("4")
    assert "numbers" in tasks.Sum(data=t.numbers).explain().reason
    t.numbers()
    assert "another result" in tasks.Sum(data=t.numbers).explain().reason


def test_record_and_manifest_name_folder_task_and_files(lab: ScratchProject) -> None:
    """So that the result can be followed back to the folder."""
    tasks, t = lab.load("tasks"), rat(lab)
    task = tasks.Length(movie=t.movie)
    task.run()
    record = RSView(lab.project).latest
    assert record.get_param("movie.folder") == t.p
    assert record.get_param("movie.task") == "movie"
    (key,) = record.input_data
    file = os.path.normpath(lab.project.data.input_dir / key.path)
    assert (file, key.metadata["blake3"]) == (str(t.p / "movie.txt"), hash_file(file))
    rest = read_rest(read_head(task.resultpaths[0]))
    assert [entry["path"] for entry in rest["input_data"]] == [key.path]
    assert [entry["name"] for entry in rest["upstream"].values()] == ["movie"]
    assert record.task.run() == 5
    assert RSView(lab.project).filter.params(eq={"movie": t.movie}).labels() == [record.label]


def test_files_behind_what_stores_nothing_are_named_too(lab: ScratchProject) -> None:
    """A memoized task, or a task of the Tasker, leaves no manifest of its own."""
    tasks, t = lab.load("tasks"), rat(lab)
    assert tasks.Sum(data=tasks.Double(data=t.numbers)).run() == 12
    assert tasks.Sum(data=[t.largest]).run() == 3
    for record in RSView(lab.project):
        (key,) = record.input_data
        assert key.path.endswith("rats/rat1/numbers.json")


def test_a_file_that_changes_while_the_task_runs_is_noticed(lab: ScratchProject) -> None:
    """The run crashes; nothing is stored under the digest of what the file was."""
    tasks, t = lab.load("tasks"), rat(lab)
    with pytest.raises(InputError, match="movie.txt changed while the task ran"):
        tasks.Spoil(movie=t.movie).run()
    assert RSView(lab.project).latest.status == "crashed"


def test_a_file_that_changed_since_the_digest_was_found_is_refused(lab: ScratchProject) -> None:
    """One that is constructed anew has the digest of today."""
    tasks, t = lab.load("tasks"), rat(lab)
    task = tasks.Sum(data=t.numbers)
    assert len(task.digest) == 20
    (t.p / "a.txt").write_text("40 2")
    t.numbers()
    with pytest.raises(InputError, match="numbers.json changed since the digest was found(.|\n)*anew"):
        task.run()
    assert tasks.Sum(data=t.numbers).run() == 42


def test_a_description_runs_in_another_process(lab: ScratchProject) -> None:
    """The taskfile makes the Tasker there; so it does for a pickle."""
    tasks, t = lab.load("tasks"), rat(lab)
    path = tasks.Sum(data=t.numbers, more=[t.largest]).save(lab.root / "todo")
    done = lab.smttask("run", str(path))
    assert "1 computed" in done.stdout
    assert RSView(lab.project).latest.task_name == "Sum"
    here = tasks.Sum(data=t.numbers, more=[t.largest])
    assert (here.run(), here.last_hit) == (9, "disk")
    pickled = pickle.dumps(tasks.Sum(data=t.numbers)).hex()
    script = f"import pickle; print(pickle.loads(bytes.fromhex({pickled!r})).run())"
    assert lab.run(script).stdout == "6\n"


def test_many_folders_are_analysed_in_parallel(lab: ScratchProject) -> None:
    """Workers make the Taskers of their folders; each task of each folder runs once."""
    names = [f"rat{number}" for number in range(4)]
    lab.write({f"rats/{name}/a.txt": name[-1] for name in names}, commit=False)
    tasks = lab.load("tasks")
    analyses = [tasks.Sum(data=use(lab.root / "rats" / name).numbers) for name in names]
    assert sorted(value for _, value in run_tasks(analyses, n=2)) == [0, 1, 2, 3]
    assert lab.calls("use.<locals>.numbers") == 4
    assert [task.run() for task in analyses] == [0, 1, 2, 3]
    assert lab.calls("Sum") == 4


def test_a_stand_in_can_be_used_by_itself(lab: ScratchProject) -> None:
    """It is a task: run, loaded, explained, made anew."""
    tasks, t = lab.load("tasks"), rat(lab)
    data = tasks.Sum(data=t.numbers).data
    with pytest.raises(ResultNotFoundError, match="rats/rat1"):
        data.load()
    assert (data.run(), data.last_hit, data.has_run, data.load()) == ([1, 2, 3], "computed", True, [1, 2, 3])
    assert data.run(recompute=True) == [1, 2, 3]
    assert lab.calls("use.<locals>.numbers") == 2
    assert data.graph.nodes


def test_a_tasker_that_no_taskfile_makes_cannot_be_saved(lab: ScratchProject) -> None:
    """The message says what would make it possible; in this process all works."""
    tasks = lab.load("tasks")
    t = Tasker(lab.root / "rats/rat1")

    @t.stores(JSON("one.json"))
    def one(tsk: Any) -> list[int]:
        return [1]

    task = tasks.Sum(data=one)
    with pytest.raises(NotRecordableError, match="not made by a taskfile(.|\n)*use"):
        task.save(lab.root / "todo")
    assert Task.from_desc(task.desc).run() == task.run() == 1


def test_a_description_executes_no_taskfile_from_outside_the_project(
    lab: ScratchProject, tmp_path: Path
) -> None:
    """A hostile file gets an error, even if it calls it as a package that is trusted."""
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/lab.py").write_text("open('executed', 'w'); raise SystemExit")
    evil = TaskerTask(folder=tmp_path / "evil", task="numbers", taskfile=str(tmp_path / "evil/lab.py"))
    path = lab.load("tasks").Sum(data=evil).save(lab.root / "todo")
    done = lab.smttask("run", str(path), check=False, SMTTASK_TRUSTED_PACKAGES="lab")
    assert done.returncode == 1
    assert "is not run from a description" in done.stdout + done.stderr
    assert not (lab.root / "executed").exists()


def test_a_taskfile_outside_the_project_is_not_executed(lab: ScratchProject, tmp_path: Path) -> None:
    """The message says what can be done."""
    tasks = lab.load("tasks")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").write_text("1")
    (tmp_path / "data/taskfile.py").write_text(TASKFILE)
    desc = tasks.Sum(data=use(tmp_path / "data").numbers).desc
    code = f"import tasks; from smttask import Task; print(Task.from_desc({desc!r}).run())"
    done = lab.run(code, check=False)
    assert "TaskfileError: Task 'numbers' of" in done.stderr
    assert "is not of the project" in done.stderr
    assert f"construct the task with one of smttask.tasker.use('{tmp_path}/data')" in done.stderr


def test_a_task_that_the_tasker_has_no_more_is_named(lab: ScratchProject) -> None:
    """The message lists those that it has."""
    tasks, t = lab.load("tasks"), rat(lab)
    task = tasks.Sum(data=t.numbers)
    del t.tasks["numbers"]
    with pytest.raises(TaskfileError, match="has no task 'numbers'(.|\n)*movie"):
        task.run()


def test_nothing_is_stored_without_recording(lab: ScratchProject) -> None:
    """`config.record = False`: the result stays in memory, found by the content of the files."""
    tasks, t = lab.load("tasks"), rat(lab)
    with config.use(record=False):
        assert tasks.Sum(data=t.numbers).run() == 6
        hit = tasks.Sum(data=t.numbers)
        assert (hit.run(), hit.last_hit) == (6, "memory")
    assert lab.project.records.count() == 0


# ---------------------------------------------------------------- a task of smttask as an input


def test_a_recorded_task_goes_in_by_its_result(lab: ScratchProject) -> None:
    """It is computed and recorded once; what is stored costs no run."""
    t = rat(lab)
    assert t.squared() == [16, 1, 2, 3]
    assert rat(lab).squared() == [16, 1, 2, 3]
    assert t.squared.is_current()
    assert (lab.calls("Square"), lab.calls("use.<locals>.squared")) == (1, 1)
    state = json.loads((t.p / ".tasker/squared.json").read_text())
    task = lab.load("tasks").Square(x=4)
    assert list(state["upstream"]) == ["numbers", f"Square({task.digest})"]


def test_another_digest_of_the_recorded_task_makes_it_stale(lab: ScratchProject) -> None:
    """Its inputs changed, so it is another task."""
    rat(lab).squared()
    lab.write({"taskfile_sub.py": TASKFILE.replace("x=4", "x=5")})
    t = rat(lab)
    (stale,) = t.squared.report()
    assert "Square(" in stale.why
    assert t.squared() == [25, 1, 2, 3]


def test_a_lost_result_is_computed_again_and_counts_if_it_differs(lab: ScratchProject) -> None:
    """The same result: what depends on it is not run again."""
    t = rat(lab)
    t.squared()
    lab.load("tasks").Square(x=4).invalidate()
    (stale,) = t.squared.report()
    assert "Square(" in stale.why
    assert "missing" in stale.why
    assert t.squared() == [16, 1, 2, 3]
    assert (lab.calls("Square"), lab.calls("use.<locals>.squared")) == (2, 1)


def test_a_result_that_comes_out_different_runs_it_again(lab: ScratchProject) -> None:
    """Here because its code changed and the project recomputes what other code made."""
    rat(lab).squared()
    lab.write({"tasks.py": TASKS.replace("x**2", "x**3")})
    lab.forget_modules()
    script = (
        "from smttask.tasker import use; t = use('rats/rat1')\n"
        "print([stale.why for stale in t.squared.report()]); print(t.squared())"
    )
    done = lab.run(script, SMTTASK_ON_CODE_CHANGE="recompute")
    assert done.stdout.splitlines()[-1] == "[64, 1, 2, 3]"


def test_an_unpure_task_makes_it_stale_by_its_result(lab: ScratchProject) -> None:
    """To find out it is run, by a call, not by a report."""
    clock = lab.root / "rats/clock.txt"
    clock.write_text("5")
    text = TASKFILE.replace("import Square", "import Square, Now")
    lab.write({"taskfile_sub.py": text.replace("Square(x=4)", f"Now(name={str(clock)!r})")})
    code = "from smttask.tasker import use; t = use('rats/rat1')\n"
    assert lab.run(code + "print(t.squared())").stdout == "[5, 1, 2, 3]\n"
    assert "Now(u-" in lab.run(code + "print(t.squared.report()[0].why)").stdout
    n_calls = lab.calls("Now")
    assert lab.run(code + "print(t.squared())").stdout == "[5, 1, 2, 3]\n"
    assert (lab.calls("Now"), lab.calls("use.<locals>.squared")) == (n_calls + 1, 1)
    clock.write_text("6")
    assert lab.run(code + "print(t.squared())").stdout == "[6, 1, 2, 3]\n"


def test_a_memoized_task_goes_in_too(lab: ScratchProject) -> None:
    """Its inputs and its code decide; nothing of it is stored."""
    t, double = Tasker(lab.root / "rats/rat1"), lab.load("tasks").Double(data=[1])

    @t.stores(JSON("half.json"))
    def half(tsk: Any, doubled: Any = double) -> list[float]:
        return [doubled[0] / 4]

    assert half() == [0.5]
    assert half.is_current()


def test_the_record_of_a_run_names_the_stored_result_it_used(lab: ScratchProject) -> None:
    """The lineage goes on through the Tasker."""
    lab.write({"taskfile_sub.py": TASKFILE.replace("Tasker(dir)", "Tasker(dir, record=True)")})
    t = rat(lab)
    t.squared()
    record = RSView(lab.project).filter.task(t.squared).latest
    square = lab.load("tasks").Square(x=4)
    assert any(key.path.endswith(f"{square.record.label}.json") for key in record.input_data)
    assert record.parameters["tasks"][record.digest]["inputs"]["upstream"][f"Square({square.digest})"] == {
        "$task": square.digest,
        "label": square.record.label,
    }


def test_changed_code_of_a_recorded_task_under_the_policy_error(lab: ScratchProject) -> None:
    """A report says that it is stale; a call says which code changed."""
    rat(lab).squared()
    lab.write({"tasks.py": TASKS.replace("x**2", "x**3")})
    code = (
        "from smttask.tasker import use; t = use('rats/rat1')\nprint(t.squared.report()[0].why)\nt.squared()"
    )
    done = lab.run(code, check=False, SMTTASK_ON_CODE_CHANGE="error")
    assert "Square(" in done.stdout
    assert "CodeChangedError" in done.stderr
    assert "Square" in done.stderr


def test_four_processes_record_each_run_once(lab: ScratchProject) -> None:
    """Whoever waits finds it done."""
    lab.write({"taskfile_sub.py": TASKFILE.replace("Tasker(dir)", "Tasker(dir, record=True)")})
    code = "from smttask.tasker import use; print(use('rats/rat1').squared(wait=True))"
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=lab.root, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate()[0] for process in running] == ["[16, 1, 2, 3]\n"] * 4
    statuses = [record.status for record in lab.project.records.records()]
    assert statuses == ["finished"] * 3
