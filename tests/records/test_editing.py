from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from smttask.errors import InputError, RecordStoreError
from smttask.records.editing import TagEdit, TextEdit
from smttask.records.query import Selection
from smttask.records.record import Record
from smttask.records.sqlite import SQLiteRecordStore

ALL = Selection()
Smt = Callable[..., str]


@pytest.fixture
def labels(store: SQLiteRecordStore, make_record: Callable[..., Record]) -> list[str]:
    """Three finished runs, oldest first."""
    records = [make_record(number) for number in range(3)]
    for record in records:
        store.open_record(record)
        store.close_record(record.label, status="finished", duration_s=1)
    return [record.label for record in records]


def notes(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (tmp_path / "edits.jsonl").read_text().splitlines() if line]


def test_sumatra_finds_and_edits_what_was_tagged_here(
    store: SQLiteRecordStore, labels: list[str], smt: Smt, tmp_path: Path
) -> None:
    """A tag stands in all three places: Sumatra lists by it, shows it, removes it and keeps the status."""
    assert store.edit(ALL, TagEdit(("paper", "first look")), noted_in=tmp_path / "edits.jsonl") == 3
    assert smt("list", "paper").split() == labels[::-1]
    smt(["tag", "-r", "paper", labels[0]], ["comment", labels[1], "fine"])
    assert [sorted(record.tags) for record in store.records(ALL.oldest_first())] == [
        ["first look"],
        ["first look", "paper"],
        ["first look", "paper"],
    ]
    assert store.count(ALL.with_tags("_finished_", "first look")) == 3
    assert store.count(ALL.with_tags("paper")) == 2


def test_tags_by_sumatra_are_removed_here(
    store: SQLiteRecordStore, labels: list[str], smt: Smt, tmp_path: Path
) -> None:
    """What Sumatra tagged is untagged here, and Sumatra does not list it any more."""
    smt(["tag", "figure", *labels], ["tag", "other", labels[0]])
    assert store.edit(ALL, TagEdit((), ("figure",)), noted_in=tmp_path / "edits.jsonl") == 3
    assert smt(["list", "figure"], ["list", "other"]).split() == labels[:1]


def test_comments_and_reasons_are_shown_by_sumatra(
    store: SQLiteRecordStore, labels: list[str], smt: Smt, tmp_path: Path
) -> None:
    """New texts are those that `smt list --long` shows, and comments by Sumatra go below ours."""
    where = tmp_path / "edits.jsonl"
    store.edit(ALL, TextEdit("outcome", lambda old: "good <b>'\"%"), noted_in=where)
    store.edit(ALL.with_labels(labels[0]), TextEdit("reason", str.upper), noted_in=where)
    smt("comment", labels[0], "very")
    shown = smt("list", "-l")
    assert "FIRST LOOK" in shown
    assert shown.count("good <b>'\"%") == 3
    assert store.get(labels[0]).outcome == "good <b>'\"%\nvery"


def test_only_what_changes_is_written_and_noted(
    store: SQLiteRecordStore, labels: list[str], tmp_path: Path
) -> None:
    """An edit tells how many records changed; each edit that changed something is a line with the labels."""
    where = tmp_path / "edits.jsonl"
    store.edit(ALL.with_labels(labels[0]), TagEdit(("a",)), noted_in=where)
    assert store.edit(ALL, TagEdit(("a",)), noted_in=where) == 2
    assert store.edit(ALL, TagEdit(("a",)), noted_in=where) == 0
    assert store.edit(ALL.with_labels("nothing"), TextEdit("reason", str.upper), noted_in=where) == 0
    store.edit(ALL.with_labels(labels[1]), TextEdit("reason", lambda old: "because"), noted_in=where)
    assert [sorted(note.get("labels", note.get("texts"))) for note in notes(tmp_path)] == [
        labels[:1],
        labels[1:],
        labels[1:2],
    ]
    assert notes(tmp_path)[2]["texts"] == {labels[1]: "because"}


def test_an_edit_of_many_is_made_whole_or_not_at_all(
    store: SQLiteRecordStore, labels: list[str], tmp_path: Path
) -> None:
    """A function that fails for one record, or a store that cannot note the edit, leaves all as they were."""

    def fail_at_last(old: str, calls: list[str] = []) -> str:  # noqa: B006 - counts its calls
        calls.append(old)
        if len(calls) == 3:
            raise ZeroDivisionError
        return "changed"

    with pytest.raises(ZeroDivisionError) as caught:
        store.edit(ALL, TextEdit("reason", fail_at_last), noted_in=tmp_path / "edits.jsonl")
    assert "the reason of record" in caught.value.__notes__[0]
    with pytest.raises(InputError, match="cannot become 3"):
        store.edit(ALL, TextEdit("reason", lambda old: 3), noted_in=tmp_path / "e")  # type: ignore[arg-type, return-value]
    with pytest.raises(RecordStoreError, match="Records were not edited"):
        store.edit(ALL, TagEdit(("a",)), noted_in=tmp_path / "missing" / "edits.jsonl")
    assert {record.reason for record in store.records()} == {"first look"}
    assert store.count(ALL.with_tags("a")) == 0
    assert not (tmp_path / "edits.jsonl").exists()


def test_more_tags_than_fit_are_refused(store: SQLiteRecordStore, labels: list[str], tmp_path: Path) -> None:
    """Tags beyond 255 characters are refused for all records, instead of being cut."""
    many = tuple(f"tag number {number:020}" for number in range(10))
    with pytest.raises(InputError, match="cannot have so many tags"):
        store.edit(ALL, TagEdit(many), noted_in=tmp_path / "edits.jsonl")
    assert all(record.tags == frozenset() for record in store.records())


@pytest.mark.parametrize("tag", ["", "a,b", 'a"b', "_finished_", "x" * 51, " a", "a\x00"])
def test_tags_that_sumatra_would_change_are_refused(tag: str) -> None:
    """A status, a comma, a quote or too long a text is no tag, whether to add or to remove."""
    with pytest.raises(InputError, match="cannot have the tag"):
        TagEdit((tag,))
    with pytest.raises(InputError, match="cannot have the tag"):
        TagEdit((), (tag,))


def test_a_tag_with_a_space_stays_one_without_a_status(
    store: SQLiteRecordStore, labels: list[str], store_path: Path, tmp_path: Path
) -> None:
    """The only tag of a record may have spaces: it is quoted, as Sumatra reads it."""
    with closing(sqlite3.connect(store_path)) as connection, connection:
        connection.execute("DELETE FROM django_store_taggeditem")
        connection.execute("UPDATE django_store_record SET tags = ''")
    store.edit(ALL, TagEdit(("first look",)), noted_in=tmp_path / "edits.jsonl")
    assert store.get(labels[0]).tags == {"first look"}


def test_a_line_that_was_cut_short_spoils_no_other(
    store: SQLiteRecordStore, labels: list[str], tmp_path: Path
) -> None:
    """After a writer was killed in the middle of a line, the next edit begins a new one."""
    (tmp_path / "edits.jsonl").write_text('{"time": "2026-')
    store.edit(ALL, TagEdit(("a",)), noted_in=tmp_path / "edits.jsonl")
    assert json.loads((tmp_path / "edits.jsonl").read_text().splitlines()[1])["added"] == ["a"]


def test_tags_stay_when_a_run_ends(
    store: SQLiteRecordStore, make_record: Callable[..., Record], tmp_path: Path
) -> None:
    """A run that is tagged and commented while it goes on is closed with both."""
    record = make_record(7)
    store.open_record(record)
    store.edit(ALL, TagEdit(("early",)), noted_in=tmp_path / "edits.jsonl")
    store.edit(ALL, TextEdit("outcome", lambda old: "slow"), noted_in=tmp_path / "edits.jsonl")
    store.close_record(record.label, status="finished", outcome="done", duration_s=1)
    closed = store.get(record.label)
    assert (closed.tags, closed.status, closed.outcome) == ({"early"}, "finished", "slow\ndone")


def test_of_several_statuses_the_last_is_left(
    store: SQLiteRecordStore, make_record: Callable[..., Record], store_path: Path
) -> None:
    """Whoever gave a run a second status by hand finds one when the run ends, beside its other tags."""
    record = make_record(8)
    store.open_record(record)
    with closing(sqlite3.connect(store_path)) as connection, connection:
        connection.execute("INSERT INTO django_store_tag (name) VALUES ('_crashed_'), ('mine')")
        connection.execute(
            "INSERT INTO django_store_taggeditem (object_id, content_type_id, tag_id)"
            " SELECT i.object_id, i.content_type_id, t.id FROM django_store_taggeditem i, django_store_tag t"
            " WHERE t.name IN ('_crashed_', 'mine')"
        )
    store.close_record(record.label, status="finished", duration_s=1)
    closed = store.get(record.label)
    assert (closed.tags, closed.status) == ({"mine"}, "finished")
    with closing(sqlite3.connect(store_path)) as connection:
        assert connection.execute("SELECT count(*) FROM django_store_taggeditem").fetchone() == (2,)
