"""An SQLite database for many threads, forks and processes, in a file or in memory."""

from __future__ import annotations

import atexit
import functools
import os
import sqlite3
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from smttask.records.database import Row, Transaction
from smttask.records.schema import FAILURES, check_schema, connect, journal_mode_for, make_store, store_error

__all__ = ["MemoryDatabase", "SQLiteDatabase"]

# A page cache that holds the tails of all indexes at 100 000 records; the default is 2 MB
CACHE_KIB = 16_384
# Pages of 1 kB in the write-ahead log before it is moved into the database. That takes two fsyncs, and goes
# on after every commit while others keep the log from beginning anew: at 8 000 pages there are 361 fsyncs in
# 3 000 runs of two processes, at 32 000 there are 112
CHECKPOINT_PAGES = 32_000
# SQLite may give up on these before its timeout, which does not cover all of its locks
PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
FIRST_PAUSE_S, LAST_PAUSE_S = 0.00001, 0.005
# What a thread that outlives the others may hold up the end of the process
EXIT_S = 1.0
MEMORY = ":memory:"

Result = TypeVar("Result")

_databases: weakref.WeakSet[SQLiteDatabase] = weakref.WeakSet()
_held: list[SQLiteDatabase] = []  # those whose locks the thread that forks has taken


class SQLiteTransaction:
    """See `smttask.records.database.Transaction`; whoever writes is alone in the whole file."""

    for_update = ""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Do one statement; the rows that it selects."""
        return self._connection.execute(sql, values).fetchall()

    def insert(self, sql: str, values: Sequence[Any], key: str = "id") -> int:
        """Add one row; its number, which `key` names."""
        added = self._connection.execute(sql, values).lastrowid
        assert added is not None
        return added

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Do one statement for each of `rows`."""
        self._connection.executemany(sql, rows)

    def exclude(self, what: str) -> bool:
        """Nobody else writes."""
        return False


class SQLiteDatabase:
    """One SQLite file with a connection of its own in each process, shared by threads under a lock.

    Parameters
    ----------
    path
        The record store, made when missing. It is opened at first use, and again
        when another file took its place.
    on_open
        Called whenever what was remembered of the database may be wrong: it was
        opened, or a transaction failed.
    functions
        By name, what SQL may call with three arguments.
    timeout_s
        How long to wait for other processes.
    durable
        Whether a commit survives a power cut (one fsync each) or only the death of the process.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_open: Callable[[], None],
        functions: Mapping[str, Callable[..., Any]],
        timeout_s: float,
        durable: bool,
    ) -> None:
        self.path = path
        self._on_open = on_open
        self._functions = functions
        self._timeout_s = timeout_s
        self._durable = durable
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        _follow_forks()
        _close_at_exit()
        _databases.add(self)

    @property
    def address(self) -> str:
        """The path."""
        return str(self.path)

    def is_made(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def write(self, action: Callable[[Transaction], Result]) -> Result:
        """Do `action` in one transaction, alone among all processes; nothing stays of a failed one.

        `action` may be done twice: rows it remembered may be gone, and then `on_open`
        makes it forget them.

        Raises
        ------
        RecordStoreError
            If the database is locked beyond the timeout, read-only, damaged or missing.
        """
        with self._lock:
            begun = time.monotonic()
            try:
                try:
                    return self._in_transaction(action)
                except sqlite3.IntegrityError:
                    return self._in_transaction(action)
            except FAILURES as error:
                raise store_error(self.path, error, waited_s=time.monotonic() - begun) from error

    def _in_transaction(self, action: Callable[[Transaction], Result]) -> Result:
        connection = self._connected()
        self._patiently(connection, "BEGIN IMMEDIATE")
        try:
            result = action(SQLiteTransaction(connection))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            self._on_open()
            raise
        return result

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Rows that `sql` selects.

        Raises
        ------
        RecordStoreError
            If the database is locked beyond the timeout, damaged or missing.
        """
        with self._lock:
            begun = time.monotonic()
            try:
                return self._patiently(self._connected(), sql, values)
            except FAILURES as error:
                raise store_error(self.path, error, waited_s=time.monotonic() - begun) from error

    def close(self) -> None:
        """Close the connection of this process; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def close_at_exit(self) -> None:
        """Close, unless a thread that goes on holds the connection."""
        if self._lock.acquire(timeout=EXIT_S):
            try:
                self.close()
            except FAILURES:
                pass  # nobody is left to tell; the log stays and is taken in by the next
            finally:
                self._lock.release()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None or self._identity() != self._file:
            self.close()
            self._connection = self._opened()
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _opened(self) -> sqlite3.Connection:
        make_store(self.path)
        self._file = self._identity()
        connection = connect(self.path, self._timeout_s)
        try:
            check_schema(self.path, connection)
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            # notices ids remembered from rows that another program has removed since
            connection.execute("PRAGMA foreign_keys = ON")
            self._choose_journal(connection)
            self._add_functions(connection)
        except BaseException:
            connection.close()
            raise
        self._on_open()
        return connection

    def _add_functions(self, connection: sqlite3.Connection) -> None:
        for name, function in self._functions.items():
            connection.create_function(name, 3, function, deterministic=True)

    def _choose_journal(self, connection: sqlite3.Connection) -> None:
        wanted = journal_mode_for(self.path)
        found = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if found != wanted:
            try:
                found = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
            except sqlite3.OperationalError:
                pass  # in use or read-only: the mode it has serves those who use it now
        if found == "wal":  # where only the beginning of a transaction, or of a look, may have to wait
            connection.execute("PRAGMA busy_timeout = 0")

    def _patiently(self, connection: sqlite3.Connection, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Do one statement that other processes may hold up.

        SQLite itself would sleep for 1, 2, 5, 10… ms, many times what a transaction of ours takes.
        """
        deadline, pause_s = 0.0, FIRST_PAUSE_S
        while True:
            try:
                return connection.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                deadline = deadline or time.monotonic() + self._timeout_s
                if not error.sqlite_errorname.startswith(PASSING) or time.monotonic() > deadline:
                    raise
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, LAST_PAUSE_S)

    def hold_for_fork(self) -> None:
        """Take the lock and close: SQLite's own book of locks must not be copied into a child.

        A child that opened the file anew would find its parent's shared lock in that
        book and take none itself (https://sqlite.org/howtocorrupt.html, section 2.6).
        """
        self._lock.acquire()
        self.close()

    def release_after_fork(self, *, in_child: bool) -> None:
        """Undo `hold_for_fork` in the process that forked or, with a new lock, in its child."""
        if in_child:
            self._lock = threading.RLock()
        else:
            self._lock.release()


class MemoryDatabase(SQLiteDatabase):
    """A database that ends with its process, or when it is closed; a forked child goes on with a copy.

    Parameters
    ----------
    on_open, functions
        As for `SQLiteDatabase`.
    """

    def __init__(self, *, on_open: Callable[[], None], functions: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(Path(MEMORY), on_open=on_open, functions=functions, timeout_s=0.0, durable=False)

    def is_made(self) -> bool:
        """Whether it has been used."""
        return self._connection is not None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)
            connection.executescript(_schema())
            connection.execute("PRAGMA foreign_keys = ON")
            self._add_functions(connection)
            self._connection = connection
            self._on_open()
        return self._connection

    def hold_for_fork(self) -> None:
        """Only take the lock: no file is open."""
        self._lock.acquire()


@functools.cache
def _schema() -> str:
    """The statements that make an empty store."""
    with tempfile.TemporaryDirectory(prefix="smttask-") as folder:
        path = Path(folder) / "records"
        make_store(path)
        connection = sqlite3.connect(path)
        try:
            return "\n".join(connection.iterdump())
        finally:
            connection.close()


@functools.cache
def _follow_forks() -> None:
    """Close all databases before each fork; once a process, when the first one is made."""

    def before() -> None:
        for database in list(_databases):
            database.hold_for_fork()
            _held.append(database)

    def release(*, in_child: bool) -> None:
        while _held:
            _held.pop().release_after_fork(in_child=in_child)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=before,
            after_in_parent=lambda: release(in_child=False),
            after_in_child=lambda: release(in_child=True),
        )


@functools.cache
def _close_at_exit() -> None:
    """Close all databases when the process ends; once a process, when the first one is made.

    Whoever closes last moves the log into the database. A log that stayed would be lost to those
    who copy the file alone, and spoil the copy that they put in its place.
    """

    def close_all() -> None:
        for database in list(_databases):
            database.close_at_exit()

    atexit.register(close_all)
