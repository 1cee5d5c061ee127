"""Selections of records, and the SQL that finds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from smttask.records.conditions import ParameterTest, sql_of
from smttask.records.database import IDS, TEXTS
from smttask.records.parameters import Step, path_steps
from smttask.records.record import fit
from smttask.records.rows import timestamp_text

__all__ = ["COLUMNS", "FROM", "Expand", "Glob", "Selection"]

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
TAGGED = (
    "(SELECT i.object_id FROM django_store_taggeditem i"
    " JOIN django_store_tag t ON t.id = i.tag_id"
    " JOIN django_content_type c ON c.id = i.content_type_id"
    f" WHERE t.name IN {TEXTS} AND c.app_label = 'django_store'"
    " AND c.model = 'record')"
)
HAS_OUTPUT = (
    "r.db_id IN (SELECT k.output_from_record_id FROM django_store_datakey k WHERE instr(k.path, ?) > 0)"
)
LAST_CHARACTER = "\U0010ffff"
_PROJECT = object()  # stands for the project's name among the values of a condition
_TEST = "{test}"  # stands for the SQL of the next `ParameterTest` among the values
#: Makes a condition and its values of a test, as the database at hand can answer it.
Expand = Callable[[ParameterTest], tuple[str, Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Records to be found: those that meet all conditions, newest first.

    Every method returns a new selection that asks for more. Nothing is read
    before a store is asked.

    Examples
    --------
    >>> Selection().with_task("Analyze").with_tags("_finished_").sql("name").count("?")
    6
    """

    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    start: int = 0
    stop: int | None = None
    is_oldest_first: bool = False

    def where(self, condition: str, *values: Any) -> Selection:
        """Add a condition in SQL over r (record), s (run) and p (parameter set)."""
        if not self._is_sliced:
            return replace(self, conditions=(*self.conditions, (condition, values)))
        return Selection((self._condition(), (condition, values)), is_oldest_first=self.is_oldest_first)

    def with_ids(self, ids: Sequence[int]) -> Selection:
        """Keep records with these keys."""
        return self.where(f"r.db_id IN {IDS}", json.dumps(list(ids)))

    def with_label(self, prefix: str) -> Selection:
        """Keep records whose label begins with `prefix`."""
        condition = "r.label COLLATE BINARY >= ? AND r.label COLLATE BINARY < ?"
        return self.where(condition, prefix, prefix + LAST_CHARACTER)

    def with_labels(self, *labels: str) -> Selection:
        """Keep records with one of these labels, whole."""
        return self.where(f"r.label IN {TEXTS}", _texts(labels))

    def with_label_like(self, pattern: str) -> Selection:
        """Keep records whose label fits `pattern`, with ``*``, ``?`` and ``[…]`` as in a shell."""
        return self.where("r.label GLOB ?", Glob(pattern))

    def with_task(self, name: str, module: str | None = None, *, folder: str = "") -> Selection:
        """Keep records of the task `name` of `module`; without one also of ``module.name``.

        Parameters
        ----------
        folder
            Where results of the task lie, if that is fixed, whatever its module and name were. Without
            `module` that may be `name`.
        """
        if module is None:
            begin = f"{name}/"
            condition = "(s.task = ? OR s.module || '.' || s.task = ? OR substr(s.manifest, 1, ?) = ?)"
            return self.where(condition, name, name, len(begin), begin)
        if not folder:
            return self.where("s.module = ? AND s.task = ?", module, name)
        begin = f"{folder}/"
        condition = "(s.module = ? AND s.task = ? OR substr(s.manifest, 1, ?) = ?)"
        return self.where(condition, module, name, len(begin), begin)

    def with_digest(self, digest: str) -> Selection:
        """Keep records of the task with this digest."""
        return self.where("s.digest = ?", digest)

    def with_tags(self, *tags: str) -> Selection:
        """Keep records that have every one of `tags`; a status is one, such as ``_finished_``."""
        selection = self
        for tag in tags:
            selection = selection.where(f"r.db_id IN {TAGGED}", _texts([tag]))
        return selection

    def with_any_tag(self, *tags: str) -> Selection:
        """Keep records that have one of `tags` at least."""
        return self.where(f"r.db_id IN {TAGGED}", _texts(tags))

    def without_tags(self, *tags: str) -> Selection:
        """Keep records that have none of `tags`."""
        return self.where(f"r.db_id NOT IN {TAGGED}", _texts(tags))

    def with_text(self, column: str, text: str) -> Selection:
        """Keep records whose `column`, one of `COLUMNS`, contains `text`, letter by letter."""
        return self.where(f"instr({COLUMNS[column]}, ?) > 0", text)

    def with_script(self, text: str) -> Selection:
        """Keep records whose main file or script arguments contain `text`."""
        return self.where("instr(r.main_file, ?) > 0 OR instr(r.script_arguments, ?) > 0", text, text)

    def with_output(self, text: str) -> Selection:
        """Keep records of runs that wrote a file whose path, in the output store, contains `text`."""
        return self.where(HAS_OUTPUT, text)

    def with_version(self, prefix: str) -> Selection:
        """Keep records of code whose commit begins with `prefix`."""
        return self.where("substr(r.version, 1, ?) = ?", len(prefix), prefix)

    def before(self, moment: datetime) -> Selection:
        """Keep records of runs that started before `moment`; local time if it has no zone."""
        return self.where("r.timestamp < ?", timestamp_text(moment))

    def after(self, moment: datetime) -> Selection:
        """Keep records of runs that started at `moment` or later; local time if it has no zone."""
        return self.where("r.timestamp >= ?", timestamp_text(moment))

    def with_parameters(self, values: Mapping[str, Any], operator: str = "==") -> Selection:
        """Keep records with these inputs.

        Parameters
        ----------
        values
            By name, or dotted path such as ``"model.sigma"`` or ``"x[0]"``, which may
            lead through tasks: what stands there, in the JSON form that descriptions
            have; see `smttask.records.parameters.is_equal` and `is_ordered`.
        operator
            One of ``==``, ``>=``, ``<=``, ``>``, ``<``: how what stands there compares with the value.

        Raises
        ------
        InputError
            If a path is none.
        """
        selection = self
        for path, value in values.items():
            selection = selection.with_parameter(path_steps(path), value, operator)
        return selection

    def with_parameter(self, steps: Sequence[Step], value: Any, operator: str = "==") -> Selection:
        """Keep records with this input, whose place is told by the `steps` that lead there."""
        return self.where(_TEST, ParameterTest(tuple(steps), value, operator))

    @property
    def tests(self) -> list[ParameterTest]:
        """The tests of parameters that every one of the records meets, apart from those of slices."""
        return [value for sql, values in self.conditions if sql == _TEST for value in values]

    @property
    def has_inner_tests(self) -> bool:
        """Whether a test of parameters is a part of a larger condition."""
        return any(_TEST in sql and sql != _TEST for sql, _ in self.conditions)

    def only(self, ids: Sequence[int]) -> Selection:
        """Those with these keys, which are known to meet all conditions, before any are counted off."""
        return replace(self, conditions=((f"r.db_id IN {IDS}", (json.dumps(ids),)),))

    def among(self, ids: Sequence[int]) -> Selection:
        """Keep records with these keys, before any are counted off by `sliced`."""
        return replace(self, conditions=((f"r.db_id IN {IDS}", (json.dumps(ids),)), *self.conditions))

    def joined(self, other: Selection) -> Selection:
        """All records of this selection and those of `other`, in the order of this one."""
        sides = [selection._condition() for selection in (self, other)]
        either = " OR ".join(f"({condition})" for condition, _ in sides)
        values = tuple(value for _, side_values in sides for value in side_values)
        return Selection(((either, values),), is_oldest_first=self.is_oldest_first)

    def _condition(self) -> tuple[str, tuple[Any, ...]]:
        """One condition that says the same."""
        if self._is_sliced:
            return f"r.db_id IN ({self.sql('r.db_id')})", (_PROJECT, *self._condition_values())
        conditions = [f"({condition})" for condition, _ in self.conditions]
        return " AND ".join(conditions) or "TRUE", self._condition_values()

    def sliced(self, start: int, stop: int | None) -> Selection:
        """Keep records `start` to `stop` of these, counted from 0, neither negative."""
        ends = [end for end in (self.stop, None if stop is None else self.start + stop) if end is not None]
        return replace(self, start=self.start + start, stop=min(ends, default=None))

    def oldest_first(self) -> Selection:
        """Turn the order around; to be called before `sliced`."""
        return replace(self, is_oldest_first=not self.is_oldest_first)

    def statement(
        self, columns: str, project_name: str, expand: Expand = sql_of
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the SELECT statement of `columns`, and the values for its question marks."""
        return _expanded(self.sql(columns), self._values(project_name), expand)

    def count_statement(self, project_name: str, expand: Expand = sql_of) -> tuple[str, tuple[Any, ...]]:
        """Return the statement that counts the records, and the values for its question marks."""
        return _expanded(self._count_sql(), self._values(project_name), expand)

    def without_tests(self) -> Selection:
        """Those that meet the conditions apart from tests of parameters; the same records and more.

        All of them, where a test is part of a larger condition.
        """
        if self.has_inner_tests:
            return Selection()
        return Selection(tuple(condition for condition in self.conditions if condition[0] != _TEST))

    def sql(self, columns: str) -> str:
        """Return the SELECT statement of `columns`, in which tests of parameters are still open."""
        order = "ASC" if self.is_oldest_first else "DESC"
        return (
            f"SELECT {columns} {FROM} WHERE {self._tests()}"
            f" ORDER BY r.timestamp {order}, r.db_id {order} LIMIT {self._limit()} OFFSET {self.start}"
        )

    def _count_sql(self) -> str:
        if self._is_sliced:
            return f"SELECT count(*) FROM ({self.sql('r.db_id')}) AS selected"
        if not self.conditions:
            return "SELECT count(*) FROM django_store_record WHERE project_id = ?"
        return f"SELECT count(*) {FROM} WHERE {self._tests()}"

    def _values(self, project_name: str) -> tuple[Any, ...]:
        values = (project_name if value is _PROJECT else value for value in self._condition_values())
        return (project_name, *values)

    def _tests(self) -> str:
        # "+" keeps SQLite from reading by project and sorting, where the index of timestamps has the order;
        # "|| ''" keeps PostgreSQL, too, from reading all of a project where the keys of a few are told
        has_keys = any(f"db_id IN {IDS}" in condition for condition, _ in self.conditions)
        project = "r.project_id || '' = ?" if has_keys else "+r.project_id = ?"
        return " AND ".join([project, *(f"({condition})" for condition, _ in self.conditions)])

    @property
    def _is_sliced(self) -> bool:
        return self.start > 0 or self.stop is not None

    def _condition_values(self) -> tuple[Any, ...]:
        return tuple(value for _, values in self.conditions for value in values)

    def _limit(self) -> int:
        return -1 if self.stop is None else max(0, self.stop - self.start)


class Glob(str):
    """A pattern for ``GLOB``, which databases know in different forms."""

    __slots__ = ()


def _texts(texts: Sequence[str]) -> str:
    return json.dumps([fit(text) for text in texts])


def _expanded(sql: str, values: Sequence[Any], expand: Expand) -> tuple[str, tuple[Any, ...]]:
    """Put the conditions and values of tests where they belong."""
    if _TEST not in sql:
        return sql, tuple(values)
    first, *rest = sql.split(_TEST)
    conditions: list[str] = []
    expanded: list[Any] = []
    for value in values:
        if isinstance(value, ParameterTest):
            condition, own = expand(value)
            conditions.append(condition)
            expanded += own
        else:
            expanded.append(value)
    return first + "".join(map("".join, zip(conditions, rest, strict=True))), tuple(expanded)
