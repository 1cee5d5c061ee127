from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from smttask.records.query import Selection
from smttask.records.record import DataKey, Record, RepositoryAddress
from smttask.records.sqlite import SQLiteRecordStore

MakeRecord = Callable[..., Record]


def test_two_projects_in_one_store_do_not_meet(
    open_store: Callable[..., SQLiteRecordStore], make_record: MakeRecord
) -> None:
    mine, yours = open_store(), open_store(name="yours")
    mine.open_record(make_record(1))
    yours.open_record(make_record(1, reason="yours"))
    assert mine.count() == yours.count() == 1
    assert yours.get(make_record(1).label).reason == "yours"


def test_other_values_are_cut_to_the_widths_of_the_schema(
    store: SQLiteRecordStore, store_path: Path, make_record: MakeRecord
) -> None:
    long = "ü" * 2000
    record = make_record(
        user=long, version=long, working_directory=f"/{long}", repository=RepositoryAddress(long)
    )
    store.open_record(record)
    connection = sqlite3.connect(store_path)
    for column, width in (('"user"', 100), ("version", 50)):
        assert connection.execute(f"SELECT length({column}) FROM django_store_record").fetchone() == (width,)
    (literal,) = connection.execute("SELECT parameters FROM django_store_launchmode").fetchone()
    assert len(literal) <= 1000
    assert store.get(record.label).working_directory.startswith("/üüü")


def test_shared_rows_are_written_once(
    open_store: Callable[..., SQLiteRecordStore], store_path: Path, make_record: MakeRecord
) -> None:
    for number in range(3):
        open_store().open_record(make_record(number))
    connection = sqlite3.connect(store_path)
    for table in ("executable", "repository", "launchmode", "platforminformation", "project", "tag"):
        assert connection.execute(f"SELECT count(*) FROM django_store_{table}").fetchone() == (1,), table
    names = connection.execute(
        "SELECT count(*), count(DISTINCT name) FROM django_store_dependency"
    ).fetchone()
    assert names[0] == names[1]


def test_a_run_on_another_machine_has_rows_of_its_own(
    store: SQLiteRecordStore, make_record: MakeRecord
) -> None:
    """What one process remembers of a run's surroundings is not taken for those of another run."""
    records = [make_record(number) for number in range(4)]
    assert records[0].platform is not None
    records[1] = replace(records[1], platform=replace(records[0].platform, network_name="elsewhere"))
    records[2] = replace(records[2], repository=RepositoryAddress("/elsewhere"), platform=None)
    for record in records:
        store.open_record(record)
    for record in records:
        found = store.get(record.label)
        assert (found.platform, found.repository) == (record.platform, record.repository)


def test_an_output_written_again_belongs_to_the_latest_run(
    store: SQLiteRecordStore, make_record: MakeRecord, make_key: Callable[..., DataKey], store_path: Path
) -> None:
    """A data key stands once in the store, whether a run adds it or finds it there."""
    key = make_key("Analyze/a.npy")
    for number in range(2):
        store.open_record(make_record(number))
        store.close_record(make_record(number).label, status="finished", output_data=[key, key])
    written = [store.get(make_record(number).label).output_data for number in range(2)]
    assert [[one.path for one in keys] for keys in written] == [[], [key.path]]
    connection = sqlite3.connect(store_path)
    assert connection.execute("SELECT count(*) FROM django_store_datakey").fetchone() == (1,)


def test_the_open_runs_of_a_dead_process_can_be_told_and_marked(
    store: SQLiteRecordStore, make_record: MakeRecord
) -> None:
    pid = os.fork()
    if pid == 0:
        store.open_record(make_record(1))
        os._exit(0)
    os.waitpid(pid, 0)
    store.open_record(make_record(2))
    runs = {run.label: run for run in store.open_runs()}
    assert [run.is_abandoned for run in runs.values()] == [True, False]
    assert [run.manifest for run in store.open_runs(digest=make_record(1).digest)] == ["Analyze/1.json"]
    assert store.mark_killed(make_record(1).label, outcome="died") is True
    assert store.mark_killed(make_record(1).label) is False
    found = store.get(make_record(1).label)
    assert (found.status, found.outcome, found.duration_s) == ("killed", "died", None)
    assert [run.label for run in store.open_runs()] == [make_record(2).label]


WORK = """
import sys
from datetime import UTC, datetime
from smttask.records import provenance
from smttask.records.record import DataKey, Record, RepositoryAddress
from smttask.records.sqlite import SQLiteRecordStore
path, name, count = sys.argv[1:]
store = SQLiteRecordStore(path, "scratch", input_root="/", output_root="/data")
for number in range(int(count)):
    label = f"{name}-{number}"
    store.open_record(Record(
        label=label, timestamp=datetime.now(UTC), executable=provenance.executable(),
        repository=RepositoryAddress("/p"), platform=provenance.platform(),
        dependencies=provenance.distributions(),
    ))
    store.close_record(label, status="finished", dependencies=provenance.distributions())
"""


@pytest.mark.slow
def test_processes_that_start_together_without_a_store_record_every_run(
    open_store: Callable[..., SQLiteRecordStore], tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    path = tmp_path / "new" / "records"
    workers = [subprocess.Popen([sys.executable, "-c", WORK, str(path), f"w{n}", "250"]) for n in range(4)]
    assert [worker.wait() for worker in workers] == [0, 0, 0, 0]
    store = open_store(path)
    assert store.count(Selection().with_tags("_finished_")) == 1000
    connection = sqlite3.connect(path)
    for table in ("executable", "repository", "platforminformation", "tag"):
        count, distinct = {"tag": (2, 2)}.get(table, (1, 1))
        assert connection.execute(f"SELECT count(*) FROM django_store_{table}").fetchone() == (count,)
        assert count == distinct
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchone() is None


@pytest.mark.slow
def test_a_store_outlives_processes_killed_while_they_write(
    open_store: Callable[..., SQLiteRecordStore], store_path: Path
) -> None:
    for attempt in range(8):
        worker = subprocess.Popen([sys.executable, "-c", WORK, str(store_path), f"k{attempt}", "100000"])
        while not open_store().count(Selection().with_label(f"k{attempt}-2")):
            pass
        worker.kill()
        worker.wait()
    store = open_store()
    assert all(run.is_abandoned for run in store.open_runs())
    for run in store.open_runs():
        store.mark_killed(run.label)
    statuses = {record.status for record in store.records()}
    assert statuses <= {"finished", "killed"}
    assert sqlite3.connect(store_path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_another_process_uses_the_same_store(
    store: SQLiteRecordStore, store_path: Path, make_record: MakeRecord
) -> None:
    store.open_record(make_record(1))
    subprocess.run([sys.executable, "-c", WORK, str(store_path), "other", "1"], check=True)
    assert sorted(store.labels()) == sorted([make_record(1).label, "other-0"])
