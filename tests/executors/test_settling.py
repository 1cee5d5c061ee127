"""Records of a run once its workers are gone."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from smttask.executors.messages import Instructions
from smttask.executors.progress import Display
from smttask.executors.settling import project_of, settle_records
from smttask.testing import scratch_project

TASKS = """
import os, signal
from smttask import RecordedTask

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


def test_a_run_belongs_to_the_project_in_use_else_to_the_one_around_its_start(tmp_path, monkeypatch):
    """The folder that is searched from is the one the command was given."""
    with scratch_project(tmp_path / "lab") as scratch:
        assert project_of(Instructions(start=str(tmp_path))) is scratch.project
        (tmp_path / "lab" / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    assert project_of(Instructions(start=str(tmp_path / "lab" / "inner"))).root == tmp_path / "lab"
    assert project_of(Instructions(start=str(tmp_path))) is None
    assert project_of(Instructions()) is None
