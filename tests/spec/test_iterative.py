"""Iterative tasks with real faults: what continues is right to the last bit, and explained as it happens."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from smttask import config
from smttask.errors import DamagedResultWarning

TASKS = """
import numpy as np
from smttask import RecordedIterativeTask, TaskOutput
from smttask.testing import count_call
from smttask.typing import Array, RNGenerator

class Walked(TaskOutput):
    n: int
    x: Array[float]
    rng: RNGenerator
    first: int

@RecordedIterativeTask("n", map={"n": "start", "x": "x", "rng": "rng"})
def Walk(n: int, x: Array[float], rng: RNGenerator, start: int = 0) -> Walked:
    count_call()
    x = np.array(x)
    for _ in range(start, n):
        x = 3.9 * x * (1 - x) + 1e-9 * rng.random(x.size)
    return n, x, rng, start

def walk(n):
    return Walk(n, np.linspace(0.1, 0.9, 5), np.random.default_rng(3))
"""


def in_one_go(n: int) -> bytes:
    x, rng = np.linspace(0.1, 0.9, 5), np.random.default_rng(3)
    for _ in range(n):
        x = 3.9 * x * (1 - x) + 1e-9 * rng.random(x.size)
    return x.tobytes()


def damage(task: Any) -> None:
    path = task.outputpaths["x"]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_three_nine_five_and_seven_after_five_was_damaged(scratch: Any) -> None:
    """9, 5 and 7 continue from 3, as `explain` said; each is what one run from the first gives."""
    tasks = scratch({"tasks.py": TASKS}).load("tasks")
    for n, first in [(3, 0), (9, 3), (5, 3)]:
        told = tasks.walk(n).explain().reason
        assert told.endswith(f"; continues from n = {first}") == (first > 0)
        result = tasks.walk(n).run()
        assert (result.first, result.x.tobytes()) == (first, in_one_go(n))
    damage(tasks.walk(5))
    assert tasks.walk(7).explain().reason.endswith("; continues from n = 3")
    assert tasks.walk(5).outputpaths["x"].exists()  # it only looked
    with pytest.warns(DamagedResultWarning):
        seven = tasks.walk(7).run()
    assert (seven.first, seven.x.tobytes()) == (3, in_one_go(7))
    assert tasks.walk(7).record.task == tasks.walk(7)
    assert tasks.walk(9).run().x.tobytes() == in_one_go(9)


def test_random_draws_go_on_where_they_were(scratch: Any) -> None:
    """The generator that a result holds is in the state after it, in another process too."""
    lab = scratch({"tasks.py": TASKS})
    lab.run("import tasks; tasks.walk(4).run()")
    result = lab.load("tasks").walk(8).run()
    assert (result.first, result.x.tobytes()) == (4, in_one_go(8))
    with config.use(record=False):
        assert lab.load("tasks").walk(8).run().x.tobytes() == in_one_go(8)


def test_files_of_many_numbers_run_by_workers(scratch: Any) -> None:
    """`smttask run -n2` computes each once, whatever it continues from."""
    lab = scratch({"tasks.py": TASKS})
    tasks = lab.load("tasks")
    folder = lab.root.parent / "todo"
    for n in (7, 8, 9, 10):
        tasks.walk(n).save(folder)
    lab.smttask("run", "-n2", str(folder))
    assert lab.calls("Walk") == 4
    for n in (7, 8, 9, 10):
        assert tasks.walk(n).load().x.tobytes() == in_one_go(n)
    assert [record.status for record in lab.project.records.records()] == ["finished"] * 4
    assert not list(folder.iterdir())


def test_a_number_killed_half_way_leaves_those_before(scratch: Any) -> None:
    """After 3, a SIGKILL in 9: the next 9 continues from 3."""
    lab = scratch({"tasks.py": TASKS})
    code = """
import os, signal, tasks
tasks.walk(3).run()
tasks.count_call = lambda: os.kill(os.getpid(), signal.SIGKILL)
tasks.walk(9).run()
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=lab.root, env=os.environ, check=False)
    assert killed.returncode == -9
    result = lab.load("tasks").walk(9).run()
    assert (result.first, result.x.tobytes()) == (3, in_one_go(9))
    statuses = sorted(record.status for record in lab.project.records.records())
    assert statuses == ["finished", "finished", "killed"]
