"""What users edited in records, made again in records that come back from manifests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from smttask.errors import RecordStoreError
from smttask.jsonlines import read_lines
from smttask.records.record import Record

__all__ = ["edited", "read_edits"]

TEXTS = ("reason", "outcome")


def read_edits(path: Path) -> dict[str, list[Mapping[str, Any]]]:
    """The edits that `smttask.records.editing` noted in the file `path`, by label, in their order.

    A line that a killed process left half written is passed over; no file is no edits.

    Raises
    ------
    RecordStoreError
        If the file cannot be read.
    """
    try:
        lines = read_lines(path)
    except OSError as error:
        raise RecordStoreError(
            "The edits of records cannot be read.",
            f"{path}: {error.strerror}",
            "make it readable, or move it away to have the records without edits",
        ) from error
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for edit in lines:
        with suppress(KeyError, TypeError):
            labels = edit["labels"] if edit["column"] == "tags" else edit["texts"]
            for label in labels:
                found[label].append(edit)
    return found


def edited(record: Record, edits: Iterable[Mapping[str, Any]]) -> Record:
    """The record as it was after these edits.

    Examples
    --------
    >>> from datetime import datetime
    >>> edit = {"column": "tags", "labels": ["a"], "added": ["good"], "removed": []}
    >>> edited(Record(label="a", timestamp=datetime(2026, 11, 22)), [edit]).tags
    frozenset({'good'})
    """
    for edit in edits:
        if edit["column"] == "tags":
            tags = (record.tags | set(edit["added"])) - set(edit["removed"])
            record = replace(record, tags=frozenset(tags))
        elif edit["column"] in TEXTS:
            record = replace(record, **{edit["column"]: edit["texts"][record.label]})
    return record
