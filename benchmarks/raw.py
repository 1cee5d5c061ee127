"""The calls that no program can do without which promises the same: nothing around them."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blake3 import blake3
from pydantic import BaseModel

from smttask.project import Project
from smttask.records.dialect import translated
from smttask.records.sqlite import SQLiteRecordStore

__all__ = ["RawHit", "RawPostgres", "RawRun", "open_raw", "open_store"]

#: Dependencies that one raw record names.
N_DEPENDENCIES = 15

ADD_RECORD = (
    "INSERT INTO django_store_record (label, timestamp, reason, main_file, version, outcome, tags, diff,"
    ' "user", script_arguments, stdout_stderr, executable_id, repository_id, launch_mode_id, datastore_id,'
    " input_datastore_id, parameters_id, project_id)"
    " SELECT ?, ?, reason, main_file, version, '', '_running_', diff,"
    " \"user\", script_arguments, '', executable_id, repository_id, launch_mode_id, datastore_id,"
    " input_datastore_id, ?, project_id FROM django_store_record WHERE db_id = 1"
)
ADD_PARAMETERS = (
    "INSERT INTO django_store_parameterset (type, content)"
    " SELECT type, content FROM django_store_parameterset WHERE id = 1"
)
ADD_DEPENDENCY = (
    "INSERT INTO django_store_dependency (name, path, version, diff, source, module)"
    " VALUES (?, '/somewhere', '1.0', '', NULL, 'python')"
)
LINK_DEPENDENCY = "INSERT INTO django_store_record_dependencies (record_id, dependency_id) VALUES (?, ?)"
LINK_PLATFORM = (
    "INSERT INTO django_store_record_platforms (record_id, platforminformation_id)"
    " SELECT ?, platforminformation_id FROM django_store_record_platforms WHERE record_id = 1"
)
ADD_TAG = "INSERT OR IGNORE INTO django_store_tag (name) VALUES (?)"
LINK_TAG = (
    "INSERT INTO django_store_taggeditem (object_id, content_type_id, tag_id)"
    " SELECT ?, (SELECT content_type_id FROM django_store_taggeditem LIMIT 1), id"
    " FROM django_store_tag WHERE name = ?"
)
UNLINK_TAGS = "DELETE FROM django_store_taggeditem WHERE object_id = ?"
CLOSE_RECORD = "UPDATE django_store_record SET duration = ?, tags = '_finished_' WHERE db_id = ?"
ADD_KEY = (
    "INSERT INTO django_store_datakey (path, digest, creation, metadata, output_from_record_id)"
    " SELECT ?, digest, creation, metadata, ? FROM django_store_datakey WHERE id = 1"
)


def open_store(path: Path) -> sqlite3.Connection:
    """The record store at `path`, as fast as SQLite is safe from killed processes."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    return connection


class RawPostgres:
    """A plain connection to a PostgreSQL database that takes SQL in SQLite's words."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """A cursor, as `sqlite3.Connection.execute` gives it."""
        return self._connection.execute(translated(sql.replace("BEGIN IMMEDIATE", "BEGIN")), list(values))

    def close(self) -> None:
        """End it."""
        self._connection.close()


def open_raw(project: Project) -> sqlite3.Connection | RawPostgres:
    """A plain connection to the record store of `project`."""
    store = project.records
    if isinstance(store, SQLiteRecordStore):
        return open_store(store.path)
    return RawPostgres(store.address)


class RawRun:
    """The files and the SQL of one recorded run: lock, manifest, link, two transactions.

    Parameters
    ----------
    folder
        Where files go; made here.
    store
        A record store with one finished record, which is added to.
    manifest
        What each manifest holds.
    """

    def __init__(self, folder: Path, store: Path, manifest: bytes) -> None:
        self.folder = str(folder)
        self.manifest = manifest
        for name in ("locks", "runs", "links"):
            os.makedirs(f"{folder}/{name}", exist_ok=True)
        self.connection = open_store(store)
        execute = self.connection.execute
        self.dependencies = [
            execute(ADD_DEPENDENCY, (f"raw{number}",)).lastrowid for number in range(N_DEPENDENCIES)
        ]
        for tag in ("_running_", "_finished_"):
            execute(ADD_TAG, (tag,))

    def __call__(self, number: int) -> float:
        """One run, whose label is `number`."""
        lock_path = f"{self.folder}/locks/{number}"
        lock = os.open(lock_path, os.O_CREAT | os.O_RDWR, 0o666)
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        record_id = self._open_record(number)
        result = float(number) ** 2
        self._store(number)
        self._close_record(record_id, number)
        os.unlink(lock_path)
        os.close(lock)
        return result

    def _store(self, number: int) -> None:
        path = f"{self.folder}/runs/{number}.json"
        file = os.open(f"{path}.part", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        os.write(file, self.manifest)
        os.close(file)
        os.rename(f"{path}.part", path)
        link = f"{self.folder}/links/{number}.json"
        os.symlink(path, f"{link}.part")
        os.replace(f"{link}.part", link)

    def _open_record(self, number: int) -> int:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        parameters = execute(ADD_PARAMETERS).lastrowid
        stamp = f"2026-11-22 12:39:28.{number:06d}"
        record_id = execute(ADD_RECORD, (f"raw-{number}", stamp, parameters)).lastrowid
        assert record_id is not None
        execute(LINK_TAG, (record_id, "_running_"))
        execute(LINK_PLATFORM, (record_id,))
        self.connection.executemany(LINK_DEPENDENCY, [(record_id, key) for key in self.dependencies])
        execute("COMMIT")
        return record_id

    def _close_record(self, record_id: int, number: int) -> None:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        execute(UNLINK_TAGS, (record_id,))
        execute(LINK_TAG, (record_id, "_finished_"))
        execute(CLOSE_RECORD, (0.001, record_id))
        execute(ADD_KEY, (f"raw/{number}.json", record_id))
        execute("COMMIT")


class Inputs(BaseModel):
    """The inputs of the smallest task."""

    x: float
    n: int = 2


class RawHit:
    """Validate, name, find and read one stored result, with nothing checked but its first line.

    Parameters
    ----------
    links
        Folder with one link to a manifest for each result, named by its digest.
    digests
        Of the results for the numbers 0, 1, 2…
    """

    def __init__(self, links: Path, digests: list[str]) -> None:
        self.links = str(links)
        self.digests = digests

    def __call__(self, number: int) -> object:
        """The result for `number`."""
        inputs = Inputs(x=float(number))
        canonical = struct.pack("<cQdcQq", b"f", 8, inputs.x, b"i", 8, inputs.n)
        blake3(canonical).hexdigest()
        fd = os.open(f"{self.links}/{self.digests[number % len(self.digests)]}.json", os.O_RDONLY)
        text = os.read(fd, 16_384)
        os.close(fd)
        head = text[: text.index(b"\n")]
        blake3(head).hexdigest()
        return json.loads(head)["outputs"][""]["json"]
