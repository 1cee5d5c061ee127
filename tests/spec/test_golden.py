"""Digests and stored results of this version, which every later one must give and find."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smttask import Task, config

GOLDEN = Path(__file__).parents[1] / "golden" / "project-1"
FILES = {name: (GOLDEN / name).read_text(encoding="utf-8") for name in ("tasks.py", "input.txt")}
DIGESTS = {
    "scalars": ("764e78d633f0880e2078", "3ec417f7935ea1d254c1"),
    "scalars, default given": ("764e78d633f0880e2078", "3ec417f7935ea1d254c1"),
    "scalars, other default": ("f08d988bff8cbbfea92f", "f08d988bff8cbbfea92f"),
    "text": ("7a319bc90efb9d1aaff2", "7a319bc90efb9d1aaff2"),
    "bytes": ("881cb57a56d457304cac", "881cb57a56d457304cac"),
    "numbers": ("828f4f0a710757307216", "828f4f0a710757307216"),
    "array": ("3054206dc07b4290f5c5", "3054206dc07b4290f5c5"),
    "named outputs": ("90d51449e04774f70e44", "da849fd199dd671e538b"),
    "large input": ("acd3bba3aa20db4dd6b3", "acd3bba3aa20db4dd6b3"),
    "nested": ("5fa4da6dfd8e052bb2c0", "5fa4da6dfd8e052bb2c0"),
    "structured array": ("6be843d6d1c843c03efa", "6be843d6d1c843c03efa"),
    "masked array": ("3e15d992214b9f4d1fc1", "3e15d992214b9f4d1fc1"),
    "dates": ("3a56a9279ff98eb7ce4c", "3a56a9279ff98eb7ce4c"),
    "values": ("8be3727aeee6ce694da8", "d757a5a2ba7f14be1a90"),
    "files": ("c5fc2485b5f537902c1c", "c5fc2485b5f537902c1c"),
    "upstream": ("49cff15c55266b66d077", "49cff15c55266b66d077"),
    "fixed name": ("a4b5dbe365c8d8e7415d", "a4b5dbe365c8d8e7415d"),
}


@pytest.fixture
def lab(scratch: Any) -> Any:
    """The golden project as it was stored, its code in place."""
    lab = scratch(FILES)
    shutil.copytree(GOLDEN / "data", lab.root / "data", symlinks=True)
    return lab


def same(left: Any, right: Any) -> bool:
    """Equal in value and type, at any depth."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def test_digests_are_those_of_the_first_version(lab: Any) -> None:
    """Changing one orphans results: a change of format, with a new number and old results still found."""
    tasks = lab.load("tasks").golden_tasks()
    assert {name: (task.digest, task.full_digest) for name, task in tasks.items()} == DIGESTS


@pytest.mark.parametrize("name", DIGESTS)
def test_a_result_of_the_first_version_is_found_and_right(lab: Any, name: str) -> None:
    """By digest and by code fingerprint, on every interpreter, with its checksums; nothing is computed."""
    task = lab.load("tasks").golden_tasks()[name]
    with config.use(on_code_change="error"), warnings.catch_warnings():
        warnings.simplefilter("error")
        result = task.load()
        assert task.run() is not None
    assert task.last_hit == "disk"
    assert lab.project.records.count() == 0
    assert same(result, task.run(record=False))


def test_a_manifest_of_the_first_version_tells_its_task(lab: Any) -> None:
    """Inputs, large ones too, come back from what stands beside each result."""
    from smttask.storage.manifest import read_head, read_rest
    from smttask.tasks.construction import load_task

    tasks = lab.load("tasks").golden_tasks()
    for name in ("large input", "scalars", "values", "files", "nested", "masked array"):
        head = read_head(tasks[name].resultpaths[0])
        made = load_task(read_rest(head)["parameters"], get_large=lab.project.data.get_value)
        assert made == tasks[name]
        assert made.full_digest == tasks[name].full_digest


def test_a_description_of_the_first_version_is_read(lab: Any) -> None:
    """Files that wait for `smttask run` outlive an upgrade; they are written the same today."""
    for name, task in lab.load("tasks").golden_tasks().items():
        path = GOLDEN / "descriptions" / f"{name}.json"
        assert Task.from_desc(path) == task
        assert task.save(lab.root / "again.json").read_bytes() == path.read_bytes()
