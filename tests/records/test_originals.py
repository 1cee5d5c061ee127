"""The records of a store as those see them who copy them: whose they are, and which run each is of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from smttask.records.editing import TagEdit, TextEdit
from smttask.records.originals import (
    BATCH,
    fingerprints,
    iter_parameters,
    labels_of,
    names_of_projects,
    open_labels,
)
from smttask.records.query import Selection
from smttask.records.record import Record
from smttask.records.sqlite import SQLiteRecordStore
from smttask.records.stores import SQLRecordStore

MakeRecord = Callable[..., Record]


def test_a_run_is_known_by_its_facts_and_not_by_what_users_edit(
    store: SQLiteRecordStore, other: SQLiteRecordStore, make_record: MakeRecord, tmp_path: Path
) -> None:
    """Two runs of one label are told apart, one with other tags and another reason is not."""
    for each in (store, other):
        each.open_record(make_record(1, status="finished"))
    other.edit(Selection(), TagEdit(added=["mine"]), noted_in=tmp_path / "edits")
    other.edit(Selection(), TextEdit("reason", lambda text: "another"), noted_in=tmp_path / "edits")
    store.open_record(make_record(2, label="same"))
    other.open_record(make_record(3, label="same"))
    marks = [
        {label: fingerprints(each, [key])[key] for label, key in labels_of(each, "scratch").items()}
        for each in (store, other)
    ]
    equal = {label for label in marks[0] if marks[0][label] == marks[1][label]}
    assert equal == {make_record(1).label}


def test_runs_that_may_go_on_are_told_from_those_of_the_dead(
    other: SQLiteRecordStore, make_record: MakeRecord
) -> None:
    """And whose they are: only of the project that is asked for."""
    other.open_record(make_record(1, status="running"))
    other.open_record(make_record(2, status="finished"))
    assert open_labels(other, "scratch") == {make_record(1).label}
    assert open_labels(other, "another") == set()
    assert names_of_projects(other) == ["scratch"]


def test_the_parameters_of_all_projects_are_read_a_few_at_a_time(
    open_store: Callable[..., SQLiteRecordStore], make_record: MakeRecord
) -> None:
    """Whoever asks what all records name misses none, however many there are."""
    mine, theirs = open_store(), open_store(name="theirs")
    for number in range(BATCH + 1):
        mine.open_record(make_record(number))
    theirs.open_record(make_record(BATCH + 1))
    assert list(iter_parameters(mine)) == [make_record(number).parameters for number in range(BATCH + 2)]


def test_the_parameters_in_a_postgresql_database_are_read_too(
    open_postgres: Callable[..., SQLRecordStore], make_record: MakeRecord
) -> None:
    """As those of a file."""
    store = open_postgres()
    store.open_record(make_record(1))
    assert list(iter_parameters(store)) == [make_record(1).parameters]
