"""One computation of one thing at a time: threads, processes, forks, and owners that are killed."""

from __future__ import annotations

import errno
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from smttask.errors import LockError, StorageError
from smttask.storage import locks
from smttask.storage.locks import computing, find_holder

OWNER = """
import os, sys, time
from smttask.storage.locks import computing
with computing(sys.argv[1]):
    if sys.argv[2] == "fork" and not os.fork():
        os.close(1)
        time.sleep(60)
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path):
    return str(tmp_path / "locks" / "3f9c1b")


@pytest.fixture
def owner(lock):
    """Starts processes that hold the lock until they are killed."""
    started = []

    def start(how="plain"):
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, lock, how],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()


def test_a_lock_leaves_no_file(lock):
    """The lock file is there while the lock is held, and names its owner."""
    with computing(lock):
        assert str(os.getpid()) in Path(lock).read_text()
    assert os.listdir(os.path.dirname(lock)) == []
    with computing(lock):
        pass


def test_another_process_waits_or_says_who_holds_it(lock, owner):
    """A lock that is held names process and host to who does not want to wait."""
    process = owner()
    found = rf"(?s)3f9c1b is held.*held by process {process.pid} on .*since"
    with pytest.raises(LockError, match=found), computing(lock, timeout_s=0):
        pass


@pytest.mark.parametrize("how", ["plain", "fork"])
def test_a_lock_dies_with_its_owner(how, lock, owner):
    """After kill -9 the next takes over at once, even while a forked child of the owner lives."""
    process = owner(how)
    killer = threading.Timer(0.2, process.kill)
    killer.start()
    with computing(lock, timeout_s=20):
        assert process.wait(20) == -signal.SIGKILL
        if how == "fork":
            os.killpg(process.pid, 0)  # the child is still there


def test_who_takes_a_lock_hears_whether_its_owner_died(lock, owner):
    """A lock that was given back leaves nothing; the file of a killed owner is there still."""
    process = owner()
    process.kill()
    process.wait()
    with computing(lock) as is_left:
        assert is_left
    with computing(lock) as is_left:
        assert not is_left


def test_waiting_is_told_once_with_the_holder(lock, owner, monkeypatch):
    """Who waits long hears for whom, once."""
    monkeypatch.setattr(locks, "SAY_AFTER_S", 0.05)
    process = owner()
    told = []
    threading.Timer(0.3, process.kill).start()
    with computing(lock, on_wait=told.append, timeout_s=20):
        pass
    (message,) = told
    assert message.startswith(f"waiting for process {process.pid} on ")
    assert message.endswith("which computes 3f9c1b")


def test_threads_of_one_process_take_turns(lock):
    """Of many threads one at a time is inside, and all get their turn."""
    inside, most, done = [], [], []

    def work():
        for _ in range(20):
            with computing(lock):
                inside.append(1)
                most.append(len(inside))
                inside.pop()
                done.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(most), len(done)) == (1, 80)
    assert locks._table.turns == {}


def test_a_thread_that_waits_for_another_hears_of_it(lock):
    """Between threads too a wait can time out and names the holder."""
    with computing(lock):
        caught = []

        def work():
            try:
                with computing(lock, timeout_s=0.01):
                    pass
            except LockError as error:
                caught.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert f"held by thread {threading.get_ident()} of this process (pid {os.getpid()})" in caught[0]


def test_a_thread_that_asks_for_its_own_lock_is_an_error(lock):
    """A computation that waits for itself fails at once instead of for ever."""
    with computing(lock):
        with (
            pytest.raises(
                LockError, match=r"(?s)already held by this thread.*its own result.*take the task out"
            ),
            computing(lock),
        ):
            pass
        with pytest.raises(LockError, match="held by"):
            self_in_child(lock)
    with computing(lock, timeout_s=0):
        pass


def self_in_child(lock):
    """A forked child has no share in the lock: it meets it like any other process."""
    child = os.fork()
    if not child:
        try:
            with computing(lock, timeout_s=0):
                pass
        except LockError:
            os._exit(7)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7:
        raise LockError("held by the parent")


def test_a_forked_child_that_leaves_the_body_frees_nothing(lock):
    """The lock is its parent's: a child that ends normally inside the `with` does not take it away."""
    with computing(lock):
        child = os.fork()
        if not child:
            try:
                raise SystemExit  # runs every `finally` on the way
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        with pytest.raises(LockError):
            self_in_child(lock)
    child = os.fork()
    if not child:
        with computing(lock, timeout_s=0):
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_a_wait_can_be_interrupted(lock, owner):
    """Ctrl-C ends the wait for a lock, and leaves no trace of it."""
    owner()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        timer.start()  # in here, as a busy computer may come to it late
        with computing(lock, timeout_s=20):
            pass
    assert locks._table.turns == {}


def test_an_interrupt_just_after_the_lock_was_taken_gives_it_back(lock):
    """Another thread that waits for the turn gets it."""
    got = []

    def work():
        with computing(lock, timeout_s=20):
            got.append(True)

    thread = threading.Thread(target=work)

    lines, first = inspect.getsourcelines(locks._take_turn)
    just_after = first + next(n for n, line in enumerate(lines) if "turn.owner = me" in line)

    def interrupt(frame, event, arg):
        if event == "line" and frame.f_lineno == just_after:
            sys.settrace(None)
            thread.start()
            while frame.f_locals["turn"].n_interested < 2:
                time.sleep(0.001)
            raise KeyboardInterrupt
        return interrupt

    sys.settrace(lambda frame, event, arg: interrupt if frame.f_code is locks._take_turn.__code__ else None)
    try:
        with pytest.raises(KeyboardInterrupt), computing(lock):
            pass
    finally:
        sys.settrace(None)
    thread.join()
    assert got == [True]
    assert locks._table.turns == {}


def test_processes_take_turns(tmp_path, lock):
    """A counter in a file that four processes increase under the lock misses no step."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    code = """
import sys
from pathlib import Path
from smttask.storage.locks import computing
counter = Path(sys.argv[2])
for _ in range(100):
    with computing(sys.argv[1]):
        counter.write_text(str(int(counter.read_text()) + 1))
"""
    command = [sys.executable, "-c", code, lock, counter]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert counter.read_text() == "400"


def test_a_lock_that_cannot_be_made_says_why(tmp_path):
    """A file in the place of the folder of locks is named."""
    (tmp_path / "locks").write_text("x")
    with (
        pytest.raises(StorageError, match=r"(?s)Cannot lock x.*move it away"),
        computing(tmp_path / "locks" / "x"),
    ):
        pass


def test_a_lock_file_without_owner_is_described(lock, owner):
    """Between two owners nobody is named, and that is no error."""
    owner()
    os.truncate(lock, 0)
    with pytest.raises(LockError, match="held by another process"), computing(lock, timeout_s=0):
        pass


def test_where_the_system_has_no_locks_an_owner_file_serves_and_says_so(lock, monkeypatch):
    """On a disk that refuses file locks one warning is given, and one at a time is inside all the same."""

    class NoLocks:
        LOCK_EX = LOCK_NB = 0

        @staticmethod
        def lockf(*_):
            raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "fcntl", NoLocks)
    with pytest.warns(RuntimeWarning, match="does not support file locks") as warned:  # noqa: PT031
        for _ in range(2):
            with computing(lock):
                assert os.path.exists(f"{lock}.owner")
                with pytest.raises(LockError, match=f"held by process {os.getpid()}"):
                    self_in_thread(lock)
    assert len(warned) == 1
    assert not os.path.exists(f"{lock}.owner")


def self_in_thread(lock):
    """Another process of this host, played by a second claim to the owner file."""
    from smttask.storage.ownerfile import OwnerFile

    claim = OwnerFile(f"{lock}.owner")
    if not claim.take():
        raise LockError(f"held by {claim.holder()}")


@pytest.mark.slow
def test_many_killed_owners_leave_nothing_to_unlock(lock):
    """Owners killed at random instants never leave the lock taken, nor let two in."""
    code = """
import sys
from pathlib import Path
from smttask.storage.locks import computing
inside = Path(sys.argv[2])
while True:
    with computing(sys.argv[1]):
        inside.write_text("x")
        inside.unlink()
"""
    command = [sys.executable, "-c", code, lock, os.path.join(os.path.dirname(lock), "inside")]
    for n in range(15):
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
        time.sleep(0.5 + 0.037 * n % 0.1)
        processes[0].kill()
        time.sleep(0.02)
        assert processes[1].poll() is None, processes[1].stderr.read()
        processes[1].kill()
        for process in processes:
            process.communicate()
        with computing(lock, timeout_s=20):
            if os.path.exists(command[-1]):
                os.unlink(command[-1])


def test_who_holds_a_lock_is_told_without_waiting(tmp_path):
    """Another process or a thread; asking takes no lock away, and leaves none."""
    lock = str(tmp_path / "lock")
    assert find_holder(lock) == ""
    code = (
        "import sys; from smttask.storage.locks import computing\n"
        "with computing(sys.argv[1]): print('held', flush=True); input()"
    )
    ask = "import sys; from smttask.storage.locks import find_holder; print(find_holder(sys.argv[1]))"
    other = subprocess.Popen(
        [sys.executable, "-c", code, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    assert find_holder(lock).startswith(f"process {other.pid} on ")
    other.communicate("\n")
    with computing(lock):
        assert "of this process" in find_holder(lock)
        done = subprocess.run([sys.executable, "-c", ask, lock], capture_output=True, text=True, check=True)
        assert done.stdout.startswith(f"process {os.getpid()} on ")
    assert find_holder(lock) == ""


def test_the_end_of_a_broken_lock_leaves_that_of_the_next_owner(lock, owner):
    """Who unlinks a lock file by hand lets in one more, not all who come after."""
    with computing(lock):
        os.unlink(lock)
        second = owner()
    assert f"process {second.pid}" in find_holder(lock)
