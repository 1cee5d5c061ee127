from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from smttask.errors import InputError


def test_a_whole_selection_is_tagged_at_once(lab: SimpleNamespace) -> None:
    """Tags go to every record of the view and come off again; the status stays."""
    view = lab.view.filter.task("Square").filter(lambda record: record.get_param("x") > 1)
    assert view.add_tag("large", "a b") == 2
    assert len(lab.view.filter.tags("large", "finished")) == 2
    assert {record.tags for record in view} == {frozenset({"large", "a b"})}
    assert lab.view.filter.tags("a b").remove_tag("a b", "never") == 2
    assert {record.tags for record in view} == {frozenset({"large"})}
    with pytest.raises(InputError, match="cannot have the tag 3"):
        view.add_tag(3)


def test_a_slice_is_edited_alone(lab: SimpleNamespace) -> None:
    """Only the records of the slice get the tag."""
    assert lab.view[:2].add_tag("newest") == 2
    assert lab.view.filter.tags("newest").labels() == lab.view.labels()[:2]


def test_a_tag_that_looks_like_a_status_is_refused(lab: SimpleNamespace) -> None:
    """``tags("finished")`` finds records of that status, so there is no such tag; an old one is removed."""
    with pytest.raises(InputError, match="name of a status"):
        lab.view.add_tag("finished")
    assert lab.view.remove_tag("finished") == 0


def test_comments_go_below_the_outcome(lab: SimpleNamespace) -> None:
    """A comment is a new line of the outcome, or takes its place."""
    crashed = lab.view.filter.tags("crashed")
    assert crashed.add_comment("of course") == 1
    assert crashed[0].outcome == "ValueError: negative <x>\nof course"
    crashed.add_comment("as it should", replace=True)
    assert crashed[0].outcome == "as it should"
    with pytest.raises(InputError, match="cannot have the text None"):
        crashed.add_comment(None)


@pytest.mark.parametrize(
    ("reason", "options", "expected"),
    [
        ("why", {}, "why\nold one"),
        ("why", {"mode": "append"}, "old one\nwhy"),
        ("why", {"mode": "replace"}, "why"),
        ("new", {"mode": "substring", "old": "old"}, "new one"),
        (str.title, {}, "Old One"),
    ],
)
def test_reasons_are_changed_in_many_ways(
    lab: SimpleNamespace, reason: Any, options: dict[str, str], expected: str
) -> None:
    """A reason is put before, after or in place of the old one, or of a part, or made by a function."""
    one = lab.view.filter.params(eq={"x": 2})
    one.update_reason("old one", mode="replace")
    assert one.update_reason(reason, **options) == 1
    assert one[0].reason == expected


@pytest.mark.parametrize(
    "options", [{"mode": "substring"}, {"old": "x"}, {"mode": "better"}, {"mode": "replace", "old": "x"}]
)
def test_a_mode_that_does_not_fit_is_refused(lab: SimpleNamespace, options: dict[str, str]) -> None:
    """A mode that does not exist, or does not go with what is given, changes nothing."""
    reasons = [record.reason for record in lab.view]
    with pytest.raises(InputError, match="Reasons cannot be changed with the mode"):
        lab.view.update_reason("why", **options)
    assert [record.reason for record in lab.view] == reasons


def test_edits_are_noted_beside_the_records(lab: SimpleNamespace) -> None:
    """Each edit is a line of `.smt/edits.jsonl`, with the labels and the new texts."""
    view = lab.view.filter.params(eq={"x": 3})
    view.update_reason("noted", mode="replace")
    line = (lab.scratch.root / ".smt/edits.jsonl").read_text().splitlines()[-1]
    assert json.loads(line)["texts"] == {view[0].label: "noted"}
