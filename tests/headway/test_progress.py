"""How far loops are, and where it is told."""

import os
import pty
import subprocess
import sys
import threading

import pytest

from smttask import progress
from smttask.errors import ArgumentError
from smttask.headway import Count, Position, current_sink, told_to
from smttask.testing import scratch_project


class Watcher:
    """A sink that keeps what it is told, from the first moment."""

    first_s = interval_s = 0.0

    def __init__(self):
        self.told, self.ended = [], 0

    def show(self, owner, position):
        self.told.append(position.text())

    def end(self, owner):
        self.ended += 1


def in_terminal(folder, code, kind="xterm"):
    """What a script writes on stdout, and on stderr, which is a terminal."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code],
        stderr=theirs,
        stdout=subprocess.PIPE,
        check=True,
        cwd=folder,
        env={**os.environ, "TERM": kind},
        text=True,
    )
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 1000):
            written += chunk
    except OSError:  # Linux says so where the other side is closed
        pass
    os.close(ours)
    return done.stdout, written.decode()


def test_items_pass_unchanged_and_the_length_is_the_total():
    """Lists tell their length, iterators do not, and a given total wins."""
    with told_to(watcher := Watcher()):
        assert list(progress([5, 6])) == [5, 6]
        assert list(progress(iter("ab"), what="letters")) == ["a", "b"]
        assert list(progress(iter("a"), total=3)) == ["a"]
    assert watcher.told == ["1 of 2", "2 of 2", "1 letters", "2 letters", "1 of 3"]
    assert watcher.ended == 3


def test_a_loop_inside_a_loop_stands_beside_it():
    """Also when the outer one is left early; afterwards nothing of it is left."""
    with told_to(watcher := Watcher()):
        for _ in progress("ab", what="epochs"):
            for _ in progress("xy", what="batches"):
                pass
            break
        list(progress("z"))
    assert watcher.told == ["0 of 2 epochs, 1 of 2 batches", "0 of 2 epochs, 2 of 2 batches", "1 of 1"]


def test_each_thread_counts_for_itself():
    """A loop in another thread is no part of the one that runs here."""
    with told_to(watcher := Watcher()):
        outer = progress("ab")
        next(outer)

        def inside():
            with told_to(watcher):
                list(progress("xyz"))

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
    assert watcher.told == ["1 of 3", "2 of 3", "3 of 3"]


def test_work_that_is_no_loop_says_how_far_it_is():
    """`Count.at` takes any number, and a total that is known only later."""
    with told_to(watcher := Watcher()), Count(what="steps") as count:
        count.at(7)
        count.at(9, total=10)
        count.at(0, what="more steps")
        assert count.position.levels == ((0, 10, "more steps"),)
    assert watcher.told == ["7 steps", "9 of 10 steps", "0 of 10 more steps"]


def test_what_a_loop_did_is_known_wherever_it_stopped():
    """An item that was left is not done, whatever was told last; who is told can be asked for."""

    class Seldom(Watcher):
        interval_s = 1e6

        def show(self, owner, position):
            self.count = owner

    with told_to(seldom := Seldom()):
        assert current_sink() is seldom
        for item in progress(range(10)):
            if item == 7:
                break
    assert seldom.count.n == 7


def test_the_share_takes_loops_inside_loops_together():
    """The time left follows from it; where the outermost total is unknown, neither is known."""
    position = Position(((1, 2, ""), (1, 4, "")), 10.0)
    assert (position.share, position.left_s) == (0.625, 6.0)
    assert (Position(((3, None, ""), (1, 4, "")), 1.0).share, Position(((0, 4, ""),), 1.0).left_s) == (
        None,
        None,
    )
    assert (Position(((9, 4, ""),)).share, Position(((0, 0, ""),)).share) == (1.0, 1.0)
    assert Position.from_message(position.to_message()) == position


@pytest.mark.parametrize("total", [-1, 2.5, "ten"])
def test_an_impossible_total_is_refused(total):
    """At the call, not at the first item."""
    with pytest.raises(ArgumentError, match="progress\\(\\) is told an impossible total") as caught:
        progress([1], total=total)
    assert "leave it out where nobody knows" in str(caught.value)


def test_what_cannot_be_iterated_is_refused_at_the_call():
    """As `for` does."""
    with pytest.raises(TypeError, match="not iterable"):
        progress(3)


def test_errors_in_the_loop_pass_through():
    """Those of the iterable too."""

    def torn():
        yield 1
        raise ValueError("torn")

    with pytest.raises(ValueError, match="torn"):
        list(progress(torn()))


TASKS = """
import time
import smttask
from smttask import RecordedTask

@RecordedTask
def Slow(n: int) -> int:
    return sum(step for step in smttask.progress(range(n), what="steps") if time.sleep(0.3) is None)

@RecordedTask
def Loop(n: int) -> int:
    for step in smttask.progress(range(n)):
        n += step
    return n
"""


def test_a_task_in_a_terminal_shows_a_line_that_its_record_lacks(tmp_path):
    """From the second second on; it is erased in the end."""
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        code = "from tasks import Slow; task = Slow(n=5); task.run(); print(repr(task.record.stdout_stderr))"
        kept, shown = in_terminal(scratch.root, code)
    assert "of 5 steps" in shown
    assert shown.endswith("\r\x1b[K")
    assert kept == "''\n"


def test_how_progress_is_made_is_no_part_of_the_code_of_a_task(tmp_path):
    """The fingerprint holds the function alone, and nothing in it is unresolved."""
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        tasks = scratch.load("tasks")
        fingerprint = tasks.Loop(n=1).code_fingerprint
    assert (list(fingerprint.parts), fingerprint.unresolved) == (["tasks:Loop"], ())


NOTEBOOK = """
import sys, time, types
shown = []

class Publisher:
    def publish(self, data, transient, update):
        shown.append((data["text/plain"], data["text/html"], update))

shell = types.SimpleNamespace(kernel=object(), display_pub=Publisher())
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
from smttask import progress
for item in progress(range(6), what="<b>"):
    time.sleep(0.3)
assert len(shown) > 2, shown
assert [update for *_, update in shown] == [False] + [True] * (len(shown) - 1)
assert "&lt;b&gt;" in shown[0][1] and shown[-1][:2] == ("", "")
"""


def test_a_notebook_shows_it_below_the_cell():
    """In one place, which each text replaces, with what HTML would obey escaped."""
    done = subprocess.run([sys.executable, "-c", NOTEBOOK], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


POOL = """
import multiprocessing, time
from smttask import progress

def work(number):
    for item in progress(range(4), what="child"):
        time.sleep(0.4)

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        list(progress(pool.imap(work, range(2)), 2, what="parent"))
"""


def test_child_processes_leave_the_terminal_to_their_parent(tmp_path):
    """Lines of several processes would overwrite each other."""
    _, shown = in_terminal(tmp_path, POOL)
    assert "child" not in shown


def test_a_terminal_that_cannot_erase_lines_is_left_alone(tmp_path):
    """As the window of an editor, whose TERM is dumb."""
    code = "import time, smttask\nfor item in smttask.progress(range(5)): time.sleep(0.3)"
    assert in_terminal(tmp_path, code, "dumb") == ("", "")
    assert "of 5" in in_terminal(tmp_path, code)[1]
