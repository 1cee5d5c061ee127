from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smttask.errors import RecordStoreError
from smttask.records.record import Record
from smttask.records.schema import store_error
from smttask.records.sqlite import SQLiteRecordStore

Opened = Callable[..., SQLiteRecordStore]
MakeRecord = Callable[..., Record]


def test_a_locked_store_is_an_error_after_the_timeout(
    open_store: Opened, store_path: Path, make_record: MakeRecord
) -> None:
    store = open_store(timeout_s=0.1)
    store.count()
    other = sqlite3.connect(store_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordStoreError, match="records is locked") as caught:
        store.open_record(make_record())
    assert re.search(r"waited \d+\.\d s\n.*wait for that program", str(caught.value))
    other.execute("ROLLBACK")
    store.open_record(make_record())


def test_a_store_can_be_read_while_another_program_writes(
    store: SQLiteRecordStore, store_path: Path, make_record: MakeRecord
) -> None:
    store.open_record(make_record())
    other = sqlite3.connect(store_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.count() == 1


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\7" * 4000])
def test_a_damaged_store_is_an_error_and_left_as_it_is(
    open_store: Opened, tmp_path: Path, content: bytes, make_record: MakeRecord
) -> None:
    path = tmp_path / "records"
    path.write_bytes(content)
    with pytest.raises(RecordStoreError, match="records is damaged") as caught:
        open_store(path).open_record(make_record())
    assert "stored results are still found" in str(caught.value)
    assert path.read_bytes() == content


def test_a_cut_store_is_an_error(open_store: Opened, store_path: Path, make_record: MakeRecord) -> None:
    with open(store_path, "r+b") as file:
        file.truncate(8192)
    with pytest.raises(RecordStoreError, match="damaged"):
        open_store().open_record(make_record())


def test_a_store_whose_damage_sqlite_cannot_put_into_words_is_an_error(
    open_store: Opened, store_path: Path, make_record: MakeRecord
) -> None:
    """SQLite quotes damaged names, and Python cannot decode them."""
    content = store_path.read_bytes()
    store_path.write_bytes(content.replace(b"CREATE TABLE", b"CREATE TABL\xdf"))
    with pytest.raises(UnicodeDecodeError):
        sqlite3.connect(store_path).execute("SELECT 1 FROM sqlite_master")
    for use in (SQLiteRecordStore.count, lambda store: store.open_record(make_record())):
        with pytest.raises(RecordStoreError, match=r"(?s)records is damaged.*smttask store rebuild"):
            use(open_store())


def test_a_folder_in_place_of_a_store_is_an_error(open_store: Opened, tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "x").touch()
    with pytest.raises(RecordStoreError, match="cannot be opened"):
        open_store(tmp_path / "records").count()


@pytest.fixture
def closed_folder(empty_store: Path) -> Iterator[Path]:
    """A folder with a store, in which an ordinary user may read and not write."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="smttask"))
    shutil.copy(empty_store, folder / "records")
    (folder / "records").chmod(0o444)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def run_as_ordinary_user(code: str, folder: Path) -> str:
    """Run `code` as somebody whom file permissions hold; root is not."""
    begin = BEGIN + "os.getuid() or (os.setgid(65534), os.setuid(65534))\n"
    done = subprocess.run(
        [sys.executable, "-c", begin + textwrap.dedent(code)],
        cwd="/",
        env={**os.environ, "STORE": str(folder / "records"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# imported before: an ordinary user may have no right to read root's libraries
BEGIN = """
import os
from datetime import UTC, datetime
from pathlib import Path
from smttask.records.record import Record
from smttask.records.schema import make_store
from smttask.records.sqlite import SQLiteRecordStore
"""
OPEN = """
    store = SQLiteRecordStore(os.environ["STORE"], "scratch", input_root="/", output_root="/data")
"""


def test_a_read_only_store_can_be_read(closed_folder: Path) -> None:
    assert run_as_ordinary_user(OPEN + "    print(store.count())", closed_folder) == "0\n"


def test_writing_to_a_read_only_store_is_an_error(closed_folder: Path) -> None:
    code = (
        OPEN
        + """
    try:
        store.open_record(Record(label="a", timestamp=datetime.now(UTC)))
    except Exception as error:
        print(type(error).__name__, error)
    """
    )
    answer = run_as_ordinary_user(code, closed_folder)
    assert answer.startswith("RecordStoreError The record store records is read-only.")
    assert "the right to write" in answer


def test_making_a_store_in_a_folder_that_cannot_be_written_is_an_error(closed_folder: Path) -> None:
    code = """
    try:
        make_store(Path(os.environ["STORE"] + "2"))
    except Exception as error:
        print(type(error).__name__, error)
    """
    answer = run_as_ordinary_user(code, closed_folder)
    assert answer.startswith("RecordStoreError The record store records2 cannot be made.")
    assert "Permission denied" in answer


def test_a_store_that_was_removed_is_made_anew(
    store: SQLiteRecordStore, store_path: Path, make_record: MakeRecord
) -> None:
    store.open_record(make_record(1))
    for path in store_path.parent.iterdir():
        path.unlink()
    store.open_record(make_record(2))
    assert store.labels() == [make_record(2).label]


WRITER = """
import os, sys
from pathlib import Path
from smttask.records.connection import SQLiteDatabase

path = Path(sys.argv[1])
database = SQLiteDatabase(path, on_open=int, functions={}, timeout_s=5, durable=False)
for sql in ("CREATE TABLE more (x)", "INSERT INTO more VALUES (1)"):
    database.write(lambda transaction: transaction.execute(sql))
if sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
"""


def test_a_process_that_ends_leaves_all_records_in_one_file(store_path: Path) -> None:
    """Whoever copies .smt/records while nothing runs has a whole copy."""
    subprocess.run([sys.executable, "-c", WRITER, str(store_path), "ended"], check=True)
    assert not list(store_path.parent.glob("records-*"))
    copy = sqlite3.connect(shutil.copy(store_path, store_path.with_name("copy")))
    assert copy.execute("SELECT x FROM more").fetchall() == [(1,)]


def test_a_new_store_does_not_take_the_log_of_a_removed_one(
    open_store: Opened, store_path: Path, make_record: MakeRecord
) -> None:
    """A process was killed and its log stayed; then the record store alone was deleted."""
    subprocess.run([sys.executable, "-c", WRITER, str(store_path), "killed"], check=False)
    assert store_path.with_name("records-wal").stat().st_size > 0
    store_path.unlink()
    store = open_store()
    store.open_record(make_record(2))
    assert store.labels() == [make_record(2).label]
    made = sqlite3.connect(store_path)
    assert made.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert made.execute("SELECT name FROM sqlite_master WHERE name = 'more'").fetchall() == []


def test_a_store_that_was_replaced_is_noticed(
    store: SQLiteRecordStore, store_path: Path, empty_store: Path, make_record: MakeRecord
) -> None:
    store.open_record(make_record(1))
    store.close()
    copy = shutil.copy(store_path, store_path.with_name("copy"))
    store.open_record(make_record(2))
    os.replace(copy, store_path)
    for rest in ("-wal", "-shm"):
        store_path.with_name(f"records{rest}").unlink(missing_ok=True)
    store.open_record(make_record(3))
    assert store.labels() == [make_record(3).label, make_record(1).label]


def test_rows_that_another_program_emptied_are_written_again(
    store: SQLiteRecordStore, store_path: Path, make_record: MakeRecord
) -> None:
    store.open_record(make_record(1))
    other = sqlite3.connect(store_path)
    for table in (
        "record_dependencies",
        "record_platforms",
        "taggeditem",
        "record",
        "executable",
        "tag",
        "dependency",
    ):
        other.execute(f"DELETE FROM django_store_{table}")
    other.commit()
    store.open_record(make_record(2))
    record = store.get(make_record(2).label)
    assert record.executable == make_record(2).executable
    assert record.dependencies == make_record(2).dependencies


def test_a_write_that_fails_leaves_nothing(
    store: SQLiteRecordStore, store_path: Path, make_record: MakeRecord
) -> None:
    broken = make_record(2, dependencies=(*make_record().dependencies, "no dependency"))
    with pytest.raises(AttributeError):
        store.open_record(broken)
    assert store.count() == 0
    store.open_record(make_record(2))
    assert store.count() == 1


def test_the_file_system_being_full_is_said() -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    assert "make room on the disk" in str(store_error(Path("records"), error))


def test_what_sqlite_says_unexpectedly_is_passed_on() -> None:
    told = str(store_error(Path("records"), sqlite3.OperationalError("near FROM: syntax error")))
    assert "near FROM" in told
    assert "integrity_check" in told


def test_a_forked_child_and_its_parent_both_write(store: SQLiteRecordStore, make_record: MakeRecord) -> None:
    store.open_record(make_record(0))
    children = []
    for number in range(1, 4):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for step in range(10):
                    store.open_record(make_record(100 * number + step))
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    for step in range(10):
        store.open_record(make_record(1000 + step))
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    assert store.count() == 41


def test_a_child_writes_on_after_its_parent_has_closed(
    store: SQLiteRecordStore, make_record: MakeRecord, open_store: Opened
) -> None:
    store.open_record(make_record(0))
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        store.open_record(make_record(1))
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        store.open_record(make_record(2))
        os._exit(0)
    os.read(ready[0], 1)
    store.close()
    os.write(go[1], b"x")
    assert os.waitpid(pid, 0)[1] == 0
    assert open_store().count() == 3
