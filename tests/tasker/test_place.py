"""The working directory of the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smttask.errors import SmttaskWarning, StorageError
from smttask.tasker import place
from smttask.tasker.place import kept, working_in


@pytest.fixture(autouse=True)
def here() -> Iterator[Path]:
    """Whatever a test does, the next one is where this one was."""
    before = Path.cwd()
    yield before
    os.chdir(before)


def test_blocks_may_stand_inside_each_other(tmp_path: Path, here: Path) -> None:
    """Each goes back to where it came from, after an error too."""
    (tmp_path / "inner").mkdir()
    with pytest.raises(KeyError), working_in(tmp_path):
        with working_in(tmp_path / "inner"):
            assert Path.cwd().name == "inner"
        assert Path.cwd() == tmp_path
        raise KeyError
    assert Path.cwd() == here


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path, here: Path) -> None:
    """And nobody is kept from working elsewhere."""
    with pytest.raises(StorageError, match="Cannot work in"), working_in(tmp_path / "none"):
        pass
    assert Path.cwd() == here
    thread = threading.Thread(target=_enter, args=(tmp_path,))
    thread.start()
    thread.join(timeout=30)
    assert not thread.is_alive()


def test_threads_take_turns(tmp_path: Path) -> None:
    """None sees the working directory of another."""
    seen: list[tuple[str, str]] = []

    def work(name: str) -> None:
        (tmp_path / name).mkdir()
        for _ in range(20):
            with working_in(tmp_path / name):
                seen.append((name, Path.cwd().name))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 80
    assert all(name == where for name, where in seen)


def test_who_waits_long_is_told_for_whom(tmp_path: Path, monkeypatch: Any) -> None:
    """A thread that waits for one that waits for it would say nothing for ever."""
    monkeypatch.setattr(place, "SAY_AFTER_S", 0.01)
    told: list[Warning] = []
    monkeypatch.setattr(place, "warn", lambda message, category: told.append(category(message)))
    thread = threading.Thread(target=_enter, args=(tmp_path,))
    with working_in(tmp_path):
        thread.start()
        while not told:
            thread.join(0.01)
    thread.join()
    assert isinstance(told[0], SmttaskWarning)
    assert f"works in {tmp_path}, and a process has one working directory" in str(told[0])


def test_a_working_directory_that_was_removed_is_left_behind(tmp_path: Path) -> None:
    """There is nothing to go back to, and nothing to complain about."""
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    with working_in(tmp_path):
        gone.rmdir()
    with working_in(tmp_path):
        assert Path.cwd() == tmp_path


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # what it warns of is what is tested
def test_a_forked_child_can_work_while_a_thread_of_its_parent_does(tmp_path: Path) -> None:
    """The turn of a thread that is not there does not count."""
    begun, go = threading.Event(), threading.Event()

    def hold() -> None:
        with working_in(tmp_path):
            kept().append("a task that runs")
            begun.set()
            go.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    child = os.fork()
    if not child:
        with working_in(tmp_path):
            os._exit(7 if kept() == [] else 8)
    status = os.waitpid(child, 0)[1]
    go.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 7


def _enter(folder: Path) -> None:
    with working_in(folder):
        pass


def test_what_is_kept_ends_with_the_outermost_block(tmp_path: Path) -> None:
    """Who works in a folder later begins with nothing."""
    with working_in(tmp_path):
        with working_in(tmp_path):
            kept().append("a task that runs")
        assert kept() == ["a task that runs"]
    with working_in(tmp_path):
        assert kept() == []
