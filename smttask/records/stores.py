"""The record store in a database: each run opened once and closed once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from smttask.errors import RecordNotFoundError, RecordStoreError, short_repr
from smttask.records.conditions import sql_of
from smttask.records.database import IDS, Database, Transaction
from smttask.records.editing import Edit, note_edit
from smttask.records.narrowing import Query, narrowed
from smttask.records.parameters import has_parameter, read_json
from smttask.records.process import Process, this_process
from smttask.records.query import COLUMNS, Expand, Selection
from smttask.records.reading import parse_timestamp, read_records, split_status
from smttask.records.record import DataKey, Dependency, Record, check_widths, fit
from smttask.records.rows import RecordRows, RecordWriter, data_key_rows
from smttask.records.runs import OpenRun, PastRun
from smttask.records.tags import status_tag

__all__ = ["OpenRun", "PastRun", "SQLRecordStore"]

ALL = Selection()
BATCH = 200  # records read at once while iterating

# "+" keeps SQLite from searching all records of the project instead of the few with this label
FIND_RECORD = "SELECT db_id, timestamp FROM django_store_record WHERE label = ? AND +project_id = ?"
FIND_OPENED = f"{FIND_RECORD} AND db_id = ?"
PARAMETERS = (
    "SELECT p.content, s.digest FROM django_store_record r JOIN smttask_run s ON s.record_id = r.db_id"
    " JOIN django_store_parameterset p ON p.id = r.parameters_id WHERE r.label = ? AND +r.project_id = ?"
)
CLOSE_RECORD = (
    "UPDATE django_store_record SET duration = ?, stdout_stderr = ?, tags = ?,"
    " outcome = CASE WHEN outcome = '' THEN ? WHEN ? = '' THEN outcome ELSE outcome || ? END"
    " WHERE db_id = ?"
)
IS_OPEN = "SELECT 1 FROM smttask_run WHERE record_id = ? AND is_open = 1"
CLOSE_RUN = "UPDATE smttask_run SET is_open = 0 WHERE record_id = ?"
OPEN_RUNS = (
    "SELECT r.label, s.task, s.digest, s.manifest, s.host, s.pid, s.process_start"
    " FROM smttask_run s JOIN django_store_record r ON r.db_id = s.record_id"
    " WHERE s.is_open = 1 AND +r.project_id = ?"
)
# By our key, which the indexes of smttask_run have at hand: no sorting, and no search of all timestamps
PAST_RUNS = (
    "SELECT r.label, s.digest, s.manifest, r.tags, r.outcome, coalesce(p.content, '')"
    " FROM smttask_run s JOIN django_store_record r ON r.db_id = s.record_id"
    " LEFT JOIN django_store_parameterset p ON p.id = r.parameters_id"
    " WHERE {} AND +r.project_id = ? ORDER BY s.record_id DESC LIMIT ?"
)


class SQLRecordStore:
    """Records of one project in Sumatra's schema, in a database.

    The tables are made at first use, by Sumatra's own migrations. Threads, forked
    and spawned processes may use a store together.

    Parameters
    ----------
    open_database
        Gives the database when told what to call whenever what was remembered of it
        may be wrong, and which functions of three arguments SQL may call, by name.
    project_name
        As in ``.smt/project``.
    input_root, output_root
        Folders that the paths of input and output data keys are relative to, absolute.
    durable
        Whether noted edits survive a power cut.
    """

    #: The file that holds the records; None where there is none.
    path: Path | None = None

    def __init__(
        self,
        open_database: Callable[[Callable[[], None], Mapping[str, Callable[..., Any]]], Database],
        project_name: str,
        *,
        input_root: Path | str,
        output_root: Path | str,
        durable: bool = False,
    ) -> None:
        self.project_name = project_name
        self._writer = RecordWriter(project_name, os.fspath(input_root), os.fspath(output_root))
        self._durable = durable
        self._opened: dict[str, tuple[int, Sequence[Dependency]]] = {}
        self._seen: dict[str, tuple[Any, str]] = {}
        self._database = open_database(self._forget, {"smttask_has_parameter": self._has_parameter})

    @property
    def address(self) -> str:
        """Where the records are, for people: a path, or a URL without a password."""
        return self._database.address

    def is_made(self) -> bool:
        """Whether there is a store already; asking does not make it."""
        return self._database.is_made()

    def _forget(self) -> None:
        self._writer.forget()
        self._opened.clear()
        self._seen.clear()

    def open_record(self, record: Record, *, process: Process | None = None) -> None:
        """Add `record`, in one short transaction.

        Parameters
        ----------
        process
            The one that runs it; the calling one if None.

        Raises
        ------
        RecordStoreError
            If the store cannot be written, has this label already, or the label,
            main file or path of a data key is too long for any record.
        InputError
            If a tag or the status cannot be kept.
        """
        check_widths(
            label=record.label, main_file=record.main_file, key_paths=[key.path for key in record.input_data]
        )
        process = process or this_process()
        rows = RecordRows(record, (process.host, process.pid, process.start))

        def add(transaction: Transaction) -> int:
            transaction.exclude(f"record {self.project_name}/{record.label}")
            if transaction.execute(FIND_RECORD, (record.label, self.project_name)):
                raise RecordStoreError(
                    f"There is a record '{record.label}' already.",
                    f"store: {self.address}",
                    "give each run a label of its own",
                    label=record.label,
                )
            return self._writer.add(transaction, rows)

        self._opened[record.label] = (self._database.write(add), record.dependencies)

    def close_record(
        self,
        label: str,
        *,
        status: str,
        outcome: str = "",
        duration_s: float | None = None,
        output_data: Sequence[DataKey] = (),
        dependencies: Sequence[Dependency] = (),
        stdout_stderr: str = "",
        ended: datetime | None = None,
        parameters: str | None = None,
    ) -> None:
        """Complete the record `label` with what the run brought, in one short transaction.

        Parameters
        ----------
        status
            One of `smttask.records.record.STATUSES`; tags of the user stay.
        outcome
            Goes below what a user wrote meanwhile.
        duration_s, ended
            Either tells how long the run took.
        dependencies
            All that is imported by now; those named at the start need not be left out.
        parameters
            JSON text in place of the parameters that the record was opened with.

        Raises
        ------
        RecordNotFoundError
            If there is no such record.
        RecordStoreError
            If the store cannot be written, or the path of a data key is too long.
        """
        check_widths(key_paths=[key.path for key in output_data])
        status_tag(status)
        outcome, text = fit(outcome), fit(stdout_stderr)
        output_rows = data_key_rows(output_data)

        def close(transaction: Transaction) -> None:
            record_id, linked, started = self._find(transaction, label)
            taken_s = duration_s
            if taken_s is None and ended is not None:
                taken_s = (ended - parse_timestamp(started)).total_seconds()
            tags = self._writer.set_status(transaction, record_id, status)
            texts = (text, tags, outcome, outcome, f"\n{outcome}")
            transaction.execute(CLOSE_RECORD, (taken_s, *texts, record_id))
            self._writer.link_outputs(transaction, record_id, output_rows)
            if dependencies is not linked:
                self._writer.link_dependencies(transaction, record_id, dependencies)
            if parameters is not None:
                self._writer.parameters.replace(transaction, record_id, fit(parameters))
            transaction.execute(CLOSE_RUN, (record_id,))

        self._database.write(close)
        self._opened.pop(label, None)
        self._seen.pop(label, None)

    def _find(self, transaction: Transaction, label: str) -> tuple[int, Sequence[Dependency] | None, str]:
        values = (label, self.project_name)
        if (opened := self._opened.get(label)) is not None:  # by its key, without a look into the index
            rows = transaction.execute(FIND_OPENED + transaction.for_update, (*values, opened[0]))
            if rows:
                return rows[0][0], opened[1], rows[0][1]
        rows = transaction.execute(FIND_RECORD + transaction.for_update, values)
        if not rows:
            raise self._not_found(label)
        return rows[0][0], None, rows[0][1]

    def _not_found(self, label: str) -> RecordNotFoundError:
        return RecordNotFoundError(
            f"There is no record '{label}'.",
            f"searched: {self.address}, project '{self.project_name}'",
            "look at the labels with: smt list",
            label=label,
        )

    def open_runs(self, *, digest: str | None = None) -> list[OpenRun]:
        """Runs whose records are open, of this and other processes; of the task `digest` if given."""
        sql, values = OPEN_RUNS, [self.project_name]
        if digest is not None:
            sql, values = f"{OPEN_RUNS} AND +s.digest = ?", [self.project_name, digest]
        rows = self._database.query(sql, values)
        return [
            OpenRun(label, task, digest, manifest, Process(host, pid, start))
            for label, task, digest, manifest, host, pid, start in rows
        ]

    def mark_killed(self, label: str, *, outcome: str = "") -> bool:
        """Close the record `label` as killed if it is still open, and return whether it was.

        Whether its process is dead, and whether its manifest tells more, is for
        the caller to find out: see `open_runs`.
        """
        outcome = fit(outcome)

        def mark(transaction: Transaction) -> bool:
            values = (label, self.project_name)
            rows = transaction.execute(FIND_RECORD + transaction.for_update, values)
            if not rows or not transaction.execute(IS_OPEN, rows[0][:1]):
                return False
            record_id = rows[0][0]
            tags = self._writer.set_status(transaction, record_id, "killed")
            texts = ("", tags, outcome, outcome, f"\n{outcome}")
            transaction.execute(CLOSE_RECORD, (None, *texts, record_id))
            transaction.execute(CLOSE_RUN, (record_id,))
            return True

        return self._database.write(mark)

    def latest_runs(self, module: str, task: str, n: int) -> list[PastRun]:
        """The last `n` runs of a task whose records were opened, latest first; in a time that `n` decides."""
        return self._past_runs("s.task = ? AND s.module = ?", (task, module), n)

    def find_latest_run(self, digest: str) -> PastRun | None:
        """The last run of the task `digest`, whatever became of it."""
        runs = self._past_runs("s.digest = ?", (digest,), 1)
        return runs[0] if runs else None

    def _past_runs(self, condition: str, values: Sequence[Any], n: int) -> list[PastRun]:
        rows = self._database.query(PAST_RUNS.format(condition), (*values, self.project_name, n))
        return [
            PastRun(label, digest, manifest, split_status(tags)[0], outcome, parameters)
            for label, digest, manifest, tags, outcome, parameters in rows
        ]

    def edit(self, selection: Selection, edit: Edit, *, noted_in: Path) -> int:
        """Change the selected records in one transaction, and return how many changed.

        Parameters
        ----------
        noted_in
            The file that keeps the edits, a line each; its folder must exist.

        Raises
        ------
        InputError
            If a record cannot be changed so; then none is.
        RecordStoreError
            If the store or the file cannot be written.
        """

        def change(transaction: Transaction) -> int:
            transaction.exclude(f"edits of {self.project_name}")  # no two write the file together
            labels: dict[int, str] = dict(self._lock_selected(transaction, selection))
            n_changed, noted = edit.make(transaction, self._writer, labels)
            if n_changed:
                note_edit(noted_in, noted, durable=self._durable)
            return n_changed

        return self._database.write(change)

    def _lock_selected(self, transaction: Transaction, selection: Selection) -> list[tuple[Any, ...]]:
        """Keys and labels of the selected records, which nobody else changes until the transaction ends."""
        selection = self._narrowed(selection, transaction.execute)
        expand = self._expander(selection)
        rows = transaction.execute(*selection.statement("r.db_id, r.label", self.project_name, expand))
        if transaction.for_update:
            lock = f"SELECT db_id FROM django_store_record WHERE db_id IN {IDS} ORDER BY db_id"
            ids = json.dumps([row[0] for row in rows])
            found = {row[0] for row in transaction.execute(lock + transaction.for_update, (ids,))}
            rows = [row for row in rows if row[0] in found]
        return rows

    def get(self, label: str) -> Record:
        """Return the record `label`.

        Raises
        ------
        RecordNotFoundError
            If there is none.
        """
        rows = self._database.query(FIND_RECORD, (label, self.project_name))
        records = read_records(self._database, [rows[0][0]]) if rows else []
        if not records:
            raise self._not_found(label)
        return records[0]

    def has(self, label: str) -> bool:
        """Whether there is a record `label`."""
        return bool(self._database.query(FIND_RECORD, (label, self.project_name)))

    def count(self, selection: Selection = ALL) -> int:
        """How many records are selected."""
        selection = self._narrowed(selection, self._database.query)
        rows = self._database.query(*selection.count_statement(self.project_name, self._expander(selection)))
        return int(rows[0][0])

    def labels(self, selection: Selection = ALL) -> list[str]:
        """Labels of the selected records, in their order."""
        return [row[0] for row in self._rows(selection, "r.label")]

    def records(self, selection: Selection = ALL) -> Iterator[Record]:
        """Yield the selected records in their order, read a few hundred at a time."""
        ids = [row[0] for row in self._rows(selection, "r.db_id")]
        for start in range(0, len(ids), BATCH):
            yield from read_records(self._database, ids[start : start + BATCH])

    def columns(self, selection: Selection, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return one tuple per selected record with the values of `names`; much faster than `records`.

        Parameters
        ----------
        names
            Keys of `smttask.records.query.COLUMNS`. ``timestamp`` is text in UTC
            without a zone, ``tags`` text for `parse_tags`, ``parameters`` JSON text.
        """
        unknown = [name for name in names if name not in COLUMNS]
        if unknown:
            raise RecordStoreError(
                f"Records have no column {short_repr(unknown[0])}.",
                f"columns: {', '.join(COLUMNS)}",
                "use one of them",
            )
        return self._rows(selection, ", ".join(COLUMNS[name] for name in names))

    def _rows(self, selection: Selection, columns: str) -> list[tuple[Any, ...]]:
        selection = self._narrowed(selection, self._database.query)
        expand = self._expander(selection)
        return self._database.query(*selection.statement(columns, self.project_name, expand))

    def _narrowed(self, selection: Selection, query: Query) -> Selection:
        """The same records, asked for in the way that is fastest in the database."""
        return narrowed(selection, query)

    def _expander(self, selection: Selection) -> Expand:
        """What makes conditions of the tests of parameters in `selection`, for the database."""
        return sql_of

    def _has_parameter(self, content: str, digest: str | None, question: str) -> bool:
        """See `smttask.records.parameters.has_parameter`; SQL calls this, within `_rows`."""
        return has_parameter(content, digest or "", question, self.find_parameters)

    def find_parameters(self, label: str) -> tuple[Any, str] | None:
        """Parameters, parsed, and digest of a record; remembered, as many records refer to the same few."""
        found = self._seen.get(label)
        if found is None and (rows := self._database.query(PARAMETERS, (label, self.project_name))):
            if len(self._seen) >= BATCH:
                self._seen.clear()
            found = self._seen[label] = read_json(rows[0][0]), rows[0][1]
        return found

    def survey(self, n_added: int) -> None:
        """After `n_added` records were added at once: let the database see what it holds, to plan by it."""

    def close(self) -> None:
        """Close the connection of this process; the next use opens it again."""
        self._database.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r}, {self.project_name!r})"
