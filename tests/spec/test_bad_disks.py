"""Disks that are full or read-only, and record stores that do not work: no result is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smttask.errors import RecordStoreWarning, StorageError
from smttask.runner import settle_open_runs

TASKS = """
import os
import numpy as np
from smttask import RecordedTask
from smttask.testing import count_call
from smttask.typing import Array

@RecordedTask
def Zeros(n: int) -> Array[float]:
    count_call()
    return np.zeros(n)

@RecordedTask
def Length(x: Array) -> int:
    count_call()
    return len(x)

@RecordedTask
def Ruin(x: int) -> int:
    count_call()
    for name in ("records", "records-wal"):
        path = ".smt/" + name
        if os.path.exists(path):
            open(path, "r+b").write(b"ruined" * 10_000)
    return x

@RecordedTask
def Plain(x: int) -> int:
    return x
"""


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


def mount(*options: str | Path) -> bool:
    return subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(lab: Any) -> Iterator[str]:
    """Lets the data of the project lie on a disk of 2 MB; code that a process runs first to have one.

    Where nobody may mount a disk, a limit on the size of files stops the writer half-way too.
    """
    data = lab.root / "data"
    data.mkdir()
    if mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", data):
        yield ""
        subprocess.run(["umount", data], check=True)
    else:
        yield "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))\n"


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], None]]:
    """Makes a folder read-only for real, for root too; undone at the end."""
    undo: list[Callable[[], Any]] = []

    def make(path: Path) -> None:
        if mount("--bind", path, path):
            undo.append(lambda: subprocess.run(["umount", path], check=True))
            assert mount("-o", "remount,bind,ro", path)
            return
        assert os.geteuid(), "root can write everywhere unless it can mount"
        for folder, _, names in os.walk(path):
            for place in (folder, *(f"{folder}/{name}" for name in names)):
                os.chmod(place, 0o555)
                undo.append(lambda place=place: os.chmod(place, 0o755))

    yield make
    for step in reversed(undo):
        step()


def fails(lab: Any, code: str) -> str:
    """What the process that fails says last: the message of the error."""
    done = lab.run(code, check=False)
    assert done.returncode == 1
    return str(done.stderr)


def test_a_full_disk_leaves_what_was_there_and_the_next_run_works(lab: Any, small_disk: str) -> None:
    """A result of 4 MB on a disk of 2 MB: the message says so, nothing half-written stays or counts."""
    lab.run(small_disk + "import tasks; tasks.Zeros(10).run()")
    before = sorted(path for path in (lab.root / "data").rglob("*"))
    error = fails(lab, small_disk + "import tasks; tasks.Zeros(500_000).run()")
    assert "StorageError: Cannot" in error
    assert "make room" in error or "raise the limit" in error
    assert sorted(path for path in (lab.root / "data").rglob("*")) == before
    records = list(lab.project.records.records())
    assert [record.status for record in records] == ["crashed", "finished"]
    assert records[0].outcome.startswith("StorageError: Cannot")
    code = "import tasks; print(len(tasks.Zeros(10).load()), len(tasks.Zeros(20_000).run()))"
    assert lab.run(small_disk + code).stdout == "10 20000\n"


def test_a_large_input_that_does_not_fit_on_the_disk_stops_before_the_run(lab: Any, small_disk: str) -> None:
    """Inputs are kept before the function is called."""
    code = "import numpy, tasks; print(tasks.Length(numpy.arange({})).run())"
    error = fails(lab, small_disk + code.format(500_000))
    assert "StorageError: Cannot keep the value" in error
    assert lab.calls("Length") == 0
    assert lab.run(small_disk + code.format(20_000)).stdout == "20000\n"


def test_a_disk_that_is_full_to_the_last_byte_is_told_and_harms_nothing(scratch: Any, tmp_path: Path) -> None:
    """Locks, records and results on one full disk; after making room all goes on."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", folder)
    limit = "" if mounted else "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    try:
        lab = scratch({"tasks.py": TASKS}, folder=folder / "project")
        lab.run("import tasks; tasks.Zeros(10).run()")
        filler = folder / "filler"
        if mounted:
            fill(filler)
        error = fails(lab, limit + "import tasks; tasks.Zeros(11).run()")
        assert "smttask.errors.StorageError: " in error
        assert lab.run(limit + "import tasks; print(len(tasks.Zeros(10).run()))").stdout == "10\n"
        filler.unlink(missing_ok=True)
        assert lab.run("import tasks; print(len(tasks.Zeros(11).run()))").stdout == "11\n"
        settle_open_runs(lab.project)
        statuses = [record.status for record in lab.project.records.records()]
        assert statuses[0] == statuses[-1] == "finished"
        assert set(statuses[1:-1]) <= {"crashed", "killed"}
        lab.forget_modules()
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(path: Path) -> None:
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def test_without_write_permission_results_are_read_and_new_ones_refused(lab: Any, read_only: Any) -> None:
    """A read-only data folder serves hits; a miss says what to do, and the task's file stays."""
    lab.run("import tasks; tasks.Zeros(10).run()")
    read_only(lab.root / "data")
    assert lab.run("import tasks; print(len(tasks.Zeros(10).run()))").stdout == "10\n"
    error = fails(lab, "import tasks; tasks.Zeros(11).run()")
    assert "StorageError: Cannot start a run of Zeros" in error
    assert "choose another data folder" in error
    lab.run("import tasks; tasks.Zeros(11).save('todo')")
    done = lab.smttask("run", "todo", check=False)
    assert (done.returncode, "Cannot start a run of Zeros" in done.stderr) == (1, True)
    assert list((lab.root / "todo").iterdir())


def test_a_read_only_project_serves_its_results(lab: Any, read_only: Any) -> None:
    """Locks and records cannot be written either; what is stored is still found and shown."""
    lab.run("import tasks; tasks.Zeros(10).run()")
    read_only(lab.root)
    code = (
        "import tasks; from smttask import RSView\n"
        "print(len(tasks.Zeros(10).run()), len(RSView()), len(RSView().latest.get_output()))"
    )
    assert lab.run(code).stdout == "10 1 10\n"
    error = fails(lab, "import tasks; tasks.Zeros(11).run()")
    assert "smttask.errors." in error
    assert lab.run("import tasks; print(tasks.Plain(11).run(record=False))").stdout == "11\n"


def damage(path: Path, how: str, read_only: Callable[[Path], None]) -> None:
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
    elif how == "read-only":
        read_only(path.parent)


@pytest.mark.parametrize(
    "how", ["damaged", "cut", "a folder", "other schema", "other migrations", "no database"]
)
def test_a_record_store_that_cannot_be_used_loses_no_result(lab: Any, how: str, read_only: Any) -> None:
    """A warning; the result is stored and found later; who reads records gets a message in three parts."""
    tasks = lab.load("tasks")
    tasks.Zeros(1).run()
    lab.project.records.count()
    damage(lab.root / ".smt" / "records", how, read_only)
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


def test_a_task_file_stays_when_its_run_could_not_be_recorded(lab: Any, read_only: Any) -> None:
    """`smttask run` removes a file only when result and record are safe."""
    lab.run("import tasks; tasks.Zeros(10).save('todo')")
    shutil.copy(lab.root / ".smt" / "records", lab.root / "good")
    damage(lab.root / ".smt" / "records", "damaged", read_only)
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


def test_a_file_in_the_place_of_a_folder_is_told(lab: Any) -> None:
    """The message names the file that is in the way."""
    (lab.root / "data").write_text("in the way")
    with pytest.raises(StorageError) as caught:
        lab.load("tasks").Zeros(3).run()
    assert str(lab.root / "data") in str(caught.value)
    assert "move it away" in caught.value.remedy
