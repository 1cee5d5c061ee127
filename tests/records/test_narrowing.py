from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smttask.records.conditions import ParameterTest
from smttask.records.deletion import delete_records
from smttask.records.narrowing import find_candidates, narrowed
from smttask.records.parameters import has_parameter, path_steps
from smttask.records.query import Selection
from smttask.records.sqlite import MemoryRecordStore, SQLiteRecordStore
from smttask.testing.contract import example_record

PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**53, 2**53 + 1, -(2**70), 10**400, 0.5, -0.0, 1e308, 5e-324]),
    st.sampled_from(["", "a", "b", "ab", "é", "m:C", "aa", "a" * 64, "a" * 65, "two\nlines", "\x00"]),
)
NAMES = st.sampled_from(["x", "y", "$k", "ü."])
FORMS = st.recursive(
    st.one_of(
        PLAIN,
        st.sampled_from(
            [
                {"$float": "nan"},
                {"$float": "inf"},
                {"$int": "0xff"},
                {"$enum": "m:E", "name": "a", "value": 1},
                {"$task": "up"},
                {"$task": "gone", "label": "run gone"},
                {"$path": "a"},
            ]
        ),
    ),
    lambda forms: st.one_of(
        st.lists(forms, max_size=2),
        st.lists(forms, max_size=2).map(lambda items: {"$tuple": items}),
        st.dictionaries(NAMES, forms, max_size=2),
        st.dictionaries(NAMES, forms, max_size=2).map(lambda parts: {"$dataclass": "m:C", "fields": parts}),
        st.tuples(NAMES, forms).map(lambda pair: {"$dict": [list(pair)]}),
    ),
    max_leaves=4,
)
INPUTS = st.dictionaries(NAMES, FORMS, max_size=3)
STEPS = st.lists(st.one_of(NAMES, st.integers(0, 1)), min_size=1, max_size=2).map(tuple)
TESTS = st.builds(ParameterTest, STEPS, PLAIN, st.sampled_from(["==", ">=", "<=", ">", "<"]))


def parameters(inputs: Mapping[str, Any], upstream: Mapping[str, Any]) -> str:
    return json.dumps({"tasks": {"up": {"inputs": upstream}, "own": {"inputs": inputs}}})


@given(st.lists(st.tuples(INPUTS, INPUTS), min_size=1, max_size=4), st.lists(TESTS, min_size=1, max_size=2))
@settings(max_examples=150, deadline=None)
def test_the_index_hides_no_record_that_meets_the_tests(
    described: list[tuple[dict[str, Any], dict[str, Any]]], tests: list[ParameterTest]
) -> None:
    """Whatever inputs are, what is found without the index is found with it."""
    store = MemoryRecordStore("test")
    contents = [parameters(*inputs) for inputs in described]
    for number, content in enumerate(contents):
        store.open_record(example_record(number, digest="own", parameters=content))
    found = find_candidates(tests, store._database.query)
    meeting = {
        key
        for key, content in enumerate(contents, 1)
        if all(has_parameter(content, "own", test.question, lambda label: None) for test in tests)
    }
    assert found is None or meeting <= found


@pytest.fixture
def filled() -> MemoryRecordStore:
    """Ten records of one task, two of another; `x` counts them."""
    store = MemoryRecordStore("test")
    for number in range(12):
        inputs = {
            "x": number,
            "name": f"run {number}",
            "model": {"$dataclass": "m:Model", "fields": {"sigma": number / 10}},
            "series": {"$tuple": [number]},
            "spectrum": {"$task": "up"},
        }
        task = "Analyze" if number < 10 else "Fit"
        content = parameters(inputs, {"degree": number % 3})
        store.open_record(example_record(number, task=task, digest="own", parameters=content))
    return store


@pytest.mark.parametrize(
    ("path", "operator", "wanted", "keys"),
    [
        ("x", "==", 3, {4}),
        ("x", "==", 3.0, {4}),
        ("x", ">", 9, {10, 11, 12}),  # not strict, as rounded integers may be equal
        ("x", "<=", 1.5, {1, 2}),
        ("x", "==", "3", set()),
        ("name", "==", "run 3", {4}),
        ("name", ">=", "run 9", {10}),
        ("model.sigma", ">=", 1.1, {12}),
        ("model.width", "==", 1, set()),
        ("spectrum.degree", "==", 2, {3, 6, 9, 12}),
        ("nothing", "==", 2, set()),
    ],
)
def test_few_records_are_looked_at_for_a_test(
    filled: MemoryRecordStore, path: str, operator: str, wanted: Any, keys: set[int]
) -> None:
    """Values of fields and of the inputs of upstream tasks tell as well which records to look at."""
    test = ParameterTest(tuple(path_steps(path)), wanted, operator)
    assert find_candidates([test], filled._database.query) == keys


def test_tests_of_several_inputs_leave_what_may_meet_all_of_them(filled: MemoryRecordStore) -> None:
    """A range, and another input, together leave fewer than each."""
    selection = Selection().with_parameters({"x": 3}, ">=").with_parameters({"x": 8}, "<")
    selection = selection.with_parameters({"spectrum.degree": 0})
    assert find_candidates(selection.tests, filled._database.query) == {4, 7}
    assert [number for (number,) in filled.columns(selection, ["id"])] == [7, 4]
    assert filled.count(selection.sliced(1, None)) == 1


def test_lists_are_looked_into_record_by_record(filled: MemoryRecordStore) -> None:
    """What is not indexed is found all the same."""
    assert filled.count(Selection().with_parameters({"series[0]": 5})) == 1
    assert find_candidates(
        Selection().with_parameters({"series[0]": 5}).tests, filled._database.query
    ) == set(range(1, 13))


def test_a_slice_is_counted_off_before_later_tests(filled: MemoryRecordStore) -> None:
    """Narrowing changes no slice: the newest five are the newest five of all."""
    newest = Selection().with_parameters({"x": 4}, "<").sliced(0, 2)
    assert filled.count(newest.with_parameters({"x": 2})) == 1
    assert filled.count(newest.with_parameters({"x": 1})) == 0
    either = newest.joined(Selection().with_parameters({"x": 0}))
    assert [number for (number,) in filled.columns(either, ["id"])] == [4, 3, 1]


def test_records_older_than_the_index_are_found(tmp_path: Path) -> None:
    """In a store that was made before there was an index, older records are looked at one by one."""

    def opened() -> SQLiteRecordStore:
        return SQLiteRecordStore(tmp_path / "records", "test", input_root="/", output_root="/")

    older = opened()
    for number in range(3):
        older.open_record(example_record(number))
    older.close()
    connection = sqlite3.connect(tmp_path / "records")
    connection.executescript("DROP TABLE smttask_parameter; DROP TABLE smttask_place")
    connection.close()
    store = opened()
    for number in range(3, 6):
        store.open_record(example_record(number))
    selection = Selection().with_parameters({"x": 4})
    assert find_candidates(selection.tests, store._database.query) == {1, 2, 3, 5}
    assert store.count(selection) == store.count(Selection().with_parameters({"x": 1})) == 1
    store.close()


@pytest.mark.parametrize("damage", ["smttask_place SET id = NULL", "smttask_parameter SET record_id = NULL"])
def test_what_a_damaged_index_does_not_tell_is_found_all_the_same(tmp_path: Path, damage: str) -> None:
    """A key that is not there may be that of any record: all are looked at."""

    def opened() -> SQLiteRecordStore:
        return SQLiteRecordStore(tmp_path / "records", "test", input_root="/", output_root="/")

    store = opened()
    for number in range(12):
        store.open_record(example_record(number, inputs={"x": number, "y": number}))
    store.close()
    connection = sqlite3.connect(tmp_path / "records")
    for table in ("smttask_place", "smttask_parameter"):  # without what would refuse the damage
        connection.execute(f"CREATE TABLE copy AS SELECT * FROM {table}")
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"ALTER TABLE copy RENAME TO {table}")
    connection.execute(f"UPDATE {damage} WHERE rowid IN (SELECT rowid FROM {damage.split()[0]} LIMIT 2)")
    connection.commit()
    connection.close()
    store = opened()
    for number in range(12):
        labels = store.labels(Selection().with_parameters({"x": number, "y": number}))
        assert labels == [example_record(number).label]
    store.close()


def test_most_records_are_found_in_their_order_without_the_index(filled: MemoryRecordStore) -> None:
    """Where nearly all meet the test, the newest is found at once."""
    selection = Selection().with_parameters({"x": 2}, ">=")
    assert narrowed(selection, filled._database.query) is selection
    assert filled.count(selection) == 10


def test_deleted_records_leave_nothing_in_the_index(filled: MemoryRecordStore) -> None:
    """The index holds rows of the records that are left, and no more."""
    delete_records(filled, filled.labels(Selection().with_parameters({"x": 3}, ">")))
    rows = filled._database.query("SELECT DISTINCT record_id FROM smttask_parameter ORDER BY record_id")
    assert [key for (key,) in rows] == [1, 2, 3, 4]


def test_inputs_beyond_number_are_not_indexed_and_found() -> None:
    """A task with hundreds of inputs costs the index one row a record."""
    store = MemoryRecordStore("test")
    inputs = {f"x{number}": number for number in range(500)}
    for number in range(4):
        store.open_record(example_record(number, inputs={**inputs, "x7": number}))
    assert store._database.query("SELECT count(*) FROM smttask_parameter") == [(4,)]
    assert store.count(Selection().with_parameters({"x7": 3})) == 1
