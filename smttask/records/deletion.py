"""Taking records out of a store, with all rows that are theirs alone."""

from __future__ import annotations

import json
from collections.abc import Iterable

from smttask.records.database import IDS, TEXTS, Transaction
from smttask.records.parameterindex import FORGET_PARAMETERS
from smttask.records.stores import SQLRecordStore

__all__ = ["delete_records", "require_deletable"]

BATCH = 500  # records in one transaction: others that write wait for it

FIND = (
    f"SELECT db_id, parameters_id FROM django_store_record WHERE label IN {TEXTS} AND +project_id = ?"
    " ORDER BY db_id"
)
# In this order, as rows refer to each other
DELETE = (
    f"DELETE FROM django_store_record_dependencies WHERE record_id IN {IDS}",
    f"DELETE FROM django_store_record_input_data WHERE record_id IN {IDS}",
    f"DELETE FROM django_store_record_platforms WHERE record_id IN {IDS}",
    # "+" keeps SQLite from reading the tags of all records
    f"DELETE FROM django_store_taggeditem WHERE object_id IN {IDS} AND +content_type_id IN"
    " (SELECT id FROM django_content_type WHERE app_label = 'django_store' AND model = 'record')",
    # What another record has read stays named there
    f"DELETE FROM django_store_datakey WHERE output_from_record_id IN {IDS} AND NOT EXISTS"
    " (SELECT 1 FROM django_store_record_input_data i WHERE i.datakey_id = django_store_datakey.id)",
    f"UPDATE django_store_datakey SET output_from_record_id = NULL WHERE output_from_record_id IN {IDS}",
    f"DELETE FROM smttask_run WHERE record_id IN {IDS}",
    f"DELETE FROM django_store_record WHERE db_id IN {IDS}",
)
DELETE_PARAMETERS = (
    f"DELETE FROM django_store_parameterset WHERE id IN {IDS} AND NOT EXISTS"
    " (SELECT 1 FROM django_store_record r WHERE r.parameters_id = django_store_parameterset.id)"
)


def require_deletable(store: SQLRecordStore) -> None:
    """Refuse a store whose records cannot be deleted now; nothing is changed.

    Raises
    ------
    RecordStoreError
        If it is locked, read-only, or cannot be reached.
    """
    delete_records(store, [""])  # no record has this label


def delete_records(store: SQLRecordStore, labels: Iterable[str]) -> int:
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

        def delete(transaction: Transaction, text: str = text) -> int:
            rows = transaction.execute(FIND + transaction.for_update, (text, store.project_name))
            ids = json.dumps([row[0] for row in rows])
            transaction.execute(FORGET_PARAMETERS, (ids, ids))
            for statement in DELETE:
                transaction.execute(statement, (ids,))
            transaction.execute(DELETE_PARAMETERS, (json.dumps([row[1] for row in rows]),))
            return len(rows)

        n_deleted += store._database.write(delete)
    store._forget()
    return n_deleted
