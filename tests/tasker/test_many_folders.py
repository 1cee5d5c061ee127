"""What the notebook shows beside its cells: files that change, taskfiles, sets, other processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smttask import tasker
from smttask.tasker import looking

TASKFILE = """
import time
from pathlib import Path
from smttask import tasker

class Movie(tasker.Tasker):
    def size_of(self, filename):
        return (self.p / filename).stat().st_size

    @tasker.cached_property
    def frame(self):
        return list(range(4))

def use(dir, factor=1):
    t = Movie(dir)
    t.conf = {"factor": factor}
    t.params = tasker.JSON(t.p / "params.json")

    @t.stores(tasker.JSON("size.json"))
    def size(tsk, movie="movie.txt", params=t.params):
        (tsk.p / "ran.log").open("a").write("size\\n")
        return tsk.conf.factor * params["scale"] * tsk.tasker.size_of(movie) + len(tsk.tasker.frame)

    @t.stores("copy.txt")
    def copy(tsk, movie="movie.txt", size=size):
        (tsk.p / "ran.log").open("a").write("copy\\n")
        with open("copy.txt", "w") as out:
            for n, letter in enumerate(movie.read_text()):
                out.write(letter)
                out.flush()
                tsk.progress.working(n, 2, "letters")
                while Path("hold").exists():
                    time.sleep(0.01)

    return t
"""


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """A taskfile above three folders of movies."""
    for name in ("a", "b", "day/c"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "movie.txt").write_text("12")
        (folder / "params.json").write_text('{"scale": 10}')
    (tmp_path / "taskfile_sub.py").write_text(TASKFILE)
    (tmp_path / "groups.json").write_text(json.dumps({"good": ["a", "day/c"], "bad": ["b"]}))
    (tmp_path / "aliases.json").write_text(json.dumps({"best": "day/c"}))
    return tmp_path


def ran(folder: Path) -> list[str]:
    """Names of the tasks that ran in `folder` since this was last asked."""
    log = folder / "ran.log"
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return names


def test_a_taskfile_above_serves_each_folder(experiment: Path) -> None:
    """`use` finds it, also two floors up; each folder has its files and its own Tasker."""
    for name in ("a", "day/c"):
        t = tasker.use(experiment / name)
        assert t.size() == 24
        assert t.copy().read_text() == "12"
        assert ran(experiment / name) == ["size", "copy"]
    assert not (experiment / "b" / "size.json").exists()
    assert tasker.which(experiment / "a" / "size.json").tasker.name == "a"


def test_a_taskfile_in_the_folder_goes_first(experiment: Path) -> None:
    """A folder that is unlike the others has tasks of its own."""
    (experiment / "a" / "taskfile.py").write_text(TASKFILE.replace("+ len(tsk.tasker.frame)", "+ 100"))
    assert tasker.use(experiment / "a").size() == 120
    assert tasker.use(experiment / "b").size() == 24


def test_what_is_given_to_use_counts(experiment: Path) -> None:
    """A value that a task reads from conf makes it stale when another one is given."""
    assert tasker.use(experiment / "a").size() == 24
    assert [each.name for each in tasker.use(experiment / "a", factor=2).report()] == ["size", "copy"]
    assert tasker.use(experiment / "a", factor=2).size() == 44


def test_a_file_of_a_format_is_an_attribute_and_an_input(experiment: Path) -> None:
    """`t.params()` reads it, `t.params.save` writes it, and the task that takes it notices."""
    t: Any = tasker.use(experiment / "a")
    assert t.size() == 24
    t.params.save({"scale": 20})
    assert t.params() == {"scale": 20}
    assert [each.why for each in t.size.report()] == ["'params.json' changed"]
    assert t.size() == 44


def test_a_subclass_has_methods_and_derived_data(experiment: Path) -> None:
    """They are there for tasks and for whoever explores."""
    t: Any = tasker.use(experiment / "a")
    assert repr(t) == f"Movie: {experiment / 'a'}"
    assert t.size_of("movie.txt") == 2
    assert t.frame is t.frame


def test_a_set_gives_its_folders_by_path_group_and_alias(experiment: Path) -> None:
    """groups.json and aliases.json name folders relative to that of the set."""
    s = tasker.SetTasker(experiment)
    assert s.groups == {"good": ["a", "day/c"], "bad": ["b"]}
    assert s.group_paths("good") == [experiment / "a", experiment / "day" / "c"]
    assert [t.size() for t in s.grp("good")] == [24, 24]
    assert s.use("b").name == "b"
    assert s.alias_path("best") == experiment / "day" / "c"
    assert s.al("best").copy().read_text() == "12"


def test_a_monitor_shows_all_folders(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each, with the task that ran last and how far it came."""
    tasker.use(experiment / "a").copy()
    capsys.readouterr()
    tasker.Monitor([experiment / "a", experiment / "b"]).show()
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["dir", "task", "since_update", "status"]
    assert first.split()[0].endswith("a")
    assert first.split()[1] == "copy"
    assert first.endswith("letters")
    assert second.endswith("b")


@pytest.mark.parametrize("how", ["write", "cp", "mv"])
def test_another_version_of_a_file_is_noticed(experiment: Path, how: str) -> None:
    """Edited in place; an older file of the same size copied with its time, or moved there."""
    t = tasker.use(experiment / "a")
    t.copy()
    ran(experiment / "a")
    other = experiment / "other.txt"
    other.write_text("34")
    os.utime(other, (10**9, 10**9))
    if how == "write":
        (t.p / "movie.txt").write_text("34")
    else:
        options = ["cp", "-p"] if how == "cp" else ["mv"]
        subprocess.run([*options, other, t.p / "movie.txt"], check=True)
    assert t.copy().read_text() == "34"
    assert ran(experiment / "a") == ["size", "copy"]


def test_a_file_that_is_edited_while_its_task_runs_is_noticed(experiment: Path) -> None:
    """The result is of the old content, so the next call runs the task again."""
    t = tasker.Tasker(experiment / "a")

    @t.stores(tasker.Text("seen.txt"))
    def seen(tsk: Any, movie: Any = "movie.txt") -> str:
        text = str(movie.read_text())
        movie.write_text("56")
        return text

    assert seen() == "12"
    assert [each.why for each in seen.report()] == ["'movie.txt' changed"]
    assert seen() == "56"
    assert seen.report() == []


@pytest.fixture
def holder(experiment: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that is in the middle of the task `copy` in the folder a."""
    (experiment / "a" / "hold").touch()
    code = f"from smttask import tasker; tasker.use({str(experiment / 'a')!r}).copy()"
    process = subprocess.Popen([sys.executable, "-c", code])
    copy = experiment / "a" / "copy.txt"
    deadline = time.monotonic() + 60
    while not (copy.exists() and copy.read_text() == "1"):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_task_that_another_process_runs_is_refused(
    experiment: Path, holder: subprocess.Popen[bytes]
) -> None:
    """The error names the process; other tasks can be read, and with wait=True the call waits."""
    t = tasker.use(experiment / "a")
    with pytest.raises(tasker.LockError) as caught:
        t.copy()
    assert str(holder.pid) in str(caught.value)
    assert t.is_working()
    assert t.is_working("copy")
    assert not t.is_working("size")
    assert t.size() == 24
    (experiment / "a" / "hold").unlink()
    assert t.copy(wait=True).read_text() == "12"
    assert holder.wait(60) == 0
    assert ran(experiment / "a") == ["size", "copy"]


def test_a_lock_ends_with_its_owner_and_a_half_written_file_is_not_taken_for_whole(
    experiment: Path, holder: subprocess.Popen[bytes]
) -> None:
    """After kill -9 nothing has to be unlocked; the monitor says so, and the task runs again."""
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    (experiment / "a" / "hold").unlink()
    t = tasker.use(experiment / "a")
    assert not t.is_working()
    assert tasker.Monitor([t]).get_statuses()["status"].tolist() == ["interrupted"]
    assert [each.why for each in t.report()] == ["its last run did not finish"]
    assert t.copy().read_text() == "12"
    assert ran(experiment / "a") == ["size", "copy", "copy"]


def test_a_touched_file_is_hashed_once(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file with another time but the same content costs one reading, redoes nothing."""
    t = tasker.use(experiment / "a")
    (t.p / "movie.txt").write_bytes(b"x" * 5_000_000)
    os.utime(t.p / "params.json", (10**9, 10**9))  # what is a few ms old when its task runs is hashed again
    t.size()
    ran(t.p)
    hashed: list[str] = []
    digest = looking.file_digest
    monkeypatch.setattr(looking, "file_digest", lambda path: hashed.append(Path(path).name) or digest(path))
    for touched in (10**9, 2 * 10**9):
        os.utime(t.p / "movie.txt", (touched, touched))
        for _ in range(3):
            tasker.use(t.p).size()
    assert hashed == ["movie.txt", "movie.txt"]
    assert ran(t.p) == []
