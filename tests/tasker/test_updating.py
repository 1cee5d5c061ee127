"""What is run when a task is called, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from smttask.tasker import JSON, Tasker


@pytest.fixture
def ran() -> list[str]:
    return []


@pytest.fixture
def t(tmp_path: Path, ran: list[str]) -> Tasker:
    """A number in a file, its double, a task between that stores nothing, and a sum."""
    (tmp_path / "number.txt").write_text("3")
    t = Tasker(tmp_path)

    @t.stores(JSON("double.json"))
    def double(tsk, number="number.txt"):
        ran.append("double")
        return 2 * int(number.read_text())

    @t
    def more(tsk, double=double):
        ran.append("more")
        return [double, double + 1]

    @t.stores(JSON("total.json"))
    def total(tsk, more=more):
        ran.append("total")
        return sum(more)

    return t


def test_everything_runs_once_in_order_then_nothing_does(t: Tasker, ran: list[str]) -> None:
    """The first call runs each task after what it depends on; the second reads what is stored."""
    assert t.total() == 13
    assert ran == ["double", "more", "total"]
    assert t.total() == 13
    assert len(ran) == 3


def test_another_process_finds_it_current(t: Tasker, tmp_path: Path) -> None:
    """What counts stands beside the files, so a Tasker made anew has nothing to run."""
    t.total()
    assert t.is_working() is False
    assert t.total.is_current()
    assert (tmp_path / ".tasker" / "total.json").exists()


def test_an_edited_input_redoes_what_depends_on_it(t: Tasker, ran: list[str]) -> None:
    """The file's content counts, through tasks without outputs too."""
    t.total()
    ran.clear()
    (t.p / "number.txt").write_text("4")
    assert set(t.total.report()) == {t.double, t.total}
    assert t.total() == 17
    assert ran == ["double", "more", "total"]


def test_a_deleted_file_between_is_made_again_and_what_follows_stays(t: Tasker, ran: list[str]) -> None:
    """What comes out the same is no reason to run what depends on it."""
    t.total()
    ran.clear()
    (t.p / "double.json").unlink()
    assert t.total() == 13
    assert ran == ["double"]
