"""`smttask tasker menu` and `monitor`, as a shell calls them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

TASKFILE = """
from smttask import tasker

def use(dir):
    t = tasker.Tasker(dir)

    @t.stores(tasker.JSON("size.json"))
    def size(tsk):
        "Size of the movie."
        return len(list(tsk.progress.tally(range(3), info="frames")))

    @t.stores("size.txt")
    def text(tsk, size=size):
        tsk.output_files[0].write_text(str(size))

    return t
"""


@pytest.fixture
def experiment(tmp_path):
    """Two folders; in the first, `size` is done."""
    (tmp_path / "taskfile_sub.py").write_text(TASKFILE)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    code = "from smttask import tasker; tasker.use('a').size()"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    return tmp_path


def smttask(experiment, *args):
    command = [sys.executable, "-m", "smttask", "tasker", *args]
    return subprocess.run(command, cwd=experiment, capture_output=True, text=True, check=False)


def test_the_menu_of_folders_marks_what_is_done(experiment):
    """As that of the Tasker does; --why says why the others are not."""
    done = smttask(experiment, "menu", "a", "b")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.split("\n\n")
    assert first.splitlines() == [
        f"Tasks for {experiment / 'a'}:",
        "Done?  Name  Description",
        "  +    size  Size of the movie.",
        "       text",
    ]
    assert second.startswith(f"Tasks for {experiment / 'b'}:")
    assert len(smttask(experiment, "menu", "--why", "b").stdout.splitlines()) == 6


def test_the_menu_as_json_has_a_line_for_each_task(experiment):
    """With the reason, if it is stale, and what it stores."""
    size, text = map(json.loads, smttask(experiment, "menu", "--json", "a").stdout.splitlines())
    assert size == {
        "dir": str(experiment / "a"),
        "task": "size",
        "is_done": True,
        "why": "",
        "remark": "",
        "description": "Size of the movie.",
        "outputs": [str(experiment / "a" / "size.json")],
    }
    assert (text["task"], text["is_done"], bool(text["why"])) == ("text", False, True)


def test_a_folder_whose_taskfile_fails_does_not_hide_the_others(experiment):
    """Its error goes to stderr, with the line of the taskfile, and the exit status is 1."""
    (experiment / "b" / "taskfile.py").write_text("def use(dir):\n    1 / 0\n")
    done = smttask(experiment, "menu", "b", "gone", "a")
    assert done.returncode == 1
    assert done.stdout.lstrip().startswith(f"Tasks for {experiment / 'a'}:")
    assert "b: ZeroDivisionError: division by zero\n" in done.stderr
    assert f'File "{experiment / "b" / "taskfile.py"}", line 2, in use\n      1 / 0' in done.stderr
    assert f"for the folder {experiment / 'b'}" in done.stderr
    assert f"There is no folder: {experiment / 'gone'}." in done.stderr


def test_a_menu_with_nothing_to_show_is_no_menu(experiment):
    """A taskfile may define no tasks."""
    (experiment / "b" / "taskfile.py").write_text(TASKFILE.partition("    @t")[0] + "    return t\n")
    assert smttask(experiment, "menu", "--json", "b").stdout == ""
    assert len(smttask(experiment, "menu", "b", "taskfile_sub.py").stdout.splitlines()) == 2


def test_the_menu_takes_other_names_of_taskfiles(experiment):
    """As `use` does."""
    (experiment / "taskfile_sub.py").rename(experiment / "mine.py")
    assert smttask(experiment, "menu", "a").returncode == 1
    done = smttask(experiment, "menu", "--taskfile-sub", "mine.py", "a")
    assert done.stdout.startswith(f"Tasks for {experiment / 'a'}:")
    assert smttask(experiment, "menu", "--taskfile", str(experiment / "mine.py"), "a").returncode == 0


def test_a_monitor_shows_once_as_a_table_or_as_json(experiment):
    """Times are seconds there."""
    head, first, second = smttask(experiment, "monitor", "--once", "a", "b").stdout.splitlines()
    assert head.split()[:4] == ["dir", "task", "since_update", "status"]
    assert first.split()[:2] == ["a", "size"]
    assert " done " in first
    assert second == "b"
    row, empty = map(json.loads, smttask(experiment, "monitor", "--json", "a", "b").stdout.splitlines())
    assert (row["task"], row["status"], row["current"], row["total"]) == ("size", "done", 3, 3)
    assert row["since_update"] > 0
    assert (empty["dir"], empty["status"], empty["since_update"]) == ("b", "", None)


def test_a_monitor_runs_until_ctrl_c(experiment):
    """That is no failure."""
    command = [sys.executable, "-m", "smttask", "tasker", "monitor", "--interval", "1s", "a"]
    with subprocess.Popen(command, cwd=experiment, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert (process.returncode, lines[3].split()[0]) == (0, "dir")


SLOW = """
import time
from pathlib import Path
from smttask import tasker
import beside

def use(dir):
    t = tasker.Tasker(dir)

    @t.stores(tasker.JSON("n.json"))
    def count(tsk):
        for n in tsk.progress.tally(range(4), info="frames"):
            while n == 2 and not (t.p.parent / "go").exists():
                time.sleep(0.02)
            time.sleep(0.3)
        return beside.one

    return t
"""


def running_works(experiment):
    """What `smttask status` says of the works that run."""
    command = [sys.executable, "-m", "smttask", "status", "--json"]
    done = subprocess.run(command, cwd=experiment, capture_output=True, check=True)
    return [work for run in json.loads(done.stdout)["runs"] for work in run["running"]]


def test_a_run_in_workers_is_seen_by_the_monitor_and_by_status(experiment):
    """What a task says goes to both; what lies beside the taskfile is found there, and left clean."""
    (experiment / "taskfile_sub.py").write_text(SLOW)
    (experiment / "beside.py").write_text("one = 1\n")
    command = [sys.executable, "-m", "smttask", "tasker", "run", "-n1", "b"]
    with subprocess.Popen(
        command, cwd=experiment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        deadline, row, running = time.monotonic() + 60, {}, []
        try:
            while row.get("current") != 2 or not running or running[0]["progress"] is None:
                assert time.monotonic() < deadline
                [row] = map(json.loads, smttask(experiment, "monitor", "--json", "b").stdout.splitlines())
                running = running_works(experiment)
        finally:
            (experiment / "go").touch()
        process.stdout.read()
    assert process.returncode == 0
    assert (row["task"], row["status"], row["total"], row["info"]) == ("count", "working", 4, "frames")
    assert running[0]["progress"]["text"].endswith(" of 4 frames")
    assert (experiment / "b" / "n.json").read_text() == "1\n"
    assert not list(experiment.rglob("__pycache__"))


def test_a_monitor_of_a_folder_that_does_not_exist_is_an_error(experiment):
    """One message, and exit status 1."""
    done = smttask(experiment, "monitor", "gone")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: There is no folder gone.\n")


@pytest.mark.parametrize("command", ["menu", "report", "clear --yes", "run --dry-run", "monitor"])
def test_json_names_any_folder(experiment, command):
    """Also one whose name is no UTF-8, where the terminal takes nothing else."""
    folder = os.fsdecode(b"movie\xff")
    os.rename(experiment / "a", experiment / folder)
    env = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    line = [sys.executable, "-m", "smttask", "tasker", *command.split(), "--json", folder]
    done = subprocess.run(line, cwd=experiment, capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(json.loads(text) for text in done.stdout.splitlines())
    assert r"movie\udcff" in done.stdout
