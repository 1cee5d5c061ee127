"""``tsk.progress``: told to the status file and to whoever shows it here, whatever becomes of the task."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import smttask
from smttask.errors import ArgumentError
from smttask.headway import told_to
from smttask.tasker.status import iter_statuses, status_path
from smttask.tasker.taskprogress import Progress


@pytest.fixture
def told(tmp_path):
    """Progress of the task `size`, with `.now()`: what its status file says."""
    progress = Progress(tmp_path, "size")
    progress.now = lambda: next(iter_statuses(str(tmp_path)))
    return progress


def levels(status):
    return None if status.position is None else status.position.levels


POSITION = {"levels": [["x", None, ""]], "elapsed_s": 1}


class Shown:
    """A display that is told at once."""

    first_s = interval_s = 0.0

    def __init__(self):
        self.texts = []

    def show(self, owner, position):
        self.texts.append(position.text())

    def end(self, owner):
        self.texts.append("end")


def test_a_task_is_seen_working_and_done(told):
    """Also one that says nothing; what it said first and last always stands there."""
    with told.running():
        assert (told.now().status, levels(told.now())) == ("working", None)
        told.working(0, 4, "frames")
        assert levels(told.now()) == ((0, 4, "frames"),)
        for n in range(4):
            told.working(n, 4, f"frame {n}")
    status = told.now()
    assert (status.task, status.status, levels(status)) == ("size", "done", ((3, 4, "frame 3"),))
    assert status.process.pid == os.getpid()
    assert status.begun <= status.told <= time.time()


@pytest.mark.parametrize("loop", ["tally", "smttask.progress"])
def test_a_loop_is_told(told, loop):
    """By the task's own progress as by that of smttask; all of it, when it is over."""
    with told.running():
        items = (
            told.tally("abcd", info="letters")
            if loop == "tally"
            else smttask.progress("abcd", what="letters")
        )
        assert {told.now().status for _ in items} == {"working"}
    assert levels(told.now()) == ((4, 4, "letters"),)


def test_a_failure_says_what_was_raised_and_where_it_was(told):
    """The item at which a loop was left is not done."""
    with pytest.raises(ValueError, match="no such frame"), told.running():
        for n in told.tally(range(10)):
            if n == 7:
                raise ValueError("no such frame")
    status = told.now()
    assert (status.status, status.error) == ("ERROR", "ValueError: no such frame")
    assert levels(status) == ((7, 10, ""),)


def test_an_interrupted_task_says_so(told):
    """After Ctrl-C; the next run replaces it."""
    with pytest.raises(KeyboardInterrupt), told.running():
        raise KeyboardInterrupt
    assert told.now().status == "interrupted"
    with told.running():
        pass
    assert told.now().status == "done"


def test_the_file_is_written_ten_times_a_second_at_most(told, tmp_path):
    """However often it is told: each writing makes a new file."""
    begin = time.monotonic()
    with told.running():
        times = set()
        for n in range(20_000):
            told.working(n, 20_000)
            if n % 100 == 0:
                times.add(status_path(tmp_path, "size").stat().st_mtime_ns)
    assert len(times) <= (time.monotonic() - begin) / 0.1 + 2


def test_who_shows_loops_here_is_told_too(told):
    """Such as the table of a run over many folders; each loop ends there."""
    shown = Shown()
    with told_to(shown), told.running():
        for n in told.tally(range(2), info="movies"):
            told.working(n, 3, "frames")
            time.sleep(0.11)
    assert "0 of 2 movies, 0 of 3 frames" in shown.texts
    assert shown.texts[-2:] == ["end", "end"]


def test_a_task_inside_a_task_has_a_status_of_its_own(told, tmp_path):
    """What the inner one counts is not told of the outer one."""
    inner = Progress(tmp_path, "inner")
    with told.running():
        told.working(1, 5)
        with inner.running():
            inner.working(2, 3)
        told.working(2, 5)
    found = {status.task: levels(status) for status in iter_statuses(str(tmp_path))}
    assert found == {"size": ((2, 5, ""),), "inner": ((2, 3, ""),)}


def test_threads_of_a_task_tell_its_progress(told):
    """Such as those of a pool; what they say too often is told when the task ends."""
    with told.running(), ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: told.working(n, 9, "frames"), range(5)))
        time.sleep(0.11)
        pool.submit(told.working, 7, 9, "x" * 1000).result()
        assert levels(told.now()) == ((7, 9, "x" * 200),)


def test_progress_outside_of_a_run_does_nothing(told, tmp_path):
    """A function of a task may be called by hand."""
    told.working(1, 2)
    assert list(told.tally("ab")) == ["a", "b"]
    assert not (tmp_path / ".tasker").exists()


def test_an_impossible_total_is_an_error(told):
    """As in smttask.progress."""
    with pytest.raises(ArgumentError, match="impossible total"), told.running():
        told.working(1, -3)


def test_a_folder_that_cannot_be_written_stops_no_task(tmp_path):
    """A file stands where the folder of the status should be."""
    (tmp_path / ".tasker").write_text("")
    progress = Progress(tmp_path, "size")
    with progress.running():
        progress.working(1, 2)
    assert list(iter_statuses(str(tmp_path))) == []


def test_a_process_that_a_task_forks_leaves_the_status_alone(told, tmp_path):
    """What it counts is its own."""
    code = """
        import os, pathlib, time
        from smttask.tasker.taskprogress import Progress
        progress = Progress(pathlib.Path("."), "size")
        with progress.running():
            progress.working(1, 5)
            time.sleep(0.11)
            if (child := os.fork()) == 0:
                progress.working(4, 5)
                os._exit(0)
            os.waitpid(child, 0)
            os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=False)
    assert levels(told.now()) == ((1, 5, ""),)


def test_the_status_of_a_killed_task_is_interrupted(told, tmp_path):
    """It says so as soon as its process is dead, after kill -9 too."""
    code = """
        import pathlib, time
        from smttask.tasker.taskprogress import Progress
        progress = Progress(pathlib.Path("."), "size")
        with progress.running():
            progress.working(3, 10, "frames")
            print("go", flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert told.now().status == "working"
        process.send_signal(signal.SIGKILL)
    status = told.now()
    assert (status.status, levels(status)) == ("interrupted", ((3, 10, "frames"),))
    assert status.error == "its process ended without a word"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: b"{", "Expecting"),
        (lambda content: json.dumps({**content, "format": 2}).encode(), "written in format 2"),
        (lambda content: json.dumps({**content, "begun": float("nan")}).encode(), "nan is no time"),
        (lambda content: json.dumps({**content, "position": POSITION}).encode(), "'x' is no count"),
        (lambda content: b"[" * 100_000, "recursion"),
    ],
    ids=["cut", "later version", "no time", "no count", "hostile"],
)
def test_a_status_that_cannot_be_read_says_why(told, tmp_path, change, reason):
    """It names the file, and stops nobody from reading the others."""
    with told.running():
        pass
    path = status_path(tmp_path, "size")
    path.write_bytes(change(json.loads(path.read_bytes())))
    status = told.now()
    assert (status.task, status.status) == ("size", "unreadable")
    assert status.error.startswith(f"{path}: ")
    assert reason in status.error
