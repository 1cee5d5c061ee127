"""What is run when a task is called, and what is not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from smttask.errors import DefinitionError, InputError
from smttask.tasker import JSON, Pandas, Pickle, Tasker, Text
from smttask.testing import scratch_project


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


def make(t: Tasker, name: str, *outputs: Any, ins: Any = (), value: Any = 1) -> Any:
    """A task called `name` that stores `value`, or what that makes of its inputs."""

    def function(tsk, ins):
        return value(ins) if callable(value) else value

    function.__name__ = name
    return t.create_task(ins, list(outputs))(function)


def test_a_circle_is_an_error_that_names_it(t: Tasker) -> None:
    """Cells that are defined again can close one; a task that takes its own output is one too."""

    @t.stores(JSON("double.json"))
    def double(tsk, total=t.total):
        return total

    with pytest.raises(DefinitionError, match="in a circle: total <- more <- double <- total."):
        t.total()
    with pytest.raises(DefinitionError, match="in a circle: own <- own."):
        make(t, "own", JSON("own.json"), ins="own.json")()


def test_a_chain_of_any_length_works(tmp_path: Path) -> None:
    """No deep recursion, with outputs and without."""
    t = Tasker(tmp_path)
    last = make(t, "first", value=0)
    for number in range(1500):
        outputs = [JSON(f"{number}.json")] if number % 500 == 0 else []
        last = make(t, f"step{number}", *outputs, ins=last, value=lambda before: before + 1)
    assert last() == 1500
    assert last.is_current()


def test_a_touched_file_redoes_nothing(t: Tasker, ran: list[str]) -> None:
    """Its content counts, and it is noted, so that it is hashed once."""
    t.total()
    ran.clear()
    (t.p / "number.txt").write_text("3")
    os.utime(t.p / "number.txt", ns=(0, 10**18))
    assert t.total() == 13
    assert ran == []
    assert json.loads((t.p / ".tasker/double.json").read_text())["inputs"]["number.txt"]["mtime_ns"] == 10**18


def test_results_beside_the_data_in_a_folder_redo_nothing(tmp_path: Path, ran: list[str]) -> None:
    """Neither those of the task that takes the folder, nor those of others; data that come do."""
    (tmp_path / "movies").mkdir()
    t = Tasker(tmp_path)

    @t.stores(JSON("movies/n.json"))
    def count(tsk, movies="movies"):
        ran.append("count")
        return len(list(movies.glob("*.tif")))

    @t.stores("movies/more.txt")
    def after(tsk, count=count):
        Path("movies/more.txt").write_text(str(count))

    t.after()
    assert (t.report(), t.count(), ran) == ([], 0, ["count"])
    (t.p / "movies/1.tif").touch()
    assert (t.count(), ran) == (1, ["count", "count"])


def test_a_file_in_a_folder_that_a_task_stores_counts_as_that_task(tmp_path: Path, ran: list[str]) -> None:
    """The folder is made before its file is taken, and made again when it is gone."""
    t = Tasker(tmp_path)

    @t.stores("frames")
    def frames(tsk):
        ran.append("frames")
        tsk.output_files[0].mkdir(exist_ok=True)
        for number in range(2):
            (tsk.output_files[0] / f"{number}.txt").write_text(str(number))

    @t.stores(JSON("second.json"))
    def second(tsk, frame="frames/1.txt"):
        ran.append("second")
        return int(frame.read_text())

    assert (t.second(), ran) == (1, ["frames", "second"])
    t.frames.clear()
    assert [each.why for each in t.second.report()] == [
        "'frames' is missing",
        "'frames' of task 'frames' is missing",
    ]
    assert (t.second(), ran) == (1, ["frames", "second", "frames"])


def test_another_version_with_the_same_time_is_noticed(t: Tasker, tmp_path: Path) -> None:
    """As `cp -p` and `mv` of an older file leave it."""
    t.total()
    stat = (t.p / "number.txt").stat()
    other = tmp_path / "other.txt"
    other.write_text("5")
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(t.p / "number.txt")
    assert t.total() == 21
    other.write_text("6")
    os.utime(other, ns=(0, 10**17))
    other.replace(t.p / "number.txt")
    assert t.total() == 25


def test_a_file_edited_while_the_task_runs_is_noticed(t: Tasker) -> None:
    """The state has the file as it was before the function started."""

    @t.stores(JSON("slow.json"))
    def slow(tsk, number="number.txt"):
        value = int(number.read_text())
        number.write_text("9")
        return value

    assert slow() == 3
    assert [stale.why for stale in slow.report()] == ["'number.txt' changed"]


def test_an_input_edited_between_is_no_input_of_then(t: Tasker) -> None:
    """A task without outputs read it before; what is stored from that is stale."""

    @t
    def read(tsk, number="number.txt"):
        return int(number.read_text())

    @t
    def edit(tsk, read=read):
        (t.p / "number.txt").write_text("9")
        os.utime(t.p / "number.txt", ns=(0, 10**18))

    @t.stores(JSON("kept.json"))
    def kept(tsk, read=read, edit=edit):
        return read

    assert kept() == 3
    assert "'number.txt' changed" in [stale.why for stale in kept.report()]


def test_conf_that_was_read_counts(t: Tasker, ran: list[str]) -> None:
    """Also what a task without outputs read before it; other names do not."""
    t.conf = {"n": 1, "other": 1}

    @t
    def between(tsk):
        return tsk.conf.n

    first, second = (make(t, name, JSON(f"{name}.json"), ins=between, value=lambda n: n) for name in "ab")
    second.tasker.tasks[first.name]()
    assert second() == 1
    t.conf.other = 2
    assert first.is_current()
    t.conf.n = 5
    assert [stale.why for stale in first.report()] == ["conf.n changed from 1 to 5"]
    assert [stale.why for stale in second.report()] == ["conf.n changed from 1 to 5"]
    assert (first(), second()) == (5, 5)


def test_one_task_between_is_computed_once_for_all(t: Tasker, ran: list[str]) -> None:
    """Each gets a value of its own; what was read counts for both."""
    t.conf.n = 1

    @t
    def between(tsk):
        ran.append("between")
        return [tsk.conf.n]

    def spoil(values: list[int]) -> int:
        values.append(7)
        return len(values)

    users = [make(t, name, JSON(f"{name}.json"), ins=between, value=spoil) for name in "ab"]
    assert make(t, "both", ins=users, value=sum)() == 4
    assert ran == ["between"]
    t.conf.n = 2
    assert not any(user.is_current() for user in users)


def test_an_iterator_between_is_made_for_each(t: Tasker) -> None:
    """It cannot be copied, and one who empties it leaves nothing to the next."""

    @t
    def lines(tsk):
        return iter([1, 2])

    users = [make(t, name, JSON(f"{name}.json"), ins=lines, value=sum) for name in "ab"]
    assert make(t, "both", ins=users, value=lambda both: both)() == [3, 3]


def test_a_task_without_outputs_is_done_when_all_before_it_is(t: Tasker, ran: list[str]) -> None:
    """It is computed at each call all the same."""
    assert not t.more.is_current()
    t.double()
    assert t.more.is_current()
    ran.clear()
    assert t.more() == t.more() == [6, 7]
    assert ran == ["more", "more"]


def test_it_is_not_done_while_a_recorded_task_before_it_is_not_stored(tmp_path: Path) -> None:
    """Tasks of smttask count as well, though a report has tasks of Taskers alone."""
    text = "from smttask import RecordedTask\n@RecordedTask\ndef Two() -> int:\n    return 2\n"
    with scratch_project(tmp_path, {"tasks_of_two.py": text}) as scratch:
        t = Tasker(scratch.root)
        one = make(t, "one", ins=scratch.load("tasks_of_two").Two(), value=lambda two: two + 1)
        assert (one.is_current(), one.report()) == (False, [])
        assert "depends on a task of smttask whose result is not stored" in t._repr_html_()
        assert one() == 3
        assert one.is_current()


def test_a_missing_input_triggers_nothing_while_the_outputs_are_there(t: Tasker) -> None:
    """Nobody can make it; gone with the outputs it is an error."""
    t.total()
    (t.p / "number.txt").unlink()
    assert t.total() == 13
    (t.p / "double.json").unlink()
    with pytest.raises(InputError, match="missing: .*number.txt"):
        t.total()


def test_a_file_name_that_a_task_stores_counts_as_that_task(t: Tasker, ran: list[str]) -> None:
    """By name, path or format; only the outputs that are used count."""

    @t.stores(JSON("a.json"), "b.txt")
    def two(tsk, number="number.txt"):
        ran.append("two")
        Path("b.txt").write_text("same")
        return int(number.read_text()), None

    by_name = make(t, "by_name", JSON("1.json"), ins=["./b.txt"], value=lambda ins: ins[0].read_text())
    by_path = make(t, "by_path", JSON("2.json"), ins=t.p / "a.json", value=lambda ins: ins.name)
    by_format = make(t, "by_format", JSON("3.json"), ins={"x": JSON("a.json")}, value=lambda ins: ins)
    assert [by_name(), by_path(), by_format()] == ["same", "a.json", {"x": 3}]
    assert ran == ["two"]
    assert by_name.input_tasks == by_path.input_tasks == by_format.input_tasks == [two]
    (t.p / "number.txt").write_text("4")
    two()
    assert [by_name.is_current(), by_path.is_current(), by_format.is_current()] == [True, False, False]


def test_tasks_of_another_folder_are_inputs(tmp_path: Path) -> None:
    """With files, conf and code of those without outputs; both folders may move together."""

    def both(root: Path) -> tuple[Tasker, Tasker]:
        a, b = Tasker(root / "a"), Tasker(root / "b")
        a.conf.n = 2
        raw = make(a, "raw", JSON("raw.json"), ins="in.txt", value=lambda path: int(path.read_text()))
        scaled = a(_named(lambda tsk, raw=raw, also="also.txt": raw * tsk.conf.n, "scaled"))
        make(b, "end", JSON("end.json"), ins=[raw, scaled], value=sum)
        return a, b

    for name in ("lab/a", "lab/b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lab/a/in.txt").write_text("5")
    (tmp_path / "lab/a/also.txt").write_text("x")
    a, b = both(tmp_path / "lab")
    assert b.end() == 15
    state = json.loads((b.p / ".tasker/end.json").read_text())
    assert list(state["upstream"]) == ["../a:raw"]
    assert list(state["inputs"]) == ["../a/also.txt"]
    assert list(state["conf"]) == ["../a:n"]
    assert list(state["code"]) == ["end", "../a:scaled"]
    (tmp_path / "lab").rename(tmp_path / "moved")
    a, b = both(tmp_path / "moved")
    assert b.end.is_current()
    a.conf.n = 3
    assert [stale.why for stale in b.end.report()] == ["conf.../a:n changed from 2 to 3"]
    (a.p / "in.txt").write_text("6")
    assert b.end() == 24


def test_a_file_that_another_task_changes_is_looked_at_again(t: Tasker) -> None:
    """Though it was looked at before that task ran."""
    first = make(t, "first", JSON("1.json"), ins="number.txt", value=lambda path: path.read_text())

    @t.stores(JSON("2.json"))
    def edit(tsk, first=first, once="once.txt"):
        (t.p / "number.txt").write_text(once.read_text())

    last = make(t, "last", JSON("3.json"), ins=["number.txt", edit], value=lambda ins: ins[0].read_text())
    (t.p / "once.txt").write_text("7")
    assert last() == "7"
    (t.p / "once.txt").write_text("8")
    assert last() == "8"


def test_a_run_that_cannot_begin_leaves_what_counts_by_time(t: Tasker) -> None:
    """Only a function that was started can have left half of a file."""

    @t.stores(JSON("a.json"), "b.txt")
    def two(tsk, name="in.txt"):
        return 1, None

    JSON(t.p / "a.json").save(5)
    with pytest.raises(InputError, match="a text that is no file name belongs into conf"):
        two()
    (t.p / "b.txt").touch()
    assert two() == [5, t.p / "b.txt"]


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize(
    ("ins", "others"),
    [
        (["a.txt", "b.txt"], ["b.txt", "a.txt"]),
        (["a.txt", "b.txt"], ["a.txt", "b.txt", "a.txt"]),
        ([["a.txt"], ["b.txt"]], [["a.txt", "b.txt"], []]),
        ({"x": "a.txt"}, {"y": "a.txt"}),
        ("a.txt", Text("a.txt")),
        (Pandas("c.h5"), Pandas("c.h5", key="k")),
    ],
)
def test_inputs_in_other_places_are_other_inputs(t: Tasker, ins: Any, others: Any, silent: bool) -> None:
    """Though each is the same as before; also of a task without outputs on the way."""
    for name in ("a.txt", "b.txt"):
        (t.p / name).write_text(name)
    for file in (Pandas(t.p / "c.h5"), Pandas(t.p / "c.h5", key="k")):
        file.save(pd.Series([len(file.key)]))

    def define(taken: Any) -> Any:
        make(t, "first", *([] if silent else [JSON("1.json")]), ins=taken, value=str)
        return make(t, "last", JSON("2.json"), ins=t.first, value=str)

    assert define(ins)() == str(t.first())
    assert define(ins).is_current()
    last = define(others)
    assert last.report()[0].why == "its inputs stand in other places"
    assert last() == str(t.first())
    assert last.is_current()


def test_a_file_of_another_format_is_made_again(t: Tasker) -> None:
    """Though the file is there as it was stored; another name in it is another format too."""
    formats = [JSON("x.dat"), Pickle("x.dat"), Pandas("x.dat"), Pandas("x.dat", key="k"), "x.dat"]
    kinds = ["JSON", "Pickle", "Pandas", "Pandas 'k'", "plain file"]
    for number, output in enumerate(formats):

        @t.stores(output)
        def odd(tsk):
            tsk.output_files[0].write_text("plain")
            return pd.Series([1]) if tsk.kind.startswith("Pandas") else 3

        odd.kind = kinds[number]
        if number:
            assert [stale.why for stale in odd.report()] == [
                f"'x.dat' was stored as {kinds[number - 1]}, and is to be {kinds[number]}"
            ]
        odd()
        assert odd.is_current()


def test_a_task_of_another_name_makes_its_outputs_itself(t: Tasker, ran: list[str]) -> None:
    """What the one before stored was made by other code, or is half of a file; once made it is current."""
    t.total()
    del t.tasks["total"]

    @t.stores(JSON("total.json"))
    def average(tsk, more=t.more):
        ran.append("average")
        return sum(more) / 2

    assert [stale.why for stale in average.report()] == ["'total.json' was stored by task 'total'"]
    assert (average(), average(), ran[-2:]) == (6.5, 6.5, ["more", "average"])


def test_a_half_written_file_of_a_task_that_was_renamed_is_not_believed(t: Tasker) -> None:
    """Its new name has no state, and files without any count by their times."""

    @t.stores("a.txt")
    def before(tsk):
        Path("a.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        before()
    del t.tasks["before"]

    @t.stores("a.txt")
    def after(tsk):
        Path("a.txt").write_text("whole")

    assert after().read_text() == "whole"


def test_a_file_outside_that_is_named_relative_moves_along(tmp_path: Path) -> None:
    """A folder of folders, with what they share, can be moved; an absolute name stays what it is."""
    (tmp_path / "lab" / "a").mkdir(parents=True)
    (tmp_path / "lab" / "shared.txt").write_text("1")
    (tmp_path / "absolute.txt").write_text("1")
    ins = ["../shared.txt", tmp_path / "absolute.txt", JSON("../shared.txt")]
    make(Tasker(tmp_path / "lab/a"), "one", JSON("1.json"), ins=ins)()
    (tmp_path / "lab").rename(tmp_path / "moved")
    one = make(Tasker(tmp_path / "moved/a"), "one", JSON("1.json"), ins=ins)
    assert one.is_current()
    (tmp_path / "moved" / "shared.txt").write_text("2")
    assert [stale.why for stale in one.report()] == ["'../shared.txt' changed"]


def test_an_input_that_was_taken_away_is_an_error(t: Tasker) -> None:
    """A task that is defined no more cannot be asked."""
    del t.tasks["double"]
    with pytest.raises(DefinitionError, match="Task 'more' depends on 'double', which is no task any more"):
        t.total()


def test_outputs_that_no_state_knows_count_by_time(t: Tasker, ran: list[str]) -> None:
    """As for make: they were made by something else, and are used as long as nothing is newer."""
    JSON(t.p / "double.json").save(100)
    assert t.double() == 100
    os.utime(t.p / "number.txt", ns=(0, 4 * 10**18))
    assert [stale.why for stale in t.double.report()] == ["'double.json' is older than 'number.txt'"]
    assert t.double() == 6
    JSON(t.p / "total.json").save(100)
    os.utime(t.p / "total.json", ns=(0, 0))
    assert [stale.why for stale in t.total.report()] == ["'total.json' is older than 'double.json'"]


def test_an_output_edited_by_hand_is_made_again(t: Tasker) -> None:
    """What stands there is not what the task stored."""
    t.total()
    JSON(t.p / "total.json").save(99)
    assert t.total() == 13


def test_a_folder_that_cannot_be_written_can_be_read(t: Tasker) -> None:
    """What is current is loaded, though touched files cannot be noted."""
    t.total()
    os.utime(t.p / "number.txt", ns=(0, 10**18))
    (t.p / ".tasker").chmod(0o500)
    try:
        assert t.total() == 13
    finally:
        (t.p / ".tasker").chmod(0o700)


def _named(function: Any, name: str) -> Any:
    function.__name__ = name
    return function
