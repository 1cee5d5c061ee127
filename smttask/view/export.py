"""Records as files for other programs: JSON with all there is, or a CSV table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from smttask.errors import InputError, short_repr
from smttask.records.parameters import read_json
from smttask.records.record import Record
from smttask.storage.atomic import storage_error, write_whole

if TYPE_CHECKING:
    from smttask.view.records import RecordView
    from smttask.view.store import RecordStoreView

__all__ = ["FORMATS", "all_facts", "export_records", "light_facts", "write_records"]

FORMATS = ("json", "csv")


def export_records(
    view: RecordStoreView,
    path: str | os.PathLike[str],
    *,
    format_name: str = "",
    parameters: bool | Iterable[str] = True,
) -> Path:
    """Write the records of `view` to a file; see `RecordStoreView.export`.

    Parameters
    ----------
    format_name
        One of `FORMATS`; the ending of `path` tells it if empty.
    parameters
        See `write_records`.
    """
    target = Path(path)
    format_name = format_name or target.suffix.lower().removeprefix(".")
    if format_name not in FORMATS:
        raise InputError(
            f"Records cannot be exported to {short_repr(os.fspath(path))}.",
            f"found: the ending {target.suffix!r}\nexpected: {', '.join(f'.{name}' for name in FORMATS)}",
            "give the file one of these endings",
        )
    try:
        write_whole(os.fspath(target), lambda file: write_records(view, file, format_name, parameters))
    except OSError as error:
        raise storage_error("Cannot export records.", os.fspath(target), error) from error
    return target


def write_records(
    view: RecordStoreView, file: BinaryIO, format_name: str, parameters: bool | Iterable[str] = True
) -> None:
    """Write the records of `view` to `file`, as UTF-8, in one of `FORMATS`.

    Parameters
    ----------
    parameters
        Columns of a CSV table, as for `RecordStoreView.dframe`.

    Raises
    ------
    InputError
        If they are chosen for JSON, which has all; or if a path is none.
    """
    if format_name == "csv":
        file.write(view.dframe(parameters=parameters).to_csv(index=False).encode("utf-8", "replace"))
        return
    if parameters is not True:
        raise InputError(
            "Inputs cannot be chosen for JSON.",
            "found: the format json, which has all of each record",
            "choose them for csv, or leave them out",
        )
    separator = b"[\n"
    for record in view.store.records(view.decided()):
        file.write(separator + json.dumps(all_facts(record), ensure_ascii=False).encode("utf-8", "replace"))
        separator = b",\n"
    file.write(b"\n]\n" if separator != b"[\n" else b"[]\n")


def light_facts(record: RecordView) -> dict[str, Any]:
    """What a list of records shows, as JSON types under the names of `all_facts`.

    `timestamp` is ISO text in UTC. Nothing more is read from the record store.
    """
    return {
        "label": record.label,
        "task": record.task_name,
        "module": record.module,
        "digest": record.digest,
        "timestamp": record.timestamp.isoformat(),
        "duration_s": None if record.duration is None else record.duration.total_seconds(),
        "status": record.status,
        "tags": sorted(record.tags),
        "reason": record.reason,
        "outcome": record.outcome,
        "version": record.version,
        "main_file": record.main_file,
        "user": record.user,
        "script_arguments": record.script_arguments,
    }


def all_facts(record: Record) -> dict[str, Any]:
    """All that is kept about a run, as JSON types; upstream tasks stand as in descriptions.

    The parameters are JSON, or the text that another program made of them.
    """
    plain: dict[str, Any] = _plain(record)
    parameters = read_json(record.parameters)
    return {**plain, "parameters": record.parameters if parameters is None else parameters}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
