"""Many tasks over one that they share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

TASKS = """
import time
from smttask import Join, RecordedTask
from smttask.testing import count_call

@RecordedTask
def Slow(x: int) -> int:
    count_call()
    time.sleep(0.5)
    return x

@RecordedTask
def Use(shared: int, n: int) -> int:
    count_call()
    return shared + n

def fan(n):
    return Use.bind(shared=Slow(1)).map(n=range(n))
"""


@pytest.mark.parametrize("n_tasks", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_what_a_fan_shares_is_computed_once_in_one_process(scratch: Any, n_tasks: int) -> None:
    """Joined, or run one after the other; every result is there, and nothing is computed again."""
    lab = scratch({"tasks.py": TASKS})
    tasks = lab.load("tasks")
    results = tasks.Join(tasks.fan(n_tasks)).run()
    assert results == [1 + n for n in range(n_tasks)]
    assert [task.run() for task in tasks.fan(n_tasks)] == results
    assert (lab.calls("Slow"), lab.calls("Use")) == (1, n_tasks)
    assert lab.project.records.count() == n_tasks + 2


@pytest.mark.parametrize("n_tasks", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_what_a_fan_shares_is_computed_once_by_four_processes(scratch: Any, n_tasks: int) -> None:
    """Each takes a quarter of the tasks; three wait for the one that computes what they share."""
    lab = scratch({"tasks.py": TASKS})
    code = "import tasks\nfor task in tasks.fan({0})[{1}::4]: assert task.run() == 1 + task.n"
    processes = [
        subprocess.Popen([sys.executable, "-c", code.format(n_tasks, k)], cwd=lab.root, env=os.environ)
        for k in range(4)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0, 0, 0]
    assert (lab.calls("Slow"), lab.calls("Use")) == (1, n_tasks)
    records = Counter(record.status for record in lab.project.records.records())
    assert records == {"finished": n_tasks + 1}
