"""A miss: only committed, loaded code runs, and a failing record store loses nothing."""

from __future__ import annotations

import importlib
import sqlite3
import sys
from typing import Any

import pytest

from smttask import config
from smttask.errors import (
    CodeChangedWarning,
    RecordStoreError,
    RecordStoreWarning,
    RepositoryError,
    StaleModuleError,
    UncommittedChangesError,
)
from smttask.storage.newrun import NewRun

TASKS = """
import sqlite3
from pathlib import Path
from smttask import RecordedTask, TaskOutput
from smttask.testing import count_call

@RecordedTask
def Square(x: float) -> float:
    count_call()
    return x**2

@RecordedTask
def Forget(x: float) -> float:
    with sqlite3.connect(Path(__file__).parent / ".smt" / "records") as store:
        store.execute("DELETE FROM django_store_record")
    return x

class Named(TaskOutput):
    NAME: float

@RecordedTask
def FOLDER(x: float) -> Named:
    count_call()
    return (x,)
""".replace("NAME", 110 * "n").replace("FOLDER", 60 * "F")


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


def test_uncommitted_changes_are_refused_with_both_ways_out(lab: Any) -> None:
    """Files are listed; nothing is computed, stored or recorded."""
    lab.write({"tasks.py": TASKS + "\nextra = 1\n"}, commit=False)
    with pytest.raises(
        UncommittedChangesError, match="changed: tasks.py(.|\n)*commit(.|\n)*allow_uncommitted"
    ) as caught:
        lab.load("tasks").Square(3).run()
    assert caught.value.files == ("tasks.py",)
    assert lab.calls("Square") == 0
    assert not (lab.root / "data").exists()


def test_allowed_changes_are_stored_as_a_diff_once(lab: Any) -> None:
    """Record and manifest name it."""
    lab.write({"tasks.py": TASKS + "\nextra = 1\n"}, commit=False)
    with config.use(allow_uncommitted_changes=True):
        for x in (3, 4):
            lab.load("tasks").Square(x).run()
    records = list(lab.project.records.records())
    assert all("+extra = 1" in record.diff for record in records)
    assert len(list((lab.root / "data/run_dump/.values").glob("*.diff"))) == 1


def test_untracked_code_is_refused_even_then(lab: Any) -> None:
    """What git does not hold could not be brought back."""
    lab.write({"new.py": TASKS}, commit=False)
    with (
        config.use(allow_uncommitted_changes=True),
        pytest.raises(UncommittedChangesError, match="not tracked: new.py"),
    ):
        lab.load("new").Square(3).run()


def test_dirty_directories_are_not_looked_at(lab: Any) -> None:
    """Changes there do not stop a run."""
    lab.write({"notes/a.txt": "one"})
    lab.write({"notes/a.txt": "two"}, commit=False)
    with config.use(dirty_directories=["notes"]):
        assert lab.load("tasks").Square(3).run() == 9.0


def test_a_module_edited_since_it_was_loaded_is_refused(lab: Any) -> None:
    """What would run is not what the file says; a hit is still served, a touched file is fine."""
    tasks = lab.load("tasks")
    tasks.Square(3).run()
    lab.write({"tasks.py": TASKS.replace("x**2", "x**3")})
    assert tasks.Square(3).run() == 9.0
    with pytest.raises(StaleModuleError, match="restart Python or reload the module") as caught:
        tasks.Square(4).run()
    assert caught.value.files == (str(lab.root / "tasks.py"),)
    lab.write({"tasks.py": TASKS})
    assert tasks.Square(4).run() == 16.0


def test_a_function_held_from_before_a_reload_is_refused(lab: Any) -> None:
    """``from helpers import power`` keeps the old one, of which neither file nor commit knows any more."""
    tasks = TASKS.replace("x**2", "power(x)").replace(
        "from smttask import", "from helpers import power\nfrom smttask import"
    )
    lab.write({"helpers.py": "def power(x): return x**2", "tasks.py": tasks})
    loaded = lab.load("tasks")
    assert loaded.Square(3).run() == 9.0
    lab.write({"helpers.py": "def power(x): return x**3"})
    importlib.reload(sys.modules["helpers"])
    with pytest.raises(
        StaleModuleError, match="from before a reload: helpers:power(.|\n)*that import it"
    ) as caught:
        loaded.Square(4).run()
    assert caught.value.files == (str(lab.root / "helpers.py"),)
    assert loaded.Square(3).run() == 9.0
    assert lab.reload("tasks").Square(4).run() == 64.0


def test_functions_replaced_in_place_are_not_stale(lab: Any) -> None:
    """IPython's autoreload gives functions the code of the edited file without loading the module again."""
    lab.write(
        {
            "helpers.py": "def power(x): return x**2",
            "tasks.py": TASKS.replace("x**2", "helpers.power(x)").replace(
                "from smttask import", "import helpers\nfrom smttask import"
            ),
        }
    )
    loaded = lab.load("tasks")
    assert loaded.Square(3).run() == 9.0
    lab.write({"helpers.py": "# cubes\n\ndef power(x): return x**3"})
    with pytest.raises(StaleModuleError, match="edited since"):
        loaded.Square(4).run()
    names: dict[str, Any] = {}
    code = compile("def power(x): return x**3", str(lab.root / "helpers.py"), "exec")
    exec(code, names)  # noqa: S102 - as autoreload does
    sys.modules["helpers"].power.__code__ = names["power"].__code__
    assert loaded.Square(4).run() == 64.0
    with pytest.warns(CodeChangedWarning, match="helpers:power changed"):
        assert loaded.Square(3).run() == 9.0


def test_a_commit_is_kept_alive_by_a_hidden_ref(lab: Any) -> None:
    """Even after the branch moved on, the code of a run is there."""
    from smttask.testing import git

    lab.load("tasks").Square(3).run()
    commit = next(iter(lab.project.records.records())).version
    assert f"refs/smttask/{commit}" in git(lab.root, "show-ref")


def test_without_a_commit_the_run_is_refused(tmp_path: Any) -> None:
    """The message says to commit."""
    import shutil

    from smttask.testing import git, scratch_project

    with scratch_project(tmp_path / "p", {"tasks.py": TASKS}, commit=False) as lab:
        shutil.rmtree(lab.root / ".git")
        git(lab.root, "init", "--quiet")
        with pytest.raises(RepositoryError, match="no commit yet"):
            lab.load("tasks").Square(3).run()


@pytest.mark.parametrize("damage", ["locked", "damaged", "read-only schema"])
def test_a_failing_record_store_loses_no_result(lab: Any, damage: str) -> None:
    """The result is stored and returned; a warning says what is wrong with the store."""
    path = lab.root / ".smt" / "records"
    if damage == "damaged":
        path.write_bytes(b"no database at all" * 100)
    else:
        connection = sqlite3.connect(path)
        connection.execute("DELETE FROM django_migrations WHERE app = 'django_store'")
        connection.commit()
        connection.close()
    task = lab.load("tasks").Square(3)
    with pytest.warns(RecordStoreWarning, match="runs without a record; its result is stored all the same"):
        assert task.run() == 9.0
    assert task.record_error is not None
    assert task.run() == 9.0
    assert lab.calls("Square") == 1


def test_a_record_deleted_while_its_task_runs_loses_no_result(lab: Any) -> None:
    """The result is stored and returned; a warning says that the record is gone."""
    task = lab.load("tasks").Forget(3)
    with pytest.warns(RecordStoreWarning, match=r"could not be closed(.|\n)*There is no record"):
        assert task.run() == 3.0
    assert task.load() == 3.0


def test_names_too_long_for_a_record_are_refused_before_the_run(lab: Any) -> None:
    """Nothing is computed, and no record is left open."""
    task = getattr(lab.load("tasks"), 60 * "F")(3)
    with pytest.raises(RecordStoreError, match="No record can hold the path of the data key"):
        task.run()
    assert lab.calls(60 * "F") == lab.project.records.count() == 0


def test_an_interrupt_after_the_result_was_stored_leaves_a_finished_run(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interrupt goes on; the record says what is true, and the result serves."""
    commit = NewRun.commit

    def interrupted(self: NewRun, **facts: Any) -> None:
        commit(self, **facts)
        raise KeyboardInterrupt

    monkeypatch.setattr(NewRun, "commit", interrupted)
    task = lab.load("tasks").Square(3)
    with pytest.raises(KeyboardInterrupt):
        task.run()
    (record,) = lab.project.records.records()
    assert (record.status, len(record.output_data), task.load()) == ("finished", 1, 9.0)


def test_an_interrupted_run_names_the_interrupt_alone(tmp_path: Any) -> None:
    """An exception that says nothing leaves no colon behind its name."""
    from smttask.testing import scratch_project

    source = "from smttask import RecordedTask\n@RecordedTask\ndef Stop() -> int: raise KeyboardInterrupt\n"
    with scratch_project(tmp_path / "project", {"stopping.py": source}) as scratch:
        with pytest.raises(KeyboardInterrupt):
            scratch.load("stopping").Stop().run()
        (record,) = scratch.project.records.records()
    assert (record.status, record.outcome) == ("killed", "KeyboardInterrupt")
