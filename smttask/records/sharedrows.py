"""Rows that records share, as Sumatra 0.8 looks for them: by every column.

It fails for ever where two are alike; so each is looked up, inside the transaction that would add it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from smttask.records.database import Transaction

__all__ = ["ADD", "COLUMNS", "find_or_add", "find_shared", "key_part"]

COLUMNS = {
    "executable": ("path", "name", "version", "options"),
    "repository": ("type", "url", "upstream"),
    "launchmode": ("type", "parameters"),
    "datastore": ("type", "parameters"),
    "dependency": ("name", "path", "version", "diff", "source", "module"),
    "platforminformation": (
        "architecture_bits",
        "architecture_linkage",
        "machine",
        "network_name",
        "ip_addr",
        "processor",
        "release",
        "system_name",
        "version",
    ),
    "datakey": ("path", "digest", "creation", "metadata"),
    "tag": ("name",),
}
MAY_BE_NULL = ("upstream", "source")
FIND = {
    table: f"SELECT id FROM django_store_{table} WHERE "
    + " AND ".join(f"{name} {'IS' if name in MAY_BE_NULL else '='} ?" for name in names)
    for table, names in COLUMNS.items()
}
ADD = {
    table: f"INSERT INTO django_store_{table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    for table, names in COLUMNS.items()
}
N_PARTS = 64  # of the paths of data keys, so that few who add some wait for each other


def key_part(path: str) -> int:
    """Which of `N_PARTS` groups the data key of `path` belongs to: who adds one excludes its group."""
    return zlib.crc32(path.encode("utf-8", "surrogatepass")) % N_PARTS


def find_shared(transaction: Transaction, table: str, values: Sequence[Any]) -> int | None:
    """The id of the row that holds `values`; where there is none, nobody else adds it in this transaction.

    Parameters
    ----------
    table
        One of `COLUMNS`, without the ``django_store_`` before it.
    values
        Of all its columns, in their order.
    """
    rows = transaction.execute(FIND[table], values)
    if not rows:
        part = key_part(values[0]) if table == "datakey" else ""
        if transaction.exclude(f"{table}{part}"):
            rows = transaction.execute(FIND[table], values)
    return int(rows[0][0]) if rows else None


def find_or_add(transaction: Transaction, table: str, values: Sequence[Any]) -> int:
    """The id of the row that holds `values`, added if there is none."""
    known = find_shared(transaction, table, values)
    return transaction.insert(ADD[table], values) if known is None else known
