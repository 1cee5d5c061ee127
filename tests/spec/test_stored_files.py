"""Stored files that are not as they were written: noticed, kept aside, computed anew, never returned."""

from __future__ import annotations

import os
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smttask import config
from smttask.errors import DamagedResultError, DamagedResultWarning, SmttaskError
from smttask.typing.ownership import fresh

TASKS = """
from typing import Any
import numpy as np
from smttask import RecordedTask, TaskOutput
from smttask.testing import count_call
from smttask.typing import Array

@RecordedTask
def Make(kind: str) -> Any:
    count_call()
    return {
        "manifest": 1.5,
        "npy": np.arange(3000.0),
        "npz": {"a": np.arange(20_000.0), "b": [1, "two"]},
        "json": {"numbers": list(range(10_000))},
        "txt": "0123456789" * 2000,
        "bin": b"0123456789" * 2000,
    }[kind]

class Two(TaskOutput):
    small: int
    large: Array

@RecordedTask
def Both(n: int) -> Two:
    count_call()
    return n, np.full(3000, n)

@RecordedTask
def Mean(x: Array) -> float:
    count_call()
    return float(x.mean())

@RecordedTask
def Outer(x: Any) -> int:
    count_call()
    return 7
"""
FILES = {"npy": ".npy", "npz": ".npz", "json": ".json", "txt": ".txt", "bin": ".bin"}


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


def flip(path: Path, position: float | int) -> None:
    """Flip one bit; `position` is a byte, or a part of the length."""
    data = bytearray(path.read_bytes())
    data[position if isinstance(position, int) else int(position * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return np.array_equal(left, right) if isinstance(left, np.ndarray) else left == right


def check_computed_anew(lab: Any, task: Any, right: Any, n_calls: int) -> None:
    """The next run says so once, computes, and the one after that loads."""
    with pytest.warns(DamagedResultWarning, match=r"kept in .*\.damaged") as told:
        assert same(task.run(), right)
    assert len(told) == 1
    assert lab.calls(task.name) == n_calls
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(task.run(), right)
    assert (lab.calls(task.name), task.last_hit) == (n_calls, "disk")


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("damage", ["begin", "middle", "end", "cut", "empty", "longer"])
def test_a_damaged_output_file_is_computed_anew(lab: Any, kind: str, damage: str) -> None:
    """A flipped bit, a cut or a longer file of each format; the damaged one is kept beside."""
    task = lab.load("tasks").Make(kind)
    right = task.run()
    (path,) = [path for path in task.resultpaths if path.suffix == FILES[kind]][-1:]
    assert path != task.resultpaths[0], "an output of its own file"
    data = path.read_bytes()
    if damage in ("begin", "middle", "end"):
        flip(path, {"begin": 0.0, "middle": 0.5, "end": 1.0}[damage])
    else:
        path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "longer": data + b"\0"}[damage])
    broken = path.read_bytes()
    check_computed_anew(lab, task, right, 2)
    (kept,) = (path.parent / ".damaged").glob(f"*{path.suffix}" if kind != "json" else "*_*_*.json")
    assert kept.read_bytes() == broken


def test_a_flip_of_any_byte_of_a_manifest_is_noticed(lab: Any) -> None:
    """Head and rest, at a hundred places: the result is computed anew or, never, wrong."""
    task = lab.load("tasks").Make("manifest")
    task.run()
    n_bytes = task.resultpaths[0].stat().st_size
    head = len(task.resultpaths[0].read_bytes().split(b"\n")[0])
    places = random.Random(1)
    positions = [*range(0, head, 12), head, *(places.randrange(head, n_bytes) for _ in range(30)), -1]
    for n, position in enumerate(positions):
        flip(task.resultpaths[0], position)
        with pytest.warns(DamagedResultWarning):
            assert task.run() == 1.5
        assert lab.calls("Make") == n + 2


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.999])
def test_a_cut_manifest_is_computed_anew(lab: Any, part: float) -> None:
    """Empty, in its first line, in the rest, before the last byte."""
    task = lab.load("tasks").Make("manifest")
    task.run()
    path = task.resultpaths[0]
    os.truncate(path, int(part * path.stat().st_size))
    check_computed_anew(lab, task, 1.5, 2)


@pytest.mark.parametrize("wrong", ["other task", "other inputs", "itself", "a folder", "text", "nothing"])
def test_a_link_that_leads_elsewhere_is_never_followed(lab: Any, wrong: str) -> None:
    """To a result of another task or other inputs, to no result: the right value is computed again."""
    tasks = lab.load("tasks")
    task, other, both = tasks.Make("manifest"), tasks.Make("txt"), tasks.Both(3)
    assert task.run() == 1.5
    other.run()
    both.run()
    link = lab.root / "data" / "Make" / f"{task.digest}.json"
    link.unlink()
    targets = {"other task": both.resultpaths[0], "other inputs": other.resultpaths[0], "itself": link}
    if wrong in targets:
        link.symlink_to(os.path.relpath(targets[wrong], link.parent))
    elif wrong == "a folder":
        link.mkdir()
    elif wrong == "text":
        link.write_text("scribble")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert task.run() == 1.5
    assert len(told) == (wrong != "nothing")
    assert lab.calls("Make") == 3
    task.run()
    assert task.last_hit == "disk"
    assert (other.load(), both.load().small) == ("0123456789" * 2000, 3), "what it led to is left alone"


def test_one_damaged_output_of_several_spoils_the_result(lab: Any) -> None:
    """All outputs come from one run, never some from another."""
    task = lab.load("tasks").Both(3)
    task.run()
    flip(task.outputpaths["large"], 0.9)
    with pytest.warns(DamagedResultWarning):
        result = task.run()
    assert (result.small, result.large[-1], lab.calls("Both")) == (3, 3, 2)
    flip(task.outputpaths["large"], 0.9)
    with pytest.raises(DamagedResultError, match="run the task again"):
        task.get_output("large")


def test_damage_in_a_result_that_another_task_needs_is_computed_anew(lab: Any) -> None:
    """The parent gets the right value, or is itself found without a look at it."""
    tasks = lab.load("tasks")
    upstream = tasks.Make("npy")
    upstream.run()
    flip(upstream.resultpaths[1], 0.5)
    with pytest.warns(DamagedResultWarning):
        assert tasks.Mean(upstream).run() == 1499.5
    flip(upstream.resultpaths[1], 0.5)
    assert tasks.Mean(upstream).run() == 1499.5
    assert (lab.calls("Make"), lab.calls("Mean")) == (2, 1)


def test_load_never_gives_damage_and_never_computes(lab: Any) -> None:
    """It says that there is no result, after the damaged one was set aside."""
    task = lab.load("tasks").Make("npy")
    task.run()
    flip(task.resultpaths[1], 0.5)
    with (
        pytest.warns(DamagedResultWarning),
        pytest.raises(LookupError, match="No stored result for task 'Make'"),
    ):
        task.load()
    assert lab.calls("Make") == 1


def test_a_damaged_large_input_is_noticed_when_the_record_is_read(lab: Any) -> None:
    """`.values` files carry their content's name; the next run of the same input writes it anew."""
    from smttask import RSView

    tasks = lab.load("tasks")
    task = tasks.Mean(np.arange(20_000.0))
    task.run()
    (path,) = (lab.root / "data/run_dump/.values").glob("*.npy")
    flip(path, 0.7)
    with pytest.raises(SmttaskError, match="Damaged result"):
        _ = RSView().latest.task
    task.run(recompute=True)
    assert RSView().latest.task == task


def test_only_the_size_is_checked_where_that_is_chosen(lab: Any) -> None:
    """verify="size" and mmap=True still notice a cut file."""
    task = lab.load("tasks").Make("npy")
    right = fresh(task.run())
    for options in ({"verify": "size"}, {}):
        os.truncate(task.resultpaths[1], 5000)
        with config.use(**options), pytest.warns(DamagedResultWarning):
            assert same(task.run(mmap=not options), right)


def test_pickles_that_no_task_declared_are_never_read(lab: Any) -> None:
    """A manifest that was made to name one, checksums and all, is damage."""
    import pickle

    from smttask.storage.manifest import OutputEntry, compose, read_head, read_rest

    task = lab.load("tasks").Make("npy")
    right = task.run()
    manifest, path = task.resultpaths
    evil = path.with_suffix(".pickle")
    evil.write_bytes(pickle.dumps([1]))
    from blake3 import blake3

    data = evil.read_bytes()
    head = read_head(manifest)
    entry = OutputEntry("pickle", None, evil.name, len(data), blake3(data).hexdigest())
    fields = {name: getattr(head, name) for name in ("label", "task", "digest", "full_digest", "code")}
    _, text = compose(**fields, outputs={"": entry}, rest=read_rest(head), file=str(manifest))
    manifest.write_bytes(text)
    check_computed_anew(lab, task, right, 2)
