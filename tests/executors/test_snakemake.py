"""Workflows that the real Snakemake runs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smttask.errors import SettingError, StorageError
from smttask.executors.snakemake import plan_workflow
from smttask.settings import config
from smttask.testing import scratch_project

TASKS = """
import os, time
from pathlib import Path
from smttask import MemoizedTask, RecordedIterativeTask, RecordedTask, TaskOutput, UnpureMemoizedTask
from smttask.testing import count_call

@RecordedTask
def Load(n: int) -> list[int]:
    count_call()
    return list(range(n))

@MemoizedTask
def Double(values: list[int]) -> list[int]:
    return [2 * value for value in values]

@RecordedTask
def Total(values: list[int], extra: int = 0) -> int:
    count_call()
    return sum(values) + extra

@RecordedTask(name="lab.odd-name")
def Größe(x: int) -> int:
    return x

class Grown(TaskOutput):
    n: int
    x: float

@RecordedIterativeTask("n", map={"x": "x"})
def Grow(n: int, x: float) -> Grown:
    return n, x + n

@UnpureMemoizedTask
def Now() -> float:
    count_call()
    return time.time()

@RecordedTask
def Since(then: float) -> float:
    return then

@RecordedTask
def Fragile(x: int) -> int:
    count_call()
    if not (Path(__file__).parent / "mended").exists():
        raise ValueError("fragile broke")
    return x

@RecordedTask
def Wait(x: int) -> int:
    count_call()
    begun = Path(__file__).parent / f"begun{x}"
    if not begun.exists():
        begun.touch()
        time.sleep(60)
    return x
"""
MORE = """
from smttask import RecordedTask

@RecordedTask
def Load(n: int) -> int:
    return n
"""


class Lab:
    def __init__(self, scratch):
        self.scratch, self.root = scratch, scratch.root
        self.tasks = scratch.load("tasks")
        self.more = scratch.load("more")

    def write(self, *tasks, args=()):
        for task in tasks:
            task.save(self.root / "to do")
        return self.scratch.smttask("snakemake", "to do", *args)

    def snakemake(self, *args, check=True, cwd=None):
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *args],
            cwd=cwd or self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def statuses(self):
        return sorted(run.status for run in self.scratch.project.records.records())


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "my lab", {"tasks.py": TASKS, "more.py": MORE}) as scratch:
        yield Lab(scratch)


def test_snakemake_runs_tasks_of_every_kind_and_a_second_run_does_nothing(lab):
    """Recorded, memoized, iterative, unpure and named tasks, two of one name, in a folder with a space."""
    t = lab.tasks
    totals = [t.Total(t.Double(t.Load(3)), k) for k in range(3)]
    others = [t.Größe(3), t.Grow(n=3, x=1.0), lab.more.Load(4), t.Since(t.Now()), t.Double([1])]
    lab.write(*totals, *others)

    lab.snakemake("--cores", "2")

    assert [task.load() for task in totals] == [6, 7, 8]
    assert (t.Größe(3).load(), lab.more.Load(4).load(), t.Grow(n=3, x=1.0).load().x) == (3, 4, 4.0)
    assert lab.scratch.calls("Load") == 1
    assert "Nothing to be done" in lab.snakemake("--cores", "2").stderr
    assert (lab.scratch.calls("Total"), lab.scratch.calls("Now")) == (3, 1)


def test_a_dry_run_of_snakemake_names_what_is_not_stored_and_runs_nothing(lab):
    """What `smttask run` computed needs no run."""
    t = lab.tasks
    lab.write(t.Total(t.Load(3)), t.Load(5))
    t.Load(3).run()

    told = lab.snakemake("-n").stdout

    assert "rule Total" in told
    assert told.count("rule Load") == 1
    assert lab.scratch.calls("Total") == 0


def test_snakemake_can_be_called_from_another_folder(lab, tmp_path):
    """Paths are relative to the Snakefile."""
    task = lab.tasks.Total(lab.tasks.Load(3))
    lab.write(task)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    lab.snakemake("--cores", "1", "-s", str(lab.root / "Snakefile"), cwd=elsewhere)

    assert task.load() == 3


def test_braces_in_names_of_folders_are_told(lab):
    """Snakemake would take them for wildcards; from within the folder there are none in the paths."""
    task = lab.tasks.Load(3)
    folder = lab.root / "sub {x}"
    folder.mkdir()
    lab.write(task, args=["-o", "sub {x}/Snakefile"])
    done = lab.snakemake("--cores", "1", "-s", "sub {x}/Snakefile", check=False)
    assert "takes the braces in sub {x}/Snakefile.tasks for wildcards: call it in the folder" in done.stderr
    lab.snakemake("--cores", "1", cwd=folder)
    assert task.load() == [0, 1, 2]


def test_a_failing_task_stops_only_what_depends_on_it_and_is_continued(lab):
    """The error of the task is shown; its record says crashed."""
    t = lab.tasks
    fragile, total = t.Fragile(2), t.Total(t.Load(3))
    lab.write(fragile, t.Total([t.Fragile(1), fragile]), total)

    done = lab.snakemake("--cores", "1", "--keep-going", check=False)

    assert done.returncode == 1
    assert "fragile broke" in done.stderr
    assert total.load() == 3
    assert (lab.root / "Snakefile.tasks" / "Fragile" / f"{fragile.digest}.json").exists()
    (lab.root / "mended").touch()
    lab.snakemake("--cores", "1")
    assert t.Total([t.Fragile(1), fragile]).load() == 3
    assert lab.scratch.calls("Load") == 1


def test_a_killed_workflow_is_continued(lab):
    """All of its processes are killed; what was done stays done, and no record stays open."""
    t = lab.tasks
    lab.write(t.Load(3), t.Wait(1))
    lab.snakemake("--cores", "1", f"data/Load/{t.Load(3).digest}.json")
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    with subprocess.Popen(
        command, cwd=lab.root, start_new_session=True, stderr=subprocess.DEVNULL
    ) as running:
        while not (lab.root / "begun1").exists():
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGKILL)

    lab.snakemake("--unlock")
    lab.snakemake("--cores", "1", "--rerun-incomplete")

    assert t.Wait(1).load() == 1
    assert (lab.scratch.calls("Load"), lab.scratch.calls("Wait")) == (1, 2)
    assert lab.statuses() == ["finished", "finished", "killed"]


def test_a_result_counts_as_done_whatever_the_times_and_whatever_became_of_its_inputs(lab):
    """Results are found by what they were made from; one that was deleted is computed again if asked for."""
    t = lab.tasks
    lab.write(t.Total(t.Load(3)))
    lab.snakemake("--cores", "1")

    t.Load(3).run(recompute=True)  # newer now than what was made from it
    assert "Nothing to be done" in lab.snakemake("--cores", "1").stderr
    t.Load(3).invalidate()
    assert "Nothing to be done" in lab.snakemake("--cores", "1").stderr
    t.Total(t.Load(3)).invalidate()
    lab.snakemake("--cores", "1")

    assert (lab.scratch.calls("Load"), lab.scratch.calls("Total")) == (3, 2)


def test_options_of_the_command_reach_the_runs(lab):
    """The reason stands in the records, and modules of trusted packages are imported."""
    lab.write(lab.tasks.Load(3), args=["--reason", "it's for the paper", "--import", "tasks"])
    lab.snakemake("--cores", "1")
    assert lab.tasks.Load(3).record.reason == "it's for the paper"


def test_a_snakefile_is_replaced_only_when_told_and_old_descriptions_go(lab):
    """What a user edited is not overwritten by mistake."""
    first = lab.tasks.Load(3)
    lab.write(first)
    refused = lab.scratch.smttask("snakemake", "to do", check=False)
    assert (refused.returncode, "Snakefile is there already." in refused.stderr) == (1, True)

    (description,) = (lab.root / "to do").iterdir()
    description.unlink()
    lab.write(lab.tasks.Load(4), args=["--force"])

    names = [path.stem for path in (lab.root / "Snakefile.tasks" / "Load").iterdir()]
    assert names == [lab.tasks.Load(4).digest]


def test_a_snakefile_on_the_terminal_runs_from_where_it_is_put(lab, tmp_path):
    """Descriptions are then in the working directory."""
    task = lab.tasks.Load(3)
    (tmp_path / "other").write_text(lab.write(task, args=["-o", "-"]).stdout)
    lab.snakemake("--cores", "1", "-s", str(tmp_path / "other"))
    assert task.load() == [0, 1, 2]


def test_writing_a_snakefile_needs_no_snakemake_and_runs_nothing(lab):
    """Unpure tasks neither, whose digests nobody knows before."""
    t = lab.tasks
    t.Since(t.Now()).save(lab.root / "to do")
    lab.scratch.run(
        "import sys; sys.modules['snakemake'] = None; sys.argv[1:] = ['snakemake', 'to do']\n"
        "from smttask.cli import main; main()"
    )
    assert lab.scratch.calls("Now") == 0
    index = json.loads((lab.root / "Snakefile.tasks" / "index.json").read_text())
    assert index["wanted"]["Since"] == [t.Since(t.Now()).description_key]


def test_what_cannot_become_a_workflow_is_told(lab, tmp_path):
    """A damaged file, an empty folder, and a project that stores nothing."""
    lab.write(lab.tasks.Load(3))
    (lab.root / "to do" / "bad.taskdesc.json").write_text("{")
    damaged = lab.scratch.smttask("snakemake", "to do", "--force", check=False)
    assert (damaged.returncode, "bad.taskdesc.json is not whole JSON" in damaged.stderr) == (1, True)
    (lab.root / "empty").mkdir()
    empty = lab.scratch.smttask("snakemake", "empty", "--force", check=False)
    assert "There are no description files to make a workflow of." in empty.stderr
    with config.use(record=False), pytest.raises(SettingError, match="Snakemake could not see what is done"):
        plan_workflow([lab.tasks.Load(3)], lab.scratch.project)


def test_a_place_that_cannot_be_written_is_told(lab):
    """A file stands where a folder is needed."""
    (lab.root / "file").touch()
    workflow = plan_workflow([lab.tasks.Load(3)], lab.scratch.project)
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        workflow.write(Path(lab.root / "file" / "Snakefile"))


@pytest.mark.slow
def test_a_thousand_tasks_are_planned_in_one_go(lab):
    """Writing and planning take seconds, not minutes."""
    t = lab.tasks
    done = lab.write(*(t.Total(t.Load(k // 10), k) for k in range(1000)))
    assert "1100 tasks by 2 rules" in done.stdout
    assert "total     1101" in lab.snakemake("-n").stdout
