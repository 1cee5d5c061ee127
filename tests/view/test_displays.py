from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from smttask import RSView
from smttask.records.record import Record
from smttask.testing import scratch_project
from smttask.view.text import duration_text, printable


def test_a_view_is_shown_as_a_table(lab: SimpleNamespace) -> None:
    """The display of a view says how many records there are and has a line for each."""
    lines = repr(lab.view).splitlines()
    assert lines[0] == "7 records of 'scratch', newest first"
    assert lines[1].split() == ["label", "task", "started", "duration", "status", "reason"]
    assert [line.split()[0] for line in lines[2:]] == lab.view.labels()
    assert "crashed" in repr(lab.view.filter.tags("crashed"))
    assert repr(lab.view.filter.task("Nothing")) == "0 records of 'scratch'"


def test_times_are_shown_in_local_time(lab: SimpleNamespace) -> None:
    """The display of a run has the time that a clock on the wall showed."""
    record = lab.view[0]
    assert f"{record.timestamp.astimezone():%Y-%m-%d %H:%M}" in repr(lab.view[:1])


def test_a_narrow_terminal_shortens_the_reason_first(
    lab: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is little room the labels stay whole and long texts are cut."""
    view = lab.view.filter.task("Square")
    monkeypatch.setenv("COLUMNS", "60")
    assert all(label in repr(view) for label in view.labels())
    monkeypatch.setenv("COLUMNS", "200")
    assert "x is 3.0 <b>" in repr(view)


def test_a_record_is_shown_with_its_fields_and_inputs(lab: SimpleNamespace) -> None:
    """The display of a record names task, status, inputs and upstream runs; its repr is one line."""
    record = lab.view.filter.task(lab.deep)[0]
    shown = str(record)
    assert "labtasks.Analyze" in shown
    assert "Model(sigma=0.25, n=3)" in shown
    assert "Mode.FAST" in shown
    assert f"Detrend, task {lab.flat.digest}, run {lab.view.filter.task(lab.flat)[0].label}" in shown
    assert repr(record) == f"<RecordView {record.label} Analyze finished>"


def test_html_is_escaped(lab: SimpleNamespace) -> None:
    """Nothing that a user wrote becomes markup in a notebook."""
    crashed = lab.view.filter.tags("crashed")[0]
    assert "x is 3.0 &lt;b&gt;" in lab.view._repr_html_()
    assert "<b>, " not in lab.view._repr_html_()
    assert "negative &lt;x&gt;" in crashed._repr_html_()
    assert crashed.label in crashed._repr_html_()
    assert "0 records" in lab.view.filter.task("Nothing")._repr_html_()


@pytest.mark.parametrize("n_records", [50, 53])
def test_a_long_view_shows_its_beginning(tmp_path: Path, n_records: int) -> None:
    """Of more than 50 records the first are shown, with the number of the others."""
    with scratch_project(tmp_path / "p") as scratch:
        for number in range(n_records):
            moment = datetime(2026, 11, 22, 10, 15, number, tzinfo=UTC)
            scratch.project.records.open_record(Record(label=f"run {number}", timestamp=moment))
        view = RSView()
        assert ("… and 3 more" in repr(view)) == (n_records == 53)
        assert ("and 3 more" in view._repr_html_()) == (n_records == 53)
        assert repr(view).count("run ") == view._repr_html_().count('<td style="text-align:left">run ') == 50


def test_control_characters_never_reach_the_terminal(tmp_path: Path) -> None:
    """A reason cannot move the cursor, colour the screen or add lines."""
    with scratch_project(tmp_path / "p") as scratch:
        record = Record(label="a", timestamp=datetime.now(UTC), reason="\x1b[31mred\nline\x07")
        scratch.project.records.open_record(record)
        assert "\x1b" not in repr(RSView()) + str(RSView()[0])
        assert len(repr(RSView()).splitlines()) == 3
    assert printable("x" * 5000).endswith("x…")
    assert len(printable("x" * 5000)) == 2001


def test_displays_never_raise(tmp_path: Path) -> None:
    """A damaged record store, or a function that fails, is told in place of the table, escaped in HTML."""
    with scratch_project(tmp_path / "p") as scratch:
        view = RSView()
        scratch.project.records.open_record(Record(label="a", timestamp=datetime.now(UTC)))
        failing = view.filter(lambda record: record.nothing)
        assert "cannot be shown: AttributeError" in repr(failing)
        assert "while record a was looked at by the function of a filter" in repr(failing)
        assert failing._repr_html_().startswith("&lt;RecordStoreView that cannot be shown")
        scratch.project.records.close()
        (scratch.root / ".smt" / "records").write_bytes(b"no database" * 1000)
        assert "cannot be shown: RecordStoreError" in repr(view)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00012, "0.12 ms"), (0.25, "250 ms"), (2.5, "2.5 s"), (75, "1 min 15 s"), (7265, "2 h 1 min")],
)
def test_durations_are_shown_as_people_say_them(seconds: float, text: str) -> None:
    """A duration has the unit that fits it."""
    assert duration_text(timedelta(seconds=seconds).total_seconds()) == text


def test_statuses_have_colours_in_a_notebook(lab: SimpleNamespace) -> None:
    """A crashed run is told from a finished one at a glance, in the table and in the record."""
    page = lab.view._repr_html_()
    assert 'color:#e0433a;font-weight:bold">crashed' in page
    assert page.count('color:#2e9e4f;font-weight:bold">finished') == 6
    assert 'color:#2e9e4f;font-weight:bold">finished' in lab.view[0]._repr_html_()


def test_a_view_turned_around_says_so(lab: SimpleNamespace) -> None:
    """The heading tells the order that the table has."""
    assert repr(lab.view[::-1]).splitlines()[0] == "7 records of 'scratch', oldest first"


def test_a_display_reads_no_more_than_it_shows(tmp_path: Path) -> None:
    """Of many records a function of a filter decides about those alone that are shown, and one more."""
    with scratch_project(tmp_path / "p") as scratch:
        for number in range(80):
            moment = datetime(2026, 11, 22, 10, 15, number % 60, number, tzinfo=UTC)
            scratch.project.records.open_record(Record(label=f"run {number}", timestamp=moment))
        seen: list[str] = []
        view = RSView().filter(lambda record: not seen.append(record.label))
        lines = repr(view).splitlines()
        assert lines[0] == "more than 50 records of 'scratch', newest first"
        assert lines[-1] == "… and more; dframe() has all"
        assert (len(lines), len(seen)) == (53, 51)


def test_damaged_rows_hide_nothing_else(tmp_path: Path) -> None:
    """A field that another program or a torn page spoilt is a question mark; the others are shown."""
    with scratch_project(tmp_path / "p") as scratch:
        for label in ("good", "torn"):
            scratch.project.records.open_record(
                Record(label=label, timestamp=datetime.now(UTC), reason="why")
            )
        scratch.project.records.close()
        with sqlite3.connect(scratch.root / ".smt" / "records") as connection:
            connection.execute(
                "UPDATE django_store_record SET timestamp = 'Tuesday', duration = 'long' WHERE label = 'torn'"
            )
            connection.execute("UPDATE django_store_parameterset SET content = '{\"tasks\": 3'")
        connection.close()
        view = RSView()
        torn = next(line for line in repr(view).splitlines() if line.startswith("torn"))
        assert torn.split() == ["torn", "?", "?", "running", "why"]
        assert "good" in repr(view)
        for shown in (view._repr_html_(), str(view["torn"]), view["torn"]._repr_html_()):
            assert "torn" in shown
            assert "?" in shown
            assert "cannot be shown" not in shown
        assert len(view.plot().collections) == 1
