"""The table of tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smttask.tasker import JSON, Tasker
from smttask.tasker.menu import menu_text


@pytest.fixture
def t(tmp_path: Path) -> Tasker:
    t = Tasker(tmp_path)

    @t.stores(JSON("a.json"))
    def first(tsk):
        """Make the first.

        At length.
        """
        return 1

    @t
    def second_of_all(tsk, first=first):
        """Say <it> & go."""

    @t.stores("b.txt")
    def bare(tsk, first=first):
        Path("b.txt").touch()

    return t


def test_the_menu_shows_what_is_done(t: Tasker, capsys: Any) -> None:
    """Nothing before the first run, `+` for what is up to date afterwards."""
    t.menu()
    assert capsys.readouterr().out == (
        f"Tasks for {t.p}:\n"
        "Done?  Name           Description\n"
        "       first          Make the first.\n"
        "       second_of_all  Say <it> & go.\n"
        "       bare\n"
    )
    t.first()
    t.menu()
    assert capsys.readouterr().out == (
        f"Tasks for {t.p}:\n"
        "Done?  Name           Description\n"
        "  +    first          Make the first.\n"
        "  +    second_of_all  Say <it> & go.\n"
        "       bare\n"
    )


def test_the_menu_says_why_if_asked(t: Tasker) -> None:
    """A line below each task that is not done."""
    lines = menu_text(t, why=True).splitlines()
    assert [line.strip() for line in lines[2:]] == [
        "first          Make the first.",
        "'a.json' is missing",
        "second_of_all  Say <it> & go.",
        "depends on 'first', which is stale",
        "bare",
        "'b.txt' is missing",
    ]


def test_a_menu_without_tasks_is_its_head(tmp_path: Path) -> None:
    """No error."""
    assert menu_text(Tasker(tmp_path)) == f"Tasks for {tmp_path}:\nDone?  Name  Description"


def test_a_notebook_shows_it_with_the_reasons(t: Tasker) -> None:
    """Text of users is escaped, and a table is left aligned."""
    html = t._repr_html_()
    assert "Say &lt;it&gt; &amp; go." in html
    assert "&#x27;a.json&#x27; is missing" in html
    t.first()
    assert ">+</td>" in t._repr_html_()


def test_a_display_never_raises(t: Tasker) -> None:
    """A circle is told in its place."""

    @t.stores(JSON("a.json"))
    def first(tsk, name="b.txt"):
        return 1

    assert "in a circle" in t._repr_html_()


def test_long_and_strange_descriptions_are_cut(tmp_path: Path) -> None:
    """No text of a task disturbs the table or the terminal."""
    t = Tasker(tmp_path)

    def long_one(tsk): ...

    long_one.__name__ = "x" * 60
    long_one.__doc__ = "\x1b[2J" + "y" * 200
    t(long_one)
    line = menu_text(t).splitlines()[2]
    assert "\x1b" not in line
    assert line.count("x") == 39
    assert line.endswith("y…")
    assert len(line) < 160
