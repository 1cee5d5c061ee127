"""What `smttask run` shows of itself: lines, a table, a page."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from smttask.testing import scratch_project

TASKS = """
import time
import smttask
from smttask import RecordedTask

@RecordedTask
def Count(n: int, bad: bool = False) -> int:
    for step in smttask.progress(range(n), what="steps"):
        time.sleep(0.1)
    if bad:
        raise ValueError("<b>no</b>")
    return n
"""


class Lab:
    def __init__(self, scratch):
        self.scratch, self.root = scratch, scratch.root
        self.tasks = scratch.load("tasks")

    def save(self, *tasks):
        return [task.save(self.root / "todo") for task in tasks]

    def run(self, *args):
        return self.scratch.smttask("run", *args, "todo", check=False)

    def in_terminal(self, *args, columns=120, kind="xterm"):
        """What is shown in a terminal."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        command = [sys.executable, "-m", "smttask", "run", *args, "todo"]
        # pytest's own workers may be told a width for what they print
        env = {name: text for name, text in os.environ.items() if name not in ("COLUMNS", "LINES")}
        env["TERM"] = kind
        process = subprocess.Popen(
            command, cwd=self.root, stdin=theirs, stdout=theirs, stderr=theirs, env=env
        )
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 65536):
                shown += data
        except OSError:  # how Linux tells that the other side is closed
            pass
        os.close(ours)
        process.wait(timeout=30)
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch)


def test_lines_at_intervals_say_how_far_all_is(lab):
    """For logs of batch systems: not a line for each file."""
    lab.save(lab.tasks.Count(n=35), lab.tasks.Count(n=1))
    done = lab.run("--progress-interval", "1s")
    *lines, last = (line for line in done.stdout.splitlines() if not line.startswith("slowest: "))
    assert last.startswith("2 tasks: 2 computed in ")
    assert all(re.match(r"\[[012]/2\] [01] running; ", line) for line in lines)
    assert any("longest: Count__" in line and " of 35 steps" in line for line in lines)
    assert len(lines) >= 2


def test_a_terminal_shows_how_far_each_task_is_and_why_it_runs(lab):
    """In the table; narrower ones show less."""
    lab.save(lab.tasks.Count(n=15), lab.tasks.Count(n=16))
    shown = lab.in_terminal("-n2", columns=140)
    for part in ("worker 1", "worker 2", "never run", " of 16 steps", " of 15 steps", " MB", "2 running"):
        assert part in shown
    lab.save(lab.tasks.Count(n=17))
    shown = lab.in_terminal(columns=40)
    assert "worker 1" not in shown
    assert re.search(r"Count__[0-9a-f]{6} +\d+%", shown)


def test_an_interval_is_for_terminals_too(lab):
    """Lines, and no table; those that cannot draw over what was shown get lines in any case."""
    lab.save(lab.tasks.Count(n=15))
    shown = lab.in_terminal("--progress-interval", "1s")
    assert "[0/1] 1 running; " in shown
    assert "worker" not in shown
    lab.save(lab.tasks.Count(n=1))
    assert lab.in_terminal(kind="dumb").startswith("[1/1] computed Count__")


def test_the_slowest_are_named_at_the_end(lab):
    """If there are several, and some took a second."""
    lab.save(lab.tasks.Count(n=15), lab.tasks.Count(n=12))
    *_, slowest, last = lab.run("-n2").stdout.splitlines()
    assert re.fullmatch(r"slowest: Count__\w{6} [\d.]+ s, Count__\w{6} [\d.]+ s", slowest)
    assert last.startswith("2 tasks: 2 computed")


def test_a_report_is_a_page(lab):
    """With the failures, their tracebacks, and why each task ran."""
    lab.save(lab.tasks.Count(n=1), lab.tasks.Count(n=2, bad=True))
    done = lab.run("--report", "page.html")
    assert done.returncode == 1
    page = (lab.root / "page.html").read_text()
    assert "2 tasks: 1 computed, 1 failed" in page
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in page
    assert "Traceback (most recent call last)" in page
    assert "never run" in page
    assert "smttask run --report page.html todo" in page


def test_a_report_that_cannot_be_written_is_refused_at_once(lab):
    """Nothing is run."""
    [path] = lab.save(lab.tasks.Count(n=1))
    done = lab.run("--report", "no/page.html")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The report no/page.html cannot be written.\n")
    assert path.exists()
    assert not (lab.root / ".smt" / "runs").exists()


def test_a_run_that_cannot_begin_leaves_no_status(lab):
    """As one that is told to import what is not there."""
    lab.save(lab.tasks.Count(n=1))
    assert lab.run("--import", "no_such").returncode == 1
    assert list((lab.root / ".smt" / "runs").iterdir()) == []


def test_the_parent_of_workers_needs_little(lab):
    """It imports neither numpy nor the project's modules, with a report too."""
    lab.save(lab.tasks.Count(n=1))
    code = (
        "import sys; sys.argv = ['smttask', 'run', '--report', 'page.html', 'todo']\n"
        "from smttask.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "assert not {'numpy', 'pydantic', 'pandas', 'tasks'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=lab.root, check=True, capture_output=True)
