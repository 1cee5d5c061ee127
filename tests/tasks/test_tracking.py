"""A folder with links to every result that was used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smttask import config
from smttask.errors import StorageError

TASKS = """
import numpy as np
from smttask import RecordedTask
from smttask.typing import Array

@RecordedTask
def Make(n: int) -> Array[float]:
    return np.arange(float(n))

@RecordedTask
def Total(field: Array[float]) -> float:
    return float(field.sum())
"""


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def results(task: Any) -> set[str]:
    return {f"{path.parent.name}/{path.name}" for path in task.resultpaths}


def test_every_result_used_is_linked(scratch: Any, tmp_path: Path) -> None:
    """Computed, loaded or found in memory; each once, with all its files, which outlive the store."""
    lab = scratch({"tasks.py": TASKS})
    tasks = lab.load("tasks")
    old, new = tasks.Total(tasks.Make(3)), tasks.Total(tasks.Make(4))
    tasks.Make(9).run()
    old.run()
    with config.use(track_folder="paper/results"):
        for _ in range(2):
            old.run(cache=True)
            new.run()
    folder = lab.root / "paper/results"
    assert names(folder) == results(old) | results(new) | results(tasks.Make(4))
    assert (folder / "Make").is_dir()
    paths = tasks.Make(4).resultpaths
    assert all(os.path.samefile(path, folder / "Make" / path.name) for path in paths)
    for path in paths:
        path.unlink()
    assert np.array_equal(np.load(folder / "Make" / paths[-1].name), np.arange(4.0))


def test_a_result_found_in_memory_is_linked_too(scratch: Any, tmp_path: Path) -> None:
    """Its files are those of the run that made it."""
    lab = scratch({"tasks.py": TASKS})
    task = lab.load("tasks").Make(3)
    task.run(cache=True)
    with config.use(track_folder=tmp_path / "elsewhere"):
        task.run(cache=True)
        assert task.last_hit == "memory"
    assert names(tmp_path / "elsewhere") == results(task)


def test_where_hard_links_do_not_work_the_links_are_symbolic(
    scratch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another disk."""

    def refuse(*args: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    lab = scratch({"tasks.py": TASKS})
    monkeypatch.setattr(os, "link", refuse)
    task = lab.load("tasks").Make(3)
    with config.use(track_folder=tmp_path / "linked"):
        task.run()
    links = [tmp_path / "linked" / "Make" / path.name for path in task.resultpaths]
    assert [link.readlink() for link in links] == list(task.resultpaths)


def test_a_folder_that_cannot_be_made_is_an_error_and_loses_nothing(scratch: Any) -> None:
    """The message names it; the result is stored."""
    lab = scratch({"tasks.py": TASKS})
    task = lab.load("tasks").Make(3)
    with config.use(track_folder="tasks.py"), pytest.raises(StorageError, match="Cannot track the result"):
        task.run()
    assert task.has_run
