"""Deleting records leaves no row of theirs, and all that others share."""

import sqlite3
from datetime import UTC, datetime

import pytest

from smttask.records.deletion import delete_records
from smttask.records.record import DataKey, Dependency, Platform, Record
from smttask.records.sqlite import SQLiteRecordStore
from smttask.testing import scratch_project

LINKED = ("record_dependencies", "record_input_data", "record_platforms", "taggeditem")


@pytest.fixture
def store(tmp_path):
    with scratch_project(tmp_path) as scratch:
        yield scratch.project.records


def record(label: str) -> Record:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return Record(
        label=label,
        timestamp=now,
        task="Square",
        digest=label,
        tags=frozenset({"mine"}),
        platform=Platform("64bit", "ELF", "x86_64", "host", "", "6", "Linux", "1"),
        dependencies=(Dependency("numpy", "/numpy", "2"),),
        input_data=(DataKey("in.csv", now), DataKey("Square/a.json", now)),
        output_data=(DataKey(f"Square/{label}.json", now),),
        status="finished",
    )


def counts(store: SQLiteRecordStore) -> dict[str, int]:
    store.close()
    with sqlite3.connect(store.path) as connection:
        names = [f"django_store_{name}" for name in (*LINKED, "record", "parameterset", "datakey")]
        return {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in (*names, "smttask_run")
        }


def test_nothing_is_left_of_a_deleted_record(store):
    """All tables hold what they held before it came; a file that another record read stays named."""
    store.open_record(record("a"))
    before = counts(store)
    store.open_record(record("b"))
    kept = store.get("a")
    assert delete_records(store, ["b", "unknown"]) == 1
    assert counts(store) == before
    assert store.get("a") == kept


def test_a_file_that_others_read_stays_among_their_inputs(store):
    """Only that the deleted run wrote it is forgotten."""
    for label in ("a", "b"):
        store.open_record(record(label))
    delete_records(store, ["a"])
    assert [key.path for key in store.get("b").input_data] == ["Square/a.json", "in.csv"]


def test_a_label_can_be_used_again(store):
    """Deleting and adding go on in one process."""
    store.open_record(record("a"))
    delete_records(store, ["a"])
    store.open_record(record("a"))
    assert store.get("a").tags == {"mine"}
