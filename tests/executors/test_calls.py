"""Works that call a function: what every executor but threads does with them, projects or not."""

import json
import subprocess
import sys
import threading
import time

import pytest

from smttask.errors import SettingError
from smttask.executors.choosing import make_executor
from smttask.executors.messages import Instructions
from smttask.executors.progress import Display
from smttask.executors.running import Running, run_works
from smttask.executors.work import Work
from smttask.testing import scratch_project

EXECUTORS = ["process", "dask", pytest.param("slurm", marks=pytest.mark.slow)]
#: Jobs of Slurm are processes of this machine here.
OPTIONS = {"slurm": {"slurm": {"cluster": "local"}}}

CALLS = """
import os, signal, sys, time
from pathlib import Path
from smttask import progress
from smttask.executors.calls import Held
from smttask.executors.telling import tell_doing
from smttask.settings import config

def touch(path, wait):
    if Path(path).exists():
        return {"status": "found"}
    Path(path).write_text(os.getcwd())
    return {"status": "computed"}

def end(how, path=None, wait=True):
    if how == "raise":
        raise ValueError("no\\nsecond line")
    if how == "exit":
        sys.exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "wander":
        os.chdir("/")
    if how == "odd":
        return 17
    if how == "tell":
        return {"status": "failed", "error": "summary: OSError: full", "is_ours": True, "details": "free"}
    if how == "memory":
        data = bytearray(400_000_000)
        time.sleep(30)
    if how == "sleep":
        Path(path).touch()
        time.sleep(60)
    if how == "twice":
        with open(path, "a") as file:
            file.write("x")
        if Path(path).stat().st_size < 2:
            raise OSError("the first time")
    return {"status": "computed"}

def held(path, wait):
    if not Path(path).exists() and not wait:
        Path(path).touch()
        raise Held("somebody on venus")
    return {"status": "found"}

def seen(wait):
    tell_doing("summary", why="never run")
    for _ in progress(range(3), what="frames"):
        time.sleep(0.3)
    return {"status": "computed"}

def facts(path, wait):
    heavy = [name for name in ("numpy", "pydantic", "smttask.tasks") if name in sys.modules]
    Path(path).write_text(f"{heavy} {config.record} {config.verify}")
    return {"status": "computed"}
"""


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """A module of functions that workers can import, and no project."""
    (tmp_path / "lab_calls.py").write_text(CALLS)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


class Watcher(Display):
    def __init__(self):
        self.told, self.facts = [], {}

    def tell(self, text):
        self.told.append(text)

    def watched(self, worker, facts):
        self.facts.update(facts)


def work(number, function, **arguments):
    return Work(f"run{number}", number, call=f"lab_calls:{function}", arguments=json.dumps(arguments))


def run(works, name="process", *, n=2, display=Display, start="", **options):
    instructions = Instructions(start=str(start), only_calls=True)
    executor = make_executor(name, n=n, instructions=instructions, **OPTIONS.get(name, {}), **options)
    return run_works(works, executor, display)


@pytest.mark.parametrize("name", EXECUTORS)
def test_calls_run_like_tasks(tmp_path, name):
    """What was done already is found; a call that fails stops no other, and says why."""
    with scratch_project(tmp_path / "lab", {"lab_calls.py": CALLS}) as scratch:
        paths = [scratch.root / ".smt" / f"{number}" for number in range(6)]
        paths[2].touch()
        works = [work(number, "touch", path=str(path)) for number, path in enumerate(paths)]
        works += [work(6, "end", how="raise"), work(7, "end", how="exit"), work(8, "end", how="tell")]
        summary = run(works, name, start=scratch.root)
    assert summary.counts == {"computed": 5, "found": 1, "failed": 3}
    failures = {outcome.name: outcome for outcome in summary.failures}
    assert {name: outcome.error for name, outcome in failures.items()} == {
        "run6": "ValueError: no",
        "run7": "SystemExit: 3",
        "run8": "summary: OSError: full",
    }
    assert (failures["run8"].details, failures["run8"].is_ours) == ("free", True)
    assert 'raise ValueError("no\\nsecond line")' in failures["run6"].details


@pytest.mark.parametrize("name", ["process", "dask"])
def test_calls_need_no_project(calls, name):
    """They begin in the working directory of the run, wherever the one before went."""
    works = [work(0, "end", how="wander"), work(1, "touch", path=str(calls / "a"))]
    assert run(works, name, n=1).counts == {"computed": 2}
    assert (calls / "a").read_text() != "/"


def test_threads_refuse_calls(calls):
    """For the tasks that are called change the working directory, which threads share."""
    with pytest.raises(SettingError, match="The executor 'thread' cannot run run0") as caught:
        run([work(0, "touch", path=str(calls / "a"))], "thread")
    assert "use the executor 'process', 'dask' or 'slurm'" in str(caught.value)
    assert not (calls / "a").exists()


def test_workers_that_only_call_load_nothing_that_tasks_need(tmp_path):
    """And the settings of the project around the folder hold for them."""
    with scratch_project(tmp_path / "lab", {"lab_calls.py": CALLS}) as scratch:
        (scratch.root / ".smt" / "smttask.json").write_text('{"verify": "size"}')
        seen = scratch.root / ".smt" / "seen"
        assert run([work(0, "facts", path=str(seen))], start=scratch.root).exit_status == 0
    assert seen.read_text() == "[] True size"


def test_what_another_process_is_at_is_come_back_to(calls):
    """Other works are run meanwhile, and nobody waits in a worker."""
    works = [work(0, "held", path=str(calls / "held")), work(1, "touch", path=str(calls / "a"))]
    assert run(works, n=1).counts == {"found": 1, "computed": 1}


def test_what_a_call_does_is_seen(calls):
    """The task that it runs, why, and how far that is."""
    watcher = Watcher()
    assert run([work(0, "seen")], display=lambda: watcher).exit_status == 0
    assert (watcher.facts["task"], watcher.facts["why"]) == ("summary", "never run")
    assert "progress" in watcher.facts


@pytest.mark.parametrize(
    ("how", "options", "error"),
    [
        ("sleep", {"timeout_s": 0.5}, "stopped after 0.5 s, the longest it may take"),
        ("memory", {"memory_bytes": 200_000_000}, "it may use 200.0 MB"),
        ("kill", {}, "SIGKILL"),
    ],
)
def test_limits_and_deaths_concern_one_call(calls, how, options, error):
    """It is killed, and the one after it is done."""
    works = [work(0, "end", how=how, path=str(calls / "b")), work(1, "touch", path=str(calls / "a"))]
    summary = run(works, n=1, **options)
    assert summary.counts == {"killed": 1, "computed": 1}
    assert error in summary.failures[0].error


def test_a_call_that_failed_is_tried_again(calls):
    """As often as asked for."""
    again = work(0, "end", how="twice", path=str(calls / "n"))
    assert run([again], retries=1).counts == {"computed": 1}
    assert (calls / "n").read_text() == "xx"


def test_a_function_that_says_nothing_fails(calls):
    """The message names it, and what was expected."""
    summary = run([work(0, "end", how="odd")])
    assert summary.failures[0].error == "The function lab_calls:end did not say what became of run0."
    assert "found: 17\nexpected: a mapping with status" in summary.failures[0].details


def test_a_stopped_call_is_killed_and_the_rest_is_left(calls):
    """The exit status is that of the signal."""
    mark = calls / "begun"
    works = [work(0, "end", how="sleep", path=str(mark))]
    works += [work(number, "touch", path=str(calls / f"{number}")) for number in range(1, 5)]
    instructions = Instructions(only_calls=True)
    running = Running(works, make_executor("process", n=1, instructions=instructions))

    def stop():
        while not mark.exists():
            time.sleep(0.01)
        running.stop(2)

    threading.Thread(target=stop).start()
    assert [outcome.status for outcome in running.outcomes()] == ["killed"]
    assert (running.summary.exit_status, running.summary.n_left) == (130, 4)


def test_who_only_calls_imports_little():
    """Neither numpy nor pydantic, in a worker and in who starts it."""
    code = "import sys, smttask.executors.worker, smttask.executors.local; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pydantic", "pandas", "smttask.tasks"} & set(done.stdout.split())
