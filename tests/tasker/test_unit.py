"""What is asked of one task: load, run, force, clear, accept, report."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from smttask.errors import LockError, ResultNotFoundError, StorageError
from smttask.tasker import JSON, Tasker


@pytest.fixture
def ran() -> list[str]:
    return []


@pytest.fixture
def t(tmp_path: Path, ran: list[str]) -> Tasker:
    """`one` is stored, `two` is made from it."""
    t = Tasker(tmp_path)

    @t.stores(JSON("one.json"))
    def one(tsk):
        """The first."""
        ran.append("one")
        return [1]

    @t.stores(JSON("sub/two.json"))
    def two(tsk, one=one, name="one.json", also=("in.txt", JSON("p.json"))):  # noqa: B008
        ran.append("two")
        return len(one) + 1

    @t
    def three(tsk, two=two):
        return two + 1

    (t.p / "in.txt").touch()
    JSON(t.p / "p.json").save(1)
    return t


def test_a_task_tells_what_it_is(t: Tasker) -> None:
    """Inputs, outputs and tasks before it, by absolute paths."""
    assert (t.one.__name__, t.one.__doc__, t.one.tasker) == ("one", "The first.", t)
    assert t.two.ins == {"one": t.one, "name": "one.json", "also": ("in.txt", JSON("p.json"))}
    assert t.two.input_files == [t.p / "one.json", t.p / "in.txt", t.p / "p.json"]
    assert t.two.input_tasks == [t.one]
    assert t.two.output_files == [t.p / "sub" / "two.json"]
    assert [str(out.path) for out in t.two.outs] == [str(t.p / "sub" / "two.json")]
    assert repr(t.two) == f"<task two of {t.p}>"


def test_a_value_is_a_fresh_one_each_time(t: Tasker) -> None:
    """What a caller does with it is his."""
    t.one().append(9)
    assert t.one() == [1]


def test_load_reads_and_never_runs(t: Tasker, ran: list[str]) -> None:
    """What is not there is an error; what is old is given."""
    with pytest.raises(ResultNotFoundError, match="No stored result for task 'two'.*\n  missing: .*two.json"):
        t.two.load()
    t.two()
    JSON(t.p / "p.json").save(2)
    assert t.two.load() == 2
    assert ran == ["one", "two"]
    with pytest.raises(ResultNotFoundError, match="Task 'three' of .* stores nothing.\n  it is computed"):
        t.three.load()


def test_run_runs_this_task_alone(t: Tasker, ran: list[str]) -> None:
    """Always, and on inputs as they are; without them it is an error."""
    with pytest.raises(ResultNotFoundError, match="'two' of .* cannot run: an input is not there") as caught:
        t.two.run()
    assert f"missing: {t.p / 'one.json'}, which task 'one' stores" in str(caught.value)
    t.two()
    JSON(t.p / "one.json").save([1, 1])
    assert t.two.run() == 3
    assert t.two.run() == 3
    assert ran == ["one", "two", "two", "two"]
    assert t.three.run() == 4


def test_force_updates_what_it_depends_on_and_runs_again(t: Tasker, ran: list[str]) -> None:
    """The task itself whatever it stored, those before it only if they must."""
    assert t.two.force() == 2
    assert t.two.force() == 2
    assert ran == ["one", "two", "two"]
    assert t.three.force() == 3
    assert ran == ["one", "two", "two"]


def test_update_runs_what_is_stale_and_loads_nothing(t: Tasker, ran: list[str]) -> None:
    """For those who want the files."""
    assert t.three.update() is None
    assert ran == ["one", "two"]
    assert t.two.is_current()


def test_report_gives_tasks_with_reasons(t: Tasker) -> None:
    """Each counts as its task and has all it has; tasks without outputs are never stale themselves."""
    assert set(t.three.report()) == {t.one, t.two}
    first, second = t.three.report()
    assert (first.why, first.name) == ("'one.json' is missing", "one")
    assert t.one in t.three.report()
    assert t.three not in t.three.report()
    assert (first == second, repr(first)) == (False, "<stale one: 'one.json' is missing>")
    assert copy.copy(first) == first
    assert first() == [1]
    assert t.three.report() == [t.two]
    t.two()
    assert t.three.report() == []
    assert t.three.is_current()


def test_what_depends_on_a_stale_task_is_stale(t: Tasker) -> None:
    """With the reason, although nothing of its own changed."""
    t.two()
    (t.p / ".tasker" / "one.json").write_text("{")
    first, second = t.two.report()
    assert "its state file is damaged" in first.why
    assert second.why == "depends on 'one', which is stale"
    assert not t.three.is_current()


def test_clear_deletes_outputs_and_what_was_known(t: Tasker, ran: list[str]) -> None:
    """Twice does no harm; of a task without outputs it is an error."""
    t.two()
    t.one.clear()
    t.one.clear()
    assert not (t.p / "one.json").exists()
    assert t.two.load() == 2
    with pytest.raises(
        ResultNotFoundError, match="'three' of .* stores nothing, so there is nothing to clear"
    ):
        t.three.clear()
    t.two()
    assert ran == ["one", "two", "one"]


def test_a_task_cannot_clear_itself_while_it_runs(t: Tasker) -> None:
    """Nor can what it calls."""

    @t.stores(JSON("a.json"))
    def odd(tsk):
        tsk.clear()

    with pytest.raises(LockError, match="Task 'odd' of .* is running already"):
        odd()


def test_accept_of_what_is_not_there_is_an_error(t: Tasker) -> None:
    """Only outputs that nothing but code speaks against can be accepted."""
    with pytest.raises(
        ResultNotFoundError, match="Task 'one' of .* has nothing to accept.\n  found: 'one.json'"
    ):
        t.one.accept()
    JSON(t.p / "one.json").save(1)
    with pytest.raises(ResultNotFoundError, match="found: no state file"):
        t.one.accept()


def test_what_a_broken_first_run_left_is_not_loaded(t: Tasker) -> None:
    """Though all files are there."""

    @t.stores("a.txt")
    def broken(tsk):
        Path("a.txt").write_text("half")
        raise ValueError

    with pytest.raises(ValueError):
        broken()
    with pytest.raises(ResultNotFoundError, match="No stored result for .*\n  its last run did not finish"):
        broken.load()


def test_an_output_that_cannot_be_deleted_is_an_error(t: Tasker) -> None:
    """Here a file stands where its folder was; a link is deleted, not what it leads to."""
    t.two()
    (t.p / "sub" / "two.json").unlink()
    (t.p / "sub").rmdir()
    (t.p / "sub").touch()
    with pytest.raises(StorageError, match="Cannot delete two.json"):
        t.two.clear()
    (t.p / "sub").unlink()
    (t.p / "one.json").unlink()
    (t.p / "elsewhere").mkdir()
    (t.p / "one.json").symlink_to(t.p / "elsewhere")
    t.one.clear()
    assert (t.p / "elsewhere").is_dir()
    assert not (t.p / "one.json").is_symlink()
