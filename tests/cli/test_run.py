"""`smttask run` as a user meets it, in processes of its own."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from smttask.testing import scratch_project

TASKS = """
import signal
import time
from pathlib import Path
from smttask import RecordedTask

MARK = Path(__file__).parent / ".smt" / "begun"

@RecordedTask
def Square(x: int) -> int:
    print("printed by the task")
    return x * x

@RecordedTask
def Fail(x: int) -> int:
    raise ValueError(f"no {x}")

@RecordedTask
def Wait(stubborn: bool) -> int:
    MARK.touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        if not stubborn:
            raise
        time.sleep(60)
    return 1

@RecordedTask
def Miss() -> int:
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(True))
    MARK.touch()
    while not heard:
        time.sleep(0.01)
    signal.signal(signal.SIGTERM, before)
    time.sleep(60)
    return 1
"""


class Lab:
    """A scratch project with a folder of description files."""

    def __init__(self, scratch):
        self.root, self.project, self.write = scratch.root, scratch.project, scratch.write
        self.tasks = scratch.load("tasks")
        self.scratch = scratch

    def save(self, *tasks):
        return [str(task.save(self.root / "todo").relative_to(self.root)) for task in tasks]

    def run(self, *args):
        return self.scratch.smttask("run", *args, check=False)

    @property
    def left(self):
        return sorted(path.name.partition("__")[0] for path in (self.root / "todo").iterdir())

    @property
    def records(self):
        return list(self.project.records.records())

    def start(self, *args):
        """The command in a process group of its own, once its first task runs."""
        command = [sys.executable, "-m", "smttask", "run", *args]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=self.root, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        deadline = time.monotonic() + 60
        while not (self.root / ".smt" / "begun").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        return process


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch)


def test_all_well(lab):
    """A line for each task, a summary, exit status 0, no files left; what tasks print is not shown."""
    lab.save(lab.tasks.Square(x=2), lab.tasks.Square(x=3))
    done = lab.run("-n2", "todo")
    assert (done.returncode, done.stderr) == (0, "")
    *lines, last = (line for line in done.stdout.splitlines() if not line.startswith("slowest: "))
    assert [line.partition("Square__")[0] for line in lines] == ["[1/2] computed ", "[2/2] computed "]
    assert last.startswith("2 tasks: 2 computed in ")
    assert lab.left == []


def test_a_failure_is_named_at_the_end(lab):
    """Exit status 1; the file stays and stands in the summary with its error, and where that came up."""
    [failing] = lab.save(lab.tasks.Fail(x=1))
    lab.save(lab.tasks.Square(x=1))
    done = lab.run("-q", "todo")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "1 of 2 tasks failed; its file stays:",
        f"  {failing}: ValueError: no 1",
        f"    at {lab.root / 'tasks.py'}, line 16",
        "-v shows the tracebacks.",
    ]
    assert lab.left == ["Fail"]


def test_verbose_shows_output_and_tracebacks(lab):
    """`-v` for those who want to see all."""
    lab.save(lab.tasks.Fail(x=1), lab.tasks.Square(x=1))
    done = lab.run("-v", "todo")
    assert "printed by the task" in done.stdout.splitlines()
    assert "Traceback (most recent call last):" in done.stderr
    assert "in Fail" in done.stderr


def test_dry_run_tells_hits_from_misses(lab):
    """Nothing is run, nothing is removed, and an unreadable file is an error."""
    hit, miss = lab.save(lab.tasks.Square(x=1), lab.tasks.Square(x=2))
    assert lab.run("--keep", hit).returncode == 0
    done = lab.run("--dry-run", hit, miss, "gone.taskdesc.json")
    assert done.returncode == 0
    first, second, *details, last = done.stdout.splitlines()
    assert (first, last) == (f"hit   {hit}", "gone  gone.taskdesc.json")
    assert second == f"miss  {miss}: not run with these inputs; the nearest run differs in x"
    assert details[1:] == ["      x: 1 -> 2"]
    (lab.root / miss).write_text("{")
    done = lab.run("--dry-run", "-r", "todo")
    assert done.returncode == 1
    assert set(done.stdout.splitlines()) == {f"hit   {hit}", f"error {miss}"}
    assert f"Description {miss} is not whole JSON." in done.stderr


def test_options_reach_the_record(lab):
    """`--reason`, `--record-store` relative to where the command is given, and `-r`."""
    lab.save(*(lab.tasks.Square(x=x) for x in range(3)))
    names = sorted(os.listdir(lab.root / "todo"))
    done = lab.run("-r", "--reason", "because", "--record-store", "other.db", "todo")
    assert done.returncode == 0, done.stderr
    order = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("[")]
    assert order == [name.removesuffix(".taskdesc.json") for name in reversed(names)]
    assert lab.records == []
    other = lab.project.records_at(lab.root / "other.db")
    assert {record.reason for record in other.records()} == {"because"}


def test_no_record_leaves_the_files(lab):
    """It implies `--keep`, without a word about it."""
    lab.save(lab.tasks.Square(x=1))
    done = lab.run("--no-record", "todo")
    assert (done.returncode, done.stderr, lab.left, lab.records) == (0, "", ["Square"], [])


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["-n", "0", "todo"], 2, "0 is not in the range x>=1"),
        (["-n", "many", "todo"], 2, "'many' is not a valid integer"),
        ([], 2, "Missing argument 'PATHS...'"),
        (["--wait", "1x", "todo"], 2, "'1x' is no duration; write it as 45s, 1h30m or 2d"),
        (["--wait", "", "todo"], 2, "'' is no duration"),
        (["nowhere"], 1, "Error: There is no file or folder nowhere.\n  searched from: "),
        (
            ["todo"],
            1,
            "There are no description files to run.\n  searched: todo for *.taskdesc.json\n  task.save(",
        ),
        (["--dry-run", "todo"], 1, "Error: There are no description files to run."),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, args, status, message):
    """Wrong usage is exit status 2; paths without tasks are an error with a way out."""
    (tmp_path / "todo").mkdir()
    command = [sys.executable, "-m", "smttask", "run", *args]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr


def test_errors_of_the_start_are_one_message(lab):
    """A missing module is told once, not by every worker."""
    lab.save(lab.tasks.Square(x=1), lab.tasks.Square(x=2))
    done = lab.run("-n2", "--import", "no_such", "todo")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "Error: Module 'no_such' cannot be imported."
    assert done.stderr.count("no_such") == 2


def test_uncommitted_changes_are_explained_once(lab):
    """However many tasks are refused for one reason."""
    lab.save(lab.tasks.Square(x=1), lab.tasks.Square(x=2))
    lab.write({"tasks.py": TASKS + "\nNEW = 1\n"}, commit=False)
    done = lab.run("todo")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert sum(line.startswith("  todo/Square__") for line in lines) == 2
    assert sum("tasks.py" in line for line in lines) == 1


def test_from_anywhere(lab, tmp_path):
    """The project is found from the files where the working directory is in none."""
    lab.save(lab.tasks.Square(x=1))
    command = [sys.executable, "-m", "smttask", "run", "lab/todo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [record.status for record in lab.records] == ["finished"]


def test_two_commands_share_one_folder(lab):
    """Each task is done once, and neither command fails."""
    lab.save(*(lab.tasks.Square(x=x) for x in range(30)))
    command = [sys.executable, "-m", "smttask", "run", "-q", "todo"]
    both = [subprocess.Popen(command, cwd=lab.root, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(process.communicate()[1], process.returncode) for process in both] == [("", 0)] * 2
    assert [record.status for record in lab.records] == ["finished"] * 30
    assert lab.left == []


def test_wait_delays_the_start(lab):
    """It says when it will begin."""
    lab.save(lab.tasks.Square(x=1))
    done = lab.run("--wait", "1s", "todo")
    assert done.returncode == 0
    assert done.stdout.startswith("Starting at ")


def test_pdb_stops_where_the_task_failed(lab):
    """One process; after the debugger the next file is run."""
    lab.save(lab.tasks.Fail(x=41), lab.tasks.Square(x=1))
    command = [sys.executable, "-m", "smttask", "run", "-n4", "--pdb", "todo"]
    done = subprocess.run(
        command, cwd=lab.root, input="p x + 1\nq\n", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "(Pdb) 42" in done.stdout
    assert "2 tasks: 1 computed, 1 failed" in done.stdout


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_running_tasks_and_keeps_their_files(lab, number, status):
    """Their records say killed, and what was not begun is counted."""
    lab.save(lab.tasks.Wait(stubborn=False))
    lab.save(lab.tasks.Square(x=1))
    process = lab.start("-r", "todo")
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert ": stopped" in err
    assert "1 file is not begun." in err
    assert [record.status for record in lab.records] == ["killed"]
    assert lab.left == ["Square", "Wait"]


def test_ctrl_c_in_a_terminal_reaches_parent_and_workers(lab):
    """The whole group gets the signal, workers twice; the record says killed all the same."""
    lab.save(lab.tasks.Wait(stubborn=False), lab.tasks.Square(x=1))
    process = lab.start("-r", "todo")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert ": stopped" in err
    assert "killed" in [record.status for record in lab.records]
    assert "Wait" in lab.left


def test_a_task_that_missed_the_signal_is_asked_again(lab):
    """One that arrives just before a blocking call interrupts nothing; the next one does."""
    lab.save(lab.tasks.Miss())
    process = lab.start("todo")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert ": stopped" in err
    assert [record.status for record in lab.records] == ["killed"]


def test_a_second_ctrl_c_ends_a_stubborn_task_at_once(lab):
    """A task that goes on after the first signal dies with its worker."""
    lab.save(lab.tasks.Wait(stubborn=True))
    process = lab.start("todo")
    process.send_signal(signal.SIGINT)
    assert "once more (Ctrl-C) ends at once" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, lab.left) == (130, ["Wait"])
    assert "ended at once" in err


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a task that runs when the parent dies is completed"
)
def test_killing_the_parent_stops_the_workers(lab):
    """Also kill -9: the record of the running task says killed."""
    lab.save(lab.tasks.Wait(stubborn=False))
    process = lab.start("todo")
    process.kill()
    process.communicate(timeout=30)
    deadline = time.monotonic() + 30
    while [record.status for record in lab.records] != ["killed"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_terminal_gets_a_live_table(lab):
    """Running tasks and a bar while it lasts; what remains is the summary, and nothing that tasks print."""
    lab.save(lab.tasks.Square(x=1), lab.tasks.Fail(x=1))
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "smttask", "run", "-n2", "todo"]
    able = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        command, cwd=lab.root, stdin=follower, stdout=follower, stderr=follower, env=able
    )
    os.close(follower)
    shown = b""
    try:
        while data := os.read(leader, 65536):
            shown += data
    except OSError:  # how Linux tells that the other side is closed
        pass
    os.close(leader)
    assert process.wait(timeout=30) == 1
    text = shown.decode()
    for part in ("0/2", "ValueError: no 1", "2 tasks: 1 computed, 1 failed"):
        assert part in text
    assert "printed by the task" not in text
