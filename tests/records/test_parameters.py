from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smttask.errors import InputError
from smttask.records.parameters import (
    find_parameter,
    has_parameter,
    is_equal,
    is_ordered,
    path_steps,
    read_json,
)
from smttask.typing.jsonform import to_json

TREE = {
    "tasks": {
        "aa": {
            "inputs": {
                "x": {"$tuple": [1, {"$dict": [[3, "three"], ["k", "v"]]}]},
                "model": {"$dataclass": "m:Model", "fields": {"sigma": 0.5}},
                "pair": {"$namedtuple": "m:Pair", "items": [7, 8]},
                "here": {"$task": "bb"},
                "there": {"$task": "cc", "label": "run cc"},
                "lost": {"$task": "dd", "label": "run dd"},
            }
        },
        "bb": {"inputs": {"n": 1}},
    }
}
OTHER = {"tasks": {"cc": {"inputs": {"n": 2, "deeper": {"$task": "cc", "label": "run cc"}}}}}


def upstream(label: str) -> tuple[Any, str] | None:
    return (OTHER, "cc") if label == "run cc" else None


@pytest.mark.parametrize(
    ("path", "found", "form"),
    [
        ("x[0]", True, 1),
        ("x[1].k", True, "v"),
        ("x[2]", False, None),
        ("model.sigma", True, 0.5),
        ("model.nothing", False, None),
        ("pair[1]", True, 8),
        ("here.n", True, 1),
        ("there.n", True, 2),
        ("there.deeper.deeper.n", True, 2),
        ("lost.n", False, None),
        ("lost", True, {"$task": "dd", "label": "run dd"}),
        ("nothing", False, None),
    ],
)
def test_a_parameter_is_found_through_containers_and_tasks(path: str, found: bool, form: Any) -> None:
    """A path leads through tuples, dicts, dataclasses, described tasks and those of other records."""
    answer = find_parameter(TREE, "aa", path_steps(path), upstream)
    assert answer[0] is found
    assert not found or answer[1] == form


@pytest.mark.parametrize(
    "content", ["", "no JSON", "[]", "1", '{"tasks": 3}', '{"tasks": {"aa": []}}', "[" * 99_999]
)
def test_parameters_of_another_form_hold_nothing(content: str) -> None:
    """Whatever another program stored is no error, and nothing is found in it."""
    assert has_parameter(content, "aa", '[["x"], 1, "=="]', upstream) is False
    assert find_parameter(read_json(content), "aa", ["x"], upstream)[0] is False


@pytest.mark.parametrize(
    ("found", "wanted", "answer"),
    [
        (1, 1.0, True),
        (1, True, False),
        (True, True, True),
        (0, False, False),
        (None, None, True),
        ("1", 1, False),
        ([1, [2]], [1.0, [2]], True),
        ([1], [1, 1], False),
        ({"$array": [1, 2], "dtype": "<i8"}, [1, 2], True),
        ({"$enum": "m:Mode", "name": "FAST"}, "FAST", True),
        ({"$task": "aa", "label": "run"}, {"$task": "aa"}, True),
        ({"$task": "aa"}, {"$task": "bb"}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": {"$float": "nan"}}, {"a": {"$float": "nan"}}, True),
        ({"a": 1}, 1, False),
    ],
)
def test_what_is_looked_for_may_leave_out_what_it_cannot_know(found: Any, wanted: Any, answer: bool) -> None:
    """Numbers are equal by value and no bool, lists find arrays, names enums, tasks all their runs."""
    assert is_equal(found, wanted) is answer


@pytest.mark.parametrize("path", ["", ".", "a.", "a[", "a]b", "a[1"])
def test_a_malformed_path_is_refused(path: str) -> None:
    """A path with an empty name or a broken bracket is an error that shows a good one."""
    with pytest.raises(InputError, match="names no place in the parameters"):
        path_steps(path)


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
    )
)
def test_every_value_is_found_where_it_stands(value: Any) -> None:
    """Whatever JSON an input is, looking for the same finds it."""
    content = json.dumps({"tasks": {"aa": {"inputs": {"x": value}}}})
    assert has_parameter(content, "aa", json.dumps([["x"], value, "=="]), upstream)


@pytest.mark.parametrize(
    ("found", "how", "wanted", "expected"),
    [
        (date(2026, 11, 22), ">", date(2026, 11, 21), True),
        (datetime(2026, 11, 22, tzinfo=UTC), "<=", datetime(2026, 11, 22, tzinfo=UTC), True),
        (datetime(2026, 11, 22), "<=", datetime(2026, 11, 22, tzinfo=UTC), False),
        (np.float32(2), ">=", 2, True),
        (10**30, ">", 1, True),
        ("b", ">", "a", True),
        ("1", ">", 0, False),
        (True, ">", 0, False),
        (float("nan"), "<=", float("nan"), False),
        ([2], ">", 1, False),
        (np.arange(3), ">", 1, False),
        (None, "<", 1, False),
    ],
    ids=str,
)
def test_values_are_ordered_where_they_have_an_order(
    found: Any, how: str, wanted: Any, expected: bool
) -> None:
    """Numbers, dates and texts compare among their kind; everything else has no order."""
    assert is_ordered(to_json(found), how, to_json(wanted)) is expected


def test_json_that_is_no_value_has_no_order() -> None:
    """What only looks like a value of a class is left out, and is no error."""
    assert is_ordered({"$dataclass": "gone:Model", "fields": {}}, ">", 1) is False
    assert is_ordered({"$float": "1e5"}, ">", 1) is False
