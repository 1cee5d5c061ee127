"""Every record store keeps the one contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smttask.records.sqlite import MemoryRecordStore, SQLiteRecordStore
from smttask.records.stores import SQLRecordStore
from smttask.testing import RecordStoreContract


class TestSQLite(RecordStoreContract):
    """In a file."""

    @pytest.fixture
    def store(self, open_store: Callable[..., SQLiteRecordStore]) -> SQLiteRecordStore:
        return open_store()


class TestMemory(RecordStoreContract):
    """In memory."""

    @pytest.fixture
    def store(self) -> Iterator[SQLRecordStore]:
        store = MemoryRecordStore("scratch", input_root="/p", output_root="/p/data")
        yield store
        store.close()


class TestPostgres(RecordStoreContract):
    """On a server."""

    @pytest.fixture
    def store(self, open_postgres: Callable[..., Any]) -> SQLRecordStore:
        made: SQLRecordStore = open_postgres()
        return made
