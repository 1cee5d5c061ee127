"""Record stores that are locked, damaged or of another schema: results are stored all the same."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from smttask.errors import RecordStoreWarning

TASKS = """
import os
import numpy as np
from smttask import RecordedTask
from smttask.typing import Array

@RecordedTask
def Zeros(n: int) -> Array[float]:
    return np.zeros(n)

@RecordedTask
def Ruin(x: int) -> int:
    for name in ("records", "records-wal"):
        path = ".smt/" + name
        if os.path.exists(path):
            open(path, "r+b").write(b"ruined" * 10_000)
    return x
"""


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


def damage(path: Path, how: str) -> None:
    """Make a record store unusable."""
    if how == "damaged":
        data = bytearray(path.read_bytes())
        data[0:4000] = b"\xff" * 4000
        path.write_bytes(data)
    elif how == "cut":
        os.truncate(path, 5000)
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    elif how == "other schema":
        with sqlite3.connect(path) as connection:
            connection.execute("ALTER TABLE django_store_record RENAME COLUMN label TO etikett")
    elif how == "other migrations":
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO django_migrations (app, name, applied) VALUES"
                               " ('django_store', '0099_future', '2030-01-01')")  # fmt: skip
    elif how == "no database":
        path.write_bytes(b"\xce\x9a\x57\x13" * 1000)


@pytest.mark.parametrize(
    "how", ["damaged", "cut", "a folder", "other schema", "other migrations", "no database"]
)
def test_a_record_store_that_cannot_be_used_loses_no_result(lab: Any, how: str) -> None:
    """A warning; the result is stored and found later; who reads records gets a message in three parts."""
    tasks = lab.load("tasks")
    tasks.Zeros(1).run()
    lab.project.records.count()
    damage(lab.root / ".smt" / "records", how)
    code = "import tasks; task = tasks.Zeros(10); print(len(task.run()), task.last_hit)"
    done = lab.run(code)
    assert done.stdout == "10 computed\n"
    assert "RecordStoreWarning: Task 'Zeros' runs without a record; its result is stored" in done.stderr
    assert ".smt/records" in done.stderr
    done = lab.run(code)
    assert (done.stdout, done.stderr) == ("10 disk\n", "")
    assert "Traceback" not in lab.smttask("project", "status", check=False).stderr
    done = lab.run("from smttask import RSView; list(RSView())", check=False)
    assert "smttask.errors.RecordStoreError: " in done.stderr
    assert len(done.stderr.partition("RecordStoreError: ")[2].splitlines()) >= 3


def test_a_task_file_stays_when_its_run_could_not_be_recorded(lab: Any) -> None:
    """`smttask run` removes a file only when result and record are safe."""
    lab.run("import tasks; tasks.Zeros(10).save('todo')")
    shutil.copy(lab.root / ".smt" / "records", lab.root / "good")
    damage(lab.root / ".smt" / "records", "damaged")
    done = lab.smttask("run", "todo", check=False)
    assert "Traceback" not in done.stderr
    assert list((lab.root / "todo").iterdir())
    assert lab.run("import tasks; print(len(tasks.Zeros(10).load()))").stdout == "10\n"
    shutil.move(lab.root / "good", lab.root / ".smt" / "records")
    lab.smttask("run", "--recompute", "todo")
    assert not list((lab.root / "todo").iterdir())


def test_a_record_store_ruined_while_a_task_runs_loses_no_result(lab: Any) -> None:
    """The run is over when the record cannot be closed; its result counts."""
    done = lab.run("import tasks; print(tasks.Ruin(3).run())")
    assert done.stdout == "3\n"
    assert "could not be closed" in done.stderr
    assert lab.run("import tasks; print(tasks.Ruin(3).load())").stdout == "3\n"


HOLDER = (
    "import sqlite3, sys, time\n"
    "connection = sqlite3.connect('.smt/records', isolation_level=None)\n"
    "connection.execute('BEGIN EXCLUSIVE')\n"
    "print('held', flush=True)\n"
    "time.sleep(float(sys.argv[1]))\n"
    "connection.execute('COMMIT')\n"
)


@pytest.mark.parametrize("seconds", [1.5, pytest.param(60, marks=pytest.mark.slow)])
def test_a_record_store_locked_by_somebody_else_is_waited_for(lab: Any, seconds: float) -> None:
    """For half a minute; then the task runs without a record, and its result is stored."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(seconds)], cwd=lab.root, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        begin = time.monotonic()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            assert len(lab.load("tasks").Zeros(10).run()) == 10
        took = time.monotonic() - begin
    finally:
        holder.kill()
        holder.wait()
    if seconds < 10:
        assert told == []
        assert lab.project.records.count() == 1
    else:
        (warning,) = told
        assert warning.category is RecordStoreWarning
        assert "locked" in str(warning.message)
        assert 25 < took < 50
    assert len(lab.load("tasks").Zeros(10).load()) == 10
    lab.load("tasks").Zeros(11).run()
    assert next(iter(lab.project.records.records())).status == "finished"
