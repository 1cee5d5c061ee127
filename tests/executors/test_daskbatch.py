"""Short works go to a Dask cluster together, and nobody is worse off for it."""

import pytest

from smttask.executors.choosing import make_executor
from smttask.executors.daskbatch import Batches
from smttask.executors.daskwork import Order
from smttask.executors.files import iter_files
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome
from smttask.executors.running import run_works, works_of_files
from smttask.executors.work import Work
from smttask.testing import scratch_project

TASKS = """
import os, signal, time
from smttask import RecordedTask
from smttask.testing import count_call

@RecordedTask
def Uneven(x: int) -> int:
    count_call()
    if x == 170:
        os.kill(os.getpid(), signal.SIGKILL)
    if x == 171:
        raise ValueError("refused")
    if x > 190:
        time.sleep(0.15)
    return x
"""


def orders(n, name="Square"):
    return [Order(Work(f"{name}__{number}.taskdesc.json", number), str(number)) for number in range(n)]


def note(batches, duration_s, name="Square__1.taskdesc.json"):
    batches.note(Work(name), Outcome(name, "computed", duration_s))


def sizes(batches):
    return [len(batch.orders) for batch in batches]


def test_tasks_that_were_short_go_together():
    """As many as take a tenth of a second, and not so many that a thread of the cluster would be idle."""
    batches = Batches()
    note(batches, 0.001)
    assert sizes(batches.together(orders(32), 2)) == [8] * 4
    assert sizes(batches.together(orders(8), 2)) == [2] * 4
    note(batches, 0.03)
    assert max(sizes(batches.together(orders(32), 2))) == 3


@pytest.mark.parametrize(("duration_s", "n_threads"), [(None, 2), (1.0, 2), (0.001, None), (0.001, 0)])
def test_tasks_of_which_little_is_known_go_by_themselves(duration_s, n_threads):
    """As long ones do, and all while the cluster has not told its size."""
    batches = Batches()
    if duration_s is not None:
        note(batches, duration_s)
    assert sizes(batches.together(orders(4), n_threads)) == [1] * 4


def test_a_task_that_kills_its_worker_or_is_long_harms_no_other_of_its_batch(tmp_path):
    """It alone is blamed; what comes after a long one is left to other workers."""
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        tasks, todo = scratch.load("tasks"), scratch.root / "todo"
        todo.mkdir()
        for x in range(200):
            tasks.Uneven(x).save(todo / f"{x:03d}.taskdesc.json")
        executor = make_executor("dask", n=2, instructions=Instructions(start=str(scratch.root)))
        summary = run_works(works_of_files(iter_files([str(todo)])), executor)
        assert sorted(failed.error.split(",")[0] for failed in summary.failures) == [
            "ValueError: refused",
            "its worker died 2 times",
        ]
        assert summary.counts["computed"] + summary.counts["found"] == 198
        assert sorted(path.name[:3] for path in todo.iterdir()) == ["170", "171"]
        assert all(tasks.Uneven(x).load() == x for x in range(170))
        assert not list(scratch.project.records.open_runs())
