"""Records of one store copied into another, row by row, so that nothing Sumatra keeps is lost.

Rows that records share are looked up and never doubled, as in `smttask.records.rows`. Every
record is added with all that is its own in one transaction, so a merge that was killed is
completed by the next.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blake3 import blake3

from smttask.records.database import IDS, TEXTS, Database, Row, Transaction
from smttask.records.process import Process, is_dead
from smttask.records.rows import (
    ADD,
    COLUMNS,
    FORGET_RUN,
    LINK_DEPENDENCIES,
    LINK_INPUT,
    RecordWriter,
    key_part,
)
from smttask.records.stores import SQLRecordStore

__all__ = [
    "BATCH",
    "LINK_OUTPUT",
    "CopiedRun",
    "RecordCopier",
    "batches",
    "fingerprints",
    "labels_of",
    "manifests_of",
    "names_of_projects",
    "open_labels",
]

BATCH = 200  # records in one transaction: others that write wait for it

#: Of a record: what is copied as it stands, and which shared rows it names
OWN = (
    *("label", "timestamp", "reason", "duration", "main_file", "version", "outcome", "tags", "diff"),
    *("user", "script_arguments", "stdout_stderr", "repeats"),
)
SHARED = {
    "executable_id": "executable",
    "repository_id": "repository",
    "launch_mode_id": "launchmode",
    "datastore_id": "datastore",
    "input_datastore_id": "datastore",
}
RUN = ("task", "module", "digest", "full_digest", "manifest", "is_open", "host", "pid", "process_start")

PROJECTS = "SELECT DISTINCT project_id FROM django_store_record WHERE project_id IS NOT NULL"
LABELS = "SELECT label, db_id FROM django_store_record WHERE project_id = ?"
# What makes two runs of one label the same one; users edit none of it
FACTS = (
    'SELECT r.db_id, r.timestamp, r."user", r.main_file, r.version, r.script_arguments, p.content'
    " FROM django_store_record r JOIN django_store_parameterset p ON p.id = r.parameters_id"
    f" WHERE r.db_id IN {IDS}"
)
OPEN = (
    "SELECT r.label, s.host, s.pid, s.process_start FROM smttask_run s"
    " JOIN django_store_record r ON r.db_id = s.record_id WHERE s.is_open = 1 AND +r.project_id = ?"
)
RECORDS = (
    f"SELECT db_id, parameters_id, {', '.join(SHARED)}, {', '.join(f'r.{name}' for name in OWN)}"
    f" FROM django_store_record r WHERE db_id IN {IDS}"
).replace("r.user", 'r."user"')
MANIFESTS = f"SELECT record_id, manifest FROM smttask_run WHERE record_id IN {IDS}"
RUNS = f"SELECT record_id, {', '.join(RUN)} FROM smttask_run WHERE record_id IN {IDS}"
PARAMETERS = f"SELECT id, type, content FROM django_store_parameterset WHERE id IN {IDS}"
DEPENDENCIES = (
    f"SELECT record_id, dependency_id FROM django_store_record_dependencies WHERE record_id IN {IDS}"
)
PLATFORMS = (
    f"SELECT record_id, platforminformation_id FROM django_store_record_platforms WHERE record_id IN {IDS}"
)
TAGS = (
    "SELECT i.object_id, i.tag_id FROM django_store_taggeditem i"
    " JOIN django_content_type c ON c.id = i.content_type_id"
    f" WHERE i.object_id IN {IDS} AND c.app_label = 'django_store' AND c.model = 'record'"
)
KEY = ", ".join(f"k.{name}" for name in COLUMNS["datakey"])
INPUTS = (
    f"SELECT m.record_id, {KEY} FROM django_store_record_input_data m"
    f" JOIN django_store_datakey k ON k.id = m.datakey_id WHERE m.record_id IN {IDS}"
)
OUTPUTS = (
    f"SELECT k.output_from_record_id, {KEY} FROM django_store_datakey k"
    f" WHERE k.output_from_record_id IN {IDS}"
)
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


def names_of_projects(store: SQLRecordStore) -> list[str]:
    """Names of the projects that have records in the database of `store`, sorted."""
    return sorted(name for (name,) in store._database.query(PROJECTS))


def labels_of(store: SQLRecordStore, project_name: str) -> dict[str, int]:
    """Label -> key of each record of a project."""
    return dict(store._database.query(LABELS, (project_name,)))


def open_labels(store: SQLRecordStore, project_name: str) -> set[str]:
    """Labels of the runs that may be going on."""
    rows = store._database.query(OPEN, (project_name,))
    return {label for label, *process in rows if not is_dead(Process(*process))}


def manifests_of(store: SQLRecordStore, ids: Iterable[int]) -> dict[int, str]:
    """Key -> path of the manifest, relative to the output store of its project; empty if it has none."""
    return {key: manifest for rows in batches(store._database, MANIFESTS, ids) for key, manifest in rows}


def fingerprints(store: SQLRecordStore, ids: Iterable[int]) -> dict[int, str]:
    """Key -> name of what makes a record the one of this run and no other, 64 hex; edits do not change it."""
    found = {}
    for rows in batches(store._database, FACTS, ids):
        for record_id, *facts, content in rows:
            facts[0] = str(facts[0]).partition("+")[0]
            text = json.dumps([*facts, _plain(content)], sort_keys=True)
            found[record_id] = blake3(text.encode("utf-8", "surrogatepass")).hexdigest()
    return found


def _plain(content: str) -> Any:
    """Parameters whose spelling does not count: Sumatra writes them anew when it edits a record."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content


def batches(database: Database, sql: str, ids: Iterable[int]) -> Iterable[list[Row]]:
    """What `sql`, which takes a list of keys, selects: a list for each few hundred of `ids`."""
    wanted = list(ids)
    for start in range(0, len(wanted), BATCH):
        yield database.query(sql, (json.dumps(wanted[start : start + BATCH]),))


@dataclass(frozen=True, slots=True)
class CopiedRun:
    """A record to be copied.

    Parameters
    ----------
    id
        Its key in the source.
    label
        In the target; another than in the source if that is taken.
    has_result
        Whether its result is in the output store of the target: then its data keys are relative
        to the folders of the target, else to those of the source.
    """

    id: int
    label: str
    is_renamed: bool = False
    has_result: bool = False


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
            batch = _Batch(self._source, runs[start : start + BATCH])

            def add(transaction: Transaction, batch: _Batch = batch) -> tuple[list[str], dict[str, int]]:
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
        return copied

    def _known_parameters(self) -> dict[str, int]:
        """Names of the parameter sets of the target, and their keys."""
        database = self._target._database
        if not self._target.is_made():
            return {}
        ids = [row[0] for row in database.query(ALL_PARAMETERS)]
        return {_name(*row[1:]): row[0] for rows in batches(database, PARAMETERS, ids) for row in rows}

    def _add_batch(self, transaction: Transaction, batch: _Batch) -> tuple[list[str], dict[str, int]]:
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
        self, transaction: Transaction, batch: _Batch, runs: Sequence[CopiedRun]
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
        self, transaction: Transaction, batch: _Batch, runs: Sequence[CopiedRun]
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

    def _keys(self, transaction: Transaction, batch: _Batch, runs: Sequence[CopiedRun]) -> dict[Row, int]:
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
        self, transaction: Transaction, batch: _Batch, runs: Sequence[CopiedRun]
    ) -> tuple[dict[int, int], dict[str, int]]:
        """Key of each parameter set in the source -> in the target; and those that were added, by name."""
        known, added = self._parameters or {}, dict[str, int]()
        wanted = {batch.records[run.id]["parameters_id"] for run in runs}
        names = {key: _name(*batch.parameters[key]) for key in wanted}
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
        self, transaction: Transaction, batch: _Batch, runs: Sequence[CopiedRun], ids: Mapping[int, int]
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

    def _index_runs(self, transaction: Transaction, batch: _Batch, ids: Mapping[int, int]) -> None:
        """Let the inputs of the copied records be found as fast as those of others."""
        for old, new in ids.items():
            if old in batch.own_runs:
                facts = dict(zip(RUN, batch.own_runs[old], strict=True))
                content = batch.parameters[batch.records[old]["parameters_id"]][1]
                names = (facts["module"], facts["task"], facts["digest"])
                self._index.add(transaction, new, *names, content)


def _name(kind: str, content: str) -> str:
    return blake3(f"{kind}\n{content}".encode("utf-8", "surrogatepass")).hexdigest()


class _Batch:
    """The rows of some records, as they stand in the source."""

    def __init__(self, database: Database, runs: Sequence[CopiedRun]) -> None:
        self.runs = runs
        ids = (json.dumps([run.id for run in runs]),)
        names = ("parameters_id", *SHARED, *OWN)
        self.records = {
            row[0]: dict(zip(names, row[1:], strict=True)) for row in database.query(RECORDS, ids)
        }
        self.own_runs = {row[0]: tuple(row[1:]) for row in database.query(RUNS, ids)}
        sets = sorted({facts["parameters_id"] for facts in self.records.values()})
        self.parameters = {row[0]: tuple(row[1:]) for row in database.query(PARAMETERS, (json.dumps(sets),))}
        self.links = {
            table: _grouped((row[0], row[1]) for row in database.query(sql, ids))
            for table, sql in (
                ("tag", TAGS),
                ("platforminformation", PLATFORMS),
                ("dependency", DEPENDENCIES),
            )
        }
        self.inputs = _grouped((row[0], tuple(row[1:])) for row in database.query(INPUTS, ids))
        self.outputs = _grouped((row[0], tuple(row[1:])) for row in database.query(OUTPUTS, ids))


def _grouped(pairs: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    grouped: dict[int, list[Any]] = defaultdict(list)
    for key, value in pairs:
        grouped[key].append(value)
    return grouped
