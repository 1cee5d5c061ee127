"""`smttask status`, beside a real run in another process."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from smttask.testing import scratch_project

TASKS = """
import time
from pathlib import Path
import smttask
from smttask import RecordedTask

GO = Path(__file__).parent / ".smt" / "go"

@RecordedTask
def Wait(x: int, bad: bool = False) -> int:
    for step in smttask.progress(range(10), what="steps"):
        while step == 5 and not GO.exists():
            time.sleep(0.02)
        time.sleep(0.05)
    if bad:
        raise ValueError("[red]no[/red]")
    return x
"""


class Lab:
    def __init__(self, scratch):
        self.scratch, self.root = scratch, scratch.root
        self.tasks = scratch.load("tasks")
        self.processes = []

    def save(self, *tasks):
        return [task.save(self.root / "todo") for task in tasks]

    def start(self, *args, stdout=subprocess.PIPE):
        """The command, once a task of it says how far it is."""
        command = [sys.executable, "-m", "smttask", "run", *args, "todo"]
        process = subprocess.Popen(
            command, cwd=self.root, stdout=stdout, stderr=stdout, text=True, start_new_session=True
        )
        self.processes.append(process)
        deadline = time.monotonic() + 60
        while not any(
            work["progress"] and work["memory_bytes"] for run in self.told["runs"] for work in run["running"]
        ):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        return process

    def go(self):
        """Let the tasks end."""
        (self.root / ".smt" / "go").touch()

    def status(self, *args):
        return self.scratch.smttask("status", *args, check=False)

    @property
    def running(self):
        return [work for run in self.told["runs"] for work in run["running"]]

    @property
    def told(self):
        return json.loads(self.status("--json", "todo").stdout)


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        made = Lab(scratch)
        yield made
        for process in made.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def test_another_terminal_sees_what_runs_and_what_waits(lab):
    """Who, since when, which task, how far it is, its memory and why it runs."""
    lab.save(*(lab.tasks.Wait(x=x) for x in range(3)))
    process = lab.start("-n1")
    told = lab.told
    assert (told["n_running"], told["n_waiting"], told["n_failed"]) == (1, 2, 0)
    [run] = told["runs"]
    assert (run["pid"], run["state"], run["n_planned"]) == (process.pid, "running", 3)
    [work] = run["running"]
    assert 0 < work["progress"]["share"] <= 0.5
    assert work["memory_bytes"] > 10**7
    assert work["reason"] == "never run"
    first, state, who, numbers, task = lab.status("todo").stdout.splitlines()
    assert first == f"{lab.root / 'todo'}: 1 running, 2 waiting"
    assert state.startswith("running for ")
    assert state.endswith(": smttask run -n1 todo")
    assert f"process {process.pid}, since 20" in who
    assert "0/3" in numbers
    assert "░░░░░" in task
    assert " of 10 steps  " in task
    assert task.endswith(" MB  never run")
    lab.go()
    assert process.wait(timeout=60) == 0
    assert lab.status("todo").stdout.splitlines()[0] == f"{lab.root / 'todo'}: 0 waiting"


def test_what_failed_stays_to_be_seen(lab):
    """With its error, until it is run again."""
    [path] = lab.save(lab.tasks.Wait(x=1, bad=True))
    lab.go()
    lab.scratch.smttask("run", "todo", check=False)
    shown = lab.status().stdout
    assert "0 waiting, 1 failed" in shown
    assert "1/1  1 failed  in " in shown
    assert shown.endswith(f"failed:\n  {path}: ValueError: [red]no[/red]\n")


def test_a_command_with_many_paths_is_cut(lab):
    """Its beginning is shown, and the last path; --json has all of it."""
    lab.go()
    saved = lab.save(*(lab.tasks.Wait(x=x) for x in range(6)))
    paths = [os.path.relpath(path, lab.root) for path in saved]
    lab.scratch.smttask("run", "--keep", *paths)
    _, line, *_ = lab.status("todo").stdout.splitlines()
    assert ": smttask run --keep todo/Wait__" in line
    assert line.endswith(f".taskdesc.json … {paths[-1]}")
    assert len(line.partition(": ")[2]) <= 160
    assert lab.told["runs"][0]["command"] == ["smttask", "run", "--keep", *paths]


def test_a_run_that_was_killed_is_told(lab):
    """Its files wait for another one."""
    lab.save(lab.tasks.Wait(x=1))
    process = lab.start()
    process.kill()
    process.communicate()
    shown = lab.status("todo").stdout
    assert "todo: 1 waiting\nkilled after 20" in shown
    assert "it ran 1 task, whose files are still there: run it again" in shown


def test_a_stopped_run_is_told(lab):
    """With the signal that stopped it."""
    lab.save(lab.tasks.Wait(x=1))
    process = lab.start()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    shown = lab.status("todo").stdout
    assert "stopped by signal 15: smttask run todo" in shown
    assert ": stopped\n" in shown


def test_many_tasks_are_named_only_if_asked(lab):
    """Twenty, or all."""
    lab.save(*(lab.tasks.Wait(x=x, bad=True) for x in range(21)))
    (lab.root / "tasks.py").write_text("def broken(:")
    lab.scratch.smttask("run", "todo", check=False)
    assert lab.status("todo").stdout.endswith("  and 1 more; --all names them\n")
    assert len(lab.status("--all", "todo").stdout.splitlines()) == 5 + 21


def test_watching_goes_on_until_ctrl_c(lab):
    """JSON: one object a line; text in a terminal: over the one before."""
    command = [sys.executable, "-m", "smttask", "status", "--watch", "--interval", "1s"]
    process = subprocess.Popen([*command, "--json"], cwd=lab.root, stdout=subprocess.PIPE, text=True)
    assert [json.loads(process.stdout.readline())["runs"] for _ in range(2)] == [[], []]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=lab.root, stdout=theirs)
    os.close(theirs)
    assert os.read(ours, 100).startswith(b"\x1b[H\x1b[2J")
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    os.close(ours)


def test_a_folder_that_is_not_there_is_an_error(lab):
    """It says where it was looked for."""
    done = lab.status("nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no folder nowhere.\n  searched from: ")
    (lab.root / "file").touch()
    assert lab.status("file").returncode == 2


def test_status_needs_little(lab):
    """It starts fast: no numpy, no pydantic, no rich."""
    code = (
        "import sys; from smttask.cli import main; main(['status'], standalone_mode=False); "
        "assert not {'numpy', 'pydantic', 'rich', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=lab.root, check=True, capture_output=True)
