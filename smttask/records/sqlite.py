"""The record store in an SQLite file: each run opened once and closed once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from smttask.errors import RecordNotFoundError, RecordStoreError, short_repr
from smttask.records.connection import Database
from smttask.records.editing import Edit, note_edit
from smttask.records.parameters import has_parameter, read_json
from smttask.records.process import Process, is_dead, this_process
from smttask.records.query import COLUMNS, Selection
from smttask.records.reading import parse_timestamp, read_records, split_status
from smttask.records.record import DataKey, Dependency, Record, check_widths, fit
from smttask.records.rows import RecordWriter
from smttask.records.tags import status_tag

__all__ = ["OpenRun", "PastRun", "SQLiteRecordStore"]

ALL = Selection()
BATCH = 200  # records read at once while iterating

# "+" keeps SQLite from searching all records of the project instead of the few with this label
FIND_RECORD = "SELECT db_id, timestamp FROM django_store_record WHERE label = ? AND +project_id = ?"
PARAMETERS = (
    "SELECT p.content, s.digest FROM django_store_record r JOIN smttask_run s ON s.record_id = r.db_id"
    " JOIN django_store_parameterset p ON p.id = r.parameters_id WHERE r.label = ? AND +r.project_id = ?"
)
CLOSE_RECORD = (
    "UPDATE django_store_record SET duration = ?, stdout_stderr = ?, tags = ?,"
    " outcome = CASE WHEN outcome = '' THEN ? WHEN ? = '' THEN outcome ELSE outcome || char(10) || ? END"
    " WHERE db_id = ?"
)
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


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run whose record was opened and not closed yet; `manifest` is relative to the output root."""

    label: str
    task: str
    digest: str
    manifest: str
    process: Process

    @property
    def is_abandoned(self) -> bool:
        """Whether the process that opened the record has surely ended."""
        return is_dead(self.process)


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run of a task, as a new one is compared with it.

    `status` has no underscores, `manifest` is relative to the output root, `parameters` is JSON text.
    """

    label: str
    digest: str
    manifest: str
    status: str
    outcome: str
    parameters: str


class SQLiteRecordStore:
    """Records of one project in Sumatra's schema.

    The file is made at first use, by Sumatra's own migrations. Threads, forked
    and spawned processes may use a store together; each fork opens it anew.

    Parameters
    ----------
    path
        The SQLite file; its folder must exist.
    project_name
        As in ``.smt/project``.
    input_root, output_root
        Folders that the paths of input and output data keys are relative to, absolute.
    timeout_s
        How long to wait for other programs that write.
    durable
        Whether records survive a power cut, which costs an fsync each; those of a
        killed process are safe in any case.

    Examples
    --------
    >>> store = SQLiteRecordStore(Path(".smt/records"), "test", input_root="/", output_root="/data")
    >>> store.path.name
    'records'
    """

    def __init__(
        self,
        path: Path | str,
        project_name: str,
        *,
        input_root: Path | str,
        output_root: Path | str,
        timeout_s: float = 30.0,
        durable: bool = False,
    ) -> None:
        self.path = Path(path)
        self.project_name = project_name
        self._writer = RecordWriter(project_name, os.fspath(input_root), os.fspath(output_root))
        self._durable = durable
        self._opened: dict[str, tuple[int, Sequence[Dependency]]] = {}
        self._seen: dict[str, tuple[Any, str]] = {}
        self._database = Database(
            self.path,
            on_open=self._forget,
            functions={"smttask_has_parameter": self._has_parameter},
            timeout_s=timeout_s,
            durable=durable,
        )

    def _forget(self) -> None:
        self._writer.forget()
        self._opened.clear()
        self._seen.clear()

    def open_record(self, record: Record) -> None:
        """Add `record`, in one short transaction.

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
        process = this_process()
        owner = (process.host, process.pid, process.start)

        def add(connection: sqlite3.Connection) -> int:
            if connection.execute(FIND_RECORD, (record.label, self.project_name)).fetchone():
                raise RecordStoreError(
                    f"There is a record '{record.label}' already.",
                    f"store: {self.path}",
                    "give each run a label of its own",
                    label=record.label,
                )
            return self._writer.add(connection, record, owner)

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

        Raises
        ------
        RecordNotFoundError
            If there is no such record.
        RecordStoreError
            If the store cannot be written, or the path of a data key is too long.
        """
        check_widths(key_paths=[key.path for key in output_data])
        status_tag(status)
        outcome = fit(outcome)

        def close(connection: sqlite3.Connection) -> None:
            record_id, linked, started = self._find(connection, label)
            taken_s = duration_s
            if taken_s is None and ended is not None:
                taken_s = (ended - parse_timestamp(started)).total_seconds()
            tags = self._writer.set_status(connection, record_id, status)
            values = (taken_s, fit(stdout_stderr), tags, outcome, outcome, outcome, record_id)
            connection.execute(CLOSE_RECORD, values)
            self._writer.link_outputs(connection, record_id, output_data)
            if dependencies is not linked:
                self._writer.link_dependencies(connection, record_id, dependencies)
            connection.execute(CLOSE_RUN, (record_id,))

        self._database.write(close)
        self._opened.pop(label, None)

    def _find(
        self, connection: sqlite3.Connection, label: str
    ) -> tuple[int, Sequence[Dependency] | None, str]:
        row = connection.execute(FIND_RECORD, (label, self.project_name)).fetchone()
        if row is None:
            raise RecordNotFoundError(
                f"There is no record '{label}'.",
                f"searched: {self.path}, project '{self.project_name}'",
                "look at the labels with: smt list",
                label=label,
            )
        opened = self._opened.get(label)
        return row[0], opened[1] if opened and opened[0] == row[0] else None, row[1]

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

        def mark(connection: sqlite3.Connection) -> bool:
            found = connection.execute(f"{OPEN_RUNS} AND r.label = ?", (self.project_name, label)).fetchone()
            if found is None:
                return False
            record_id = self._find(connection, label)[0]
            tags = self._writer.set_status(connection, record_id, "killed")
            values = (None, "", tags, outcome, outcome, outcome, record_id)
            connection.execute(CLOSE_RECORD, values)
            connection.execute(CLOSE_RUN, (record_id,))
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

        def change(connection: sqlite3.Connection) -> int:
            sql, values = selection.sql("r.db_id, r.label"), selection.values(self.project_name)
            labels = dict(connection.execute(sql, values).fetchall())
            n_changed, noted = edit.make(connection, self._writer, labels)
            if n_changed:  # under the lock of the database, so that no two processes write
                note_edit(noted_in, noted, durable=self._durable)
            return n_changed

        return self._database.write(change)

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
            raise RecordNotFoundError(
                f"There is no record '{label}'.",
                f"searched: {self.path}, project '{self.project_name}'",
                "look at the labels with: smt list",
                label=label,
            )
        return records[0]

    def has(self, label: str) -> bool:
        """Whether there is a record `label`."""
        return bool(self._database.query(FIND_RECORD, (label, self.project_name)))

    def count(self, selection: Selection = ALL) -> int:
        """How many records are selected."""
        rows = self._database.query(selection.count_sql(), selection.values(self.project_name))
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
        return self._database.query(selection.sql(columns), selection.values(self.project_name))

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

    def close(self) -> None:
        """Close the file in this process; the next use opens it again."""
        self._database.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}, {self.project_name!r})"
