"""The Tasker: its attributes, the names of tasks, what it finds and tidies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from smttask.errors import ArgumentError, DefinitionError, ResultNotFoundError, StorageError
from smttask.tasker import JSON, Tasker, cached_property
from smttask.tasker.using import using


@pytest.fixture
def t(tmp_path: Path) -> Tasker:
    return Tasker(tmp_path)


def store(t: Tasker, name: str, *outputs: Any, value: Any = 1) -> Any:
    """A task called `name` that stores `value`."""

    def function(tsk):
        return value

    function.__name__ = name
    return t.stores(*outputs)(function) if outputs else t(function)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """So is a file in its place; nothing is made."""
    with pytest.raises(StorageError, match="There is no folder .*/none.\n  found: nothing"):
        Tasker(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="found: a file"):
        Tasker(tmp_path / "file")


def test_the_folder_stays_when_the_working_directory_changes(tmp_path: Path, monkeypatch: Any) -> None:
    """A relative name is taken from the working directory at once."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    t = Tasker("b")
    monkeypatch.chdir(tmp_path)
    assert t.p == tmp_path / "a" / "b"
    assert (t.name, t.parentname) == ("b", "a")
    assert repr(t) == f"Tasker: {tmp_path / 'a' / 'b'}"


def test_tasks_are_attributes_and_entries_in_order(t: Tasker) -> None:
    """Completion finds them, and a misspelt name is an AttributeError."""
    one, two = store(t, "one"), store(t, "two")
    assert t.one is one
    assert list(t.tasks.values()) == [one, two]
    assert "two" in dir(t)
    with pytest.raises(AttributeError, match="has no task and no attribute 'three'"):
        _ = t.three


@pytest.mark.parametrize("name", ["menu", "conf", "p", "tasks", "mark"])
def test_a_task_named_like_an_attribute_is_an_error(t: Tasker, name: str) -> None:
    """Methods of the Tasker, what a subclass has and what was set on it are not hidden."""
    t.mark = JSON("mark.json")
    with pytest.raises(DefinitionError, match=f"No task can be called '{name}'"):
        store(t, name)


def test_an_attribute_named_like_a_task_is_an_error(t: Tasker) -> None:
    """The same the other way round; methods cannot be replaced either."""
    store(t, "one")
    with pytest.raises(DefinitionError, match="attribute 'one' of .* cannot be set.\n  a task"):
        t.one = 3
    with pytest.raises(DefinitionError, match="a Tasker has this attribute itself"):
        t.menu = 3
    with pytest.raises(DefinitionError, match="it is the task 'one', which is an attribute by its own name"):
        t.other = t.one
    t.one = t.one


def test_a_file_of_a_format_is_an_attribute_relative_to_the_folder(t: Tasker) -> None:
    """`t.params()` reads it, from wherever."""
    t.params = JSON("params.json")
    t.params.save({"n": 3})
    assert t.params() == {"n": 3}
    assert (t.p / "params.json").exists()
    t.absolute = JSON(t.p / "params.json")
    assert t.absolute() == {"n": 3}


def test_conf_takes_nothing_but_a_dict(t: Tasker) -> None:
    """The error shows how to write it."""
    with pytest.raises(ArgumentError, match=r"(?s)found: 3\n.*t.conf.threshold = 2.0"):
        t.conf = 3  # type: ignore[assignment]
    assert t.conf == {}


def test_conf_takes_a_plain_dict(t: Tasker) -> None:
    """By attribute and by item then."""
    t.conf = {"n": 3, "camera": {"fps": 50}}
    assert (t.conf.n, t.conf["n"], t.conf.camera.fps) == (3, 3, 50)


def test_a_name_defined_again_replaces_the_task(t: Tasker) -> None:
    """As a cell that is run again does; who depends on it takes the new one."""
    one = store(t, "one", value=1)

    @t
    def double(tsk, one=one):
        return 2 * one

    store(t, "one", value=5)
    assert double() == 10
    assert list(t.tasks) == ["one", "double"]


def test_a_name_defined_twice_in_one_use_is_an_error(t: Tasker) -> None:
    """There it is a mistake; used once more it is not."""
    for _ in range(2):
        with using(t.p, t.p / "taskfile.py"):
            store(t, "one")
            with pytest.raises(
                DefinitionError,
                match=r"Task 'one' is defined twice.\n  found: in .*, line \d+ and line \d+; used for",
            ):
                store(t, "one")


def test_an_output_of_two_tasks_is_an_error(t: Tasker) -> None:
    """It names both; a task that is forgotten claims nothing any more."""
    store(t, "one", JSON("a.json"))
    with pytest.raises(
        DefinitionError, match=r"'a.json' of task 'two' is claimed by two tasks.\n  found: 'one'"
    ):
        store(t, "two", t.p / "a.json")
    del t.tasks["one"]
    store(t, "two", "a.json")
    assert t.which("a.json") is t.two


@pytest.mark.parametrize(("first", "second"), [("frames", "frames/a.json"), ("frames/a.json", "frames")])
def test_an_output_in_a_folder_that_another_task_stores_is_an_error(
    t: Tasker, first: str, second: str
) -> None:
    """Else each run of the one would make the other stale; a task itself may store both."""
    store(t, "one", first)
    with pytest.raises(
        DefinitionError, match=f"'{second}' of task 'two' .*\n  found: 'one' stores '{first}'"
    ):
        store(t, "two", second)
    store(t, "one", first, second)
    store(t, "two", "frames2")


def test_a_replaced_task_leaves_its_outputs_to_others(t: Tasker) -> None:
    """Only what tasks store now is claimed."""
    store(t, "one", "a.txt")
    store(t, "one", "b.txt")
    store(t, "two", "a.txt")
    assert t.which("a.txt") is t.two


@pytest.mark.parametrize("output", ["../{name}", "..", "/", ".tasker", ".tasker/a.json"])
def test_an_output_that_holds_the_folder_is_refused(t: Tasker, output: str) -> None:
    """Clearing it would delete all."""
    with pytest.raises(DefinitionError, match="Task 'one' cannot store"):
        store(t, "one", output.format(name=t.name))


def test_which_tells_the_task_of_a_file(t: Tasker) -> None:
    """By its name in the folder or its path; another file is an error that lists what is stored."""
    one = store(t, "one", "sub/a.txt", JSON("b.json"))
    assert t.which("b.json") is t.which(t.p / "sub" / "a.txt") is one
    assert t.which("sub/a.txt/if/it/is/a/folder") is one
    with pytest.raises(
        ResultNotFoundError, match=r"No task of .* stores 'c.txt'.\n  stored are: a.txt, b.json"
    ):
        t.which("c.txt")


def test_clear_deletes_what_all_tasks_stored(t: Tasker) -> None:
    """Other files stay."""
    store(t, "one", JSON("a.json"))()
    store(t, "two")
    (t.p / "mine.txt").touch()
    t.clear()
    assert sorted(path.name for path in t.p.iterdir() if path.name != ".tasker") == ["mine.txt"]


def test_report_of_all_tells_each_stale_task_once(t: Tasker) -> None:
    """In the order in which they would run."""
    one, two = store(t, "one", "a.txt"), store(t, "two", "b.txt")
    assert [(stale.task, stale.why) for stale in t.report()] == [
        (one, "'a.txt' is missing"),
        (two, "'b.txt' is missing"),
    ]


def test_the_folder_is_entered_and_left(t: Tasker) -> None:
    """`with` may stand inside `with`, of the same Tasker too."""
    before = os.getcwd()
    with t as entered, t:
        assert entered is t
        assert Path.cwd().samefile(t.p)
    assert os.getcwd() == before


def test_unlock_removes_lock_files_and_nothing_else(t: Tasker) -> None:
    """Also where there are none."""
    t.unlock()
    store(t, "one", JSON("a.json"))()
    for name in ("one.lock", "one.lock.owner", "two.lock.owner"):
        (t.p / ".tasker" / name).touch()
    t.unlock()
    assert sorted(os.listdir(t.p / ".tasker")) == ["one.json", "one.status.json"]


class Movie(Tasker):
    """An experiment with methods of its own."""

    def __init__(self, dir: Any, fps: int) -> None:
        super().__init__(dir)
        self.fps = fps
        self.n_reads = 0

    def frames(self) -> int:
        return self.fps * 2

    @cached_property
    def length(self) -> int:
        self.n_reads += 1
        return self.fps


def test_subclasses_have_methods_and_attributes(tmp_path: Path) -> None:
    """Tasks use them by `tsk.tasker`; their names are not free for tasks; `reset` forgets derived data."""
    movie = Movie(tmp_path, fps=50)

    @movie.stores(JSON("n.json"))
    def n(tsk):
        return tsk.tasker.frames()

    assert n() == 100
    assert (movie.length, movie.length, movie.n_reads) == (50, 50, 1)
    movie.reset()
    assert (movie.length, movie.n_reads) == (50, 2)
    with pytest.raises(DefinitionError, match="the Movie has a method or an attribute of this name"):
        store(movie, "frames")
