"""A journal keeps what a run has to record, whatever becomes of its process or its disk."""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from smttask.errors import InputError, RecordStoreError
from smttask.records.journal import JournalRecordStore
from smttask.records.journalfile import JournalFile, read_record
from smttask.records.process import this_process


@pytest.fixture
def journal(tmp_path):
    store = JournalRecordStore(tmp_path / "journal", durable=True)
    yield store
    store.close()


def files(journal):
    return sorted(journal.folder.glob("*.jsonl"))


def test_a_record_comes_back_as_it_was(journal, make_record, make_key):
    """Every field, with times, tags, data keys and what was imported."""
    record = make_record(tags=frozenset({"b", "a"}), input_data=(make_key("x.txt"),), reason="ünï\n\ud800")
    journal.open_record(record)
    (path,) = files(journal)
    (line,) = JournalFile(str(path)).new_lines()
    assert read_record(line["open"]) == record
    assert JournalFile(str(path)).process == this_process()


def test_a_folder_that_others_remove_while_it_is_empty_is_made_again(tmp_path, make_record):
    """Whoever takes in the last journal removes the folder, at any moment."""
    folder, is_over = tmp_path / "journal", threading.Event()

    def remove():
        while not is_over.is_set():
            with suppress(OSError):
                folder.rmdir()

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        for number in range(200):
            journal = JournalRecordStore(folder)
            journal.open_record(make_record(number))
            journal.close()
            (path,) = files(journal)
            path.unlink()
    finally:
        is_over.set()
        remover.join()


def test_open_runs_are_those_that_nobody_closed(journal, make_record):
    """Asked again and again, only new lines are read."""
    for number in range(3):
        journal.open_record(make_record(number))
    labels = [run.label for run in journal.open_runs()]
    journal.close_record(labels[0], status="finished")
    assert [run.label for run in journal.open_runs()] == labels[1:]
    assert [run.label for run in journal.open_runs(digest=make_record(2).digest)] == [labels[2]]
    assert journal.mark_killed(labels[1], outcome="gone")
    assert not journal.mark_killed(labels[1])
    assert [(run.label, run.is_abandoned) for run in journal.open_runs()] == [(labels[2], False)]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"label": "x" * 101}, RecordStoreError),
        ({"status": "going"}, InputError),
        ({"tags": frozenset({"a,b"})}, InputError),
    ],
)
def test_what_no_record_can_hold_is_refused_at_once(journal, make_record, fields, error):
    """Not when it is taken in, on another host."""
    with pytest.raises(error):
        journal.open_record(make_record(**fields))
    assert not journal.folder.exists()


def test_a_full_disk_loses_one_line_and_no_more(tmp_path):
    """The error names the folder; what is written after there is room again is read whole."""
    code = (
        "import resource, signal, sys\n"
        "from datetime import UTC, datetime\n"
        "from pathlib import Path\n"
        "from smttask.errors import RecordStoreError\n"
        "from smttask.records.journal import JournalRecordStore\n"
        "from smttask.records.record import Record\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "store = JournalRecordStore(Path(sys.argv[1]))\n"
        "def add(label): store.open_record(Record(label=label, timestamp=datetime.now(UTC)))\n"
        "add('first')\n"
        "(path,) = Path(sys.argv[1]).iterdir()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, resource.RLIM_INFINITY))\n"
        "try: add('second')\n"
        "except RecordStoreError as error: print(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "add('third')\n"
    )
    folder = tmp_path / "journal"
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    first, *rest = done.stdout.splitlines()
    assert first == "The journal of records cannot be written."
    assert f"  folder: {folder}" in rest
    (path,) = folder.glob("*.jsonl")
    file = JournalFile(str(path))
    assert [line["open"]["label"] for line in file.new_lines()] == ["first", "third"]
    assert (file.n_damaged, file.has_ended) == (1, True)


def test_a_journal_that_was_removed_is_begun_anew(journal, make_record):
    """After a week of silence the home host removes it; who writes then writes where it is found."""
    journal.open_record(make_record(0))
    (path,) = files(journal)
    path.unlink()
    journal.close_record(make_record(0).label, status="finished")
    (new,) = files(journal)
    assert new != path
    assert [line["close"] for line in JournalFile(str(new)).new_lines()] == [make_record(0).label]


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path, make_record):
    """For whoever writes there or looks."""
    (tmp_path / "journal").write_text("no folder")
    store = JournalRecordStore(tmp_path / "journal")
    with pytest.raises(RecordStoreError, match="cannot be written"):
        store.open_record(make_record())
    with pytest.raises(RecordStoreError, match="cannot be read"):
        store.open_runs()


def test_threads_share_the_journal_of_their_process(journal, make_record):
    """No line is torn by another."""

    def write(first):
        for number in range(first, first + 50):
            journal.open_record(make_record(number))

    threads = [threading.Thread(target=write, args=(first,)) for first in range(0, 200, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (path,) = files(journal)
    file = JournalFile(str(path))
    assert len(list(file.new_lines())) == 200
    assert file.n_damaged == 0


def test_a_fork_while_another_thread_writes_does_not_wait_for_it(journal, make_record):
    """The lock of the parent is no lock of the child, and its file is not the child's."""
    journal.open_record(make_record(0))
    with journal._lock:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                journal.open_record(make_record(1))
                status = 0
            finally:
                os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(files(journal)) == 2


def test_a_journal_of_a_newer_format_is_not_read(tmp_path):
    """Its lines may mean something else."""
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"journal": 2, "process": ["h", 1, "s"]}) + "\n")
    assert JournalFile(str(path)).process is None
