"""Sumatra's tables, made by Sumatra's own migrations, and those of ours; files of SQLite.

Django and Sumatra run in a child process, so a user's process never imports or
configures them. The file appears whole or not at all, whoever else makes it meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smttask.errors import RecordStoreError
from smttask.records.parameterindex import TABLES

if sys.platform != "win32":
    import fcntl

__all__ = [
    "FAILURES",
    "LAST_MADE",
    "MIGRATIONS",
    "OWN_TABLES",
    "check_schema",
    "connect",
    "journal_mode_for",
    "make_store",
    "other_schema_error",
    "run_migrations",
    "store_error",
]

MIGRATIONS = (("django_store", "0001_initial"), ("django_store", "0002_tag_taggeditem"))

# The settings are those of sumatra/recordstore/django_store/__init__.py. What the parent can import
# comes last, so a project's own `parameters.py` or `records.py` never stands in for an installed package.
MIGRATE = """
import json, sys
database, more = json.load(sys.stdin)
sys.path += [entry for entry in more if entry not in sys.path]
import django
from django.conf import settings
from django.core import management
settings.configure(
    DATABASES={"default": database},
    INSTALLED_APPS=["sumatra.recordstore.django_store", "django.contrib.contenttypes"],
    USE_TZ=True, TIME_ZONE="UTC", SECRET_KEY="not used",
)
django.setup()
management.call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
"""

# A record touches some 60 pages and every touched page is written whole: with SQLite's usual 4096 bytes
# a record takes 320 us instead of 230, and the log that must reach the disk is four times as long
PAGE_BYTES = 1024

# No foreign keys into Sumatra's tables: `smt delete` must not trip over ours
OWN_TABLES = (
    """
CREATE TABLE IF NOT EXISTS smttask_run (
    record_id INTEGER PRIMARY KEY,
    task TEXT NOT NULL,
    module TEXT NOT NULL,
    digest TEXT NOT NULL,
    full_digest TEXT NOT NULL,
    manifest TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_start TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS smttask_run_task ON smttask_run (task);
CREATE INDEX IF NOT EXISTS smttask_run_digest ON smttask_run (digest);
CREATE INDEX IF NOT EXISTS smttask_run_open ON smttask_run (host) WHERE is_open = 1;
CREATE INDEX IF NOT EXISTS smttask_record_label ON django_store_record (label);
CREATE INDEX IF NOT EXISTS smttask_record_timestamp ON django_store_record (timestamp);
CREATE INDEX IF NOT EXISTS smttask_datakey_path ON django_store_datakey (path);
"""
    + TABLES
)
# The one that is made last: where it is, all are
LAST_MADE = "smttask_parameter"
HAS_OWN_TABLES = f"SELECT 1 FROM sqlite_master WHERE name = '{LAST_MADE}'"

# File systems on which the shared memory of SQLite's write-ahead log does not reach all who write
NETWORK_FILE_SYSTEMS = re.compile(
    r"nfs|cifs|smb|afs|lustre|gpfs|beegfs|ceph|gluster|sshfs|9p|pvfs|orangefs|panfs|davfs|drvfs"
)

_making = threading.Lock()  # the lock file below is held by processes, not by threads


def make_store(path: Path) -> None:
    """Make the record store at `path` unless there is one.

    Many processes may do so together: one makes it, the others wait. What a
    killed one left is removed by the next.

    Raises
    ------
    RecordStoreError
        If the folder of `path` is missing or cannot be written, or Sumatra's migrations fail.
    """
    if _is_there(path):
        return
    if not path.parent.is_dir():
        raise RecordStoreError(
            f"The record store {path.name} cannot be made.",
            f"file: {path}\nmissing: its folder",
            "initialize the project with: smttask project init",
            path=path,
        )
    try:
        with _making, _alone(path):
            if not _is_there(path):
                _make(path)
    except OSError as error:
        raise RecordStoreError(
            f"The record store {path.name} cannot be made.",
            f"file: {path}\nfound: {error}",
            "give yourself the right to write that folder, and make room on the disk",
            path=path,
        ) from error


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of those who make `path`; it dies with its holder and no child inherits it."""
    with open(f"{path}.lock", "ab") as lock:
        if sys.platform != "win32":
            fcntl.lockf(lock, fcntl.LOCK_EX)
        yield


def _make(path: Path) -> None:
    for rubbish in path.parent.glob(f"{path.name}.new-*"):
        rubbish.unlink(missing_ok=True)
    name = f"{path}.new-{os.getpid()}"
    open(name, "xb").close()
    try:
        _migrate(path, name)
        connection = sqlite3.connect(name)
        connection.executescript(OWN_TABLES)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("VACUUM")  # or the pages keep their size
        connection.execute(f"PRAGMA journal_mode = {journal_mode_for(path)}")
        connection.close()
        # SQLite would take the log of a database that was removed for that of the new one, and spoil it
        for ending in ("-wal", "-shm", "-journal"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        os.replace(name, path)
    finally:
        for rubbish in path.parent.glob(f"{os.path.basename(name)}*"):
            rubbish.unlink(missing_ok=True)


def _migrate(path: Path, new: str) -> None:
    # "rw" makes no file: the child of a killed process must leave nothing that nobody removes
    uri = f"{Path(new).absolute().as_uri()}?mode=rw"
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": uri, "OPTIONS": {"uri": True}}
    run_migrations(database, path.name, f"file: {path}")


def run_migrations(database: Mapping[str, Any], name: str, where: str) -> None:
    """Make Sumatra's tables in a database, in a child process.

    Parameters
    ----------
    database
        As Django's setting ``DATABASES`` has it; it is told by a pipe, as it may hold a password.
    name, where
        The record store in messages: its name, and a line that says where it is.

    Raises
    ------
    RecordStoreError
        If Sumatra's migrations fail.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE")
    }
    child = subprocess.run(
        [sys.executable, "-P", "-c", MIGRATE],
        input=json.dumps([database, [entry for entry in sys.path if entry]]),
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    if child.returncode:
        last_line = (child.stderr.strip().splitlines() or [f"exit status {child.returncode}"])[-1]
        raise RecordStoreError(
            f"The record store {name} cannot be made.",
            f"{where}\nSumatra's migrations failed: {last_line}",
            "check that Sumatra 0.8 and Django are installed: python -m pip install 'Sumatra>=0.8,<0.9'",
            output=child.stderr,
        )


def connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    """Open the store at `path`; where nothing can be written, for reading only.

    Raises
    ------
    sqlite3.Error
        If it cannot even be read.
    """
    connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.OperationalError as error:
        connection.close()
        # A log that nobody writes any more needs no shared memory beside it, which a read-only folder refuses
        if error.sqlite_errorname not in ("SQLITE_CANTOPEN", "SQLITE_READONLY_DIRECTORY"):
            raise
        if not os.access(path, os.R_OK) or os.path.exists(f"{path}-wal"):
            raise
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    return connection


def check_schema(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a store that other migrations made; add our table to one that Sumatra made.

    Raises
    ------
    RecordStoreError
        If the list of migrations is not that of Sumatra 0.8.
    sqlite3.Error
        If the file is no database, or cannot be read.
    """
    try:
        rows = connection.execute("SELECT app, name FROM django_migrations WHERE app = 'django_store'")
        found = tuple(sorted(rows.fetchall()))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_ERROR":
            raise
        found = ()  # no such table
    if found != MIGRATIONS:
        raise other_schema_error(path.name, f"file: {path}", found)
    if not connection.execute(HAS_OWN_TABLES).fetchone():
        connection.executescript(f"BEGIN IMMEDIATE;{OWN_TABLES}COMMIT;")


OLDER_SUMATRA = "if an older Sumatra made it, run its `smt export` and then `smt upgrade`"


def other_schema_error(name: str, where: str, found: Sequence[tuple[str, str]]) -> RecordStoreError:
    """Say that other migrations than Sumatra's 0.8 made the record store `name`."""
    names = ", ".join(migration for _, migration in found) or "none"
    is_newer = len(found) > len(MIGRATIONS) and set(found) > set(MIGRATIONS)
    return RecordStoreError(
        f"The record store {name} has another schema than Sumatra 0.8.",
        f"{where}\nmigrations found: {names}\n"
        f"migrations expected: {', '.join(migration for _, migration in MIGRATIONS)}",
        ("a newer Sumatra changed it: update smttask" if is_newer else OLDER_SUMATRA)
        + ";\nelse set `record_store` to another one",
    )


def journal_mode_for(path: Path, mounts: str | None = None) -> str:
    """Journal mode that is safe where `path` lies: ``wal``, or ``delete`` on a network file system.

    The write-ahead log needs memory shared by all who write, so it works on one host only
    (https://sqlite.org/wal.html).

    Parameters
    ----------
    mounts
        Text of ``/proc/self/mountinfo``; read from there when not given.

    Examples
    --------
    >>> journal_mode_for(Path("/"), "1 0 0:1 / / rw - ext4 /dev/vda rw")
    'wal'
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
        except OSError:
            return _journal_mode_by_mount(path)
    folder = os.path.realpath(path)
    best, best_type = "", ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), before.split(" ")[4])
        if len(point) >= len(best) and (folder + "/").startswith(point.rstrip("/") + "/"):
            best, best_type = point, after.split(" ")[0]
    return "delete" if NETWORK_FILE_SYSTEMS.search(best_type) else "wal"


def _journal_mode_by_mount(path: Path) -> str:
    """Decide where there is no ``/proc`` (macOS) by what the command ``mount`` says."""
    try:
        table = subprocess.run(["mount"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return "wal"
    folder, best, best_type = os.path.realpath(path), "", ""
    for point, kind in re.findall(r"^.* on (/.*) \((\w+)", table, re.MULTILINE):
        if len(point) >= len(best) and (folder + "/").startswith(point.rstrip("/") + "/"):
            best, best_type = point, kind
    return "delete" if NETWORK_FILE_SYSTEMS.search(best_type) else "wal"


def store_error(path: Path, error: Exception, *, waited_s: float = 0.0) -> RecordStoreError:
    """Say what is wrong with the record store at `path`, and what helps, from SQLite's `error`.

    Parameters
    ----------
    waited_s
        Time spent until the error; told where the store is locked.
    """
    code = str(getattr(error, "sqlite_errorname", ""))
    if isinstance(error, UnicodeDecodeError):
        code = "SQLITE_CORRUPT"
    answers = [(what, remedy) for prefixes, what, remedy in ANSWERS if code.startswith(prefixes)]
    what, remedy = answers[0] if answers else UNEXPECTED
    waited = f"\nwaited {waited_s:.1f} s" if what == LOCKED else ""
    return RecordStoreError(
        f"The record store {path.name} {what}.",
        f"file: {path}\nSQLite says: {error}" + (f" ({code})" if code else "") + waited,
        remedy,
        path=path,
    )


#: What SQLite raises; the second where its message quotes what was damaged
FAILURES = (sqlite3.Error, UnicodeDecodeError)
LOCKED = "is locked"
UNEXPECTED = "gave an unexpected answer", "check it with: sqlite3 FILE 'PRAGMA integrity_check'"
ANSWERS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"),
        LOCKED,
        "another program holds it: wait for that program or end it, then try again",
    ),
    (
        ("SQLITE_READONLY", "SQLITE_PERM"),
        "is read-only",
        "give yourself the right to write the file and its folder",
    ),
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
        "is damaged",
        "stored results are still found; move it away, with the files of its name that end in -wal and -shm, "
        "and make the records again: smttask store rebuild",
    ),
    (
        ("SQLITE_CANTOPEN",),
        "cannot be opened",
        "check that its folder exists and that you may read and write it",
    ),
    (("SQLITE_FULL", "SQLITE_IOERR"), "cannot be written or read", "make room on the disk, or check it"),
)
