"""Records as JSON and CSV, for other programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from smttask.records.record import DataKey
from smttask.view import RecordView

__all__ = ["export_csv", "export_json", "full_facts", "light_facts"]

INPUT_PREFIX = "input."  # of the columns of inputs, so that none is taken for one of the record
CSV_COLUMNS = (
    *("label", "task", "module", "digest", "timestamp", "duration_s", "status", "tags", "reason"),
    *("outcome", "version", "main_file", "user", "script_arguments"),
)


def light_facts(record: RecordView) -> dict[str, Any]:
    """What a list of records shows, as JSON types; `timestamp` is ISO text in UTC.

    Nothing more is read from the record store.
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


def full_facts(record: RecordView) -> dict[str, Any]:
    """All that is kept about a run, as JSON types; upstream tasks stand as in descriptions."""
    platform = record.platform
    executable, repository = record.executable, record.repository
    return {
        **light_facts(record),
        "full_digest": record.full_digest,
        "parameters": record.parameters,
        "diff": record.diff,
        "working_directory": record.working_directory,
        "executable": {"path": executable.path, "version": executable.version},
        "repository": {"url": repository.url, "upstream": repository.upstream},
        "platform": None
        if platform is None
        else {name: getattr(platform, name) for name in platform.__dataclass_fields__},
        "dependencies": [
            {"name": item.name, "version": item.version, "path": item.path} for item in record.dependencies
        ],
        "input_data": [_key(key) for key in record.input_data],
        "output_data": [_key(key) for key in record.output_data],
        "stdout_stderr": record.stdout_stderr,
    }


def _key(key: DataKey) -> dict[str, Any]:
    return {"path": key.path, **key.metadata}


def export_json(records: Iterable[RecordView], file: TextIO) -> int:
    """Write `records` as one JSON array, a line each, and return how many they are."""
    n_records = 0
    for n_records, record in enumerate(records, 1):
        file.write("[\n" if n_records == 1 else ",\n")
        json.dump(full_facts(record), file, ensure_ascii=False)
    file.write("\n]\n" if n_records else "[]\n")
    return n_records


def export_csv(records: Sequence[RecordView], file: TextIO) -> int:
    """Write a row for each of `records`, with a column ``input.<name>`` for each input; how many they are.

    Inputs stand as people read them, tags between commas.
    """
    texts = [record.input_texts for record in records]
    names = sorted({name for row in texts for name in row})
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*CSV_COLUMNS, *(INPUT_PREFIX + name for name in names)])
    for record, inputs in zip(records, texts, strict=True):
        facts = {**light_facts(record), "tags": ",".join(sorted(record.tags))}
        writer.writerow(
            [*(facts[column] for column in CSV_COLUMNS), *(inputs.get(name, "") for name in names)]
        )
    return len(records)
