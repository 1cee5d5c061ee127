"""What the record store asks of a database, in SQL that SQLite and PostgreSQL both take.

The SQL is written once, in SQLite's words: ``?`` for values, ``json_each(?)`` for
lists, ``+column`` where SQLite must not use an index. `smttask.records.dialect`
puts the few words that differ into PostgreSQL's; nothing else knows both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

__all__ = ["IDS", "TEXTS", "Database", "Row", "Transaction"]

#: The members of a list that is bound as JSON text, for ``IN``.
IDS = "(SELECT CAST(value AS integer) FROM json_each(?))"
TEXTS = "(SELECT value FROM json_each(?))"

Row = tuple[Any, ...]
Result = TypeVar("Result")


class Transaction(Protocol):
    """One transaction, as the actions given to `Database.write` have it."""

    @property
    def for_update(self) -> str:
        """What follows a SELECT of rows that will be changed, so that nobody else changes them meanwhile."""
        ...

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Do one statement; the rows that it selects."""
        ...

    def insert(self, sql: str, values: Sequence[Any], key: str = "id") -> int:
        """Add one row; what its column `key` became."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Do one statement for each of `rows`."""
        ...

    def exclude(self, what: str) -> bool:
        """Keep others who name `what` out until the end of the transaction.

        Returns
        -------
        bool
            Whether others may have written since the transaction began, so that what
            was looked up must be looked up again.
        """
        ...


class Database(Protocol):
    """A database for many threads, forks and processes."""

    @property
    def address(self) -> str:
        """Where it is, for people: a path, or a URL without a password."""
        ...

    def is_made(self) -> bool:
        """Whether the tables are there already; nothing is made to find out."""
        ...

    def write(self, action: Callable[[Any], Result]) -> Result:
        """Do `action`, given a `Transaction`, as a whole or not at all.

        `action` may be done again: when a row it remembered is gone, or the
        connection was lost before anything was kept.

        Raises
        ------
        RecordStoreError
            If the database cannot be written.
        """
        ...

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Rows that `sql` selects.

        Raises
        ------
        RecordStoreError
            If the database cannot be read.
        """
        ...

    def close(self) -> None:
        """Close the connection of this process; the next use opens it again."""
        ...
