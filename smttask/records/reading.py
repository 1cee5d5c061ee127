"""Records from the rows of Sumatra's tables; nothing found there is evaluated."""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from smttask.parsing import undisturbed
from smttask.records.database import IDS, Database
from smttask.records.query import COLUMNS, FROM
from smttask.records.record import (
    STATUSES,
    DataKey,
    Dependency,
    Executable,
    Platform,
    Record,
    RepositoryAddress,
)
from smttask.records.tags import parse_tags

__all__ = ["parse_timestamp", "read_literal", "read_records", "split_status"]

SHARED = {
    "executable": ("e", "path", "version", "name", "options"),
    "repository": ("g", "url", "upstream"),
    "launch_mode": ("l", "parameters"),
}
RECORD_COLUMNS = ", ".join(
    [
        *COLUMNS.values(),
        *(f"{alias}.{name}" for alias, *names in SHARED.values() for name in names),
    ]
)
JOINS = (
    " LEFT JOIN django_store_executable e ON e.id = r.executable_id"
    " LEFT JOIN django_store_repository g ON g.id = r.repository_id"
    " LEFT JOIN django_store_launchmode l ON l.id = r.launch_mode_id"
)
DEPENDENCIES = (
    "SELECT m.record_id, d.name, d.path, d.version, d.diff, d.source"
    " FROM django_store_record_dependencies m JOIN django_store_dependency d ON d.id = m.dependency_id"
    f" WHERE m.record_id IN {IDS}"
)
PLATFORMS = (
    "SELECT m.record_id, i.architecture_bits, i.architecture_linkage, i.machine, i.network_name,"
    " i.processor, i.release, i.system_name, i.version, i.ip_addr"
    " FROM django_store_record_platforms m"
    " JOIN django_store_platforminformation i ON i.id = m.platforminformation_id"
    f" WHERE m.record_id IN {IDS}"
)
INPUTS = (
    "SELECT m.record_id, k.path, k.creation, k.metadata"
    " FROM django_store_record_input_data m JOIN django_store_datakey k ON k.id = m.datakey_id"
    f" WHERE m.record_id IN {IDS}"
)
OUTPUTS = (
    "SELECT k.output_from_record_id, k.path, k.creation, k.metadata FROM django_store_datakey k"
    f" WHERE k.output_from_record_id IN {IDS}"
)


def read_records(database: Database, ids: Sequence[int]) -> list[Record]:
    """Records with these keys, in this order; those removed meanwhile are left out."""
    these = (json.dumps(list(ids)),)
    rows = database.query(f"SELECT {RECORD_COLUMNS} {FROM}{JOINS} WHERE r.db_id IN {IDS}", these)
    linked = {
        name: _by_record(database.query(sql, these))
        for name, sql in (
            ("dependencies", DEPENDENCIES),
            ("platforms", PLATFORMS),
            ("inputs", INPUTS),
            ("outputs", OUTPUTS),
        )
    }
    records = {row[0]: _record(row, linked) for row in rows}
    return [records[record_id] for record_id in ids if record_id in records]


def _by_record(rows: Sequence[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    grouped: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for record_id, *values in sorted(rows, key=lambda row: row[:2]):
        grouped[record_id].append(tuple(values))
    return grouped


def _record(row: tuple[Any, ...], linked: dict[str, dict[int, list[tuple[Any, ...]]]]) -> Record:
    fields = dict(zip(COLUMNS, row, strict=False))
    path, version, name, options, url, upstream, launch_mode = row[len(COLUMNS) :]
    record_id = fields.pop("id")
    status, tags = split_status(fields.pop("tags"))
    platforms = linked["platforms"].get(record_id)
    return Record(
        timestamp=parse_timestamp(fields.pop("timestamp")),
        executable=Executable(path or "", version or "", name or "", options or ""),
        repository=RepositoryAddress(url or "", upstream),
        working_directory=read_literal(launch_mode or "", "working_directory"),
        status=status,
        tags=tags,
        dependencies=tuple(
            Dependency(*values)
            for values in sorted(linked["dependencies"].get(record_id, ()), key=lambda row: row[0].lower())
        ),
        platform=Platform(*platforms[0]) if platforms else None,
        input_data=tuple(_data_key(*values) for values in linked["inputs"].get(record_id, ())),
        output_data=tuple(_data_key(*values) for values in linked["outputs"].get(record_id, ())),
        **fields,
    )


def _data_key(path: str, creation: str | None, metadata: str) -> DataKey:
    try:
        known = json.loads(metadata)
    except (ValueError, RecursionError):
        known = None  # written by a Sumatra before 0.8, as a literal
    found = MappingProxyType(known if isinstance(known, dict) else {})
    return DataKey(path, parse_timestamp(creation) if creation else None, found)


def read_literal(literal: str, name: str) -> str:
    """The text `name` in Sumatra's literal of a dict, which is parsed and not run; empty if there is none."""
    try:
        found = undisturbed(lambda: ast.literal_eval(literal))[name]
    except (ValueError, SyntaxError, LookupError, TypeError, RecursionError, MemoryError):
        return ""
    return found if isinstance(found, str) else ""


def split_status(text: str) -> tuple[str, frozenset[str]]:
    """The status and the user's tags in a record's column of tags; the status is empty if there is none.

    Examples
    --------
    >>> split_status("_finished_,first look")
    ('finished', frozenset({'first look'}))
    """
    tags = set(parse_tags(text))
    status = next((status for status in STATUSES if f"_{status}_" in tags), "")
    return status, frozenset(tags - {f"_{status}_"})


def parse_timestamp(text: str) -> datetime:
    """Return the aware datetime, in UTC, that Django wrote as `text`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
