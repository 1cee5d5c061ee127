"""Looking at the records of a study: what notebooks and terminals ask of a hundred thousand runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.measure import OURS, Round, Samples, alternate, once, repeated
from benchmarks.raw import RawPostgres, open_raw
from benchmarks.study import TASK, open_study, range_of_a_fiftieth
from benchmarks.trackers import mlflow_search
from benchmarks.workbench import PROCESSES, Workbench, run_process
from smttask import RSView
from smttask.project import get_project
from smttask.testing import ScratchProject

__all__ = [
    "count",
    "find_range",
    "frame",
    "frame_memory",
    "frame_with_inputs",
    "label",
    "latest",
    "list_command",
    "show_html",
    "show_text",
    "size",
    "tag",
]

#: Records that a table of the newest shows, and that get a tag together.
N_SHOWN = 50
N_TAGGED = 1000
#: Runs that the peers of other trackers hold.
N_TRACKED = 10_000

RECORD = (
    "SELECT r.label, s.task, r.timestamp, r.duration, r.tags, r.reason, r.outcome, r.version, r.main_file,"
    ' r."user"{} FROM django_store_record r JOIN smttask_run s ON s.record_id = r.db_id{}'
    " ORDER BY r.timestamp DESC"
)
WITH_PARAMETERS = " JOIN django_store_parameterset p ON p.id = r.parameters_id"
COUPLING = {
    "SQLite": """json_extract(p.content, '$.tasks."' || s.digest || '".inputs.coupling')""",
    "PostgreSQL": "CAST(CAST(p.content AS json) #>> ARRAY['tasks', s.digest, 'inputs', 'coupling'] AS float)",
}
IN_RANGE = f"{WITH_PARAMETERS} WHERE s.task = '{TASK}' AND {{0}} >= ? AND {{0}} < ?"
ALL = RECORD.format("", "")
ALL_WITH_INPUTS = RECORD.format(", s.digest, p.content", WITH_PARAMETERS)
FOUND = {kind: RECORD.format("", IN_RANGE.format(coupling)) for kind, coupling in COUPLING.items()}
NEWEST = f"{ALL} LIMIT {N_SHOWN}"
LATEST = f"{ALL} LIMIT 1"
BY_LABEL = RECORD.format("", " WHERE r.label = ?")
COUNT = "SELECT count(*) FROM django_store_record"
TAG = "INSERT INTO django_store_tag (name) VALUES ('mine') ON CONFLICT DO NOTHING"
TAGGED = f"(SELECT db_id FROM django_store_record ORDER BY timestamp DESC LIMIT {N_TAGGED})"
LINK_TAG = (
    "INSERT INTO django_store_taggeditem (object_id, content_type_id, tag_id)"
    " SELECT db_id, (SELECT content_type_id FROM django_store_taggeditem LIMIT 1), t.id"
    f" FROM django_store_record, django_store_tag t WHERE t.name = 'mine' AND db_id IN {TAGGED}"
)
UPDATE_TAGS = f"UPDATE django_store_record SET tags = tags || ',mine' WHERE db_id IN {TAGGED}"
# What grows with the inputs and dependencies of a run, whoever keeps them
OF_INPUTS_AND_LINKS = "('django_store_parameterset', 'smttask_parameter', 'django_store_record_dependencies')"
SIZES = {
    "SQLite": "SELECT sum(pgsize), sum(CASE WHEN name IN (SELECT name FROM sqlite_master"
    f" WHERE tbl_name IN {OF_INPUTS_AND_LINKS}) THEN pgsize END) FROM dbstat",
    "PostgreSQL": "SELECT sum(pg_total_relation_size(oid)), sum(CASE WHEN relname IN"
    f" {OF_INPUTS_AND_LINKS} THEN pg_total_relation_size(oid) END)"
    " FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
}


def count(bench: Workbench) -> Samples:
    """How many records there are."""
    return _quick(bench, lambda: len(RSView()), COUNT)


def latest(bench: Workbench) -> Samples:
    """The newest record."""
    return _quick(bench, lambda: RSView().latest, LATEST)


def label(bench: Workbench) -> Samples:
    """A record by its label."""
    with _study(bench) as (_, raw):
        labels = RSView().labels()

    def wanted(number: int) -> str:
        return labels[number * 7919 % len(labels)]

    with _study(bench) as (_, raw):
        contenders = {
            OURS: repeated(bench.scale, lambda number: RSView()[wanted(number)]),
            "raw SQL": repeated(
                bench.scale, lambda number: raw.execute(BY_LABEL, (wanted(number),)).fetchall()
            ),
        }
        return alternate(bench.scale.slow_rounds, contenders)


def show_text(bench: Workbench) -> Samples:
    """The newest records as a terminal shows them."""
    return _quick(bench, lambda: repr(RSView()), NEWEST)


def show_html(bench: Workbench) -> Samples:
    """The newest records as a notebook shows them."""
    return _quick(bench, lambda: RSView()._repr_html_(), NEWEST)


def find_range(bench: Workbench) -> Samples:
    """The table of the runs of one task whose input lies in a range."""
    n_records = bench.scale.n_many
    lower, upper = range_of_a_fiftieth(n_records)

    def found() -> pd.DataFrame:
        runs = RSView().filter.task(TASK).filter.params(ge={"coupling": lower}, lt={"coupling": upper})
        return runs.dframe()

    n_tracked = min(N_TRACKED, n_records)
    with _study(bench) as (_, raw):
        if len(found()) != n_records // 100:
            raise RuntimeError(f"{len(found())} runs in the range instead of {n_records // 100}")
        contenders = {
            OURS: once(found),
            "raw SQL": once(lambda: _table(raw, FOUND[_kind(raw)], (lower, upper))),
            **_rounds(mlflow_search(bench.folder / "mlflow", n_tracked)),
        }
        return alternate(bench.scale.slow_rounds, contenders)


def frame(bench: Workbench) -> Samples:
    """The table of all records."""
    with _study(bench) as (_, raw):
        contenders = {
            OURS: once(lambda: RSView().dframe()),
            "raw SQL": once(lambda: _table(raw, ALL)),
        }
        return alternate(bench.scale.few_rounds, contenders)


def frame_with_inputs(bench: Workbench) -> Samples:
    """The same with a column for each input."""
    with _study(bench) as (_, raw):
        texts = [row[-1] for row in raw.execute(ALL_WITH_INPUTS)]
        contenders = {
            OURS: once(lambda: RSView().dframe(parameters=True)),
            "raw SQL": once(lambda: _frame_of_inputs(raw)),
            "json.loads": once(lambda: _parse(texts)),
        }
        return alternate(bench.scale.few_rounds, contenders)


def frame_memory(bench: Workbench) -> Samples:
    """The most memory of a process that makes the same table, in bytes."""
    with _study(bench) as (scratch, _):
        contenders: dict[str, Round] = {
            name: partial(bench.child, scratch, "memory", what)
            for name, what in ((OURS, "frame"), ("raw SQL", "raw frame"), ("import pandas", "nothing"))
        }
        return alternate(1, contenders)


def raw_frame(root: Path) -> pd.DataFrame:
    """The table of all records with their inputs, by SQL and pandas alone."""
    raw = open_raw(get_project(root))
    found = _frame_of_inputs(raw)
    raw.close()
    return found


def _frame_of_inputs(raw: Any) -> pd.DataFrame:
    table = _table(raw, ALL_WITH_INPUTS)
    pairs = zip(table.pop("content"), table.pop("digest"), strict=True)
    inputs = [json.loads(content)["tasks"][digest]["inputs"] for content, digest in pairs]
    return table.join(pd.DataFrame(inputs).add_prefix("inputs."))


def _table(raw: Any, sql: str, values: Sequence[Any] = ()) -> pd.DataFrame:
    cursor = raw.execute(sql, values)
    return pd.DataFrame.from_records(cursor.fetchall(), columns=[column[0] for column in cursor.description])


def _parse(texts: list[str]) -> None:
    for text in texts:
        json.loads(text)


def tag(bench: Workbench) -> Samples:
    """A tag for the newest thousand; Sumatra gives it to one."""
    with _study(bench) as (scratch, raw):
        newest = RSView()[:N_TAGGED].decided()
        chosen = RSView().narrowed(newest)

        def tag_raw() -> None:
            raw.execute("BEGIN IMMEDIATE")
            for statement in (TAG, LINK_TAG, UPDATE_TAGS):
                raw.execute(statement)
            raw.execute("COMMIT")

        def untag() -> None:
            RSView().filter.tags("mine").remove_tag("mine")

        contenders = {
            OURS: once(lambda: chosen.add_tag("mine"), after=untag),
            "raw SQL": once(tag_raw, after=untag),
        }
        samples = alternate(bench.scale.slow_rounds, contenders)
        return {**samples, **(_tag_of_sumatra(scratch) if _kind(raw) == "SQLite" else {})}


def _tag_of_sumatra(scratch: ScratchProject) -> Samples:
    command = Path(sys.executable).with_name("smt")

    def smt_tag() -> None:
        subprocess.run([command, "tag", "theirs"], cwd=scratch.root, capture_output=True, check=True)

    return {"smt tag, one record": [once(smt_tag)()]} if command.exists() else {}


def list_command(bench: Workbench) -> Samples:
    """``smttask store list``, from start to end."""
    with _study(bench) as (scratch, _):
        contenders: dict[str, Round] = {
            OURS: once(lambda: run_process(scratch.root, "-m", "smttask", "store", "list")),
            **{name: once(partial(run_process, scratch.root, *peer)) for name, peer in PROCESSES},
        }
        return alternate(bench.scale.slow_rounds, contenders)


def size(bench: Workbench) -> Samples:
    """Bytes of the database for a record, besides its inputs and its links to dependencies."""
    with _study(bench) as (_, raw):
        n_records = raw.execute(COUNT).fetchone()[0]
        whole, inputs_and_links = map(float, raw.execute(SIZES[_kind(raw)]).fetchone())
        return {
            OURS: [(whole - inputs_and_links) / n_records],
            "inputs and links": [inputs_and_links / n_records],
        }


@contextmanager
def _study(bench: Workbench) -> Iterator[tuple[ScratchProject, Any]]:
    """The study, and a plain connection to its record store."""
    with open_study(bench, bench.scale.n_many) as scratch:
        raw = open_raw(scratch.project)
        yield scratch, raw
        raw.close()


def _kind(raw: Any) -> str:
    return "PostgreSQL" if isinstance(raw, RawPostgres) else "SQLite"


def _quick(bench: Workbench, ours: Callable[[], object], sql: str) -> Samples:
    """Samples of a short operation beside the SQL that it cannot do without."""
    with _study(bench) as (_, raw):
        contenders = {
            OURS: repeated(bench.scale, lambda number: ours()),
            "raw SQL": repeated(bench.scale, lambda number: raw.execute(sql).fetchall()),
        }
        return alternate(bench.scale.slow_rounds, contenders)


def _rounds(calls: Mapping[str, Callable[[], object]]) -> dict[str, Round]:
    return {name: once(call) for name, call in calls.items()}
