"""Two accounts of one run, in two stores, made one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smttask.records.editing import Noted
from smttask.records.merging import RecordCopier
from smttask.records.originals import labels_of
from smttask.records.reconciling import accounts, joined_text, reconcile, reconciliation
from smttask.records.record import Record
from smttask.records.sqlite import SQLiteRecordStore
from smttask.records.stores import SQLRecordStore

MakeRecord = Callable[..., Record]


def told_again(store: SQLRecordStore, other: SQLRecordStore, note: Callable[[Noted], None]) -> list[str]:
    """Reconcile all records of `store` with those of the same label in `other`."""
    ours, theirs = labels_of(store, "scratch"), labels_of(other, "scratch")
    known, told = accounts(store, ours.values()), accounts(other, theirs.values())
    found = [reconciliation(label, known[ours[label]], told[theirs[label]]) for label in sorted(theirs)]
    wanted = [item for item in found if item is not None]
    return reconcile(RecordCopier(other, store), other, store, wanted, note)


def test_edits_of_both_accounts_of_a_run_are_kept(
    store: SQLiteRecordStore, other: SQLiteRecordStore, make_record: MakeRecord
) -> None:
    """Tags of both, texts one below the other; each is noted for a rebuild, and once is enough."""
    for each, tag in ((store, "ours"), (other, "theirs")):
        each.open_record(make_record(1, status="finished", tags={tag}, outcome=f"says {tag}"))
    noted: list[Noted] = []
    (label,) = told_again(store, other, noted.append)
    assert store.get(label).tags == {"ours", "theirs"}
    assert store.get(label).outcome == "says ours\nsays theirs"
    assert [edit["column"] for edit in noted] == ["tags", "reason", "outcome"]
    assert told_again(store, other, noted.append) == []


def test_a_run_that_was_taken_for_dead_gets_its_end(
    store: SQLiteRecordStore, other: SQLiteRecordStore, make_record: MakeRecord, make_key: Callable[..., Any]
) -> None:
    """Where another store knows that it finished: status, duration, what it printed and wrote."""
    record = make_record(1, status="running")
    store.open_record(record)
    store.mark_killed(record.label)
    other.open_record(record)
    keys = [make_key("Analyze/1.json")]
    other.close_record(
        record.label, status="finished", duration_s=2.5, output_data=keys, stdout_stderr="done"
    )
    assert told_again(store, other, lambda edit: None) == [record.label]
    ended = store.get(record.label)
    assert (ended.status, ended.duration_s, ended.stdout_stderr) == ("finished", 2.5, "done")
    assert [key.path for key in ended.output_data] == ["Analyze/1.json"]
    assert store.open_runs() == []


def test_texts_are_joined_once() -> None:
    """Lines that are there already are not said again."""
    assert joined_text("a\nb", "b\nc") == "a\nb\nc"
    assert joined_text(joined_text("a", "b"), "b") == "a\nb"
    assert joined_text("", "b") == "b"
