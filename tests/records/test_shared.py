"""Records on a server that many share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from smttask.records.conditions import ParameterTest
from smttask.records.dialect import storable, translated
from smttask.records.narrowing import find_candidates
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


def test_inputs_are_found_by_their_values_on_a_server_that_knows_nothing_of_them(
    open_postgres: Callable[..., PostgresRecordStore], url: str
) -> None:
    """Right after many records came, a range of one input is looked up, the inputs of all are not read."""
    open_postgres().count()
    plans = []
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute("INSERT INTO smttask_place VALUES (1, 'tasks', 'Analyze', '[\"x\"]')")
        many = "generate_series(1, 10) AS place, generate_series(1, 5000) AS record"
        connection.execute(f"INSERT INTO smttask_parameter SELECT place, record, record, NULL FROM {many}")

        def explained(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
            known = translated(sql), storable(sql, values)
            plans.append(str(connection.execute(f"EXPLAIN {known[0]}", known[1]).fetchall()))
            return connection.execute(*known).fetchall()

        found = find_candidates([ParameterTest(("x",), 10, ">="), ParameterTest(("x",), 12, "<")], explained)
    assert found == {10, 11, 12}
    assert "smttask_parameter_value" in plans[-1]
    assert "number >=" in plans[-1].partition("Index Cond")[2]
    assert "Seq Scan" not in plans[-1]
