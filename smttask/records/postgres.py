"""A PostgreSQL database for many threads, forks, processes and people.

The one file that knows psycopg, loaded when a URL is first used.
"""

from __future__ import annotations

import functools
import itertools
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from blake3 import blake3

from smttask.errors import RecordStoreError
from smttask.extras import require
from smttask.records.database import Row, Transaction
from smttask.records.dialect import glob_pattern, has_lists, storable, translated
from smttask.records.query import Glob
from smttask.records.record import fit
from smttask.records.refusal import refusal
from smttask.records.schema import MIGRATIONS, OWN_TABLES, other_schema_error, run_migrations
from smttask.settings.address import StoreURL

if TYPE_CHECKING:
    import psycopg
else:
    psycopg = require("psycopg")

__all__ = ["PostgresDatabase"]

CONNECT_S = 4.0  # for the name of the server to be found, and all of its addresses tried
SLOW_S = 1.0  # a server that takes longer to be missed is left alone for ten times as long
N_ATTEMPTS = 4  # of a transaction that another one stood in the way of
CONTENTION = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)

# The same text comes out as of SQLite; and planning for parallel machine code costs more than any query here
SETTINGS = (
    "SET TIME ZONE 'UTC'; SET DateStyle = 'ISO'; SET jit = off; SET lock_timeout = {lock_ms};"
    " SET synchronous_commit = {synchronous}"
)
HAS_SUMATRA = "SELECT to_regclass('django_migrations') IS NOT NULL"
FOUND = "SELECT app, name FROM django_migrations WHERE app = 'django_store' ORDER BY name"
# Labels have one index for the equality that Sumatra asks for, this one for prefixes and the order of bytes.
# The rows of one input lie all over the table, where SQLite has them in one place: an index finds its values.
LAST_INDEX = "smttask_parameter_value"
IS_MADE = f"SELECT to_regclass('{LAST_INDEX}') IS NOT NULL"
INDEXES = (
    'CREATE INDEX IF NOT EXISTS smttask_record_prefix ON django_store_record (label COLLATE "C");'
    f' CREATE INDEX IF NOT EXISTS {LAST_INDEX} ON smttask_parameter (place_id, number, text COLLATE "C");'
)
ALONE = "SELECT pg_advisory_lock($1)"
RELEASE = "SELECT pg_advisory_unlock($1)"

Result = TypeVar("Result")

_databases: weakref.WeakSet[PostgresDatabase] = weakref.WeakSet()
_inherited: list[
    psycopg.Connection[Any]
] = []  # of the parent: kept, as the end of one would end the parent's


class _TimestampText(psycopg.adapt.Loader):
    """Times as SQLite has them: UTC without a zone, six digits after the second or none."""

    def load(self, data: Any) -> str:
        text = bytes(data).decode().removesuffix("+00")
        seconds, dot, fraction = text.partition(".")
        return f"{seconds}.{fraction:0<6}" if dot else seconds


class _GlobDumper(psycopg.adapt.Dumper):
    """Patterns of file names as regular expressions."""

    def dump(self, obj: Any) -> bytes:
        return glob_pattern(fit(str(obj))).encode()


class PostgresTransaction:
    """See `smttask.records.database.Transaction`; many write at once."""

    for_update = " FOR UPDATE"

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Do one statement; the rows that it selects."""
        return _execute(self._connection, sql, values)

    def insert(self, sql: str, values: Sequence[Any], key: str = "id") -> int:
        """Add one row; what its column `key` became."""
        return int(self.execute(f"{sql} RETURNING {key}", values)[0][0])

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Do one statement for each of `rows`, without waiting in between."""
        stored = [storable(sql, row) for row in rows]
        if stored:
            with self._connection.cursor() as cursor:
                cursor.executemany(translated(sql), stored)

    def exclude(self, what: str) -> bool:
        """Keep others who name `what` out; they may have written before."""
        self.execute("SELECT pg_advisory_xact_lock(?)", (_lock_number(what),))
        return True


class PostgresDatabase:
    """A PostgreSQL database with a connection of its own in each process, shared by threads under a lock.

    Passwords come from the environment (``PGPASSWORD``), ``~/.pgpass`` or the URL of
    the environment. A lost connection is made anew at the next use. While a server
    does not answer, at most a tenth of the time is spent on trying.

    Parameters
    ----------
    url
        The database must exist; its tables are made at first use.
    on_open
        Called whenever what was remembered of the database may be wrong: it was
        opened, or a transaction failed.
    timeout_s
        How long to wait for others who write the same record.
    durable
        Whether a commit survives a power cut at the server.
    """

    def __init__(
        self, url: StoreURL, *, on_open: Callable[[], None], timeout_s: float, durable: bool
    ) -> None:
        self.url = url
        self._on_open = on_open
        self._timeout_s = timeout_s
        self._durable = durable
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[Row] | None = None
        self._failure: tuple[float, RecordStoreError] | None = None
        self._in_transaction = False
        self._is_committing = False
        self._is_checked = False
        _follow_forks()
        _databases.add(self)

    @property
    def address(self) -> str:
        """The URL, without a password."""
        return self.url.text

    def is_made(self) -> bool:
        """Whether the tables are there."""
        return bool(self._attempt(lambda connection: _execute(connection, IS_MADE)[0][0], makes=False))

    def write(self, action: Callable[[Transaction], Result]) -> Result:
        """Do `action` in one transaction; nothing stays of a failed one.

        `action` may be done again: rows it remembered may be gone, others may have
        stood in its way, or the connection was lost before anything was kept.

        Raises
        ------
        RecordStoreError
            If the server cannot be reached or refuses.
        """
        return self._attempt(lambda connection: self._transact(connection, action))

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Rows that `sql` selects.

        Raises
        ------
        RecordStoreError
            If the server cannot be reached or refuses.
        """
        return self._attempt(lambda connection: _execute(connection, sql, values))

    def close(self) -> None:
        """Close the connection of this process; the next use opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def leave_to_parent(self) -> None:
        """Forget, in a forked child, the connection that is the parent's; nothing is sent or closed there."""
        self._lock = threading.RLock()
        self._in_transaction = False
        self._failure = None
        connection, self._connection = self._connection, None
        if connection is not None:
            _inherited.append(connection)
            try:
                os.close(connection.fileno())  # or the server would see the parent live as long as the child
            except (OSError, psycopg.Error):
                pass

    def _attempt(self, do: Callable[[psycopg.Connection[Row]], Result], *, makes: bool = True) -> Result:
        with self._lock:
            if self._in_transaction:  # of this thread: a new connection would know nothing of it
                return do(self._connected(makes=makes))
            for n in itertools.count(1):
                self._is_committing = False
                connection = self._connected(makes=makes)
                try:
                    return do(connection)
                except psycopg.Error as error:
                    self._on_open()
                    if not self._may_repeat(connection, error, n):
                        raise self._told(error) from error
        raise AssertionError("unreachable")

    def _may_repeat(self, connection: psycopg.Connection[Row], error: psycopg.Error, n: int) -> bool:
        if connection.closed:
            self.close()
            return n == 1 and not self._is_committing
        if isinstance(error, CONTENTION):
            return n < N_ATTEMPTS
        return isinstance(error, psycopg.IntegrityError) and n == 1

    def _transact(
        self, connection: psycopg.Connection[Row], action: Callable[[Transaction], Result]
    ) -> Result:
        self._in_transaction = True
        try:
            with self._pipeline(connection):  # statements without rows are not waited for
                connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
                result = action(PostgresTransaction(connection))
                self._is_committing = True  # if this is not answered, nobody knows whether it was kept
                connection.execute("COMMIT")
        except BaseException:
            if not connection.closed:
                connection.rollback()
            self._on_open()
            raise
        finally:
            self._in_transaction = False
        return result

    def _pipeline(self, connection: psycopg.Connection[Row]) -> AbstractContextManager[object]:
        return connection.pipeline() if psycopg.Pipeline.is_supported() else nullcontext()

    def _connected(self, *, makes: bool) -> psycopg.Connection[Row]:
        if self._connection is not None and self._connection.closed:
            self.close()
        if self._connection is None:
            if self._failure is not None and time.monotonic() < self._failure[0]:
                raise self._failure[1].with_traceback(None)
            begun = time.monotonic()
            try:
                self._connection = self._opened(makes=makes)
                self._failure = None
            except psycopg.Error as error:
                told, took_s = self._told(error), time.monotonic() - begun
                if took_s > SLOW_S:
                    self._failure = time.monotonic() + 10 * took_s, told
                raise told from error
            self._on_open()
        elif makes and not self._is_checked:
            self._make(self._connection)
        return self._connection

    def _opened(self, *, makes: bool) -> psycopg.Connection[Row]:
        connection = _within(CONNECT_S, self._connect)
        try:
            if connection.info.parameter_status("server_encoding") != "UTF8":
                found = connection.info.parameter_status("server_encoding")
                raise RecordStoreError(
                    f"The record store {self._name} cannot hold every text.",
                    f"database: {self.address}\nencoding: {found}",
                    "make a database with: createdb --encoding=UTF8 --template=template0 NAME",
                )
            synchronous = "on" if self._durable else "off"
            connection.execute(
                SETTINGS.format(lock_ms=max(1, int(1000 * self._timeout_s)), synchronous=synchronous)
            )
            self._is_checked = False
            if makes:
                self._make(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> psycopg.Connection[Row]:
        connection: psycopg.Connection[Row] = psycopg.connect(
            self.url.text,
            password=self.url.password,
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
            client_encoding="UTF8",
            connect_timeout=int(CONNECT_S),
            fallback_application_name="smttask",
            # a server that vanished without a word is noticed in 45 s while an answer is awaited
            tcp_user_timeout=5000,
            keepalives_idle=30,
            keepalives_interval=5,
            keepalives_count=3,
        )
        connection.adapters.register_loader("timestamptz", _TimestampText)
        connection.adapters.register_loader("inet", psycopg.types.string.TextLoader)
        connection.adapters.register_dumper(Glob, _GlobDumper)
        return connection

    def _make(self, connection: psycopg.Connection[Row]) -> None:
        """Make the tables where they are missing, alone among all processes, and look at who made them."""
        if not _execute(connection, IS_MADE)[0][0]:
            # not the transaction's kind of lock: Django makes the tables over a connection of its own
            number = _lock_number("make")
            connection.execute("SET lock_timeout = 0")
            connection.execute(ALONE, (number,))
            try:
                if not _execute(connection, IS_MADE)[0][0]:
                    if not _execute(connection, HAS_SUMATRA)[0][0]:
                        run_migrations(self._for_django(), self._name, f"database: {self.address}")
                    self._check(connection)
                    connection.execute(f"BEGIN; {translated(OWN_TABLES)} {INDEXES} COMMIT;")
            finally:
                if not connection.closed:
                    connection.execute(RELEASE, (number,))
                    connection.execute(f"SET lock_timeout = {max(1, int(1000 * self._timeout_s))}")
        self._check(connection)
        self._is_checked = True

    def _check(self, connection: psycopg.Connection[Row]) -> None:
        found = tuple(_execute(connection, FOUND))
        if found != MIGRATIONS:
            raise other_schema_error(self._name, f"database: {self.address}", found)

    def _for_django(self) -> dict[str, Any]:
        told = psycopg.conninfo.conninfo_to_dict(self.url.text, password=self.url.password)
        return {"ENGINE": "django.db.backends.postgresql", "NAME": told.pop("dbname"), "OPTIONS": told}

    @property
    def _name(self) -> str:
        return self.address.partition("?")[0].rpartition("/")[2]

    def _told(self, error: psycopg.Error) -> RecordStoreError:
        return refusal(self._name, self.address, error, error.sqlstate)


def _execute(connection: psycopg.Connection[Row], sql: str, values: Sequence[Any] = ()) -> list[Row]:
    prepare = False if has_lists(sql) else None
    cursor = connection.execute(translated(sql), storable(sql, values), prepare=prepare)
    return cursor.fetchall() if sql.startswith("SELECT") or " RETURNING " in sql else []


def _lock_number(what: str) -> int:
    return int.from_bytes(blake3(f"smttask {what}".encode()).digest(length=8), "big", signed=True)


def _within(timeout_s: float, connect: Callable[[], psycopg.Connection[Row]]) -> psycopg.Connection[Row]:
    """What `connect` returns or raises in time; finding the name of a server knows no timeout of its own."""
    answers: queue.SimpleQueue[psycopg.Connection[Row] | Exception] = queue.SimpleQueue()
    waits = threading.Event()
    waits.set()

    def work() -> None:
        try:
            connection = connect()
        except Exception as error:  # noqa: BLE001 - raised by the thread that waits
            answers.put(error)
        else:
            answers.put(connection)
            if not waits.is_set():
                connection.close()

    threading.Thread(target=work, name="smttask connects", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s + 0.5)
    except queue.Empty:
        waits.clear()
        raise psycopg.OperationalError(f"no answer within {timeout_s:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


@functools.cache
def _follow_forks() -> None:
    """Leave all connections to the parent in each forked child; once a process."""

    def leave() -> None:
        for database in list(_databases):
            database.leave_to_parent()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=leave)
