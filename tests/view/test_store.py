from __future__ import annotations

import contextvars
import os
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from types import SimpleNamespace

import pytest

from smttask import RecordStoreView, RSView
from smttask.errors import ProjectError, RecordNotFoundError
from smttask.records.record import Record
from smttask.testing import scratch_project
from smttask.view.editing import EditableRecords


def test_a_view_counts_and_lists_all_runs_newest_first(lab: SimpleNamespace) -> None:
    """A view has a length and gives its records from the newest to the oldest."""
    labels = [record.label for record in lab.view]
    assert len(lab.view) == 6 + 1 == len(labels)
    assert labels == sorted(labels, reverse=True) == lab.view.labels()


def test_positions_count_from_the_newest_and_from_the_oldest(lab: SimpleNamespace) -> None:
    """Position 0 is the newest record, -1 the oldest, as latest, earliest, first and last say in words."""
    labels = lab.view.labels()
    assert [lab.view[0].label, lab.view[-1].label, lab.view[2].label] == [labels[0], labels[-1], labels[2]]
    assert lab.view.latest == lab.view.first == lab.view[0]
    assert lab.view.earliest == lab.view.last == lab.view[-1]


@pytest.mark.parametrize(
    "key",
    [
        slice(2),
        slice(1, 4),
        slice(-2, None),
        slice(None, None, 2),
        slice(None, None, -1),
        slice(5, 1, -2),
        slice(9, 20),
    ],
    ids=str,
)
def test_slices_are_those_of_a_list(lab: SimpleNamespace, key: slice) -> None:
    """Every slice of a view holds the records that the slice of a list would, with and without functions."""
    labels = lab.view.labels()
    assert lab.view[key].labels() == labels[key]
    assert lab.view.filter(lambda record: True)[key].labels() == labels[key]
    assert lab.view[key][:2].labels() == labels[key][:2]


def test_latest_is_the_newest_of_a_view_turned_around(lab: SimpleNamespace) -> None:
    """Turning a view around changes first and last, not latest and earliest."""
    turned = lab.view[::-1]
    assert turned.first == lab.view.last == turned.earliest
    assert turned.latest == lab.view.latest
    assert list(reversed(lab.view)) == list(turned)


def test_a_label_finds_its_record_and_may_be_cut_short(lab: SimpleNamespace) -> None:
    """A record is found by its whole label, or by a beginning that no other has."""
    label = lab.view.labels()[3]
    assert lab.view[label].label == lab.view[label[:-3]].label == label
    assert label in lab.view
    assert lab.view[label] in lab.view
    assert label not in lab.view[:2]
    assert 3 not in lab.view


def test_an_ambiguous_label_is_refused(lab: SimpleNamespace) -> None:
    """The beginning that several labels share is refused, with examples."""
    with pytest.raises(RecordNotFoundError, match="More than one record") as caught:
        lab.view["20"]
    assert lab.view[0].label in str(caught.value)


@pytest.mark.parametrize("key", [99, -99, "nothing"])
def test_a_record_that_is_not_there_is_an_error_that_says_where_it_searched(
    lab: SimpleNamespace, key: int | str
) -> None:
    """A position or label that no record has raises a lookup error with the number of records."""
    with pytest.raises(LookupError, match="There is no record") as caught:
        lab.view[key]
    assert "7 records" in str(caught.value)
    assert ("labels()" if key == "nothing" else "positions go from 0") in str(caught.value)


def test_an_empty_view_has_no_latest(lab: SimpleNamespace) -> None:
    """The latest of no records is an error that says how to have some."""
    with pytest.raises(RecordNotFoundError, match="widen the filters"):
        lab.view.filter.task("Nothing").latest  # noqa: B018 - looking is what fails


def test_a_view_shows_runs_that_came_since(tmp_path: Path) -> None:
    """A view is made once and looks anew each time."""
    files = {
        "since.py": "from smttask import RecordedTask\n@RecordedTask\ndef F(x: int) -> int:\n    return x\n"
    }
    with scratch_project(tmp_path / "p", files) as scratch:
        view = RSView()
        assert len(view) == 0
        scratch.load("since").F(x=1).run()
        assert len(view) == 1


def test_a_view_opens_the_project_that_it_is_given(lab: SimpleNamespace, tmp_path: Path) -> None:
    """A project or its folder may be given, and both names of the class are one."""
    assert RSView is RecordStoreView
    assert len(RSView(lab.scratch.root)) == len(RSView(lab.scratch.project)) == 7
    with pytest.raises(ProjectError, match="is no project"):
        RSView(tmp_path)


def test_outside_any_project_there_is_no_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a project the error says where one was searched."""
    monkeypatch.setattr(os, "getcwd", lambda: str(tmp_path))
    monkeypatch.delenv("SMTTASK_PROJECT", raising=False)
    with pytest.raises(ProjectError, match="No project found"):
        contextvars.Context().run(RSView)


@pytest.mark.filterwarnings("ignore::smttask.errors.UnknownParameterWarning")
def test_records_of_other_programs_are_shown(tmp_path: Path) -> None:
    """A record whose parameters are no description has its fields, and no inputs."""
    with scratch_project(tmp_path / "p") as scratch:
        record = Record(label="old", timestamp=datetime.now(UTC), parameters="a = 1", status="finished")
        scratch.project.records.open_record(record)
        view = RSView()
        assert view["old"].parameters == "a = 1"
        assert view["old"].get_param("a", "none") == "none"
        assert len(view.filter.params(eq={"a": 1})) == len(view.filter.params(eq={"a.b": 1})) == 0
        assert len(view.dframe(parameters=True, outputs=True)) == 1
        assert "old" in repr(view)
        assert "old" in str(view["old"])


def test_head_and_tail_are_the_ends_of_a_view(lab: SimpleNamespace) -> None:
    """The first and the last records are views; more than there are is all, none is none."""
    labels = lab.view.labels()
    only = lab.view.filter(lambda record: True)
    for view in (lab.view, only):
        assert view.head(2).labels() == labels[:2]
        assert view.tail(2).labels() == labels[-2:]
        assert view.tail(99).labels() == labels
        assert view.head(0).labels() == view.tail(0).labels() == []
    assert lab.view[1:5][-2:].labels() == labels[3:5]
    assert lab.view[::-1][-2:].labels() == labels[1::-1]


def test_views_of_no_kind_are_abstract() -> None:
    """What edits records says which ones: without that it cannot be made."""
    with pytest.raises(TypeError, match="abstract"):
        EditableRecords()


@pytest.mark.parametrize("label", ["a'b\"c", "<b>&amp;</b>", "ü [1]*?", "100%_\\", "../x"])
def test_labels_may_have_strange_characters(tmp_path: Path, label: str) -> None:
    """A label of another program is found whole and by its beginning, and shown as it is."""
    with scratch_project(tmp_path / "p") as scratch:
        for name in (label, "other"):
            scratch.project.records.open_record(Record(label=name, timestamp=datetime.now(UTC)))
        view = RSView()
        assert view[label].label == view[label[:3]].label == label
        assert view.filter.label("other").labels() == ["other"]
        assert label in repr(view)
        assert escape(label) in view._repr_html_()
        view[:].filter(lambda record: record.label == label).add_tag("mine")
        assert [record.label for record in view.filter.tags("mine")] == [label]
