"""Many processes, and processes that die: every result once, every run recorded, nothing to unlock."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from smttask.runner import settle_open_runs
from smttask.storage.manifest import read_head

TASKS = """
import os, time
import numpy as np
from smttask import RecordedTask, TaskOutput
from smttask.testing import count_call
from smttask.typing import Array

@RecordedTask
def Square(x: int) -> int:
    count_call()
    return x * x

@RecordedTask
def Slow(x: int) -> int:
    count_call()
    if os.environ.get("FORK") and os.fork() == 0:
        open("forked", "w").write(str(os.getpid()))
        time.sleep(30)
        os._exit(0)
    open("computing", "w").close()
    time.sleep(float(os.environ.get("SECONDS_TO_COMPUTE", "30")))
    return x

class Field(TaskOutput):
    n: int
    field: Array

@RecordedTask
def Make(n: int) -> Field:
    return n, np.full(20_000, n)

@RecordedTask
def Total(parts: list[Field]) -> float:
    return float(sum(part.field.sum() for part in parts))
"""


def start(root: Path, code: str, **environment: str) -> subprocess.Popen[str]:
    """A Python process in the project that runs `code`."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path) -> None:
    """Until the file is there; a minute is enough for any process to make it."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"nobody made {path}"
        time.sleep(0.005)


def finish(process: subprocess.Popen[str]) -> str:
    """What the process printed, once it ended well."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def smt_labels(root: Path) -> list[str]:
    """What Sumatra's own ``smt list`` shows."""
    smt = Path(sys.executable).with_name("smt")
    done = subprocess.run([smt, "list"], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("n_tasks", [10, pytest.param(250, marks=pytest.mark.slow)])
def test_processes_that_start_together_on_a_new_project_lose_and_repeat_nothing(
    scratch: Any, n_tasks: int
) -> None:
    """Four at once make the record store, run and record: one result and one finished record a task."""
    lab = scratch({"tasks.py": TASKS}, record_store=False)
    code = "import sys, tasks\nfor x in range({0}, {0} + {1}): assert tasks.Square(x).run() == x * x"
    for process in [start(lab.root, code.format(k * n_tasks, n_tasks)) for k in range(4)]:
        finish(process)
    records = list(lab.project.records.records())
    assert Counter(record.status for record in records) == {"finished": 4 * n_tasks}
    assert len({record.digest for record in records}) == 4 * n_tasks
    assert lab.calls("Square") == 4 * n_tasks
    assert len(list((lab.root / "data" / "Square").glob("*.json"))) == 4 * n_tasks
    assert sorted(smt_labels(lab.root)) == sorted(record.label for record in records)


def test_processes_that_ask_for_the_same_tasks_compute_each_once(scratch: Any) -> None:
    """They wait for each other and load; also when they ask in different orders."""
    lab = scratch({"tasks.py": TASKS}, record_store=False)
    code = (
        "import random, tasks\nxs = list(range(40))\nrandom.Random({}).shuffle(xs)\n"
        "for x in xs: assert tasks.Square(x).run() == x * x"
    )
    for process in [start(lab.root, code.format(k)) for k in range(4)]:
        finish(process)
    assert lab.calls("Square") == 40
    assert Counter(record.status for record in lab.project.records.records()) == {"finished": 40}


def test_one_slow_task_asked_for_by_four_processes_runs_once(scratch: Any) -> None:
    """Three load what the first computed."""
    lab = scratch({"tasks.py": TASKS})
    code = "import tasks; task = tasks.Slow(3); print(task.run(), task.last_hit)"
    processes = [start(lab.root, code, SECONDS_TO_COMPUTE="1.5") for _ in range(4)]
    hits = [finish(process).split() for process in processes]
    assert sorted(hits) == [["3", "computed"]] + [["3", "disk"]] * 3
    assert lab.calls("Slow") == 1
    assert lab.project.records.count() == 1


@pytest.mark.parametrize("with_child", [False, True], ids=["alone", "with a living forked child"])
def test_the_next_process_takes_over_at_once_when_the_computing_one_is_killed(
    scratch: Any, with_child: bool
) -> None:
    """Kill -9 ends the lock too, even while a child that the killed one forked lives on."""
    lab = scratch({"tasks.py": TASKS})
    first = start(lab.root, "import tasks; tasks.Slow(3).run()", FORK="1" if with_child else "")
    wait_for(lab.root / "computing")
    second = start(lab.root, "import tasks; print(tasks.Slow(3).run())", SECONDS_TO_COMPUTE="0")
    time.sleep(1.5)  # it waits by then
    assert second.poll() is None
    begin = time.monotonic()
    first.kill()
    first.wait()
    assert finish(second) == "3\n"
    assert time.monotonic() - begin < 2
    if with_child:
        child = int((lab.root / "forked").read_text())
        os.kill(child, signal.SIGKILL)  # raises if it no longer lived
    assert [record.status for record in lab.project.records.records()] == ["finished", "killed"]
    assert not list((lab.root / ".smt" / "locks").iterdir())


WORKER = """
import random, tasks
print("ready", flush=True)
while True:
    n = random.randrange(1_000_000)
    tasks.Total([tasks.Make(n), tasks.Make(n % 7)]).run()
"""


@pytest.mark.parametrize(
    ("n_kills", "seed"),
    [(4, 0), pytest.param(50, 1, marks=pytest.mark.slow), pytest.param(50, 2, marks=pytest.mark.slow)],
)
def test_workers_killed_at_random_leave_only_whole_results_and_records(
    scratch: Any, n_kills: int, seed: int
) -> None:
    """After kill -9 at random instants every manifest loads, every run is recorded, nothing is locked."""
    lab = scratch({"tasks.py": TASKS})
    delays = random.Random(seed)
    living = [start(lab.root, WORKER) for _ in range(2)]
    for _ in range(n_kills):
        worker = living.pop(0)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(delays.uniform(0, 0.4))
        worker.kill()
        worker.communicate()
        living.append(start(lab.root, WORKER))
    for worker in living:
        worker.kill()
        worker.communicate()
    check_everything(lab)


def check_everything(lab: Any) -> None:
    """Manifests, links, records and locks agree."""
    settle_open_runs(lab.project)
    data = lab.project.data
    records = {record.label: record for record in lab.project.records.records()}
    assert {record.status for record in records.values()} <= {"finished", "killed"}
    manifests = {path.stem: path for path in (lab.root / "data/run_dump").glob("[!.]*/*.json")}
    assert manifests.keys() == {label for label, record in records.items() if record.status == "finished"}
    assert len(manifests) > 20
    for label, path in manifests.items():
        head = read_head(path)
        outputs = {name: data.load_output(head, name) for name in head.outputs}
        inputs = data.read_rest(head)["parameters"]["tasks"][head.digest]["inputs"]
        if "field" in outputs:
            assert (outputs["field"] == inputs["n"]).all()
            assert (len(outputs["field"]), outputs["n"]) == (20_000, inputs["n"])
        keys = {key.path for key in records[label].output_data}
        assert keys == {str(file.relative_to(data.output_dir)) for file in path.parent.glob(f"{label}[._]*")}
    for link in (lab.root / "data").glob("[!r]*/*.json"):
        assert link.resolve().stem in manifests, "links lead to whole results"
    tasks = lab.load("tasks")
    assert tasks.Total([tasks.Make(1), tasks.Make(2)]).run() == 60_000.0
    assert not any(lab.project.records.open_runs())


def test_a_killed_run_leaves_only_names_that_never_count(scratch: Any) -> None:
    """What was half written when the process died has temporary names alone, and stops nobody."""
    lab = scratch({"tasks.py": TASKS})
    code = (
        "import os, signal, smttask.storage.newrun as newrun, tasks\n"
        "newrun.NewRun.commit = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        "tasks.Make(3).run()"
    )
    assert lab.run(code, check=False).returncode == -signal.SIGKILL
    left = [path.name for path in (lab.root / "data").rglob("*") if path.is_file()]
    assert len(left) == 2
    assert all(name.startswith(".") and name.endswith(".part") for name in left)
    assert lab.run("import tasks; print(tasks.Make(3).run().n)").stdout == "3\n"
    assert [record.status for record in lab.project.records.records()] == ["finished", "killed"]
