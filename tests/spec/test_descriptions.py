"""Description files that were cut, edited or forged: an error in three parts, never another task unsaid."""

from __future__ import annotations

import json
import random
import re
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smttask import Task, config
from smttask.errors import DescriptionError

TASKS = """
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple
import numpy as np
from pydantic import BaseModel
from smttask import MemoizedTask, RecordedTask
from smttask.typing import Array, InputFile, RNGenerator

class Color(Enum):
    RED = 1

class Pair(NamedTuple):
    a: int
    b: str

@dataclass
class Shape:
    x: float
    sides: list[int] = field(default_factory=list)

class Model(BaseModel):
    rate: float
    names: dict[str, int] = {}

@MemoizedTask
def Up(x: float) -> float:
    return x

@RecordedTask
def Everything(
    a: Any, arr: Array, pair: Pair, shape: Shape, model: Model, color: Color, path: Path,
    file: InputFile, t: tuple[int, bytes, complex], up: float, s: set[int], rng: RNGenerator,
    when: datetime, n: int = 3,
) -> int:
    return 1
"""


@pytest.fixture
def task(scratch: Any) -> Any:
    lab = scratch({"tasks.py": TASKS, "a.txt": "x"})
    t = lab.load("tasks")
    return t.Everything(
        {"k": [1, None, float("inf"), "é\ud800", {1: 2}]}, np.arange(200.0), t.Pair(1, "b"),
        t.Shape(1.0, [2]), t.Model(rate=1), t.Color.RED, lab.root / "q", lab.root / "a.txt",
        (1, b"x", 1j), t.Up(3.0), {1, 2}, np.random.default_rng(3), datetime(2020, 1, 1),
    )  # fmt: skip


def check_refused_or_same(source: Any, task: Any) -> None:
    """Never another exception, never another task without a word."""
    got = refused = None
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            got = Task.from_desc(source)
        except DescriptionError as error:
            refused = error
    if refused is None:
        assert got == task or told, source
    else:
        assert all([refused.what, refused.found, refused.remedy])


def test_a_file_cut_anywhere_is_refused(task: Any, tmp_path: Path) -> None:
    """At every tenth byte, from Python; the message names the file."""
    path = task.save(tmp_path)
    text = path.read_bytes()
    for n in range(0, len(text) - 2, 10):
        path.write_bytes(text[:n])
        with pytest.raises(DescriptionError, match=re.escape(path.name)):
            Task.from_desc(path)


def test_a_file_with_any_flipped_bit_is_refused_or_the_same(task: Any, tmp_path: Path) -> None:
    """Flips in names, numbers, text, base64 and punctuation."""
    path = task.save(tmp_path)
    text = path.read_bytes()
    places = random.Random(4)
    for _ in range(400):
        data = bytearray(text)
        data[places.randrange(len(data))] ^= 1 << places.randrange(8)
        path.write_bytes(data)
        check_refused_or_same(path, task)


FORGED = [
    None, 1, -1, 1e400, "x", "", [], {}, [1], {"a": 1}, True, "9" * 5000, [[[[[]]]]],
    {"$task": "zz"}, {"$tuple": 3}, {"$dict": [[1]]}, {"$enum": "tasks:Color", "name": 5}, {"$path": 5},
    {"$path": {"project": "../../../etc/passwd"}}, {"$dataclass": "tasks:Shape", "fields": {"x": []}},
    {"$function": "os:system", "code": ""}, {"$type": "os:system"}, {"$array": {"stored": "0" * 64}},
    {"$partial": {"$function": "os:system"}, "args": ["ls"], "keywords": {}}, {"$array": "../x"},
    {"$model": "tasks:Model", "fields": {"rate": 1}, "set": [["a"]]}, {"$int": "f" * 10_000},
    {"$dataclass": "subprocess:Popen", "fields": {}}, {"$file": {"path": "/dev/zero", "digest": "0"}},
]  # fmt: skip


def places_in(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield from places_in(tree[key], (*place, key))


def test_a_forged_file_runs_nothing_and_is_refused_or_the_same(task: Any) -> None:
    """Anything in the place of anything: an error in three parts."""
    text = json.dumps(task.desc)
    choice = random.Random(5)
    places = [place for place in places_in(task.desc) if place]
    for _ in range(800):
        forged = json.loads(text)
        *way, last = choice.choice(places)
        inside = forged
        for step in way:
            inside = inside[step]
        if isinstance(inside, dict) and choice.random() < 0.3:
            del inside[last]
            inside[choice.choice(["$x", "$tuple", "extra", "identity", "made_by"])] = choice.choice(FORGED)
        else:
            inside[last] = choice.choice(FORGED)
        check_refused_or_same(forged, task)


def test_files_of_lost_code_are_refused_by_name_and_stay(scratch: Any) -> None:
    """A task that is gone, a module that is gone, a newer format: exit status 1, the file is kept."""
    one = "from smttask import RecordedTask\n@RecordedTask\ndef One(x: int) -> int:\n    return x\n"
    lab = scratch(
        {"one.py": one, "two.py": one.replace("One", "Two"), "three.py": one.replace("One", "Three")}
    )
    for module, name in (("one", "One"), ("two", "Two"), ("three", "Three")):
        getattr(lab.load(module), name)(1).save(lab.root / "todo")
    (newer,) = (lab.root / "todo").glob("Three*")
    newer.write_text(newer.read_text().replace('"format": 1', '"format": 7'))
    lab.write({"one.py": "x = 1\n"})
    (lab.root / "two.py").unlink()
    lab.commit()
    done = lab.smttask("run", "todo", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for part in ("module 'one' has no task 'One'", "module of task 'Two' is gone", "has format 7"):
        assert part in done.stderr + done.stdout
    assert len(list((lab.root / "todo").iterdir())) == 3


def test_deep_nesting_and_huge_numbers_are_refused(task: Any) -> None:
    """Neither recursion nor memory is used up."""
    desc = json.dumps(task.desc)
    for bad in ("[" * 200_000, '{"a":' * 200_000, "1" * 5000, '{"$tuple": [' * 5000 + "]}" * 5000):
        with pytest.raises(DescriptionError):
            Task.from_desc(desc.replace('"$set": [1, 2]', f'"$set": [1, {bad}]'))


def test_a_module_outside_the_project_is_not_imported(scratch: Any, tmp_path: Path) -> None:
    """A forged file next to a forged module: nothing of it runs, from the command line too."""
    lab = scratch({"tasks.py": TASKS})
    evil = tmp_path / "evil"
    evil.mkdir()
    (evil / "evil.py").write_text("open('ran', 'w')\n")
    entry = {"name": "Task", "module": "evil", "inputs": {}}
    (evil / "x.taskdesc.json").write_text(json.dumps({"format": 1, "task": "a", "tasks": {"a": entry}}))
    done = lab.smttask("run", str(evil), check=False, PYTHONPATH=str(evil))
    assert done.returncode == 1
    assert "not of the project" in done.stderr + done.stdout
    assert not (lab.root / "ran").exists()
    with config.use(trusted_packages=["evil"]):
        done = lab.smttask("run", "--import", "evil", str(evil), check=False, PYTHONPATH=str(evil))
    assert (lab.root / "ran").exists(), "what was trusted is imported"
