"""Disks that are full or read-only: what was stored stays, and all goes on when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smttask.errors import StorageError
from smttask.runner import settle_open_runs

TASKS = """
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


def test_a_file_in_the_place_of_a_folder_is_told(lab: Any) -> None:
    """The message names the file that is in the way."""
    (lab.root / "data").write_text("in the way")
    with pytest.raises(StorageError) as caught:
        lab.load("tasks").Zeros(3).run()
    assert str(lab.root / "data") in str(caught.value)
    assert "move it away" in caught.value.remedy
