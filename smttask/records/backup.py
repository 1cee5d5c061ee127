"""Copies of SQLite stores, whole even while others write."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from smttask.records.schema import FAILURES, connect, store_error

__all__ = ["copy_sqlite"]

TIMEOUT_S = 30.0


def copy_sqlite(source: Path, copy: Path) -> Path:
    """Copy the database at `source` as it is at one instant; returns `copy`.

    Raises
    ------
    RecordStoreError
        If `source` is no database or is locked, or `copy` cannot be written.
    """
    try:
        with closing(connect(source, TIMEOUT_S)) as opened, closing(sqlite3.connect(copy)) as made:
            opened.backup(made)
            made.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
    except FAILURES as error:
        raise store_error(source, error) from error
    return copy
