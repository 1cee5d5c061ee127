"""Selections with tests of parameters, narrowed by the index before any record is looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from smttask.records.conditions import ParameterTest
from smttask.records.database import TEXTS, Row
from smttask.records.parameterindex import BELOW, CONSTANTS, is_indexed_text, place_text
from smttask.records.parameters import Step
from smttask.records.query import Selection

__all__ = ["Query", "find_candidates", "narrowed"]

Query = Callable[[str, Sequence[Any]], list[Row]]
Steps = tuple[Step, ...]

PLACES = f"SELECT id, path FROM smttask_place WHERE path IN {TEXTS}"
NOWHERE = -1  # the key of no place
# Counted only so far as it matters, as PostgreSQL counts by reading
N_RUNS = "SELECT count(*) FROM (SELECT 1 FROM smttask_run LIMIT ?) AS counted"
# What has no number and no text is not indexed, and may stand or lead where the test asks. Each way to be
# found tells number and text, by which PostgreSQL has an index
UNKNOWN = "number IS NULL AND text IS NULL"
FIND = (
    "SELECT record_id FROM smttask_parameter WHERE place_id IN ({})"
    f" AND ({{}} OR {UNKNOWN} OR number IS NULL AND text COLLATE BINARY = '{BELOW}')"
    f" UNION ALL SELECT record_id FROM smttask_parameter WHERE place_id IN ({{}}) AND {UNKNOWN}"
)
# Integers beyond 2**53 are rounded, and rounding keeps only this much of their order
TEXT = "number IS NULL AND text COLLATE BINARY"
OPERATORS = {"==": "=", ">=": ">=", "<=": "<=", ">": ">=", "<": "<="}


def narrowed(selection: Selection, query: Query) -> Selection:
    """The same selection, among the records that the index does not rule out.

    Unchanged where that would leave most of them, as then they are found in their order at once.

    Parameters
    ----------
    query
        Gives the rows that SQL selects; see `smttask.records.database.Database.query`.
    """
    candidates = find_candidates(selection.tests, query)
    if candidates is None:
        return selection
    n_few = 2 * len(candidates)
    if n_few and query(N_RUNS, (n_few,))[0][0] < n_few:
        return selection
    return selection.among(sorted(candidates))


def find_candidates(tests: Sequence[ParameterTest], query: Query) -> set[int] | None:
    """Keys of the records that may meet all of `tests`; None if the index tells of none of these."""
    conditions: dict[Steps, list[tuple[str, Any]]] = {}
    for test in tests:
        if (condition := _condition(test)) is not None:
            conditions.setdefault(test.steps, []).append(condition)
    if not conditions:
        return None
    places = _places(conditions, query)

    def found(steps: Steps) -> set[int] | None:
        # one mark for each, as PostgreSQL reads the whole table for what it does not see
        at = places[steps] or [NOWHERE]
        above = [key for end in range(len(steps)) for key in places[steps[:end]]] or [NOWHERE]
        tests, values = zip(*conditions[steps], strict=True)
        sql = FIND.format(_marks(at), " AND ".join(tests), _marks(above))
        keys = {row[0] for row in query(sql, (*at, *values, *above))}
        return None if None in {*keys, *at, *above} else keys  # a damaged row may stand for any record

    told = [keys for keys in map(found, conditions) if keys is not None]
    return set.intersection(*told) if told else None


def _marks(keys: Sequence[int]) -> str:
    return ", ".join("?" * len(keys))


def _places(wanted: Iterable[Steps], query: Query) -> dict[Steps, list[int]]:
    """The keys of all places at and above the `wanted` ones, one for each task that has it."""
    keys: dict[Steps, list[int]] = {steps[:end]: [] for steps in wanted for end in range(len(steps) + 1)}
    by_text = {place_text(place): place for place in keys}
    for key, path in query(PLACES, (json.dumps(list(by_text)),)):
        keys[by_text[path]].append(key)
    return keys


def _condition(test: ParameterTest) -> tuple[str, Any] | None:
    """What rows that may meet `test` satisfy, and its value; None if the index cannot tell."""
    wanted = test.wanted
    if not test.steps or isinstance(test.steps[0], int):
        return None
    if wanted is None or isinstance(wanted, bool):
        return (f"{TEXT} = ?", CONSTANTS[wanted]) if test.operator == "==" else None
    if isinstance(wanted, int | float):
        try:
            return f"number {OPERATORS[test.operator]} ?", float(wanted)
        except OverflowError:
            return None
    if isinstance(wanted, str) and is_indexed_text(wanted):
        return f"{TEXT} {OPERATORS[test.operator]} ?", f"s{wanted}"
    return None
