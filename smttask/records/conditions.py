"""Conditions on the parameters of records, in SQL where that is exact."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from smttask.records.parameters import Step

__all__ = ["ParameterTest", "sql_of"]

# Names beyond ASCII stand escaped in the JSON text, where SQLite before 3.45 does not find them
PLAIN_NAME = re.compile(r"[\w +-]+", re.ASCII)
LARGEST_INTEGER = 2**63 - 1
# The inputs of a record's own task; what follows is bound. CASE keeps SQLite from reading as JSON what other
# programs stored in other forms. What is no plain value, or stands in another task's inputs, is for Python.
PLACE = """'$.tasks."' || s.digest || '".inputs' || ?"""
BY_PYTHON = "smttask_has_parameter(p.content, s.digest, ?)"
IF_JSON = "CASE WHEN p.type = 'JSONParameterSet' AND s.digest <> '' THEN {} ELSE 0 END"
OPERATORS = {"==": "=", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}


@dataclass(frozen=True, slots=True)
class ParameterTest:
    """Whether what stands at `steps` in the inputs of a record compares so with `wanted`.

    Parameters
    ----------
    steps
        Names and positions, as `smttask.records.parameters.path_steps` gives them.
    wanted
        A JSON form, as descriptions have it.
    operator
        One of ``==``, ``>=``, ``<=``, ``>``, ``<``.
    """

    steps: tuple[Step, ...]
    wanted: Any
    operator: str = "=="

    @property
    def question(self) -> str:
        """The test as `smttask.records.parameters.has_parameter` takes it."""
        return json.dumps([list(self.steps), self.wanted, self.operator])


def sql_of(test: ParameterTest) -> tuple[str, tuple[Any, ...]]:
    """The condition in SQLite's SQL, with its functions for JSON and ours, and its values."""
    steps, wanted, operator, question = test.steps, test.wanted, test.operator, test.question
    # NaN, infinity and what is beyond SQLite's integers is compared by Python
    is_large = isinstance(wanted, float | int) and not -LARGEST_INTEGER <= wanted <= LARGEST_INTEGER
    is_plain = all(isinstance(step, int) or PLAIN_NAME.fullmatch(step) for step in steps)
    is_form = isinstance(wanted, dict) and operator != "=="  # infinity has an order with plain numbers
    if is_large or is_form or not is_plain or not steps or isinstance(steps[0], int):
        return IF_JSON.format(BY_PYTHON), (question,)
    first, rest = _place(steps[:1]), _place(steps[1:])
    # dataclasses and models have their fields one level deeper
    places = [first + rest, f'{first}."fields"{rest}'] if rest else [first]
    cases: list[tuple[str, str, tuple[Any, ...]]] = [("object", BY_PYTHON, (question,))]
    if wanted is None or isinstance(wanted, bool):
        cases.append((json.dumps(wanted), "1", ()))
    elif isinstance(wanted, str | int | float):
        for kind in ["text"] if isinstance(wanted, str) else ["integer", "real"]:
            compared = f"{_at_first('json_extract', places)} {OPERATORS[operator]} ?"
            cases.append((kind, compared, (*places, wanted)))
    else:
        cases.append(("array", BY_PYTHON, (question,)))
    if rest:  # what is not found there may stand in the inputs of a task
        is_searched = f"json_type(p.content, {PLACE}) IN ('object', 'array')"
        cases.append(("missing", f"{is_searched} AND {BY_PYTHON}", (first, question)))
    tests = " ".join(f"WHEN '{kind}' THEN {test}" for kind, test, _ in cases)
    values = [value for _, _, values in cases for value in values]
    condition = IF_JSON.format(f"CASE {_at_first('json_type', places)} {tests} ELSE 0 END")
    return condition, (*places, *values)


def _at_first(function: str, places: Sequence[str]) -> str:
    """The SQL that asks `function` about the first of `places` that there is."""
    return f"coalesce({', '.join([f'{function}(p.content, {PLACE})'] * len(places))}, 'missing')"


def _place(steps: Sequence[Step]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in steps)
