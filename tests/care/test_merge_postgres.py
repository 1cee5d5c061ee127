"""`merge` between SQLite and PostgreSQL, in both directions."""

import sqlite3
from contextlib import closing

import pytest

from smttask import config
from smttask.care.merge import merge
from smttask.errors import InputError, RecordStoreError
from smttask.records.originals import labels_of
from smttask.testing import postgres_server


@pytest.fixture(scope="module")
def server():
    """A server for the tests of this file."""
    with postgres_server() as started:
        yield started


def records(store):
    """All records by label."""
    return {record.label: record for record in store.records()}


def test_records_go_to_a_server_and_come_back(lab, server, tmp_path):
    """Each as it was, every field; done again nothing changes."""
    url = server.new_database()
    lab.tasks.Grow(3).run()
    there = lab.project.records_at(url)
    before = records(lab.project.records)
    path = lab.root / ".smt" / "records"
    with config.use(record_store=url):
        done = merge(lab.project, path)
        assert (len(done.added), done.n_equal) == (4, 0)
        assert records(there) == before
        assert merge(lab.project, path).n_equal == 4
    with config.use(record_store=tmp_path / "third"):
        done = merge(lab.project, url)
        assert (len(done.added), done.backup) == (4, "")
        assert records(lab.project.records) == before
        assert merge(lab.project, url).n_equal == 4


def test_edits_on_the_server_come_home(lab, server):
    """Tags and comments; the SQLite store is kept as it was."""
    url = server.new_database()
    with config.use(record_store=url):
        merge(lab.project, lab.root / ".smt" / "records")
        from smttask import RSView

        view = RSView(lab.project).filter.task("Ramp")
        view.add_tag("good")
        view.add_comment("from afar")
    done = merge(lab.project, url)
    assert done.updated == [lab.ramp.record.label]
    ours = lab.project.records.get(lab.ramp.record.label)
    assert (ours.tags, ours.outcome) == ({"good"}, "from afar")


def test_the_backup_of_a_store_on_a_server_is_a_file(lab, server, tmp_path):
    """An SQLite store with the records of the project, which can be merged back."""
    url = server.new_database()
    path = lab.root / ".smt" / "records"
    with config.use(record_store=url):
        merge(lab.project, path)
        before = records(lab.project.records)
    lab.tasks.Square(11.0).run()
    with config.use(record_store=url):
        backup = merge(lab.project, path).backup
        assert backup.endswith(".backup")
        assert len(labels_of(lab.project.records, "scratch")) == len(before) + 1
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    with config.use(record_store=tmp_path / "fresh"):
        merge(lab.project, backup)
        assert records(lab.project.records) == before


def test_a_url_that_is_none_and_a_server_that_is_away_are_told(lab, server):
    """Without the password that somebody wrote into it."""
    with pytest.raises(InputError, match="is no record store") as caught:
        merge(lab.project, "postgresql://anna:secret@/")
    assert "secret" not in str(caught.value)
    with pytest.raises(RecordStoreError) as away:
        merge(lab.project, "postgresql://anna:secret@127.0.0.1:1/records")
    assert "secret" not in str(away.value)
    with pytest.raises(InputError, match="There is no record store at postgresql://"):
        merge(lab.project, server.new_database(empty=True))
