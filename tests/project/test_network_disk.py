"""A project on a network file system: SQLite without its log, and one host that writes it."""

import sqlite3

import pytest

from smttask.process import this_host
from smttask.records import connection, schema
from smttask.testing import scratch_project

TASKS = """
from smttask import RecordedTask


@RecordedTask
def Square(x: float) -> float:
    return x**2
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A project whose mount is, by the table of mounts, that of a file server."""
    mounts = f"1 0 0:1 / / rw - ext4 /dev/vda rw\n2 1 0:2 / {tmp_path} rw - nfs4 server:/home rw\n"
    for module in (schema, connection):
        monkeypatch.setattr(
            module, "journal_mode_for", lambda path, _=None, real=schema.journal_mode_for: real(path, mounts)
        )
    with scratch_project(tmp_path, {"tasks.py": TASKS}) as scratch:
        yield scratch


def journal_mode(lab):
    lab.project.records.close()
    with sqlite3.connect(lab.root / ".smt" / "records") as database:
        mode = database.execute("PRAGMA journal_mode").fetchone()[0]
    database.close()
    return mode


def test_the_record_store_is_written_without_a_write_ahead_log(lab):
    """Also one that came with a log from a disk of its own."""
    assert journal_mode(lab) == "wal"
    lab.load("tasks").Square(2.0).run()
    assert not list((lab.root / ".smt").glob("records-*"))
    assert journal_mode(lab) == "delete"


def test_a_new_record_store_has_none_from_the_beginning(lab):
    """As Sumatra's migrations make it."""
    (lab.root / ".smt" / "records").unlink()
    assert lab.project.records.count() == 0
    assert journal_mode(lab) == "delete"


def test_the_first_host_that_records_a_run_is_home(lab):
    """From then on the others keep journals."""
    home = lab.root / ".smt" / "home"
    lab.project.records.count()
    assert not home.exists()
    lab.load("tasks").Square(2.0).run()
    assert home.exists()
    assert lab.project.home.host().is_same(this_host())
    assert lab.project.records.count() == 1


def test_a_store_on_a_disk_of_the_host_is_no_concern_of_others(lab, tmp_path_factory):
    """Each host may have one of its own for the same results."""
    store = tmp_path_factory.mktemp("disk") / "records"
    lab.load("tasks").Square(2.0).run(record_store=store)
    assert not (lab.root / ".smt" / "home").exists()
    assert lab.project.records_at(store).count() == 1
