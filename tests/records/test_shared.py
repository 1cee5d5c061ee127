"""Records on a server that many share."""

from __future__ import annotations

from collections.abc import Callable

from smttask.records.record import Record
from smttask.records.shared import PostgresRecordStore

MakeRecord = Callable[..., Record]


def test_after_many_records_the_server_looks_at_what_it_holds(
    open_postgres: Callable[..., PostgresRecordStore], make_record: MakeRecord
) -> None:
    """So that what is asked right after a merge is planned well; a few records are not worth it."""
    store = open_postgres()
    store.open_record(make_record(1))
    counted = "SELECT reltuples FROM pg_class WHERE relname = 'smttask_run'"
    store.survey(10)
    assert store._database.query(counted) == [(-1.0,)]
    store.survey(100_000)
    assert store._database.query(counted) == [(1.0,)]
