"""Records of one store copied into another: all that is kept of them, and nothing twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from smttask.records.merging import RecordCopier
from smttask.records.originals import CopiedRun, labels_of
from smttask.records.query import Selection
from smttask.records.record import Record
from smttask.records.sqlite import SQLiteRecordStore
from smttask.records.stores import SQLRecordStore

MakeRecord = Callable[..., Record]


def copied(source: SQLRecordStore, target: SQLRecordStore, **options: Any) -> list[str]:
    runs = [CopiedRun(key, label, **options) for label, key in sorted(labels_of(source, "scratch").items())]
    return RecordCopier(source, target).copy(runs)


def n_rows(store: SQLiteRecordStore) -> dict[str, int]:
    store.close()
    with sqlite3.connect(store.path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [name for name in names if name.startswith(("django_store", "smttask"))]
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in kept}


def test_a_copied_record_is_the_same_record(
    store: SQLiteRecordStore, other: SQLiteRecordStore, make_record: MakeRecord, make_key: Callable[..., Any]
) -> None:
    """All that is kept of it, and its inputs are found by the index as where it came from."""
    keys = (make_key("in.csv"), make_key("Analyze/1.json"))
    record = make_record(1, status="finished", input_data=keys[:1], output_data=keys[1:], tags={"mine"})
    other.open_record(record)
    assert copied(other, store, has_result=True) == [record.label]
    assert store.get(record.label) == other.get(record.label)
    assert store.labels(Selection().with_parameters({"x": 1})) == [record.label]
    assert store.find_latest_run(record.digest) == other.find_latest_run(record.digest)


def test_copying_again_adds_nothing(
    store: SQLiteRecordStore, other: SQLiteRecordStore, make_record: MakeRecord
) -> None:
    """No record and no row that records share is doubled."""
    for number in range(3):
        other.open_record(make_record(number, status="finished"))
    store.open_record(make_record(0, status="finished"))
    assert len(copied(other, store)) == 2
    before = n_rows(store)
    assert copied(other, store) == []
    assert n_rows(store) == before
    assert before["django_store_platforminformation"] == before["django_store_executable"] == 1


def test_a_record_under_another_label_does_not_claim_the_result_of_that_label(
    store: SQLiteRecordStore, other: SQLiteRecordStore, make_record: MakeRecord
) -> None:
    """Its manifest is of the other project's run."""
    other.open_record(make_record(1, status="finished"))
    ((label, key),) = labels_of(other, "scratch").items()
    RecordCopier(other, store).copy([CopiedRun(key, f"{label}_2", is_renamed=True)])
    (run,) = store.latest_runs("tasks", "Analyze", 5)
    assert (run.label, run.manifest) == (f"{label}_2", "")
