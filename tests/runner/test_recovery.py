"""Records that a dead process left open are closed by whoever meets them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from smttask import config
from smttask.hashing import hash_file
from smttask.runner import settle_open_runs
from smttask.testing import scratch_project

TASKS = """
import os, signal
from smttask import RecordedTask

@RecordedTask
def Die(x: int) -> int:
    if not os.environ.get("SURVIVE"):
        os.kill(os.getpid(), signal.SIGKILL)
    return x
"""


def test_the_record_of_a_killed_process_becomes_killed(scratch: Any) -> None:
    """The next one who takes the lock closes it, then computes."""
    lab = scratch({"tasks.py": TASKS})
    assert lab.run("import tasks; tasks.Die(1).run()", check=False).returncode == -9
    (record,) = lab.project.records.records()
    assert record.status == "running"
    assert lab.run("import tasks; print(tasks.Die(1).run())", SURVIVE="1").stdout == "1\n"
    assert [record.status for record in lab.project.records.records()] == ["finished", "killed"]
    assert not list((lab.root / ".smt" / "locks").iterdir())


def test_a_finished_run_whose_record_is_open_is_closed_from_its_manifest(scratch: Any) -> None:
    """The process died between the two: result and record are both whole afterwards."""
    lab = scratch({"tasks.py": TASKS})
    lab.run(
        "import os, smttask.records.sqlite as s, tasks\n"
        "s.SQLiteRecordStore.close_record = lambda *a, **k: os._exit(1)\n"
        "tasks.Die(1).run()",
        check=False,
        SURVIVE="1",
    )
    (record,) = lab.project.records.records()
    assert record.status == "running"
    assert settle_open_runs(lab.project) == [record.label]
    (record,) = lab.project.records.records()
    assert record.status == "finished"
    (key,) = record.output_data
    manifest = lab.root / "data" / "run_dump" / key.path
    assert (key.path, key.metadata["blake3"]) == (f"Die/{record.label}.json", hash_file(str(manifest)))


def test_a_killed_run_that_writes_no_manifest_becomes_killed(scratch: Any) -> None:
    """As runs of Taskers are, whose outputs stand in folders of users; others do not wait for it."""
    lab = scratch({"tasks.py": TASKS})
    lab.run(
        "import os\n"
        "from datetime import UTC, datetime\n"
        "from smttask.project import get_project\n"
        "from smttask.records.record import Record\n"
        "from smttask.runner import RunRecord\n"
        "project = get_project('.')\n"
        "record = Record(label='a_run', timestamp=datetime.now(UTC), task='summary')\n"
        "RunRecord(record, project).open()\n"
        "os.kill(os.getpid(), 9)",
        check=False,
    )
    assert settle_open_runs(lab.project) == ["a_run"]
    (record,) = lab.project.records.records()
    assert (record.status, record.outcome) == ("killed", "The process ended before the run did.")


def test_a_run_that_finished_in_another_working_copy_is_left_to_that(scratch: Any, tmp_path: Path) -> None:
    """Two copies share a record store: who has the manifest closes the record; what was killed is killed."""
    lab = scratch({"tasks.py": TASKS})
    lab.run(
        "import os, smttask.records.sqlite as s, tasks\n"
        "s.SQLiteRecordStore.close_record = lambda *a, **k: None\n"
        "tasks.Die(1).run()\n"
        "del os.environ['SURVIVE']\n"
        "tasks.Die(2).run()",
        check=False,
        SURVIVE="1",
    )
    killed, finished = lab.project.records.labels()
    files, store = {"tasks.py": TASKS}, lab.root / ".smt" / "records"
    with scratch_project(tmp_path / "copy", files) as copy, config.use(record_store=store):
        assert settle_open_runs(copy.project) == [killed]
    assert [record.status for record in lab.project.records.records()] == ["killed", "running"]
    assert settle_open_runs(lab.project) == [finished]
    assert lab.project.records.get(finished).status == "finished"


def test_the_open_runs_of_a_second_record_store_are_closed_too(scratch: Any) -> None:
    """Each store is looked at when it is first used, by whatever task."""
    lab = scratch({"tasks.py": TASKS + "\n\n@RecordedTask\ndef Live(x: int) -> int:\n    return x\n"})
    lab.run("import tasks; tasks.Die(1).run(record_store='second')", check=False)
    second = lab.project.records_at(Path("second"))
    assert [record.status for record in second.records()] == ["running"]
    tasks = lab.load("tasks")
    tasks.Live(1).run()
    tasks.Live(2).run(record_store="second")
    assert [record.status for record in second.records()] == ["finished", "killed"]


def test_a_manifest_that_may_not_be_read_keeps_nobody_from_running(scratch: Any) -> None:
    """The record of such a run, of another user perhaps, stays open; all other runs are recorded."""
    lab = scratch({"tasks.py": TASKS})
    lab.run("import tasks; tasks.Die(1).run()", check=False)
    (record,) = lab.project.records.records()
    manifest = lab.root / "data" / "run_dump" / "Die" / f"{record.label}.json"
    manifest.symlink_to(manifest)
    assert lab.run("import tasks; print(tasks.Die(2).run())", SURVIVE="1").stdout == "2\n"
    assert [record.status for record in lab.project.records.records()] == ["finished", "running"]


def test_a_child_forked_by_the_function_closes_nothing_of_its_parent(scratch: Any) -> None:
    """It leaves through the task's code; the run, its files and its record are its parent's."""
    fork = "sys.exit() if not os.fork() else os.wait()"
    text = TASKS.replace("import os", "import sys, os").replace("os.kill(os.getpid(), signal.SIGKILL)", fork)
    lab = scratch({"tasks.py": text})
    lab.run("import tasks; print(tasks.Die(1).run())")
    (record,) = lab.project.records.records()
    assert record.status == "finished"


def test_runs_of_living_processes_are_left_alone(scratch: Any) -> None:
    """Only the records of dead owners are touched."""
    lab = scratch(
        {"tasks.py": TASKS.replace("os.kill(os.getpid(), signal.SIGKILL)", "import time; time.sleep(60)")}
    )
    process = subprocess.Popen([sys.executable, "-c", "import tasks; tasks.Die(1).run()"], cwd=lab.root)
    try:
        while not lab.project.records.count():
            assert process.poll() is None
            time.sleep(0.05)
        assert settle_open_runs(lab.project) == []
    finally:
        process.kill()
        process.wait()
    assert len(settle_open_runs(lab.project)) == 1
