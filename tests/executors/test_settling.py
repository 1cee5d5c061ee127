"""Records of a run once its workers are gone."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from smttask.executors.local import ProcessExecutor
from smttask.executors.messages import Instructions
from smttask.executors.progress import Display
from smttask.executors.running import run_works, works_of_files
from smttask.executors.settling import find_end, project_of, settle_records
from smttask.executors.work import Work, work_of_task
from smttask.testing import scratch_project

TASKS = """
import os, signal, sys
from smttask import RecordedTask

def die_without_the_file(event, args):
    if event == "os.remove" and str(args[0]).endswith(".json"):
        os.rename(args[0], f"{args[0]}.removed")
        os.kill(os.getpid(), signal.SIGKILL)

@RecordedTask
def Square(x: int) -> int:
    if os.environ.get("DIES"):
        sys.addaudithook(die_without_the_file)
    return x * x

@RecordedTask
def Die(x: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Told(Display):
    """Keeps what it is told."""

    def __init__(self):
        self.texts = []

    def tell(self, text):
        self.texts.append(text)


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        run = "import tasks; tasks.Die(1).run()"
        done = subprocess.run([sys.executable, "-c", run], cwd=scratch.root, check=False)
        assert done.returncode == -signal.SIGKILL
        yield scratch


def statuses(lab):
    return [record.status for record in lab.project.records.records()]


def test_records_that_a_dead_worker_left_open_are_closed(lab):
    """However the project is named; where nothing is recorded, nothing is touched."""
    told = Told()
    settle_records(lab.project, Instructions(record=False), told)
    settle_records(None, Instructions(), told)
    assert statuses(lab) == ["running"]
    settle_records(str(lab.root), Instructions(), told, has_journals=True)
    assert (statuses(lab), told.texts) == (["killed"], [])


def test_what_keeps_records_from_being_closed_is_told_and_raises_nothing(lab, tmp_path):
    """The results are safe all the same; the run has an end."""
    told = Told()
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"no database, but text" * 1000)
    settle_records(lab.project, Instructions(record_store=str(damaged)), told)
    settle_records(str(tmp_path), Instructions(), told)
    assert [text.partition("\n")[0] for text in told.texts] == [
        "The record store damaged is damaged.",
        f"{tmp_path} is no project.",
    ]


@pytest.mark.parametrize("name", ["", "again.json"])
def test_what_a_worker_had_done_when_it_was_killed_is_no_failure(lab, monkeypatch, name):
    """It was killed when it had removed the file of its task: a name that tells the task is looked for."""
    monkeypatch.setenv("DIES", "1")
    todo = lab.root / "todo"
    square = lab.load("tasks").Square(3)
    square.save(todo / name)
    executor = ProcessExecutor(1, Instructions(start=str(lab.root)))
    summary = run_works(works_of_files(map(str, todo.glob("*.json"))), executor)
    assert (summary.counts, square.load()) == ({"killed" if name else "computed": 1}, 9)
    assert sorted(statuses(lab)) == ["finished", "killed"]


def test_a_work_had_ended_well_if_its_run_has_finished_since_it_began(lab):
    """Whether or not it has a file; what was computed before says nothing of it."""
    task, orders = lab.load("tasks").Square(3), Instructions(start=str(lab.root), keep=True)
    file = task.save(lab.root / "todo")
    described = work_of_task(task, 0).sendable()
    works = [Work("todo", path=str(file)), described, Work("part", part=task.digest)]
    begun = datetime.now(UTC)

    def ends(begun=begun, orders=orders, root=str(lab.root)):
        return [find_end(root, orders, work, begun) for work in works]

    assert ends() == ["", "", ""]
    task.run()
    assert ends() == ["computed"] * 3
    assert ends(begun=datetime.now(UTC)) == ends(root="") == ["", "", ""]
    removing = Instructions(start=str(lab.root))
    assert ends(orders=removing) == ["", "computed", "computed"]
    file.unlink()
    assert ends(orders=removing) == ["computed"] * 3
    assert ends(orders=removing, begun=datetime.now(UTC)) == ["found", "", ""]
    assert ends() == ["", "computed", "computed"]


def test_nothing_is_known_of_a_work_without_the_record_store(lab, tmp_path):
    """It is told as killed, and run again by the next command."""
    task = lab.load("tasks").Square(3)
    task.run()
    work = work_of_task(task, 0).sendable()
    (tmp_path / "damaged").write_bytes(b"no database, but text" * 1000)
    for store in (str(tmp_path / "damaged"), str(tmp_path / "none"), "journal"):
        assert (
            find_end(str(lab.root), Instructions(record_store=store), work, datetime.min.replace(tzinfo=UTC))
            == ""
        )
    assert not (tmp_path / "none").exists()


def test_a_run_belongs_to_the_project_in_use_else_to_the_one_around_its_start(tmp_path, monkeypatch):
    """The folder that is searched from is the one the command was given."""
    with scratch_project(tmp_path / "lab") as scratch:
        assert project_of(Instructions(start=str(tmp_path))) is scratch.project
        (tmp_path / "lab" / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    assert project_of(Instructions(start=str(tmp_path / "lab" / "inner"))).root == tmp_path / "lab"
    assert project_of(Instructions(start=str(tmp_path))) is None
    assert project_of(Instructions()) is None
