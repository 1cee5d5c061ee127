"""Records of one store copied into another, row by row, so that nothing Sumatra keeps is lost.

Rows that records share are looked up and never doubled, as in `smttask.records.rows`. Every
record is added with all that is its own in one transaction, so a merge that was killed is
completed by the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from smttask.records.database import IDS, TEXTS, Row, Transaction
from smttask.records.originals import (
    BATCH,
    OWN,
    PARAMETERS,
    RUN,
    SHARED,
    CopiedRun,
    Originals,
    batches,
    set_name,
)
from smttask.records.rows import FORGET_RUN, LINK_DEPENDENCIES, LINK_INPUT, RecordWriter
from smttask.records.sharedrows import ADD, COLUMNS, key_part
from smttask.records.stores import SQLRecordStore

__all__ = ["LINK_OUTPUT", "RecordCopier"]

FIND_KEY = (
    "SELECT id FROM django_store_datakey WHERE path = ? AND digest = ? AND creation IS ? AND metadata = ?"
)

ADD_RECORD = (
    "INSERT INTO django_store_record"
    f" ({', '.join(OWN)}, {', '.join(SHARED)}, parameters_id, project_id)"
    f" VALUES ({', '.join('?' * (len(OWN) + len(SHARED) + 2))})"
).replace("user", '"user"')
ADD_RUN = f"INSERT INTO smttask_run (record_id, {', '.join(RUN)}) VALUES ({', '.join('?' * (len(RUN) + 1))})"
ADD_PARAMETERS = "INSERT INTO django_store_parameterset (type, content) VALUES (?,?)"
FIND_PARAMETERS = f"SELECT id FROM django_store_parameterset WHERE id IN {IDS}"
ALL_PARAMETERS = "SELECT id FROM django_store_parameterset"
THERE = f"SELECT label FROM django_store_record WHERE label IN {TEXTS} AND +project_id = ?"
LINK_TAG = (
    "INSERT INTO django_store_taggeditem (object_id, content_type_id, tag_id) VALUES (?,?,?)"
    " ON CONFLICT DO NOTHING"
)
LINK_PLATFORM = (
    "INSERT INTO django_store_record_platforms (record_id, platforminformation_id) VALUES (?,?)"
    " ON CONFLICT DO NOTHING"
)
# A key is of one run only: what is known of it stays
LINK_OUTPUT = (
    "UPDATE django_store_datakey SET output_from_record_id = ? WHERE id = ? AND output_from_record_id IS NULL"
)


class RecordCopier(RecordWriter):
    """Copies records from one store into another.

    Parameters
    ----------
    source, target
        May be in databases of different kinds.
    """

    def __init__(self, source: SQLRecordStore, target: SQLRecordStore) -> None:
        writer = target._writer
        super().__init__(target.project_name, writer._input_root, writer._output_root)
        self._source = source._database
        self._target = target
        self._tables = {name: self._read_table(name) for name in COLUMNS if name != "datakey"}
        self._parameters: dict[str, int] | None = None

    def _read_table(self, name: str) -> dict[int, tuple[Any, ...]]:
        rows = self._source.query(f"SELECT id, {', '.join(COLUMNS[name])} FROM django_store_{name}")
        return {row[0]: tuple(row[1:]) for row in rows}

    def copy(
        self, runs: Sequence[CopiedRun], on_batch: Callable[[list[str]], None] | None = None
    ) -> list[str]:
        """Add these records, `BATCH` in a transaction; the labels of those that were not there yet.

        Parameters
        ----------
        on_batch
            Called with the labels of each batch before it is committed.

        Raises
        ------
        RecordStoreError
            If one of the stores cannot be read or written; whole batches stay.
        """
        copied: list[str] = []
        if self._parameters is None:
            self._parameters = self._known_parameters()
        for start in range(0, len(runs), BATCH):
            batch = Originals(self._source, runs[start : start + BATCH])

            def add(transaction: Transaction, batch: Originals = batch) -> tuple[list[str], dict[str, int]]:
                added, sets = self._add_batch(transaction, batch)
                if added and on_batch is not None:
                    on_batch(added)
                return added, sets

            try:
                added, sets = self._target._database.write(add)
            except BaseException:
                self.forget()
                raise
            copied += added
            self._parameters.update(sets)
        self._target._forget()
        self._target.survey(len(copied))
        return copied

    def _known_parameters(self) -> dict[str, int]:
        """Names of the parameter sets of the target, and their keys."""
        database = self._target._database
        if not self._target.is_made():
            return {}
        ids = [row[0] for row in database.query(ALL_PARAMETERS)]
        return {set_name(*row[1:]): row[0] for rows in batches(database, PARAMETERS, ids) for row in rows}

    def _add_batch(self, transaction: Transaction, batch: Originals) -> tuple[list[str], dict[str, int]]:
        """Add the records of `batch`; their labels, and the parameter sets that were added.

        What others may add too is excluded in the order in which `RecordWriter.add` does it.
        """
        self.forget()  # the action may be done again, and rows may be gone since
        for run in sorted(batch.runs, key=lambda run: run.label):
            transaction.exclude(f"record {self.project_name}/{run.label}")
        labels = json.dumps([run.label for run in batch.runs])
        there = {row[0] for row in transaction.execute(THERE, (labels, self.project_name))}
        runs = [run for run in batch.runs if run.label not in there and run.id in batch.records]
        shared = self._share(transaction, batch, runs)
        self._project(transaction)
        content_type = self._content_type(transaction)
        links = self._links(transaction, batch, runs)
        keys = self._keys(transaction, batch, runs)
        sets, added_sets = self._sets(transaction, batch, runs)
        ids = {}
        for run in runs:
            facts = batch.records[run.id]
            own = {**facts, "label": run.label}
            row = (*(own[name] for name in OWN), *(shared[run.id][name] for name in SHARED))
            ids[run.id] = transaction.insert(
                ADD_RECORD, (*row, sets[facts["parameters_id"]], self.project_name), key="db_id"
            )
        self._add_runs(transaction, batch, runs, ids)
        transaction.executemany(
            LINK_TAG, [(ids[run.id], content_type, tag) for run in runs for tag in links["tag"][run.id]]
        )
        platforms = links["platforminformation"]
        transaction.executemany(
            LINK_PLATFORM, [(ids[run.id], platform) for run in runs for platform in platforms[run.id]]
        )
        for run in runs:
            self.link_known(transaction, ids[run.id], links["dependency"][run.id])
        inputs = [(ids[run.id], keys[key]) for run in runs for key in batch.inputs[run.id]]
        outputs = [(ids[run.id], keys[key]) for run in runs for key in batch.outputs[run.id]]
        transaction.executemany(LINK_INPUT, inputs)
        transaction.executemany(LINK_OUTPUT, outputs)
        self._index_runs(transaction, batch, ids)
        return [run.label for run in runs], added_sets

    def _share(
        self, transaction: Transaction, batch: Originals, runs: Sequence[CopiedRun]
    ) -> dict[int, dict[str, int | None]]:
        """Keys in the target of the rows that each record names itself."""
        shared: dict[int, dict[str, int | None]] = {run.id: {} for run in runs}
        for column, table in SHARED.items():
            for run in runs:
                key = batch.records[run.id][column]
                if run.has_result and table == "datastore":
                    root = self._output_root if column == "datastore_id" else self._input_root
                    found = self._literal(transaction, table, "FileSystemDataStore", {"root": root})
                    shared[run.id][column] = found
                else:
                    known = None if key is None else self._tables[table].get(key)
                    shared[run.id][column] = (
                        None if known is None else self._shared(transaction, table, *known)
                    )
        return shared

    def _links(
        self, transaction: Transaction, batch: Originals, runs: Sequence[CopiedRun]
    ) -> dict[str, dict[int, list[int]]]:
        """Keys in the target of the rows that are linked to each record, by table."""
        found: dict[str, dict[int, list[int]]] = {}
        for table in ("tag", "platforminformation", "dependency"):
            rows = self._tables[table]
            found[table] = {
                run.id: [
                    self._shared(transaction, table, *rows[key])
                    for key in batch.links[table][run.id]
                    if key in rows
                ]
                for run in runs
            }
        return found

    def _keys(self, transaction: Transaction, batch: Originals, runs: Sequence[CopiedRun]) -> dict[Row, int]:
        """Data keys of these records -> their keys in the target."""
        wanted = {key for run in runs for key in (*batch.inputs[run.id], *batch.outputs[run.id])}
        return self.share_keys(transaction, wanted)

    def share_dependencies(self, transaction: Transaction, keys: Iterable[int]) -> list[int]:
        """Keys in the target of the dependencies with these keys in the source."""
        rows = self._tables["dependency"]
        return [self._shared(transaction, "dependency", *rows[key]) for key in keys if key in rows]

    def link_known(self, transaction: Transaction, record_id: int, dependencies: Sequence[int]) -> None:
        """Name dependencies in a record by their keys in the target."""
        transaction.execute(LINK_DEPENDENCIES, (record_id, json.dumps(dependencies)))

    def share_keys(self, transaction: Transaction, keys: Iterable[Row]) -> dict[Row, int]:
        """Columns of each data key -> its key in the target, where it is added if it is not there."""
        found: dict[Row, int] = {}
        for key in sorted(set(keys), key=lambda key: (key_part(key[0]), key[0])):
            rows = transaction.execute(FIND_KEY, key)
            if not rows and transaction.exclude(f"datakey{key_part(key[0])}"):
                rows = transaction.execute(FIND_KEY, key)
            found[key] = int(rows[0][0]) if rows else transaction.insert(ADD["datakey"], key)
        return found

    def _sets(
        self, transaction: Transaction, batch: Originals, runs: Sequence[CopiedRun]
    ) -> tuple[dict[int, int], dict[str, int]]:
        """Key of each parameter set in the source -> in the target; and those that were added, by name."""
        known, added = self._parameters or {}, dict[str, int]()
        wanted = {batch.records[run.id]["parameters_id"] for run in runs}
        names = {key: set_name(*batch.parameters[key]) for key in wanted}
        there = [known[name] for name in names.values() if name in known]
        whole = {row[0] for row in transaction.execute(FIND_PARAMETERS, (json.dumps(there),))}
        sets = {}
        for key, name in names.items():
            found = added.get(name) or (known[name] if known.get(name) in whole else None)
            if found is None:
                found = added[name] = transaction.insert(ADD_PARAMETERS, batch.parameters[key])
            sets[key] = found
        return sets, added

    def _add_runs(
        self, transaction: Transaction, batch: Originals, runs: Sequence[CopiedRun], ids: Mapping[int, int]
    ) -> None:
        rows = []
        for run in runs:
            if run.id not in batch.own_runs:
                continue
            facts = dict(zip(RUN, batch.own_runs[run.id], strict=True))
            if run.is_renamed:  # the manifest of this name is of the other run
                facts["manifest"] = ""
            rows.append((ids[run.id], *facts.values()))
        transaction.executemany(FORGET_RUN, [(ids[run.id],) for run in runs])
        transaction.executemany(ADD_RUN, rows)

    def _index_runs(self, transaction: Transaction, batch: Originals, ids: Mapping[int, int]) -> None:
        """Let the inputs of the copied records be found as fast as those of others."""
        for old, new in ids.items():
            if old in batch.own_runs:
                facts = dict(zip(RUN, batch.own_runs[old], strict=True))
                content = batch.parameters[batch.records[old]["parameters_id"]][1]
                names = (facts["module"], facts["task"], facts["digest"])
                self.parameters.add(transaction, new, *names, content)
