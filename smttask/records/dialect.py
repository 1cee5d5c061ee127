"""PostgreSQL's words for the SQL of record stores, which is written in SQLite's."""

from __future__ import annotations

import functools
import re

from smttask.records.database import IDS

__all__ = ["glob_pattern", "translated"]

# An array tells the planner how many there are; for those of a subquery it would read whole tables
ARRAY = "(CAST(translate(?, '[]', '{}') AS integer[]))"
WORDS = (
    (f" NOT IN {IDS}", f" <> ALL {ARRAY}"),
    (f" IN {IDS}", f" = ANY {ARRAY}"),
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
