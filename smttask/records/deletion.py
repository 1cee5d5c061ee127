"""Taking records out of a store, with all rows that are theirs alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from smttask.records.sqlite import SQLiteRecordStore

__all__ = ["delete_records"]

BATCH = 500  # records in one transaction: others that write wait for it

FIND = (
    "SELECT db_id, parameters_id FROM django_store_record"
    " WHERE label IN (SELECT value FROM json_each(?)) AND +project_id = ?"
)
THESE = "(SELECT value FROM json_each(?))"
# In this order, as rows refer to each other
DELETE = (
    f"DELETE FROM django_store_record_dependencies WHERE record_id IN {THESE}",
    f"DELETE FROM django_store_record_input_data WHERE record_id IN {THESE}",
    f"DELETE FROM django_store_record_platforms WHERE record_id IN {THESE}",
    f"DELETE FROM django_store_taggeditem WHERE object_id IN {THESE} AND content_type_id IN"
    " (SELECT id FROM django_content_type WHERE app_label = 'django_store' AND model = 'record')",
    # What another record has read stays named there
    f"DELETE FROM django_store_datakey WHERE output_from_record_id IN {THESE} AND NOT EXISTS"
    " (SELECT 1 FROM django_store_record_input_data i WHERE i.datakey_id = django_store_datakey.id)",
    f"UPDATE django_store_datakey SET output_from_record_id = NULL WHERE output_from_record_id IN {THESE}",
    f"DELETE FROM smttask_run WHERE record_id IN {THESE}",
    f"DELETE FROM django_store_record WHERE db_id IN {THESE}",
)
DELETE_PARAMETERS = (
    f"DELETE FROM django_store_parameterset WHERE id IN {THESE} AND NOT EXISTS"
    " (SELECT 1 FROM django_store_record r WHERE r.parameters_id = django_store_parameterset.id)"
)


def delete_records(store: SQLiteRecordStore, labels: Iterable[str]) -> int:
    """Take the records with these labels out of `store`; returns how many there were.

    Whatever they read or wrote stays on disk.

    Raises
    ------
    RecordStoreError
        If the store cannot be written.
    """
    wanted = list(labels)
    n_deleted = 0
    for start in range(0, len(wanted), BATCH):
        text = json.dumps(wanted[start : start + BATCH])

        def delete(connection: sqlite3.Connection, text: str = text) -> int:
            rows = connection.execute(FIND, (text, store.project_name)).fetchall()
            ids = json.dumps([row[0] for row in rows])
            for statement in DELETE:
                connection.execute(statement, (ids,))
            connection.execute(DELETE_PARAMETERS, (json.dumps([row[1] for row in rows]),))
            return len(rows)

        n_deleted += store._database.write(delete)
    store._forget()
    return n_deleted
