from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smttask.errors import InputError, RecordNotFoundError, RecordStoreError
from smttask.records.query import Selection
from smttask.records.record import DataKey, Dependency, Record, RepositoryAddress
from smttask.records.sqlite import SQLiteRecordStore

MakeRecord = Callable[..., Record]


def test_a_record_comes_back_as_it_was_opened(store: SQLiteRecordStore, make_record: MakeRecord) -> None:
    record = make_record(
        1,
        diff="--- a\n+++ b\n",
        tags=frozenset({"paper", "first look"}),
        repository=RepositoryAddress("/p/ü 1", "https://example.org/p.git"),
        working_directory='/p/it\'s "ü"',
        input_data=(DataKey("data/x.csv", datetime(2026, 1, 1, tzinfo=UTC), {"blake3": "ab", "size": 3}),),
    )
    store.open_record(record)
    found = store.get(record.label)
    assert found.status == "running"
    assert found.input_data[0].metadata["blake3"] == "ab"
    for name in Record.__dataclass_fields__.keys() - {"input_data"}:
        assert getattr(found, name) == getattr(record, name), name


def test_a_closed_record_says_what_the_run_brought(
    store: SQLiteRecordStore, make_record: MakeRecord, make_key: Callable[..., DataKey]
) -> None:
    record = make_record(1, dependencies=(Dependency("numpy", "/n", "2.0"),))
    store.open_record(record)
    more = (*record.dependencies, Dependency("scipy", "/s", "1.0"))
    store.close_record(
        record.label,
        status="finished",
        outcome="fits",
        output_data=[make_key("Analyze/1.json")],
        dependencies=more,
        stdout_stderr="ü\0\n",
        ended=record.timestamp + timedelta(seconds=2.5),
    )
    found = store.get(record.label)
    assert (found.status, found.outcome, found.duration_s) == ("finished", "fits", 2.5)
    assert found.dependencies == more
    assert [key.path for key in found.output_data] == ["Analyze/1.json"]
    assert found.stdout_stderr == "ü\ufffd\n"


def test_a_label_is_given_once(store: SQLiteRecordStore, make_record: MakeRecord) -> None:
    store.open_record(make_record(1))
    with pytest.raises(RecordStoreError, match="already"):
        store.open_record(make_record(1))
    assert store.count() == 1


def test_two_projects_in_one_store_do_not_meet(
    open_store: Callable[..., SQLiteRecordStore], make_record: MakeRecord
) -> None:
    mine, yours = open_store(), open_store(name="yours")
    mine.open_record(make_record(1))
    yours.open_record(make_record(1, reason="yours"))
    assert mine.count() == yours.count() == 1
    assert yours.get(make_record(1).label).reason == "yours"


def test_a_record_that_is_not_there_is_said_to_be_missing(store: SQLiteRecordStore) -> None:
    for ask in (store.get, lambda label: store.close_record(label, status="finished")):
        with pytest.raises(RecordNotFoundError, match="no record 'nowhere'") as caught:
            ask("nowhere")
        assert "smt list" in str(caught.value)
    assert not store.has("nowhere")
    assert store.mark_killed("nowhere") is False


def test_a_label_too_long_is_refused_before_anything_is_written(
    store: SQLiteRecordStore, make_record: MakeRecord
) -> None:
    with pytest.raises(RecordStoreError, match="No record can hold the label"):
        store.open_record(make_record(label="x" * 101))
    assert store.count() == 0


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


@pytest.mark.parametrize("tag", ["", "a,b", 'say "x"', "_done_", "x" * 51, " x", "a\0"])
def test_a_tag_that_sumatra_would_change_is_refused(
    store: SQLiteRecordStore, make_record: MakeRecord, tag: str
) -> None:
    with pytest.raises(InputError, match="cannot have the tag"):
        store.open_record(make_record(tags=frozenset({tag})))
    assert store.count() == 0


def test_an_unknown_status_is_refused(store: SQLiteRecordStore, make_record: MakeRecord) -> None:
    store.open_record(make_record(1))
    with pytest.raises(InputError, match="no status 'done'"):
        store.close_record(make_record(1).label, status="done")


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


def test_a_run_that_was_taken_for_dead_is_closed_all_the_same(
    store: SQLiteRecordStore, make_record: MakeRecord
) -> None:
    store.open_record(make_record(1))
    store.mark_killed(make_record(1).label)
    store.close_record(make_record(1).label, status="finished")
    assert store.get(make_record(1).label).status == "finished"


def test_threads_share_a_store(store: SQLiteRecordStore, make_record: MakeRecord) -> None:
    def work(first: int) -> None:
        for number in range(first, first + 20):
            store.open_record(make_record(number))
            store.close_record(make_record(number).label, status="finished")

    threads = [threading.Thread(target=work, args=(100 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count(Selection().with_tags("_finished_")) == 80


WORK = """
import sys
from datetime import UTC, datetime
from smttask.records import provenance
from smttask.records.record import Record, RepositoryAddress
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


def test_records_are_listed_newest_first_and_read_in_order(
    store: SQLiteRecordStore, make_record: MakeRecord
) -> None:
    for number in (2, 0, 1):
        store.open_record(make_record(number))
    labels = [make_record(number).label for number in (2, 1, 0)]
    assert store.labels() == labels
    assert [record.label for record in store.records()] == labels
    assert store.labels(Selection().oldest_first()) == labels[::-1]


def test_columns_give_one_tuple_for_each_record(store: SQLiteRecordStore, make_record: MakeRecord) -> None:
    for number in range(2):
        store.open_record(make_record(number))
    rows = store.columns(Selection(), ["task", "timestamp", "tags"])
    assert rows[0] == ("Analyze", "2026-11-22 10:15:01.123456", "_running_")
    with pytest.raises(RecordStoreError, match="no column 'colour'"):
        store.columns(Selection(), ["label", "colour"])


def test_the_last_runs_of_a_task_come_latest_first(store: SQLiteRecordStore, make_record: MakeRecord) -> None:
    """Whatever became of them; those of other tasks are not looked at."""
    first, second, other = make_record(1), make_record(2), make_record(3, task="Other", digest="77")
    for record in (first, second, other):
        store.open_record(record)
    store.close_record(first.label, status="crashed", outcome="ValueError: no")
    runs = store.latest_runs(first.module, first.task, 9)
    assert [(run.label, run.status) for run in runs] == [(second.label, "running"), (first.label, "crashed")]
    assert (runs[1].outcome, runs[1].manifest) == ("ValueError: no", first.manifest)
    assert store.latest_runs(first.module, first.task, 1) == runs[:1]
    latest = store.find_latest_run("77")
    assert latest is not None
    assert latest.label == other.label
    assert store.find_latest_run("none") is None
