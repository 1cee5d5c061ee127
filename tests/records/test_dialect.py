"""SQL that is written once, in the words of two databases."""

from __future__ import annotations

import re
import sqlite3

import pytest

from smttask.records.database import IDS, TEXTS
from smttask.records.dialect import glob_pattern, translated


@pytest.mark.parametrize(
    ("sql", "other"),
    [
        ("a = '?' AND \"b?\" = ? AND c = ?", "a = '?' AND \"b?\" = $1 AND c = $2"),
        ("WHERE +r.a = ? AND (+b = 1) AND c + d = 2", "WHERE r.a = $1 AND (b = 1) AND c + d = 2"),
        (f"a IN {IDS}", "a = ANY (CAST($1 AS integer[]))"),
        (f"a NOT IN {IDS}", "a <> ALL (CAST($1 AS integer[]))"),
        (f"a = ? AND b IN {TEXTS}", "a = $1 AND b = ANY (CAST($2 AS text[]))"),
        ("a COLLATE BINARY >= ?", 'a COLLATE "C" >= $1'),
    ],
)
def test_words_that_differ_are_put_into_postgresqls(sql: str, other: str) -> None:
    assert translated(sql) == other


@pytest.mark.parametrize("glob", ["a*", "?b", "[a-c]*", "[^a]b", "a.c", "*", "", "[]]", "a+(b)|c$", "ü*\n"])
def test_a_pattern_finds_the_same_names_in_both_databases(glob: str) -> None:
    names = ["a", "ab", "bb", "abc", "a.c", "]", "cb", "a+(b)|c$", "ü x\n", ""]
    connection = sqlite3.connect(":memory:")
    for name in names:
        (is_found,) = connection.execute("SELECT ? GLOB ?", (name, glob)).fetchone()
        assert bool(re.search(rf"\A{glob_pattern(glob)[1:-1]}\Z", name, re.DOTALL)) == bool(is_found), name
