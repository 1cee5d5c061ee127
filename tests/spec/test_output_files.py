"""Files that tasks write themselves: whole in the store, or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from smttask.errors import OutputError

TASKS = """
import os
import time
from pathlib import Path
from smttask import RecordedTask, TaskOutput, output_dir
from smttask.typing import OutputFile

@RecordedTask
def Slow(flag: str) -> OutputFile:
    path = output_dir() / "out.bin"
    with open(path, "wb") as file:
        file.write(b"half")
        file.flush()
        if not os.path.exists(flag):
            Path(flag).touch()
            time.sleep(60)
        file.write(b" and half")
    return path

@RecordedTask
def Name(name: str) -> OutputFile:
    path = output_dir() / name
    path.write_text("written")
    path.chmod(0)
    return path

class Two(TaskOutput):
    one: OutputFile
    other: OutputFile

@RecordedTask
def Same(x: int) -> Two:
    path = output_dir() / "out.txt"
    path.write_text("precious")
    return path, path

@RecordedTask
def Outer(x: int) -> OutputFile:
    path = output_dir() / "out.txt"
    path.write_text("outer " + Name("inner.txt").run().read_text())
    assert output_dir() == path.parent
    return path
"""


def test_a_process_killed_while_it_writes_leaves_no_result(scratch: Any, tmp_path: Path) -> None:
    """The next run writes a whole file, and the record says that the first was killed."""
    lab = scratch({"tasks.py": TASKS})
    flag = tmp_path / "flag"
    code = "import sys, tasks; tasks.Slow(sys.argv[1]).run()"
    process = subprocess.Popen([sys.executable, "-c", code, str(flag)], cwd=lab.root, env=os.environ)
    while not flag.exists():
        assert process.poll() is None
        sleep(0.01)
    process.kill()
    process.wait()
    task = lab.load("tasks").Slow(str(flag))
    assert not task.has_run
    assert task.explain().reason == "its last run was killed"
    assert task.run().read_text() == "half and half"
    assert sorted(record.status for record in lab.project.records.records()) == ["finished", "killed"]


@pytest.mark.parametrize(
    ("name", "ending"),
    [("a.tar.gz", ".tar.gz"), ("none", ""), ("a." + "x" * 200, ""), ("at 3.5\nm", ""), ("a b.h5", ".h5")],
)
def test_files_of_any_name_and_mode_are_stored_and_recorded(scratch: Any, name: str, ending: str) -> None:
    """They keep a short ending, can be read and cannot be overwritten."""
    lab = scratch({"tasks.py": TASKS})
    task = lab.load("tasks").Name(name)
    path = task.run()
    assert path.name == f"{task.record.label}_result{ending}"
    assert path.stat().st_mode & 0o777 == 0o400
    assert task.record.status == "finished"
    assert task.record.get_output() == task.get_output() == path


def test_one_file_for_two_outputs_is_refused(scratch: Any) -> None:
    """It can move to one place only; the message names the folder where it is kept."""
    lab = scratch({"tasks.py": TASKS})
    with pytest.raises(OutputError, match="one file for two outputs") as caught:
        lab.load("tasks").Same(1).run()
    assert "found: out.txt for 'one' and 'other'" in str(caught.value)
    folder = next(lab.root.glob("data/run_dump/Same/*.files"))
    assert f"files that were written are kept in {folder}" in str(caught.value)
    assert (folder / "out.txt").read_text() == "precious"


def test_a_run_within_a_run_has_a_folder_of_its_own(scratch: Any) -> None:
    """When it ends, the outer one writes in its own again."""
    lab = scratch({"tasks.py": TASKS})
    assert lab.load("tasks").Outer(1).run().read_text() == "outer written"
