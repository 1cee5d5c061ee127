"""Writing the rows of a record as Sumatra 0.8 reads and edits them.

Some columns hold Python literals that Sumatra evaluates: they are made here by `repr`
of plain values only, exactly as Sumatra makes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from smttask.records.database import IDS, Transaction
from smttask.records.parameterindex import ParameterIndex, index_entries
from smttask.records.record import (
    IGNORED_DIGEST,
    KEY_PATH_WIDTH,
    TAGS_WIDTH,
    DataKey,
    Dependency,
    Platform,
    Record,
    fit,
)
from smttask.records.sharedrows import find_or_add, find_shared, key_part
from smttask.records.tags import STATUS_PATTERN, checked_tag, status_tag, tags_text

__all__ = ["RecordRows", "RecordWriter", "data_key_rows", "timestamp_text"]

LITERAL_WIDTHS = {"launchmode": 1000, "datastore": 200}

ADD_RECORD = (
    "INSERT INTO django_store_record (label, timestamp, reason, duration, main_file, version, outcome, tags,"
    ' diff, "user", script_arguments, stdout_stderr, executable_id, repository_id, launch_mode_id,'
    " datastore_id, input_datastore_id, parameters_id, project_id)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
FORGET_RUN = "DELETE FROM smttask_run WHERE record_id = ?"  # `smt delete` leaves it
ADD_RUN = "INSERT INTO smttask_run VALUES (?,?,?,?,?,?,?,?,?,?)"
# WHERE keeps SQLite from reading ON as the condition of a join
LINK_DEPENDENCIES = (
    "INSERT INTO django_store_record_dependencies (record_id, dependency_id)"
    " SELECT ?, CAST(value AS integer) FROM json_each(?) WHERE TRUE ON CONFLICT DO NOTHING"
)
LINK_INPUT = (
    "INSERT INTO django_store_record_input_data (record_id, datakey_id) VALUES (?,?) ON CONFLICT DO NOTHING"
)
LINK_PLATFORM = "INSERT INTO django_store_record_platforms (record_id, platforminformation_id) VALUES (?,?)"
ADD_OUTPUT = (
    "INSERT INTO django_store_datakey (path, digest, creation, metadata, output_from_record_id)"
    " VALUES (?,?,?,?,?)"
)
LINK_OUTPUT = "UPDATE django_store_datakey SET output_from_record_id = ? WHERE id = ?"
LINK_TAG = "INSERT INTO django_store_taggeditem (object_id, content_type_id, tag_id) VALUES (?,?,?)"
CHANGE_TAG = (
    "UPDATE django_store_taggeditem SET tag_id = ? WHERE object_id = ? AND content_type_id = ? AND tag_id = ?"
)
UNLINK_TAG = "DELETE FROM django_store_taggeditem WHERE object_id = ? AND content_type_id = ? AND tag_id = ?"
LINK_TAGS = (
    "INSERT INTO django_store_taggeditem (object_id, content_type_id, tag_id)"
    " SELECT CAST(value AS integer), ?, ? FROM json_each(?) WHERE TRUE ON CONFLICT DO NOTHING"
)
UNLINK_TAGS = (
    f"DELETE FROM django_store_taggeditem WHERE object_id IN {IDS}"
    " AND +content_type_id = ? AND tag_id IN (SELECT id FROM django_store_tag WHERE name = ?)"
)
NAMES_OF = (
    "SELECT i.object_id, t.name FROM django_store_taggeditem i JOIN django_store_tag t ON t.id = i.tag_id"
    f" WHERE i.object_id IN {IDS} AND +i.content_type_id = ?"
)
# "+" keeps SQLite from searching the tags of all records
TAGS_OF = (
    "SELECT t.id, t.name FROM django_store_taggeditem i JOIN django_store_tag t ON t.id = i.tag_id"
    " WHERE i.object_id = ? AND +i.content_type_id = ?"
)
CONTENT_TYPE = "SELECT id FROM django_content_type WHERE app_label = 'django_store' AND model = 'record'"
ADD_CONTENT_TYPE = (
    "INSERT INTO django_content_type (app_label, model) VALUES ('django_store', 'record')"
    " ON CONFLICT DO NOTHING"
)
_encode_sorted = json.JSONEncoder(sort_keys=True).encode


class RecordRows:
    """What the rows of a record hold, as far as that is known before the transaction, for which others wait.

    Parameters
    ----------
    process
        The one that runs it: host, number, start.
    """

    def __init__(self, record: Record, process: Sequence[Any]) -> None:
        self.record = record
        self.tags = sorted({status_tag(record.status), *map(checked_tag, record.tags)})
        self.parameters = fit(record.parameters)
        self.columns = (
            fit(record.label),
            timestamp_text(record.timestamp),
            fit(record.reason),
            record.duration_s,
            fit(record.main_file),
            fit(record.version, 50),
            fit(record.outcome),
            fit(",".join(self.tags), TAGS_WIDTH),
            fit(record.diff),
            fit(record.user, 100),
            fit(record.script_arguments),
            fit(record.stdout_stderr),
        )
        names = (record.task, record.module, record.digest, record.full_digest, record.manifest)
        is_open = int(record.status in ("initialized", "running"))
        self.run = (*map(fit, names), is_open, *process)
        self.inputs = data_key_rows(record.input_data)
        self.outputs = data_key_rows(record.output_data)
        self.entries = index_entries(record.parameters, self.run[2])


class RecordWriter:
    """Writes the rows of records; remembers the ids of shared rows until `forget`.

    Parameters
    ----------
    project_name
        As in ``.smt/project``; also Sumatra's key of the project.
    input_root, output_root
        Folders that the paths of data keys are relative to, absolute.
    """

    def __init__(self, project_name: str, input_root: str, output_root: str) -> None:
        self.project_name = project_name
        self._input_root = input_root
        self._output_root = output_root
        self._ids: dict[tuple[Any, ...], int] = {}
        self._dependencies: tuple[Sequence[Dependency], str] = ((), "[]")
        self._around: tuple[object, tuple[int, ...]] = (None, ())
        self._platform: tuple[object, int] = (None, 0)
        self.parameters = ParameterIndex(self._ids)

    def forget(self) -> None:
        """Forget all ids: the database may be another one, or a transaction failed."""
        self._ids.clear()
        self._dependencies = ((), "[]")
        self._around = (None, ())
        self._platform = (None, 0)

    def add(self, transaction: Transaction, rows: RecordRows) -> int:
        """Add a record, and return its key."""
        record = rows.record
        shared = self._surroundings(transaction, record)
        parameters_id = transaction.insert(
            "INSERT INTO django_store_parameterset (type, content) VALUES ('JSONParameterSet', ?)",
            (rows.parameters,),
        )
        row = (*rows.columns, *shared, parameters_id, self._project(transaction))
        record_id = transaction.insert(ADD_RECORD, row, key="db_id")
        transaction.execute(FORGET_RUN, (record_id,))
        transaction.execute(ADD_RUN, (record_id, *rows.run))
        content_type = self._content_type(transaction)
        for tag in rows.tags:
            transaction.execute(LINK_TAG, (record_id, content_type, self._shared(transaction, "tag", tag)))
        if (platform := record.platform) is not None:
            # The same object comes for run after run
            if platform is not self._platform[0]:
                self._platform = platform, self._platform_id(transaction, platform)
            transaction.execute(LINK_PLATFORM, (record_id, self._platform[1]))
        self.link_dependencies(transaction, record_id, record.dependencies)
        for values in rows.inputs:
            key_id = find_or_add(transaction, "datakey", values)
            transaction.execute(LINK_INPUT, (record_id, key_id))
        self.link_outputs(transaction, record_id, rows.outputs)
        task, module, *_ = rows.run
        self.parameters.add_entries(transaction, record_id, module, task, rows.entries)
        return record_id

    def link_dependencies(
        self, transaction: Transaction, record_id: int, dependencies: Sequence[Dependency]
    ) -> None:
        """Name `dependencies` in the record, where they are not named yet."""
        if not dependencies:
            return
        # The same tuple comes for run after run until something new is imported
        if dependencies is not self._dependencies[0]:
            ids = [self._dependency(transaction, dependency) for dependency in dependencies]
            self._dependencies = (dependencies, json.dumps(ids))
        transaction.execute(LINK_DEPENDENCIES, (record_id, self._dependencies[1]))

    def link_outputs(self, transaction: Transaction, record_id: int, keys: Iterable[tuple[str, ...]]) -> None:
        """Name `keys`, which `data_key_rows` gave, as written by the record."""
        known = []
        for values in keys:
            key_id = find_shared(transaction, "datakey", values)
            if key_id is None:
                transaction.insert(ADD_OUTPUT, (*values, record_id))
            else:
                known.append(key_id)
        for key_id in known:
            transaction.execute(LINK_OUTPUT, (record_id, key_id))

    def set_status(self, transaction: Transaction, record_id: int, status: str) -> str:
        """Replace the status tag, leave the others, and return the text for the record's column."""
        content_type = self._content_type(transaction)
        own = status_tag(status)
        names, former, has_it = {own}, [], False
        for tag_id, name in transaction.execute(TAGS_OF, (record_id, content_type)):
            if name == own:
                has_it = True
            elif STATUS_PATTERN.match(name):
                former.append(tag_id)
            else:
                names.add(name)
        if not has_it:
            own_id = self._shared(transaction, "tag", own)
            if former:
                transaction.execute(CHANGE_TAG, (own_id, record_id, content_type, former.pop()))
            else:
                transaction.execute(LINK_TAG, (record_id, content_type, own_id))
        for tag_id in former:
            transaction.execute(UNLINK_TAG, (record_id, content_type, tag_id))
        return fit(",".join(sorted(names)), TAGS_WIDTH)

    def change_tags(
        self,
        transaction: Transaction,
        record_ids: Iterable[int],
        added: Sequence[str],
        removed: Sequence[str],
    ) -> list[int]:
        """Add and remove tags in all places that have them; return the keys of the records that changed."""
        content_type = self._content_type(transaction)
        old: dict[int, set[str]] = {record_id: set() for record_id in record_ids}
        for record_id, name in transaction.execute(NAMES_OF, (json.dumps(list(old)), content_type)):
            old[record_id].add(name)
        new = {record_id: (names | set(added)) - set(removed) for record_id, names in old.items()}
        changed = [record_id for record_id in old if new[record_id] != old[record_id]]
        ids = json.dumps(changed)
        for tag in set(added) - set(removed):
            transaction.execute(LINK_TAGS, (content_type, self._shared(transaction, "tag", tag), ids))
        for tag in removed:
            transaction.execute(UNLINK_TAGS, (ids, content_type, tag))
        rows = [(tags_text(new[record_id]), record_id) for record_id in changed]
        transaction.executemany("UPDATE django_store_record SET tags = ? WHERE db_id = ?", rows)
        return changed

    def _shared(self, transaction: Transaction, table: str, *values: Any) -> int:
        """Return the id of the one row of `table` that holds `values`, added if there is none."""
        key = (table, *values)
        known = self._ids.get(key)
        if known is None:
            known = self._ids[key] = find_or_add(transaction, table, values)
        return known

    def _literal(self, transaction: Transaction, table: str, kind: str, values: dict[str, Any]) -> int:
        """Return the id of a row whose parameters are the literal of `values`; its first value may be cut."""
        text, width = repr(values), LITERAL_WIDTHS[table]
        name, path = next(iter(values.items()))
        room = width
        while len(text) > width:  # `repr` may show one character as several
            room = min(room - 1, room * width // len(text))
            text = repr({**values, name: fit(path, room)})
        return self._shared(transaction, table, kind, fit(text))

    def _dependency(self, transaction: Transaction, dependency: Dependency) -> int:
        return self._shared(
            transaction,
            "dependency",
            fit(dependency.name, 50),
            fit(dependency.path, 200),
            fit(dependency.version, 40),
            fit(dependency.diff),
            None if dependency.source is None else fit(dependency.source, 200),
            "python",
        )

    def _surroundings(self, transaction: Transaction, record: Record) -> tuple[int, ...]:
        """Ids of executable, repository, launch mode, output store and input store."""
        of_run = record.executable, record.repository, record.working_directory
        if self._around[0] == of_run:  # the same objects come for run after run
            return self._around[1]
        executable, repository, folder = of_run
        launch_mode = {"working_directory": folder, "options": None}
        ids = (
            self._shared(
                transaction,
                "executable",
                fit(executable.path, 200),
                fit(executable.name, 50),
                fit(executable.version, 100),
                fit(executable.options, 50),
            ),
            self._shared(
                transaction,
                "repository",
                "GitRepository",
                fit(repository.url, 200),
                None if repository.upstream is None else fit(repository.upstream, 200),
            ),
            self._literal(transaction, "launchmode", "SerialLaunchMode", launch_mode),
            self._literal(transaction, "datastore", "FileSystemDataStore", {"root": self._output_root}),
            self._literal(transaction, "datastore", "FileSystemDataStore", {"root": self._input_root}),
        )
        self._around = of_run, ids
        return ids

    def _platform_id(self, transaction: Transaction, platform: Platform) -> int:
        return self._shared(
            transaction,
            "platforminformation",
            fit(platform.architecture_bits, 100),
            fit(platform.architecture_linkage, 100),
            fit(platform.machine, 20),
            fit(platform.network_name, 100),
            platform.ip_addr,
            fit(platform.processor, 100),
            fit(platform.release, 100),
            fit(platform.system_name, 20),
            fit(platform.version, 200),
        )

    def _project(self, transaction: Transaction) -> str:
        key = ("project", self.project_name)
        if key not in self._ids:
            transaction.execute(
                "INSERT INTO django_store_project (id, name, description) VALUES (?, '', '')"
                " ON CONFLICT DO NOTHING",
                (self.project_name,),
            )
            self._ids[key] = 0
        return self.project_name

    def _content_type(self, transaction: Transaction) -> int:
        """Return the number by which Django's tags know records."""
        key = ("content type",)
        if key not in self._ids:
            if not (rows := transaction.execute(CONTENT_TYPE)):
                transaction.execute(ADD_CONTENT_TYPE)
                rows = transaction.execute(CONTENT_TYPE)
            self._ids[key] = rows[0][0]
        return self._ids[key]


def data_key_rows(keys: Iterable[DataKey]) -> list[tuple[str, ...]]:
    """The rows of `keys`, in the order in which all who add data keys exclude each other."""
    return [_row(key) for key in sorted(keys, key=lambda key: (key_part(key.path), key.path))]


def _row(key: DataKey) -> tuple[str, ...]:
    # Sumatra's pages read these three names; its text is what it would write itself
    metadata = {"encoding": None, "mimetype": None, "size": 0, **key.metadata}
    created = (key.created or datetime.fromtimestamp(0, UTC)).replace(microsecond=0)
    return (
        fit(key.path, KEY_PATH_WIDTH),
        IGNORED_DIGEST,
        timestamp_text(created),
        _encode_sorted(metadata),
    )


def timestamp_text(moment: datetime) -> str:
    """Write an aware datetime as Django does: UTC, without the zone, no fraction when it is 0."""
    return str(moment.astimezone(UTC).replace(tzinfo=None))
