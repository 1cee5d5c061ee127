"""Selections of records, and the SQL that finds them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from smttask.errors import InputError, short_repr
from smttask.records.rows import timestamp_text

__all__ = ["COLUMNS", "Selection", "has_parameter"]

# What a row of a table of records can show; `parameters` is JSON text, `tags` has the status among them
COLUMNS: Mapping[str, str] = {
    "id": "r.db_id",
    "label": "r.label",
    "timestamp": "r.timestamp",
    "task": "coalesce(s.task, '')",
    "module": "coalesce(s.module, '')",
    "digest": "coalesce(s.digest, '')",
    "full_digest": "coalesce(s.full_digest, '')",
    "manifest": "coalesce(s.manifest, '')",
    "parameters": "coalesce(p.content, '{}')",
    "main_file": "r.main_file",
    "version": "r.version",
    "diff": "r.diff",
    "reason": "r.reason",
    "outcome": "r.outcome",
    "script_arguments": "r.script_arguments",
    "user": 'r."user"',
    "tags": "r.tags",
    "duration_s": "r.duration",
    "stdout_stderr": "r.stdout_stderr",
}

FROM = (
    "FROM django_store_record r"
    " LEFT JOIN smttask_run s ON s.record_id = r.db_id"
    " LEFT JOIN django_store_parameterset p ON p.id = r.parameters_id"
)
HAS_TAG = (
    "r.db_id IN (SELECT i.object_id FROM django_store_taggeditem i"
    " JOIN django_store_tag t ON t.id = i.tag_id"
    " JOIN django_content_type c ON c.id = i.content_type_id"
    " WHERE t.name = ? AND c.app_label = 'django_store' AND c.model = 'record')"
)
LAST_CHARACTER = "\U0010ffff"
PLAIN_NAME = re.compile(r'[^"\\\[\]]+')
LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Selection:
    """Records to be found: those that meet all conditions, newest first.

    Every method returns a new selection that asks for more. Nothing is read
    before a store is asked.

    Examples
    --------
    >>> Selection().with_task("Analyze").with_tags("_finished_").sql("name").count("?")
    4
    """

    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    start: int = 0
    stop: int | None = None
    is_oldest_first: bool = False
    parameters_root: str = "$.inputs"

    def where(self, condition: str, *values: Any) -> Selection:
        """Add a condition in SQL over r (record), s (run) and p (parameter set)."""
        return replace(self, conditions=(*self.conditions, (condition, values)))

    def with_label(self, prefix: str) -> Selection:
        """Keep records whose label begins with `prefix`."""
        return self.where("r.label >= ? AND r.label < ?", prefix, prefix + LAST_CHARACTER)

    def with_task(self, name: str) -> Selection:
        """Keep records of the task `name`, or ``module.name``."""
        return self.where("(s.task = ? OR s.module || '.' || s.task = ?)", name, name)

    def with_digest(self, digest: str) -> Selection:
        """Keep records of the task with this digest."""
        return self.where("s.digest = ?", digest)

    def with_tags(self, *tags: str) -> Selection:
        """Keep records that have every one of `tags`; a status is one, such as ``_finished_``."""
        selection = self
        for tag in tags:
            selection = selection.where(HAS_TAG, tag)
        return selection

    def before(self, moment: datetime) -> Selection:
        """Keep records of runs that started before `moment`; local time if it has no zone."""
        return self.where("r.timestamp < ?", timestamp_text(moment))

    def after(self, moment: datetime) -> Selection:
        """Keep records of runs that started at `moment` or later; local time if it has no zone."""
        return self.where("r.timestamp >= ?", timestamp_text(moment))

    def with_parameters(self, values: Mapping[str, Any]) -> Selection:
        """Keep records with these inputs.

        Parameters
        ----------
        values
            By name, or dotted path such as ``"model.sigma"`` or ``"x[0]"``: what
            stands there, in the JSON form that descriptions have. Numbers are
            equal by value; a bool is no number.
        """
        selection = self
        for path, value in values.items():
            selection = selection.where(*_parameter_condition(self.parameters_root, path, value))
        return selection

    def sliced(self, start: int, stop: int | None) -> Selection:
        """Keep records `start` to `stop` of these, counted from 0, neither negative."""
        ends = [end for end in (self.stop, None if stop is None else self.start + stop) if end is not None]
        return replace(self, start=self.start + start, stop=min(ends, default=None))

    def oldest_first(self) -> Selection:
        """Turn the order around; to be called before `sliced`."""
        return replace(self, is_oldest_first=not self.is_oldest_first)

    def sql(self, columns: str) -> str:
        """Return the SELECT statement of `columns`, for `values`."""
        tests = " AND ".join(["r.project_id = ?", *(f"({condition})" for condition, _ in self.conditions)])
        order = "ASC" if self.is_oldest_first else "DESC"
        return (
            f"SELECT {columns} {FROM} WHERE {tests}"
            f" ORDER BY r.timestamp {order}, r.db_id {order} LIMIT {self._limit()} OFFSET {self.start}"
        )

    def count_sql(self) -> str:
        """Return the statement that counts the records, for `values`."""
        if self.start or self.stop is not None:
            return f"SELECT count(*) FROM ({self.sql('r.db_id')})"
        tests = " AND ".join(["r.project_id = ?", *(f"({condition})" for condition, _ in self.conditions)])
        return f"SELECT count(*) {FROM} WHERE {tests}"

    def values(self, project_name: str) -> tuple[Any, ...]:
        """Return the values for the question marks of `sql` and `count_sql`."""
        return (project_name, *(value for _, values in self.conditions for value in values))

    def _limit(self) -> int:
        return -1 if self.stop is None else max(0, self.stop - self.start)


def _parameter_condition(root: str, path: str, value: Any) -> tuple[Any, ...]:
    """Return the condition that `value` stands at `path`, in SQL where that is exact, else in Python."""
    steps = _steps(path)
    if any(isinstance(step, str) and not PLAIN_NAME.fullmatch(step) for step in steps):
        return _compared_by_python(root, steps, value)
    place = root + "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in steps)
    # NaN, infinity and what is beyond SQLite's integers is compared by Python, as lists and dicts are
    is_large = isinstance(value, float | int) and not -LARGEST_INTEGER <= value <= LARGEST_INTEGER
    if is_large:
        return _compared_by_python(root, steps, value)
    if not isinstance(value, str | bool | float | int | None):
        test = "json_type(p.content, ?) IN ('array', 'object')"
        test += " AND smttask_has_parameter(json_extract(p.content, ?), '[]', ?)"
        return (_json(test), place, place, json.dumps(value))
    if isinstance(value, bool) or value is None:
        return (_json("json_type(p.content, ?) = ?"), place, json.dumps(value))
    kinds = "('text')" if isinstance(value, str) else "('integer', 'real')"
    test = f"json_extract(p.content, ?) = ? AND json_type(p.content, ?) IN {kinds}"
    return (_json(test), place, value, place)


def _compared_by_python(root: str, steps: Sequence[str | int], value: Any) -> tuple[Any, ...]:
    all_steps = [*_steps(root.removeprefix("$").removeprefix(".")), *steps]
    test = "smttask_has_parameter(p.content, ?, ?)"
    return (_json(test), json.dumps(all_steps), json.dumps(value))


def _json(test: str) -> str:
    # CASE keeps SQLite from reading as JSON what other programs stored in other forms
    return f"CASE WHEN p.type = 'JSONParameterSet' THEN {test} ELSE 0 END"


def _steps(path: str) -> list[str | int]:
    """Split ``a.b[2]`` into names and positions."""
    steps: list[str | int] = []
    for part in path.split(".") if path else []:
        match = re.fullmatch(r"([^\[\]]*)((?:\[\d+\])*)", part)
        if not match or not part:
            raise InputError(
                f"{short_repr(path)} names no place in the parameters.",
                "expected: names between dots, positions in brackets, such as 'model.sigma' or 'x[0]'",
                "correct the name",
                place=path,
            )
        steps += [match[1]] if match[1] else []
        steps += [int(position) for position in re.findall(r"\d+", match[2])]
    return steps


def has_parameter(content: str, steps: str, wanted: str) -> bool:
    """Whether the JSON value `wanted` stands in the JSON text `content` at `steps`; SQL calls this.

    Examples
    --------
    >>> has_parameter('{"inputs": {"x": [1, 2]}}', '["inputs", "x"]', "[1.0, 2]")
    True
    """
    try:
        found = json.loads(content)
        for step in json.loads(steps):
            found = found[step]
        return _is_equal(found, json.loads(wanted))
    except (ValueError, LookupError, TypeError, RecursionError):
        return False


def _is_equal(found: Any, wanted: Any) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_is_equal, found, wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_is_equal(found[key], wanted[key]) for key in found)
    if found != found and wanted != wanted:
        return True
    return bool(found == wanted)
