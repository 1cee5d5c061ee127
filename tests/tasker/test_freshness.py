"""Whether what a task stored is still what it would make."""

from dataclasses import replace

import pytest

from smttask.tasker.freshness import Seen, refreshed, staleness
from smttask.tasker.state import ConfRead, FileState, State

OUT, RAW, TXT = FileState(3, 10, 1, "aa"), FileState(4, 5, 2, "bb"), FileState(5, 6, 3, "cc")
CODE = {"summary": {"lab:summary": "1", "lab:mean": "2"}, "silent": {"lab:silent": "3"}}
CONF = {"fps": ConfRead("50", "50"), "gain": ConfRead("", "absent")}
STATE = State(
    outputs={"a.json": OUT},
    inputs={"x.txt": TXT, "later.txt": None},
    upstream={"raw": {"raw.npy": "bb"}},
    conf=CONF,
    code=CODE,
)
SEEN = Seen(STATE.outputs, STATE.inputs, STATE.upstream, STATE.conf, STATE.code)


def why(state=STATE, *, on_code_change="warn", **changes):
    return list(staleness(state, replace(SEEN, **changes), on_code_change=on_code_change).reasons)


def test_nothing_changed_is_fresh():
    """Files, upstream outputs, conf and code as they were: nothing is done, whatever the policy."""
    for policy in ("warn", "recompute", "ignore", "error"):
        found = staleness(STATE, SEEN, on_code_change=policy)
        assert not found
        assert (found.why, found.code_changes) == ("", ())


def test_a_touched_but_unchanged_file_redoes_nothing():
    """Other size on disk, time or inode: the content alone decides."""
    assert why(inputs={"x.txt": TXT._replace(mtime_ns=99, inode=98), "later.txt": None}) == []
    assert why(outputs={"a.json": OUT._replace(mtime_ns=99)}) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"outputs": {"a.json": None}}, ["'a.json' is missing"]),
        ({"outputs": {"a.json": OUT._replace(blake3="zz")}}, ["'a.json' is not as the task stored it"]),
        (
            {"outputs": {"a.json": OUT, "b.txt": TXT}},
            ["'b.txt' was not among its outputs when it last ran"],
        ),
        ({"inputs": {"x.txt": TXT._replace(blake3="zz"), "later.txt": None}}, ["'x.txt' changed"]),
        ({"inputs": {"x.txt": TXT, "later.txt": RAW}}, ["'later.txt' was not there when it last ran"]),
        ({"inputs": {**STATE.inputs, "new.txt": RAW}}, ["'new.txt' is a new input"]),
        ({"inputs": {"x.txt": TXT}}, ["'later.txt' is no input any more"]),
        ({"upstream": {"raw": {"raw.npy": "zz"}}}, ["'raw.npy' of task 'raw' changed"]),
        ({"upstream": {"raw": {"raw.npy": ""}}}, ["'raw.npy' of task 'raw' is missing"]),
        (
            {"upstream": {"raw": {"new.npy": "bb"}}},
            ["'new.npy' of task 'raw' is a new input", "'raw.npy' of task 'raw' is no input any more"],
        ),
        ({"upstream": {**STATE.upstream, "fit": {}}}, ["task 'fit' is a new input"]),
        ({"upstream": {}}, ["task 'raw' is no input any more"]),
        ({"conf": {**CONF, "fps": ConfRead("60", "60")}}, ["conf.fps changed from 50 to 60"]),
        ({"conf": {"gain": CONF["gain"]}}, ["conf.fps is gone; it was 50"]),
        ({"conf": {**CONF, "gain": ConfRead("2", "2")}}, ["conf.gain is new: 2"]),
    ],
)
def test_each_change_is_a_reason(changes, expected):
    """A task is stale for what changed, and says what that is."""
    assert why(**changes) == expected


def test_a_missing_input_file_triggers_nothing():
    """An input file that no task makes may be deleted: what was made of it stays."""
    assert why(inputs={"x.txt": None, "later.txt": None}) == []
    assert why(inputs={**STATE.inputs, "never.txt": None}) == []


def test_what_was_not_read_of_conf_does_not_count():
    """Other settings may change."""
    assert why(conf={**CONF, "colour": ConfRead("1", "'red'")}) == []


@pytest.mark.parametrize(
    ("policy", "reasons", "changes"),
    [
        ("recompute", ["code: lab:mean changed", "code: task 'silent': lab:silent changed"], 2),
        ("warn", [], 2),
        ("error", [], 2),
        ("ignore", [], 0),
    ],
)
def test_the_policy_decides_about_code(policy, reasons, changes):
    """Changed code, of tasks without outputs too, is a reason, or told, or neither."""
    code = {"summary": {"lab:summary": "1", "lab:mean": "9"}, "silent": {"lab:silent": "9"}}
    assert why(code=code, on_code_change=policy) == reasons
    found = staleness(STATE, replace(SEEN, code=code), on_code_change=policy)
    assert len(found.code_changes) == changes


def test_code_of_tasks_that_came_or_went_is_told():
    """A task without outputs that is no longer used, or is new, is a change of code."""
    found = staleness(STATE, replace(SEEN, code={"summary": CODE["summary"]}), on_code_change="recompute")
    assert found.why == "code: task 'silent': lab:silent removed"
    without = replace(STATE, code={"summary": CODE["summary"]})
    assert why(without, on_code_change="recompute") == ["code: task 'silent': lab:silent added"]


def test_a_run_that_did_not_finish_is_stale():
    """Half-written files are never taken for whole, however new they are."""
    assert why(State(is_finished=False)) == ["its last run did not finish"]
    assert why(State(damaged="x.json: cut")) == ["its state file is damaged: x.json: cut"]


def test_outputs_that_no_state_file_knows_count_by_time():
    """As for make: there, and none older than an input file or what a task before it stored."""
    old, new = OUT, OUT._replace(mtime_ns=20)
    assert why(None, outputs={"a.json": new, "b.txt": None}) == ["'b.txt' is missing"]
    assert why(None, outputs={"a.json": old}, inputs={"x.txt": TXT, "later.txt": None}) == []
    assert why(None, outputs={"a.json": old}, inputs={"x.txt": OUT}) == []
    older = ["'a.json' is older than 'x.txt'"]
    assert why(None, outputs={"a.json": old, "b.txt": new}, inputs={"x.txt": new, "y": TXT}) == older
    assert why(None, outputs={"a.json": old}, upstream_times={"raw.npy": 11}) == [
        "'a.json' is older than 'raw.npy'"
    ]
    assert why(None, outputs={"a.json": old}, inputs={}) == []
    owned = {"outputs": {"a.json": new}, "inputs": {"x.txt": TXT}, "stored_by": {"a.json": "summary"}}
    assert why(None, **owned) == ["'a.json' was stored by task 'summary'"]


def test_all_reasons_are_told_and_the_most_telling_first():
    """A deleted output comes before all else, then inputs, tasks, conf, edited outputs and code."""
    found = why(
        outputs={"a.json": None},
        inputs={"x.txt": RAW, "later.txt": None},
        upstream={"raw": {"raw.npy": "zz"}},
        conf={**CONF, "fps": ConfRead("60", "60")},
        code={"summary": {"lab:summary": "9"}},
        on_code_change="recompute",
    )
    assert found[:4] == [
        "'a.json' is missing",
        "'x.txt' changed",
        "'raw.npy' of task 'raw' changed",
        "conf.fps changed from 50 to 60",
    ]
    assert found[4:] == [
        "code: lab:summary changed",
        "code: lab:mean removed",
        "code: task 'silent': lab:silent removed",
    ]


def test_a_state_is_refreshed_where_files_only_moved():
    """Times and inodes of unchanged files are taken over, so that they are hashed once."""
    assert refreshed(STATE, SEEN) is None
    touched = TXT._replace(mtime_ns=99)
    seen = replace(SEEN, inputs={"x.txt": touched, "later.txt": RAW})
    new = refreshed(STATE, seen)
    assert new == replace(STATE, inputs={"x.txt": touched, "later.txt": None})
    assert refreshed(new, seen) is None
    assert refreshed(STATE, replace(SEEN, outputs={"a.json": TXT}, inputs={"x.txt": None})) is None
