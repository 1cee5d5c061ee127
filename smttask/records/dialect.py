"""PostgreSQL's words for the SQL of record stores, which is written in SQLite's."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from typing import Any

from smttask.records.database import IDS, TEXTS
from smttask.records.record import fit

__all__ = ["glob_pattern", "has_lists", "storable", "translated"]

# Arrays bound as such are known to the planner, which looks each member up in an index or a table of
# hashes. Of a subquery it knows nothing and may read whole tables, of what is computed it tries each member
ID_ARRAY, TEXT_ARRAY = "(CAST(? AS integer[]))", "(CAST(? AS text[]))"
LIST = re.compile(r"CAST\(\$(\d+) AS (integer|text)\[\]\)")
WORDS = (
    (f" NOT IN {IDS}", f" <> ALL {ID_ARRAY}"),
    (f" IN {IDS}", f" = ANY {ID_ARRAY}"),
    (f" NOT IN {TEXTS}", f" <> ALL {TEXT_ARRAY}"),
    (f" IN {TEXTS}", f" = ANY {TEXT_ARRAY}"),
    ("json_each(?)", "json_array_elements_text(CAST(? AS json)) AS each (value)"),
    (" IS ?", " IS NOT DISTINCT FROM ?"),
    (" GLOB ?", " ~ ?"),
    ("instr(", "strpos("),
    ("COLLATE BINARY", 'COLLATE "C"'),
    ("LIMIT -1", "LIMIT ALL"),
    (") WITHOUT ROWID", ")"),
)
HINT = re.compile(r"(?<=[ (])\+(?=[a-z])")  # before a column: SQLite shall not use its index
QUOTED_OR_MARK = re.compile(r"'[^']*'|\"[^\"]*\"|\?")


@functools.lru_cache(maxsize=512)
def translated(sql: str) -> str:
    """Return the statement `sql` as PostgreSQL takes it, with ``$1``, ``$2``, … for its question marks.

    Examples
    --------
    >>> translated("SELECT id FROM t WHERE a IS ? AND +b IN (SELECT value FROM c LIMIT -1)")
    'SELECT id FROM t WHERE a IS NOT DISTINCT FROM $1 AND b IN (SELECT value FROM c LIMIT ALL)'
    """
    for word, other in WORDS:
        sql = sql.replace(word, other)
    n_marks = 0

    def numbered(found: re.Match[str]) -> str:
        nonlocal n_marks
        if found[0] != "?":
            return found[0]
        n_marks += 1
        return f"${n_marks}"

    return QUOTED_OR_MARK.sub(numbered, HINT.sub("", sql))


@functools.lru_cache(maxsize=512)
def _lists(sql: str) -> dict[int, str]:
    """Position of each value that is a list -> the type of its members."""
    return {int(number) - 1: kind for number, kind in LIST.findall(translated(sql))}


def has_lists(sql: str) -> bool:
    """Whether values of `sql` are lists; they decide how it is best done, so no plan is kept for others."""
    return bool(_lists(sql))


def storable(sql: str, values: Sequence[Any]) -> list[Any]:
    """The `values` for ``$1``, ``$2``, … of the statement `sql`: JSON lists as arrays, texts without NUL.

    Examples
    --------
    >>> storable("SELECT a FROM t WHERE b = ? AND c IN (SELECT value FROM json_each(?))", ["x", '["y"]'])
    ['x', ['y']]
    """
    stored = [fit(value) if type(value) is str else value for value in values]
    for position, kind in _lists(sql).items():
        text = stored[position]
        is_text = kind == "text"
        stored[position] = list(map(fit, json.loads(text))) if is_text else f"{{{text.strip('[]')}}}"
    return stored


def glob_pattern(glob: str) -> str:
    r"""Return the regular expression that says what `glob` says to SQLite.

    Examples
    --------
    >>> glob_pattern("2026*_[a-c]?.x")
    '^2026.*_[a-c].\\.x$'
    """
    parts = re.findall(r"\[\^?\]?[^\]]*\]|.", glob, re.DOTALL)
    words = {"*": ".*", "?": "."}
    made = [part if len(part) > 1 else words.get(part, re.escape(part)) for part in parts]
    return f"^{''.join(made)}$".replace("\\\n", "\n")
