"""Records as the rows that a store has, for those who copy them: nothing is interpreted."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from smttask.records.database import IDS, Database, Row
from smttask.records.process import Process, is_dead
from smttask.records.reading import read_literal
from smttask.records.record import fit
from smttask.records.sharedrows import COLUMNS
from smttask.records.stores import SQLRecordStore

__all__ = [
    "BATCH",
    "OWN",
    "PARAMETERS",
    "RUN",
    "SHARED",
    "CopiedRun",
    "Originals",
    "batches",
    "fingerprints",
    "iter_parameters",
    "kept_elsewhere",
    "labels_of",
    "manifests_of",
    "names_of_projects",
    "open_labels",
    "set_name",
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
NEXT_PARAMETERS = "SELECT id, content FROM django_store_parameterset WHERE id > ? ORDER BY id LIMIT ?"
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
ROOTS = (
    "SELECT r.db_id, d.parameters FROM django_store_record r"
    f" JOIN django_store_datastore d ON d.id = r.datastore_id WHERE r.db_id IN {IDS}"
)
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


def kept_elsewhere(store: SQLRecordStore, ids: Iterable[int], output_dir: Path) -> dict[int, str]:
    """Key -> output store, of the records of runs that wrote to another one than `output_dir`."""
    here, real = str(output_dir), os.path.realpath(output_dir)
    found = {
        key: read_literal(literal, "root")
        for rows in batches(store._database, ROOTS, ids)
        for key, literal in rows
    }
    return {
        key: root
        for key, root in found.items()
        # long paths are cut
        if root and fit(here, len(root)) != root and os.path.realpath(root) != real
    }


def iter_parameters(store: SQLRecordStore) -> Iterator[str]:
    """The parameters of all records in the database of `store`, of whatever project, as they stand there."""
    last = -1
    while rows := store._database.query(NEXT_PARAMETERS, (last, BATCH)):
        yield from (content for _, content in rows)
        last = rows[-1][0]


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


def set_name(kind: str, content: str) -> str:
    """What a parameter set is known by: 64 hex."""
    return blake3(f"{kind}\n{content}".encode("utf-8", "surrogatepass")).hexdigest()


class Originals:
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
