"""Many records at once: copies of one real record, each with its own label, digest, inputs and files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.raw import open_store

__all__ = ["DIGITS", "fill"]

#: Length of the digests of tasks.
DIGITS = 20

#: Rows of the first record are copied with what differs; ids follow those that are there.
COPY_PARAMETERS = (
    "INSERT INTO django_store_parameterset (id, type, content)"
    " SELECT ?, type, replace(replace(content, ?, ?), ?, ?)"
    " FROM django_store_parameterset WHERE id = 1"
)
RECORD_COLUMNS = (
    'reason, duration, main_file, version, outcome, tags, diff, "user", script_arguments, stdout_stderr,'
    " executable_id, repository_id, launch_mode_id, datastore_id, input_datastore_id, project_id"
)
COPY_RECORD = (
    f"INSERT INTO django_store_record (db_id, label, timestamp, parameters_id, {RECORD_COLUMNS})"
    f" SELECT ?, ?, ?, ?, {RECORD_COLUMNS} FROM django_store_record WHERE db_id = 1"
)
RUN_COLUMNS = "is_open, host, pid, process_start"
COPY_RUN = (
    f"INSERT INTO smttask_run (record_id, task, module, digest, full_digest, manifest, {RUN_COLUMNS})"
    f" SELECT ?, task, module, ?, ?, ?, {RUN_COLUMNS} FROM smttask_run WHERE record_id = 1"
)
COPY_KEY = (
    "INSERT INTO django_store_datakey (path, digest, creation, metadata, output_from_record_id)"
    " SELECT ?, digest, creation, metadata, ? FROM django_store_datakey WHERE id = 1"
)
COPY_LINKS = (
    "INSERT INTO django_store_record_dependencies (record_id, dependency_id)"
    " SELECT r.db_id, d.dependency_id FROM django_store_record r, django_store_record_dependencies d"
    " WHERE r.db_id > 1 AND d.record_id = 1",
    "INSERT INTO django_store_record_platforms (record_id, platforminformation_id)"
    " SELECT r.db_id, p.platforminformation_id FROM django_store_record r, django_store_record_platforms p"
    " WHERE r.db_id > 1 AND p.record_id = 1",
    "INSERT INTO django_store_taggeditem (object_id, content_type_id, tag_id)"
    " SELECT r.db_id, t.content_type_id, t.tag_id FROM django_store_record r, django_store_taggeditem t"
    " WHERE r.db_id > 1 AND t.object_id = 1",
)


def fill(store: Path, n_records: int, given: str) -> None:
    """Let the record store hold `n_records`.

    Parameters
    ----------
    store
        Holds one finished record of a task with one input that is not at its default; nobody uses it.
    given
        How that input stands in the JSON text of the record, ``"x":0.5``. In the copies its
        value is 1, 2, 3…
    """
    connection = open_store(store)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -200000")
    digest, folder, stamp = connection.execute(
        "SELECT s.digest, s.task, r.timestamp"
        " FROM smttask_run s JOIN django_store_record r ON r.db_id = s.record_id WHERE s.record_id = 1"
    ).fetchone()
    key = given.partition(":")[0]
    started = datetime.fromisoformat(stamp)

    def rows(*columns: str) -> Iterator[tuple[Any, ...]]:
        for number in range(1, n_records):
            moment = started + timedelta(milliseconds=number)
            new_digest = f"{number:0{DIGITS}x}"[::-1]
            label = f"{moment:%Y%m%d-%H%M%S-%f}_{new_digest[:6]}"
            facts = {
                "id": number + 1,
                "label": label,
                "timestamp": str(moment),
                "digest": new_digest,
                "old digest": digest,
                "given": given,
                "new": f"{key}:{number}.0",
                "manifest": f"{folder}/{label}.json",
            }
            yield tuple([facts[column] for column in columns])

    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    connection.execute("BEGIN")
    for name, _ in indexes:  # sorted once at the end, they are made in a quarter of the time
        connection.execute(f'DROP INDEX "{name}"')
    connection.executemany(COPY_PARAMETERS, rows("id", "old digest", "digest", "given", "new"))
    connection.executemany(COPY_RECORD, rows("id", "label", "timestamp", "id"))
    connection.executemany(COPY_RUN, rows("id", "digest", "digest", "manifest"))
    connection.executemany(COPY_KEY, rows("manifest", "id"))
    for statement in COPY_LINKS:
        connection.execute(statement)
    for _, sql in indexes:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
