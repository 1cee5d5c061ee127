"""Tasks that harm their worker, and what limits them: nobody else is harmed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from smttask import run_tasks
from smttask.errors import WorkerError
from smttask.process import process_facts
from smttask.testing import scratch_project

TASKS = """
import ctypes, os, resource, signal, subprocess, sys, tempfile, threading, time
from pathlib import Path
from smttask import RecordedTask
from smttask.testing import count_call

FOLDER = Path(__file__).parent / ".smt"

@RecordedTask
def Square(x: int) -> int:
    count_call()
    return x * x

@RecordedTask
def Slow(x: int) -> int:
    time.sleep(0.05)
    return x

@RecordedTask
def Harm(how: str) -> int:
    count_call()
    if how == "segfault":
        ctypes.string_at(0)
    if how == "exit":
        os._exit(7)
    if how == "hang":
        while True:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                pass
    if how == "sleep":
        time.sleep(60)
    if how == "unstorable":
        return object()
    if how == "memory":
        held = []
        while True:
            held.append(b"x" * 10_000_000)
            time.sleep(0.005)
    if how == "child":
        code = "x = b'x' * 600_000_000; import time; time.sleep(60)"
        child = subprocess.Popen([sys.executable, "-c", code])
        (FOLDER / "child").write_text(str(child.pid))
        child.wait()
    if how == "error":
        raise ValueError("x" * 50_000_000)
    if how == "speechless":
        raise Speechless
    if how == "thread":
        threading.Thread(target=time.sleep, args=[600]).start()
    return 1

class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no words")

@RecordedTask
def Leave(what: str) -> int:
    if what == "closed":
        os.closerange(0, 3)
        sys.stdout.close()
    if what == "streams":
        sys.stdout = sys.stderr = None
    if what == "folder":
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        os.rmdir(folder)
    if what == "signals":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        signal.setitimer(signal.ITIMER_REAL, 0.2)
    if what == "limits":
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        os.umask(0o777)
        sys.path.clear()
    return 1

@RecordedTask
def State(after: str) -> list[str]:
    print("said")
    os.write(1, b"written")
    time.sleep(0.3)
    import colorsys
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    n_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return [os.getcwd(), str(blocked), signal.getsignal(signal.SIGTERM).__name__, str(n_files > 64)]

@RecordedTask
def Shout(n: int) -> int:
    for _ in range(n):
        print("\\n".join(["x" * 999] * 1000))
    return n

@RecordedTask
def Fork(how: str) -> int:
    if os.fork() == 0:
        if how == "error":
            raise ValueError("of the child")
        sys.exit(3)
    return os.waitstatus_to_exitcode(os.wait()[1])

@RecordedTask
def Once(x: int) -> int:
    count_call()
    if not (FOLDER / "tried").exists():
        (FOLDER / "tried").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x
"""

WITH_MEMORY = 400_000_000


class Lab:
    """A scratch project and its module of tasks."""

    def __init__(self, scratch):
        self.scratch, self.root, self.project = scratch, scratch.root, scratch.project
        self.calls, self.tasks = scratch.calls, scratch.load("tasks")
        self.todo = scratch.root / "todo"

    def statuses(self):
        return Counter(record.status for record in self.project.records.records())

    def start(self, *args):
        command = [sys.executable, "-m", "smttask", "run", *args, "todo"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.root, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch)


def harmed(lab, *tasks, **options):
    """The errors of harmful `tasks`, run beside five good ones, which must all be right."""
    good = [lab.tasks.Square(x) for x in range(5)]
    results = dict(run_tasks([*tasks, *good], n=2, on_error="return", progress=False, **options))
    assert [results[task] for task in good] == [0, 1, 4, 9, 16]
    return [str(results[task].error) for task in tasks]


def test_a_task_that_ends_its_worker_fails_alone(lab):
    """By a segmentation fault, or by leaving Python; its record says killed."""
    crashed, left = harmed(lab, lab.tasks.Harm("segfault"), lab.tasks.Harm("exit"))
    assert "killed: the worker was ended by signal 11 (SIGSEGV)" in crashed
    assert "Fatal Python error: Segmentation fault" in crashed
    assert "killed: the worker was ended by itself, with exit status 7" in left
    assert lab.statuses() == {"finished": 5, "killed": 2}


def test_a_child_that_leaves_through_the_code_of_its_task_ends(lab):
    """What becomes of the task is told by its worker alone."""
    tasks = [lab.tasks.Fork("exit"), lab.tasks.Fork("error")]
    assert [result for _, result in run_tasks(tasks, n=1, ordered=True)] == [3, 1]


def test_a_task_that_takes_too_long_is_stopped(lab):
    """One that lets itself be stopped, and one that does not."""
    errors = harmed(lab, lab.tasks.Harm("sleep"), lab.tasks.Harm("hang"), timeout_s=1.0)
    assert all("killed: stopped after 1 s, the longest it may take" in error for error in errors)
    assert lab.statuses() == {"finished": 5, "killed": 2}


def test_a_task_that_takes_too_much_memory_is_ended(lab):
    """What processes that it started take counts, and they end with it."""
    errors = harmed(lab, lab.tasks.Harm("memory"), lab.tasks.Harm("child"), memory_bytes=WITH_MEMORY)
    assert all("MB; it may use 400.0 MB" in error for error in errors)
    child = int((lab.root / ".smt" / "child").read_text())
    deadline = time.monotonic() + 10
    while lives(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_result_that_cannot_be_stored_fails_alone(lab):
    """The error is that of the task itself, whichever process raised it."""
    [error] = harmed(lab, lab.tasks.Harm("unstorable"))
    assert "returned" in error
    assert lab.statuses() == {"finished": 5, "crashed": 1}


@pytest.mark.parametrize("what", ["closed", "streams", "folder", "signals", "limits"])
def test_what_a_task_leaves_behind_does_not_reach_the_next_one(lab, what):
    """The next one in its worker finds folder, streams, signals and limits as they were."""
    tasks = [lab.tasks.Leave(what), lab.tasks.State(what)]
    results = dict(run_tasks(tasks, n=1, on_error="return", progress=False))
    assert results[tasks[1]] == [os.getcwd(), "set()", "_stop", "True"]
    assert sorted(tasks[1].record.stdout_stderr.split()) == ["said", "written"]


def test_an_error_without_words_is_recorded(lab):
    """Its class is named, and its record says crashed."""
    lab.tasks.Harm("speechless").save(lab.todo)
    done = lab.scratch.smttask("run", "todo", check=False)
    assert "Speechless: (its message cannot be made: RuntimeError)" in done.stderr
    assert lab.statuses() == {"crashed": 1}


def test_a_thread_that_never_ends_does_not_hold_up_the_run(lab):
    """The worker in which a task left it is ended when there is nothing more to do."""
    lab.tasks.Harm("thread").save(lab.todo)
    process = lab.start()
    assert process.communicate(timeout=60)[1] == ""
    assert (process.returncode, lab.statuses()) == (0, {"finished": 1})


def test_an_error_with_an_endless_message_is_cut(lab):
    """Its first line is told, and the worker goes on."""
    lab.tasks.Harm("error").save(lab.todo)
    done = lab.scratch.smttask("run", "todo", check=False)
    assert "ValueError: xxxx" in done.stderr
    assert len(done.stderr) < 10_000


def test_a_task_that_prints_without_end_takes_no_memory(lab):
    """100 MB of output leave worker and parent as small as they were."""
    lab.tasks.Shout(100).save(lab.todo)
    lab.tasks.Square(1).save(lab.todo)
    code = (
        "import resource, sys; from pathlib import Path; from smttask.cli import main\n"
        "try: main()\n"
        "finally:\n"  # what getrusage says of a process itself begins with the size of who started it
        "  [own] = [line.split()[1] for line in Path('/proc/self/status').read_text().splitlines()"
        " if line.startswith('VmHWM')]\n"
        "  child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "  print('peaks', int(own) // 1024, child // 1024, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "run", "-v", "todo"]
    with open(lab.root / "shown", "wb") as shown:
        done = subprocess.run(
            command, cwd=lab.root, stdout=shown, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    own, child = map(int, done.stderr.split("peaks ")[1].split())
    assert own < 200
    assert child < 300
    assert os.path.getsize(lab.root / "shown") > 99_000_000


def test_a_task_whose_worker_died_is_tried_again(lab):
    """With `retries`; how often is told."""
    task = lab.tasks.Once(3)
    assert dict(run_tasks([task], retries=1, n=1, progress=False)) == {task: 3}
    assert (lab.calls("Once"), lab.statuses()) == (2, {"finished": 1, "killed": 1})


def test_retries_end(lab):
    """A task that dies each time is told once."""
    with pytest.raises(WorkerError, match="1 of 1 task failed") as raised:
        list(run_tasks([lab.tasks.Harm("exit")], retries=2, n=1, progress=False))
    [failed] = raised.value.failures
    assert "exit status 7" in str(failed.error)
    assert lab.calls("Harm") == 3


def test_a_worker_that_is_killed_while_it_starts_is_replaced(lab):
    """It held nothing, so nothing is lost."""
    lab.tasks.Square(3).save(lab.todo)
    process = lab.start()
    deadline = time.monotonic() + 60
    while not (workers := children(process.pid)):
        assert time.monotonic() < deadline
    os.kill(workers[0], signal.SIGKILL)
    assert process.communicate(timeout=60)[1] == ""
    assert (process.returncode, lab.statuses()) == (0, {"finished": 1})


@pytest.mark.slow
def test_killed_workers_cost_their_tasks_alone(lab):
    """A worker is killed every second during 500 tasks; a second command finishes what was killed."""
    for x in range(500):
        lab.tasks.Slow(x).save(lab.todo)
    process = lab.start("-n2")
    n_killed = 0
    ended = threading.Event()

    def kill_workers():
        nonlocal n_killed
        while not ended.wait(1.0):
            workers = children(process.pid)
            if workers:
                os.kill(workers[n_killed % len(workers)], signal.SIGKILL)
                n_killed += 1

    killer = threading.Thread(target=kill_workers)
    killer.start()
    _, err = process.communicate(timeout=300)
    ended.set()
    killer.join()
    n_left = len(list(lab.todo.iterdir()))
    assert process.returncode == 1
    assert n_killed >= n_left > 0
    assert err.count("the worker was ended by signal 9 (SIGKILL)") >= n_left  # some had removed their file
    again = lab.start("-n2")
    assert again.communicate(timeout=60)
    assert (again.returncode, list(lab.todo.iterdir())) == (0, [])
    statuses = lab.statuses()
    assert (statuses["finished"], set(statuses)) == (500, {"finished", "killed"})


@pytest.mark.slow
def test_two_commands_over_five_hundred_files_do_each_once(lab):
    """They share the work: neither fails, nothing is computed twice."""
    for x in range(500):
        lab.tasks.Square(x).save(lab.todo)
    both = [lab.start("-n2", "-q") for _ in range(2)]
    assert [(process.communicate(timeout=200)[1], process.returncode) for process in both] == [("", 0)] * 2
    assert (lab.calls("Square"), lab.statuses()) == (500, {"finished": 500})
    assert list(lab.todo.iterdir()) == []


def test_a_worker_whose_parent_is_killed_ends(lab):
    """Though its task goes on when it is asked to stop."""
    lab.tasks.Harm("hang").save(lab.todo)
    process = lab.start()
    deadline = time.monotonic() + 60
    while not lab.calls("Harm"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = children(process.pid)
    process.kill()
    process.communicate()
    while any(map(lives, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def children(pid):
    """Processes that `pid` started."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def lives(pid):
    facts = process_facts(pid)
    return facts is not None and not facts.has_ended
