"""Paths in stored results, in a project that was copied or moved: they lead to its own files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TASKS = """
from dataclasses import dataclass
from pathlib import Path
from typing import Any
import numpy as np
import pandas as pd
from smttask import Join, RecordedTask, output_dir
from smttask.testing import count_call
from smttask.typing import InputFile, OutputFile

@RecordedTask
def Write(n: int) -> OutputFile:
    count_call()
    path = output_dir() / "out.txt"
    path.write_text(str(n))
    return path

@dataclass
class Found:
    one: Path
    note: str = ""

def own_file():
    return Path("input.txt").absolute()

@RecordedTask
def List(n: int) -> list[Path]:
    count_call()
    return [own_file(), own_file().parent]

@RecordedTask
def Dict(n: int) -> dict[str, Path]:
    count_call()
    return {"file": own_file()}

@RecordedTask
def Class(n: int) -> Found:
    count_call()
    return Found(own_file())

@RecordedTask
def Long(n: int) -> dict[str, Any]:
    count_call()
    return {"file": own_file(), "numbers": list(range(10_000))}

@RecordedTask
def Large(n: int) -> dict[str, Any]:
    count_call()
    return {"file": own_file(), "x": np.arange(20_000.0)}

@RecordedTask
def Input(n: int) -> Any:
    count_call()
    return {"file": InputFile(own_file())}

@RecordedTask
def Table(n: int) -> Any:
    count_call()
    frame = pd.DataFrame({"a": [1.5]})
    frame.attrs["file"] = own_file()
    return frame

def path_of(value):
    value = getattr(value, "attrs", value)
    value = value[0] if isinstance(value, list) else value["file"] if isinstance(value, dict) else value.one
    return Path(value)

def joined():
    return Join(Write(1), Write(2))
"""
KINDS = ["List", "Dict", "Class", "Long", "Large", "Input", "Table"]
SHOW = """
import sys, warnings, tasks
warnings.simplefilter("error")
for kind in sys.argv[1:]:
    task = getattr(tasks, kind)(1)
    path = tasks.path_of(task.run())
    print(kind, path, path.read_text(), task.last_hit)
join = tasks.joined()
for path in join.run():
    print("Join", path, path.read_text(), join.last_hit)
"""


def shown(root: Path) -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW, *KINDS], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def n_calls(root: Path) -> int:
    return sum(path.stat().st_size for path in (root / ".smt" / "calls").iterdir())


def elsewhere(root: Path, how: str) -> Path:
    target = root.with_name("elsewhere")
    if how == "moved":
        return root.rename(target)
    shutil.copytree(root, target, symlinks=True)
    for file in [root / "input.txt", *(root / "data").rglob("*.txt")]:
        file.chmod(0o600)
        file.write_text("of the original")
    return target


@pytest.mark.parametrize("how", ["copied", "moved"])
def test_paths_in_results_lead_to_the_files_of_the_project_that_has_them(scratch: Any, how: str) -> None:
    """In lists, dicts, dataclasses, files of JSON, arrays and tables, and in a join; all are found."""
    lab = scratch({"tasks.py": TASKS, "input.txt": "content"})
    assert "disk" not in {line[3] for line in shown(lab.root)}
    root = elsewhere(lab.root, how)
    n_before = n_calls(root)
    found = shown(root)
    assert len(found) == len(KINDS) + 2
    for _, path, _, hit in found:
        assert Path(path).is_relative_to(root)
        assert hit == "disk"
    assert [line[2] for line in found] == ["content"] * len(KINDS) + ["1", "2"]
    assert n_calls(root) == n_before
    if how == "copied":
        return
    os.rename(root, lab.root)  # and back again
    assert {line[3] for line in shown(lab.root)} == {"disk"}


def test_paths_outside_the_project_stay_as_they_are(scratch: Any, tmp_path: Path) -> None:
    """And results that were stored with whole paths are read as ever."""
    outside = tmp_path / "outside.txt"
    tasks = TASKS.replace('Path("input.txt").absolute()', f"Path({str(outside)!r})")
    outside.write_text("content")
    lab = scratch({"tasks.py": tasks})
    shown(lab.root)
    found = shown(elsewhere(lab.root, "moved"))
    assert {(path, hit) for _, path, _, hit in found[: len(KINDS)]} == {(str(outside), "disk")}
