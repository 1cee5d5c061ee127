"""Records as files for other programs: JSON with all there is, or a CSV table."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from smttask.errors import InputError, short_repr
from smttask.records.parameters import read_json
from smttask.records.record import Record
from smttask.storage.atomic import storage_error, write_whole

if TYPE_CHECKING:
    from smttask.view.store import RecordStoreView

__all__ = ["export_records"]


def export_records(view: RecordStoreView, path: str | os.PathLike[str]) -> Path:
    """Write the records of `view` to a file; see `RecordStoreView.export`."""
    target = Path(path)
    formats = {".json": _write_json, ".csv": _write_csv}
    write = formats.get(target.suffix.lower())
    if write is None:
        raise InputError(
            f"Records cannot be exported to {short_repr(os.fspath(path))}.",
            f"found: the ending {target.suffix!r}\nexpected: {', '.join(formats)}",
            "give the file one of these endings",
        )
    try:
        write_whole(os.fspath(target), lambda file: write(view, file))
    except OSError as error:
        raise storage_error("Cannot export records.", os.fspath(target), error) from error
    return target


def _write_json(view: RecordStoreView, file: BinaryIO) -> None:
    separator = b"[\n"
    for record in view.store.records(view.decided()):
        file.write(separator + json.dumps(_entry(record), ensure_ascii=False).encode("utf-8", "replace"))
        separator = b",\n"
    file.write(b"\n]\n" if separator != b"[\n" else b"[]\n")


def _entry(record: Record) -> dict[str, Any]:
    """All fields of a record; the parameters as JSON, or as the text that another program made of them."""
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


def _write_csv(view: RecordStoreView, file: BinaryIO) -> None:
    file.write(view.dframe(parameters=True).to_csv(index=False).encode("utf-8", "replace"))
