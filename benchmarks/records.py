"""Tables of many records, and one more record among many."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.bulk import Model, fill
from benchmarks.measure import OURS, Round, Samples, alternate, once, repeated
from benchmarks.raw import open_store
from benchmarks.study import open_study
from benchmarks.workbench import Workbench
from smttask import RSView
from smttask.records.deletion import delete_records
from smttask.records.query import Selection
from smttask.records.record import Record
from smttask.records.stores import SQLRecordStore
from smttask.testing import ScratchProject

__all__ = ["explain_miss", "filter_records", "save_among_many", "table", "table_with_inputs"]

#: Records in the small store that the large one is compared with.
N_FEW = 100
#: How the labels of saved records begin.
SAVED = "saved-"

RAW_TABLE = (
    "SELECT r.label, s.task, r.timestamp, r.duration, r.tags, r.reason, r.outcome, r.version, r.main_file,"
    ' r."user" FROM django_store_record r JOIN smttask_run s ON s.record_id = r.db_id'
    " ORDER BY r.timestamp DESC"
)
RAW_TABLE_WITH_INPUTS = RAW_TABLE.replace(
    " FROM django_store_record r",
    ", p.content FROM django_store_record r JOIN django_store_parameterset p ON p.id = r.parameters_id",
)
RAW_FILTER = (
    "SELECT r.label FROM django_store_record r JOIN django_store_parameterset p ON p.id = r.parameters_id"
    " JOIN smttask_run s ON s.record_id = r.db_id"
    " WHERE json_extract(p.content, '$.tasks.\"' || s.digest || '\".inputs.x') = ?"
)
RAW_LATEST = (
    "SELECT r.label, p.content FROM smttask_run s JOIN django_store_record r ON r.db_id = s.record_id"
    " JOIN django_store_parameterset p ON p.id = r.parameters_id"
    " WHERE s.task = 'Square' ORDER BY s.record_id DESC LIMIT 50"
)


def table(bench: Workbench) -> Samples:
    """The table of all records."""
    with _many_records(bench) as (scratch, raw):
        contenders = {
            OURS: once(lambda: RSView().dframe()),
            "raw SQL": once(lambda: raw.execute(RAW_TABLE).fetchall()),
        }
        samples = alternate(bench.scale.slow_rounds, contenders)
        return {**samples, **_list_of_sumatra(scratch)}


def table_with_inputs(bench: Workbench) -> Samples:
    """The same with a column for each input."""
    with _many_records(bench) as (_, raw):
        contenders = {
            OURS: once(lambda: RSView().dframe(parameters=True)),
            "raw SQL": once(lambda: raw.execute(RAW_TABLE_WITH_INPUTS).fetchall()),
        }
        return alternate(bench.scale.slow_rounds, contenders)


def filter_records(bench: Workbench) -> Samples:
    """Labels of the records with a given value of an input."""
    wanted = float(bench.scale.n_records // 2)
    with _many_records(bench) as (_, raw):
        if len(RSView().filter.params(eq={"x": wanted})) != 1:
            raise RuntimeError("the filter does not find the one record")
        contenders = {
            OURS: once(lambda: RSView().filter.params(eq={"x": wanted}).labels()),
            "raw SQL": once(lambda: raw.execute(RAW_FILTER, (wanted,)).fetchall()),
        }
        return alternate(bench.scale.slow_rounds, contenders)


def explain_miss(bench: Workbench) -> Samples:
    """Why a task that never ran would be computed: the nearest of many runs of its kind."""
    with _many_records(bench) as (scratch, raw):
        lab: Any = scratch.load("lab")
        task = lab.Square(-1.0)
        if [difference.name for difference in task.explain().differences] != ["x"]:
            raise RuntimeError("the nearest run does not differ in x alone")
        contenders = {
            OURS: repeated(bench.scale, lambda number: task.explain()),
            "raw SQL": repeated(bench.scale, lambda number: raw.execute(RAW_LATEST).fetchall()),
        }
        return alternate(bench.scale.slow_rounds, contenders)


def save_among_many(bench: Workbench) -> Samples:
    """A record opened and closed in a store of many records, beside a store of few."""
    # SQLite moves its log into the file every hundred records: each turn has some of that
    scale = replace(bench.scale, round_s=8 * bench.scale.round_s)
    rounds: dict[str, Round] = {}
    stores = []
    for name, n_records in ((OURS, bench.scale.n_many), (f"at {N_FEW}", N_FEW)):
        with open_study(bench, n_records) as scratch:
            store = scratch.project.records
            stores.append(store)
            rounds[name] = repeated(scale, _saving(store, store.get(RSView().latest.label)))
    samples = alternate(scale.slow_rounds, rounds)
    for store in stores:
        delete_records(store, store.labels(Selection().with_label(SAVED)))
        store.close()
    return samples


def _saving(store: SQLRecordStore, template: Record) -> Any:
    def save(number: int) -> None:
        digest = f"f{number:019x}"
        label = f"{SAVED}{number:06d}"
        record = replace(
            template,
            label=label,
            digest=digest,
            full_digest=digest,
            manifest=f"{template.task}/{label}.json",
            timestamp=template.timestamp + timedelta(days=1, milliseconds=number),
            parameters=template.parameters.replace(template.digest, digest),
            output_data=(),
            status="running",
        )
        keys = [replace(key, path=record.manifest) for key in template.output_data]
        store.open_record(record)
        store.close_record(
            label,
            status="finished",
            duration_s=0.001,
            output_data=keys,
            dependencies=record.dependencies,
        )

    return save


@contextmanager
def _many_records(bench: Workbench) -> Iterator[tuple[ScratchProject, Any]]:
    """A project with many records in its store, and a plain connection to that."""
    with bench.project() as scratch:
        model = Model(_one_record(scratch), lambda number: {"x": float(number)})
        fill(scratch.project.records, [model], bench.scale.n_records)
        raw = open_store(scratch.root / ".smt" / "records")
        yield scratch, raw
        raw.close()


def _one_record(scratch: ScratchProject) -> Record:
    """The only record of the project, which nobody has open any more."""
    lab: Any = scratch.load("lab")
    lab.Square(0.5).run()
    store = scratch.project.records
    return store.get(store.labels()[0])


def _list_of_sumatra(scratch: ScratchProject) -> Samples:
    """``smt list``, once, since it takes its time."""
    command = Path(sys.executable).with_name("smt")

    def smt_list() -> None:
        subprocess.run([command, "list"], cwd=scratch.root, capture_output=True, check=True)

    return {"smt list": [once(smt_list)()]} if command.exists() else {}
