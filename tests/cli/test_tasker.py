"""`smttask tasker` as a user meets it: many folders, in processes of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from smttask.testing import scratch_project

TASKFILE = '''
import os, signal, time
from pathlib import Path
from smttask import tasker

def use(dir):
    t = tasker.Tasker(dir)

    def count(name):
        with open(t.p / f"{name}.calls", "a") as file:
            file.write("x")

    @t.stores(tasker.JSON("number.json"))
    def number(tsk, file="n.txt"):
        """A number."""
        count("number")
        text = Path("n.txt").read_text()
        if text == "wait":
            Path("begun").touch()
            while not Path("go").exists():
                time.sleep(0.01)
            return 0
        if text == "exit":
            raise SystemExit(4)
        if text == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return int(text)

    @t.stores(tasker.JSON("square.json"))
    def square(tsk, number=number):
        count("square")
        print("squaring", number)
        return number**2

    @t.stores("other.txt")
    def other(tsk):
        count("other")
        Path("other.txt").write_text(os.getcwd())

    @t
    def show(tsk, square=square):
        print("it is", square)

    return t
'''


class Lab:
    """Folders of a taskfile above them, and the command."""

    def __init__(self, root, taskfile=TASKFILE):
        self.root = root
        self.write("data/taskfile_sub.py", taskfile)
        self.processes = []

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def folders(self, n, **odd):
        for number in range(n):
            self.write(f"data/run{number}/n.txt", str(number))
        for name, text in odd.items():
            self.write(f"data/{name}/n.txt", text)
        return sorted(
            os.path.join("data", name) for name in os.listdir(self.root / "data") if "." not in name
        )

    def start(self, *words, **options):
        process = subprocess.Popen(
            [sys.executable, "-m", "smttask", "tasker", *words],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
        self.processes.append(process)
        return process

    def __call__(self, *words, status=0):
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, out + err
        assert "Traceback" not in err
        return out, err

    def calls(self, task):
        return {path.parent.name: path.read_text() for path in self.root.glob(f"data/*/{task}.calls")}

    def wait_for(self, path, process):
        while not (self.root / path).exists():
            assert process.poll() is None
            time.sleep(0.02)


@pytest.fixture
def lab(tmp_path):
    made = Lab(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_folders_are_brought_up_to_date_and_found_so_afterwards(lab):
    """Only what is stale runs again: one folder's input is another, and one output is gone."""
    folders = lab.folders(5)
    out, _ = lab("run", "-n2", *folders)
    assert out.splitlines()[-1].startswith("5 folders: 5 computed in ")
    assert (lab.root / "data/run3/square.json").read_text().strip() == "9"
    assert lab("run", "-n2", *folders)[0].splitlines()[-1].startswith("5 folders: 5 found in ")
    lab.write("data/run1/n.txt", "7")
    (lab.root / "data/run2/square.json").unlink()
    assert "5 folders: 2 computed, 3 found in " in lab("run", "-n2", *folders)[0]
    assert [lab.calls("number")[f"run{n}"] for n in range(3)] == ["x", "xx", "x"]
    assert [lab.calls("square")[f"run{n}"] for n in range(3)] == ["x", "xx", "xx"]


def test_only_the_named_tasks_run(lab):
    """With what they depend on; one that stores nothing is called, and what it prints shown by -v."""
    [folder] = lab.folders(1)
    lab("run", "--task", "square", folder)
    assert sorted(os.listdir(lab.root / folder)) == [
        *(".tasker", "n.txt", "number.calls", "number.json", "square.calls", "square.json"),
    ]
    out, _ = lab("run", "-v", "--task", "show", "--task", "other", folder)
    assert "it is 0" in out
    assert (lab.root / folder / "other.txt").read_text() == str(lab.root / folder)


def test_a_name_that_no_task_has_fails_its_folder(lab):
    """With the names that there are, and the nearest."""
    _, err = lab("run", "--task", "sqare", *lab.folders(1), status=1)
    assert "There is no task 'sqare' for" in err
    assert "tasks: number, square, other, show\n    did you mean 'square'?" in err


def test_a_failing_task_stops_only_what_depends_on_it(lab):
    """The message names folder and task; the same command does what failed, and nothing else."""
    out, err = lab("run", "-n2", *lab.folders(2, bad="x1", exiting="exit"), status=1)
    assert "4 folders: 2 computed, 2 failed in " in out
    assert "2 of 4 folders failed:" in err
    assert "data/bad: number: ValueError: invalid literal for int() with base 10: 'x1' (1 left)" in err
    assert "data/exiting: number: SystemExit: 4 (1 left)" in err
    assert (lab.root / "data/bad/other.txt").exists()
    lab.folders(0, bad="3", exiting="4")
    assert "2 computed, 2 found" in lab("run", "-n2", *lab.folders(2, bad="3", exiting="4"))[0]
    assert lab.calls("other") == {"bad": "x", "exiting": "x", "run0": "x", "run1": "x"}


def test_what_is_verbose_shows_the_traceback_of_the_task(lab):
    """With the place where it was."""
    _, err = lab("run", "-q", *lab.folders(0, bad="x1"), status=1)
    assert "invalid literal" in err
    assert f"    at {lab.root}/data/taskfile_sub.py, line 27\n-v shows the tracebacks.\n" in err
    assert "int(text)" not in err
    process = lab.start("run", "-v", *lab.folders(0, bad="x1"))
    _, err = process.communicate(timeout=60)
    assert "return int(text)" in err
    assert f"in task 'number' of {lab.root}/data/bad" in err


def test_folders_that_cannot_be_worked_on_stop_no_other(lab):
    """One that is not there, one without taskfile, one whose taskfile fails; files are passed over."""
    lab.write("elsewhere/n.txt", "1")
    lab.write("broken/taskfile.py", "1/0")
    dirs = [*lab.folders(1), "nowhere", "elsewhere", "broken", "data/taskfile_sub.py"]
    out, err = lab("run", *dirs, status=1)
    assert "4 folders: 1 computed, 3 failed in " in out
    assert "Passed over 1 file: data/taskfile_sub.py" in err
    assert f"nowhere: There is no folder: {lab.root}/nowhere." in err
    assert f"elsewhere: There is no taskfile for {lab.root}/elsewhere." in err
    assert "broken: ZeroDivisionError: division by zero" in err


def test_no_folder_at_all_is_one_message(lab):
    """And nothing else happens."""
    _, err = lab("run", "nowhere", "data/taskfile_sub.py", status=1)
    assert err.startswith("Error: There is no folder nowhere (and 1 more).\n")


@pytest.mark.parametrize("command", ["run", "menu", "report", "monitor", "clear", "unlock"])
def test_an_empty_name_is_not_the_folder_one_is_in(lab, command):
    """A shell variable that is not set clears nothing."""
    process = lab.start(command, "", "data")
    assert "the name of a folder is empty" in process.communicate(timeout=60)[1]
    assert process.returncode == 2


def test_the_taskfile_may_have_another_name(lab):
    """In the folder, or above it."""
    lab.folders(1)
    os.rename(lab.root / "data/taskfile_sub.py", lab.root / "data/below.py")
    assert "There is no taskfile" in lab("run", "data/run0", status=1)[1]
    lab("run", "--taskfile-sub", "below.py", "data/run0")
    lab.write("data/run0/mine.py", TASKFILE)
    assert "1 found" in lab("run", "--taskfile", "mine.py", "data/run0")[0]


def test_recompute_runs_what_is_up_to_date(lab):
    """The named tasks, not what they depend on."""
    lab("run", *lab.folders(1))
    lab("run", "--recompute", "--task", "square", *lab.folders(1))
    assert (lab.calls("square"), lab.calls("number")) == ({"run0": "xx"}, {"run0": "x"})


def test_report_tells_what_is_stale_and_why(lab):
    """As --dry-run does; nothing is run."""
    lab("run", *lab.folders(2))
    lab.write("data/run1/n.txt", "7")
    told = lab("report", *lab.folders(0))[0]
    assert told.splitlines() == [
        "data/run0: up to date",
        "data/run1: 2 stale",
        "  number: 'n.txt' changed",
        "  square: depends on 'number', which is stale",
        "2 folders: 2 stale tasks in 1 folder",
    ]
    assert lab("run", "--dry-run", *lab.folders(0))[0] == told
    assert lab.calls("number") == {"run0": "x", "run1": "x"}


def test_json_of_a_run_is_that_of_a_report(lab):
    """With --dry-run; without, it is wrong usage, and nothing runs."""
    folders = lab.folders(1)
    assert lab("run", "--dry-run", "--json", *folders) == lab("report", "--json", *folders)
    assert "--json needs --dry-run" in lab("run", "--json", *folders, status=2)[1]
    assert lab.calls("number") == {}


def test_report_tells_what_other_code_made(lab):
    """Up to date by the settings, but no secret: with the way to replace it."""
    lab("run", *lab.folders(2))
    lab.write("data/taskfile_sub.py", TASKFILE.replace("number**2", "number**2 + 1"))
    told = lab("report", *lab.folders(0))[0].splitlines()
    assert told[0] == "data/run0: up to date"
    assert told[1].startswith(
        "  square: keeps what other code made: taskfile_sub:use.<locals>.square changed"
    )
    assert told[-1] == (
        "2 folders: up to date; 2 tasks keep what other code made, which `run --recompute` replaces"
    )
    remarks = json.loads(lab("report", "--json", "data/run1")[0])["remarks"]
    assert [each["task"] for each in remarks] == ["square"]


def test_report_is_json_for_scripts(lab):
    """An object for each folder; a folder that cannot be looked at is an error."""
    lab.folders(1)
    out, err = lab("report", "--json", "--task", "number", "data/run0", "nowhere", status=1)
    stale, failed = map(json.loads, out.splitlines())
    assert [each["task"] for each in stale["stale"]] == ["number"]
    assert failed == {"dir": str(lab.root / "nowhere"), "error": f"There is no folder: {lab.root}/nowhere."}
    assert err.startswith("nowhere: There is no folder")


@pytest.mark.parametrize("command", ["run", "report", "menu", "clear"])
def test_taskfiles_import_modules_from_the_root_of_the_project(tmp_path, command):
    """Whatever the command, and the folder that it is called in."""
    taskfile = TASKFILE.replace(
        "import os, signal, time", "import os, signal, time\nfrom analysis import power"
    )
    with scratch_project(tmp_path / "lab", {"analysis.py": "def power(n):\n    return n**2\n"}) as scratch:
        lab = Lab(scratch.root, taskfile)
        lab.folders(1)
        assert "No module named" not in "".join(lab(command, "data/run0"))


@pytest.mark.parametrize("words", [["report"], ["menu"], ["clear", "--dry-run"], ["run", "--dry-run"]])
def test_what_a_taskfile_prints_is_not_among_the_json(lab, words):
    """It goes where messages go."""
    lab.write("data/taskfile_sub.py", f"print('hello')\n{TASKFILE}")
    out, err = lab(*words, "--json", *lab.folders(1))
    assert all(map(json.loads, out.splitlines()))
    assert "hello" in err


def test_clear_deletes_what_tasks_stored_if_told_to(lab):
    """It asks, which needs a terminal or --yes; inputs and other files stay."""
    lab("run", *lab.folders(2))
    out, err = lab("clear", *lab.folders(2), status=1)
    assert "Nobody answered, and nothing was removed." in err
    out, _ = lab("clear", "--dry-run", "--task", "square", *lab.folders(2))
    assert out.splitlines()[-1].startswith("would delete 2 files, ")
    assert (lab.root / "data/run0/square.json").exists()
    assert lab("clear", "--yes", "--task", "square", *lab.folders(2))[0].endswith("cleared 2 tasks\n")
    assert not (lab.root / "data/run0/square.json").exists()
    done = json.loads(lab("clear", "--yes", "--json", *lab.folders(2))[0])
    assert (done["cleared"], done["errors"], len(done["found"])) == (4, {}, 4)
    assert {each["dir"] for each in done["found"]} == {str(lab.root / folder) for folder in lab.folders(0)}
    assert sorted(os.listdir(lab.root / "data/run1"))[:2] == [".tasker", "n.txt"]
    assert lab("clear", "--yes", *lab.folders(2))[0] == "nothing to delete\n"
    assert "stores nothing" in lab("clear", "--task", "show", *lab.folders(1), status=1)[1]


def test_a_running_task_is_neither_cleared_nor_unlocked_unasked(lab):
    """The messages name who runs it."""
    folders = lab.folders(0, run0="wait")
    lab("run", "--task", "other", *folders)
    process = lab.start("run", *folders)
    lab.wait_for("data/run0/begun", process)
    lab.write("data/run0/number.json", "1")
    _, err = lab("clear", "--yes", *folders, status=1)
    assert "is running already" in err
    assert not (lab.root / "data/run0/other.txt").exists()
    out, err = lab("unlock", *folders, status=1)
    assert "number.lock: held by " in out
    assert "Break 1 lock of running tasks? Nobody answered" in err
    assert lab("unlock", "--yes", *folders)[0].endswith("1 lock broken\n")
    lab.write("data/run0/go", "")
    process.communicate(timeout=60)
    assert lab("unlock", *folders)[0] == "nothing is locked\n"
    assert lab("unlock", "nowhere", *folders, status=1) == (
        "nothing is locked\n",
        "There is no folder nowhere.\n",
    )


def test_what_is_stopped_is_left_and_continued_by_the_same_command(lab):
    """Its task is stopped, the rest is not begun, and the exit status is that of Ctrl-C."""
    folders = lab.folders(3, a="wait")
    process = lab.start("run", *folders)
    lab.wait_for("data/a/begun", process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "1 of 1 folder was stopped:\n  data/a: stopped\n3 folders are not begun." in err
    assert lab.calls("number") == {"a": "x"}
    lab.write("data/a/go", "")
    assert "4 folders: 4 computed" in lab("run", "-n2", *folders)[0]
    assert lab.calls("number") == {"a": "xx", "run0": "x", "run1": "x", "run2": "x"}


def test_limits_hold_for_a_folder(lab):
    """One that takes too long is stopped, one that dies with its worker is told; the others are done."""
    out, err = lab("run", "-n2", "--timeout", "2s", *lab.folders(2, slow="wait", dies="kill"), status=1)
    assert "4 folders: 2 computed, 2 killed in " in out
    assert "data/slow: stopped after 2 s, the longest it may take" in err
    assert "data/dies: the worker was ended by signal 9 (SIGKILL)" in err


def test_threads_are_refused_with_the_reason(lab):
    """Since all threads share one working directory."""
    _, err = lab("run", "--executor", "thread", *lab.folders(1), status=2)
    assert "not in threads: tasks run in their own folder, and threads share one" in err


def test_a_page_and_smttask_status_tell_of_folders(lab):
    """The page at the end; the status while it runs, from any folder of the run."""
    folders = lab.folders(1, a="wait")
    process = lab.start("run", "--report", "page.html", *folders)
    lab.wait_for("data/a/begun", process)
    deadline = time.monotonic() + 30
    while True:
        command = [sys.executable, "-m", "smttask", "status", "--json", "data"]
        told = json.loads(subprocess.check_output(command, cwd=lab.root))
        if (told["n_running"], told["n_waiting"]) == (1, 1):
            break
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    [work] = told["runs"][0]["running"]
    assert work["path"] == str(lab.root / "data/a")
    lab.write("data/a/go", "")
    process.communicate(timeout=60)
    page = (lab.root / "page.html").read_text()
    assert "<h1>smttask tasker run</h1>" in page
    assert "<h2>Folders (2)</h2>" in page
    assert not (lab.root / "data/.smttask").exists()


def test_pdb_opens_where_a_task_failed(lab):
    """In one process; quitting goes on with the next folder."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "smttask", "tasker", "run", "--pdb", *lab.folders(1, bad="x1")],
        cwd=lab.root,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lab.processes.append(process)
    os.write(ours, b"p text\nq\n")
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert "(Pdb) 'x1'" in out
    assert "2 folders: 1 computed, 1 failed" in out


def test_runs_are_recorded_where_the_taskers_say_so(tmp_path):
    """In the project around the folders, unless --no-record is given."""
    with scratch_project(tmp_path / "lab") as scratch:
        recorded = TASKFILE.replace("Tasker(dir)", "Tasker(dir, record=True)")
        lab = Lab(scratch.root, recorded)
        lab.write(".gitignore", "run*\n*.calls\n")
        scratch.commit()
        lab.folders(2)
        lab("run", "-n2", "--task", "number", "--no-record", "data/run0")
        lab("run", "-n2", *lab.folders(2))
        told = sorted((record.task, record.status) for record in scratch.project.records.records())
    names = ["number", "other", "other", "square", "square"]
    assert told == [(name, "finished") for name in names]


@pytest.mark.slow
def test_four_commands_over_the_same_folders_run_every_task_once(lab):
    """Each goes on with other folders where one is at work, and all end well."""
    folders = lab.folders(50)
    running = [lab.start("run", "-n1", *folders) for _ in range(4)]
    outs = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 4, outs
    for task in ("number", "square", "other"):
        assert set(lab.calls(task).values()) == {"x"}
        assert len(lab.calls(task)) == 50


@pytest.mark.slow
@pytest.mark.parametrize("options", [["dask"], ["slurm", "--slurm", "cluster=local"]])
def test_folders_run_on_other_executors(lab, options):
    """As they do in processes of this machine; what fails is told the same."""
    folders = lab.folders(6, bad="x1")
    out, err = lab("run", "-n2", "--executor", *options, *folders, status=1)
    assert "7 folders: 6 computed, 1 failed in " in out
    assert "data/bad: number: ValueError" in err
    lab.write("data/bad/n.txt", "3")
    assert "7 folders: 1 computed, 6 found" in lab("run", "-n2", "--executor", *options, *folders)[0]
    assert set(lab.calls("square").values()) == {"x"}


def test_workers_load_no_more_than_the_tasks_need(lab):
    """Neither numpy nor pydantic, nor what smttask's own tasks need."""
    lab.write(
        "data/taskfile_sub.py",
        TASKFILE.replace("def use(dir):", "import sys\ndef use(dir):").replace(
            'print("it is", square)', "print([n for n in ('numpy', 'pydantic', 'git') if n in sys.modules])"
        ),
    )
    out, _ = lab("run", "-v", "--task", "show", *lab.folders(1))
    assert "[]" in out.splitlines()


def test_tasks_whose_command_is_killed_are_stopped_and_not_taken_for_failed(lab):
    """They notice it when they tell how far they are; their functions meet no error of a pipe."""
    loop = "tsk.progress.tally(iter(lambda: time.sleep(0.05), 1))"
    lab.write(
        "data/taskfile_sub.py",
        TASKFILE.replace("return int(text)", f"[Path('begun').touch() for _ in {loop}]"),
    )
    folders = lab.folders(2)
    process = lab.start("run", "-n2", *folders)
    for folder in folders:
        lab.wait_for(f"{folder}/begun", process)
    time.sleep(0.3)
    process.kill()
    process.wait()
    process.communicate()  # the workers hold its pipes until they end
    rows = [json.loads(line) for line in lab("monitor", "--json", *folders)[0].splitlines()]
    assert {row["status"] for row in rows} == {"interrupted"}
    assert not any("Pipe" in row["info"] for row in rows)
