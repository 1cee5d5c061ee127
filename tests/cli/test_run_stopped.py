"""`smttask run` when it is stopped, as a user and a batch system do it."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time

import pytest

from smttask.testing import scratch_project

TASKS = """
import os, signal, time
from pathlib import Path
from smttask import RecordedTask

SMT = Path(__file__).parent / ".smt"

@RecordedTask
def Wait(x: int, stubborn: bool = False) -> int:
    (SMT / f"begun{x}").touch()
    while not (SMT / "go").exists():
        try:
            time.sleep(60 if stubborn else 0.05)
        except KeyboardInterrupt:
            if not stubborn:
                raise
    return x
"""


class Lab:
    """A project with description files, and the command in a session of its own."""

    def __init__(self, scratch):
        self.scratch, self.root = scratch, scratch.root
        self.tasks = scratch.load("tasks")
        self.process = None

    def save(self, n, **more):
        for x in range(n):
            self.tasks.Wait(x=x, **more).save(self.root / "todo")

    def start(self, *args, n_begun=1, terminal=None):
        streams = subprocess.PIPE if terminal is None else terminal
        self.process = subprocess.Popen(
            [sys.executable, "-m", "smttask", "run", *args, "todo"],
            cwd=self.root,
            stdin=terminal,
            stdout=streams,
            stderr=streams,
            text=True,
            start_new_session=True,
            preexec_fn=None if terminal is None else lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        deadline = time.monotonic() + 60
        while len(list((self.root / ".smt").glob("begun*"))) < n_begun:
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.02)
        return self.process

    def again(self):
        """Run what is left, with tasks that end now."""
        (self.root / ".smt" / "go").touch()
        return self.scratch.smttask("run", "-n2", "todo", check=False)

    @property
    def n_files(self):
        return len(list((self.root / "todo").iterdir()))

    @property
    def statuses(self):
        return sorted(record.status for record in self.scratch.project.records.records())


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        made = Lab(scratch)
        yield made
        if made.process is not None and made.process.poll() is None:
            os.killpg(made.process.pid, signal.SIGKILL)
            made.process.wait()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_what_is_stopped_is_killed_in_its_record_and_continued_by_the_same_command(lab, number, status):
    """All files stay; what was stopped, and what was not begun, is said; the next run does them all."""
    lab.save(5)
    process = lab.start("-n2", n_begun=2)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert "Stopping 2 running tasks; once more (Ctrl-C) ends at once." in err
    assert "2 of 2 tasks were stopped; their files stay:" in err
    assert err.count(".taskdesc.json: stopped\n") == 2
    assert err.endswith(
        "3 files are not begun.\n"
        "What was stopped has no result; what was finished is stored. The same command continues.\n"
    )
    assert out.splitlines()[-1].startswith("2 tasks: 2 killed in ")
    assert (lab.n_files, lab.statuses) == (5, ["killed", "killed"])
    assert lab.again().returncode == 0
    assert (lab.n_files, lab.statuses) == (0, ["finished"] * 5 + ["killed"] * 2)


def test_a_second_ctrl_c_ends_tasks_that_do_not_listen(lab):
    """At once: no worker is left, the files stay, and the next run does them all."""
    lab.save(3, stubborn=True)
    process = lab.start("-n2", n_begun=2)
    process.send_signal(signal.SIGINT)
    assert "once more (Ctrl-C) ends at once" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.count(".taskdesc.json: ended at once\n") == 2
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert (lab.n_files, lab.statuses) == (3, ["killed", "killed"])
    assert lab.again().returncode == 0
    assert (lab.n_files, lab.statuses) == (0, ["finished"] * 3 + ["killed"] * 2)


def test_a_terminal_that_is_closed_stops_the_run_in_order(lab):
    """The command cannot write any more, and closes its records all the same."""
    lab.save(3)
    ours, theirs = pty.openpty()
    process = lab.start("-n2", n_begun=2, terminal=theirs)
    os.close(theirs)
    os.close(ours)
    assert process.wait(timeout=30) == 129
    assert (lab.n_files, lab.statuses) == (3, ["killed", "killed"])


def test_a_pipe_that_is_cut_stops_nothing(lab):
    """As by `smttask run … | head -1`: the tasks are done, in silence."""
    lab.save(3)
    process = lab.start()
    process.stdout.close()
    (lab.root / ".smt" / "go").touch()
    _, err = process.communicate(timeout=60)
    assert (lab.n_files, lab.statuses) == (0, ["finished"] * 3)
    assert err == ""


def test_a_run_without_streams_does_its_work(lab):
    """As daemons have it: closed, not merely led nowhere; no file gets what would be printed."""
    lab.save(2)
    (lab.root / ".smt" / "go").touch()
    command = f'exec "{sys.executable}" -m smttask run -n2 todo <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], cwd=lab.root, check=False, timeout=60).returncode == 0
    assert (lab.n_files, lab.statuses) == (0, ["finished"] * 2)


def test_a_run_in_the_background_of_nohup_outlives_its_terminal(lab):
    """A signal that is ignored stays ignored."""
    lab.save(1)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = lab.start()
    finally:
        signal.signal(signal.SIGHUP, before)
    os.killpg(process.pid, signal.SIGHUP)
    (lab.root / ".smt" / "go").touch()
    process.communicate(timeout=60)
    assert (process.returncode, lab.statuses) == (0, ["finished"])
