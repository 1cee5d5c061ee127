"""An index of the inputs of records: which records may meet tests of their parameters.

It stands in two tables of ours. One numbers the places of inputs, for each task; the
other has a row for each place of each record, in the order of places, so that a range of
one input is found by reading a stretch of the table, and writing touches its few ends.
What it names is more than what meets the tests, never less: those who ask look closer.

A row has a number, or a text: ``s`` and the text, ``t``, ``f`` or ``n`` for true, false
and null, ``o`` for what has rows of its own below it. A row with neither holds what is
not indexed, such as a list, and all that may stand below it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from smttask.records.database import IDS, Transaction
from smttask.records.parameters import Step, read_json, task_reference

__all__ = [
    "BELOW",
    "CONSTANTS",
    "FORGET_PARAMETERS",
    "ROOT",
    "TABLES",
    "ParameterIndex",
    "is_indexed_text",
    "place_text",
    "index_entries",
]

JSON = Any
Place = tuple[Step, ...]
Entry = tuple[Place, float | None, str | None]

#: Rows of one record, and characters of a text; what is beyond them stands as not indexed.
N_ROWS = 200
LONGEST = 64
#: The place of all inputs; its number is 0 for all tasks.
ROOT: Place = ()
BELOW = "o"
CONSTANTS = {True: "t", False: "f", None: "n"}

# Rows lie in the order of the key; in PostgreSQL its index does. Records that were there before have a row
# at the root: nothing is known of them
TABLES = """
CREATE TABLE IF NOT EXISTS smttask_place (
    id INTEGER PRIMARY KEY,
    module TEXT NOT NULL,
    task TEXT NOT NULL,
    path TEXT NOT NULL,
    UNIQUE (path, task, module)
);
CREATE TABLE IF NOT EXISTS smttask_parameter (
    place_id INTEGER NOT NULL,
    record_id INTEGER NOT NULL,
    number DOUBLE PRECISION,
    text TEXT,
    PRIMARY KEY (place_id, record_id)
) WITHOUT ROWID;
INSERT INTO smttask_parameter (place_id, record_id)
    SELECT 0, record_id FROM smttask_run WHERE NOT EXISTS (SELECT 1 FROM smttask_place);
INSERT INTO smttask_place VALUES (0, '', '', '[]') ON CONFLICT DO NOTHING;
"""

FIND_PLACE = "SELECT id FROM smttask_place WHERE module = ? AND task = ? AND path = ?"
ADD_PLACE = (
    "INSERT INTO smttask_place (id, module, task, path)"
    " SELECT coalesce(max(id), 0) + 1, ?, ?, ? FROM smttask_place"
)
ADD_PARAMETER = (
    "INSERT INTO smttask_parameter (place_id, record_id, number, text) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (place_id, record_id) DO UPDATE SET number = excluded.number, text = excluded.text"
)
#: Takes the keys of records twice. By the places of their tasks, as there is no order by records.
FORGET_PARAMETERS = (
    "DELETE FROM smttask_parameter WHERE place_id IN (SELECT 0 UNION SELECT l.id FROM smttask_place l"
    " JOIN smttask_run s ON s.module = l.module AND s.task = l.task"
    f" WHERE s.record_id IN {IDS}) AND record_id IN {IDS}"
)
FIND_TASK = "SELECT module, task, digest FROM smttask_run WHERE record_id = ?"
REPLACE_PARAMETERS = (
    "UPDATE django_store_parameterset SET content = ?"
    " WHERE id = (SELECT parameters_id FROM django_store_record WHERE db_id = ?)"
)


class ParameterIndex:
    """Writes the rows of records; remembers the numbers of places in `ids`, which others may clear."""

    def __init__(self, ids: dict[tuple[Any, ...], int]) -> None:
        self._ids = ids

    def replace(self, transaction: Transaction, record_id: int, content: str) -> None:
        """Give a record the JSON text `content` as parameters, in place of those it has."""
        ids = json.dumps([record_id])
        transaction.execute(FORGET_PARAMETERS, (ids, ids))
        transaction.execute(REPLACE_PARAMETERS, (content, record_id))
        for module, task, digest in transaction.execute(FIND_TASK, (record_id,)):
            self.add(transaction, record_id, module, task, digest, content)

    def add(
        self, transaction: Transaction, record_id: int, module: str, task: str, digest: str, content: str
    ) -> None:
        """Add the rows of a record whose parameters are the JSON text `content`."""
        self.add_entries(transaction, record_id, module, task, index_entries(content, digest))

    def add_entries(
        self, transaction: Transaction, record_id: int, module: str, task: str, entries: Sequence[Entry]
    ) -> None:
        """Add the rows of a record, as `index_entries` gave them."""
        rows = [
            (self._place(transaction, module, task, path), record_id, number, text)
            for path, number, text in entries
        ]
        transaction.executemany(ADD_PARAMETER, rows)

    def _place(self, transaction: Transaction, module: str, task: str, path: Place) -> int:
        if path == ROOT:
            return 0
        key = ("place", module, task, path)
        known = self._ids.get(key)
        if known is None:
            values = (module, task, place_text(path))
            rows = transaction.execute(FIND_PLACE, values)
            if not rows and transaction.exclude("place"):
                rows = transaction.execute(FIND_PLACE, values)
            if not rows:
                transaction.execute(ADD_PLACE, values)
                rows = transaction.execute(FIND_PLACE, values)
            known = self._ids[key] = int(rows[0][0])
        return known


def index_entries(content: str, digest: str) -> list[Entry]:
    """Place, number and text of all that is indexed of the parameters `content` of the task `digest`."""
    tree = read_json(content)
    try:
        tasks = tree["tasks"]
        inputs = tasks[digest]["inputs"]
    except (LookupError, TypeError):
        return [(ROOT, None, None)]
    if not isinstance(tasks, dict) or not isinstance(inputs, dict) or _has_tag(inputs):
        return [(ROOT, None, None)]
    found: list[Entry] = []
    waiting: list[tuple[Place, Mapping[str, JSON]]] = [(ROOT, inputs)]
    while waiting:
        above, parts = waiting.pop()
        for name, form in parts.items():
            place = (*above, name)
            below = _parts(tasks, form) if isinstance(form, dict) else None
            if below is not None and len(found) + len(below) < N_ROWS:
                waiting.append((place, below))
                found.append((place, None, BELOW))
            else:
                found.append((place, *_value(form)))
    return found if len(found) <= N_ROWS else [(ROOT, None, None)]


def _parts(tasks: Mapping[str, JSON], form: Mapping[str, JSON]) -> Mapping[str, JSON] | None:
    """What stands below `form` by name, in the same parameters; None where it is left to those who look."""
    if "$dataclass" in form or "$model" in form:
        fields = form.get("fields")
        return fields if isinstance(fields, dict) else None
    below: JSON = form
    if (digest := task_reference(form)) is not None:
        entry = tasks.get(digest)
        below = entry.get("inputs") if isinstance(entry, dict) else None
    return below if isinstance(below, dict) and not _has_tag(below) else None


def _has_tag(parts: Mapping[str, JSON]) -> bool:
    return any(name.startswith("$") for name in parts)


def _value(form: JSON) -> tuple[float | None, str | None]:
    if form is None or isinstance(form, bool):
        return None, CONSTANTS[form]
    if isinstance(form, int | float):
        try:
            return float(form), None
        except OverflowError:
            return None, None
    return None, f"s{form}" if isinstance(form, str) and is_indexed_text(form) else None


def is_indexed_text(text: str) -> bool:
    """Whether a text has a row that tells it: it is short, and every database can keep it."""
    return len(text) <= LONGEST and text.isprintable()


def place_text(place: Place) -> str:
    """How a place stands in the table.

    Examples
    --------
    >>> place_text(("model", "sigma"))
    '["model", "sigma"]'
    """
    return json.dumps(place)
