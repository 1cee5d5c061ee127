"""Works in jobs. Without a Slurm, processes of this machine stand for its jobs, and programs for it."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from smttask import run_tasks
from smttask.errors import MissingExtraError, SettingError, WorkerError
from smttask.executors.choosing import make_executor
from smttask.executors.files import iter_files
from smttask.executors.frames import FrameReader, FrameWriter
from smttask.executors.messages import Instructions
from smttask.executors.progress import Display
from smttask.executors.running import Running, run_works, works_of_files
from smttask.executors.settling import settle_records
from smttask.runner import take_in_journals
from smttask.settings import JOURNAL
from smttask.testing import scratch_project

TASKS = """
import os, signal, sys, time
from pathlib import Path
from smttask import MemoizedTask, RecordedTask
from smttask.testing import count_call

MARK = Path(__file__).parent / ".smt" / "begun"

@RecordedTask
def Square(x: int) -> int:
    count_call()
    return x * x

@MemoizedTask
def Numbers(n: int) -> list[int]:
    return list(range(n))

@RecordedTask
def Fail(x: int) -> int:
    print("before the end", file=sys.stderr)
    raise ValueError(f"no {x}")

@RecordedTask
def Wait(x: int) -> int:
    count_call()
    MARK.touch()
    time.sleep(60)
    return x

@RecordedTask
def Unwatch(x: int) -> int:
    facts = Path(f"/proc/{os.getppid()}/stat").read_text()
    os.kill(int(facts.rpartition(")")[2].split()[1]), signal.SIGKILL)  # who watches over the job
    time.sleep(1)
    return x

@RecordedTask
def Tear(x: int) -> int:
    [told] = (MARK.parent / "slurm").glob("*/1.told")
    with open(told, "ab") as file:
        file.write(b"\\0\\0\\0\\0\\0\\0\\0\\7garbage")
    return x

@RecordedTask
def Insist(x: int) -> int:
    MARK.touch()
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass

@RecordedTask
def Meet(x: int) -> int:
    print(f"here is {x}")
    (MARK.parent / f"here{x}").touch()
    while not (MARK.parent / f"here{1 - x}").exists():
        time.sleep(0.01)
    return x

@RecordedTask
def Shoot(x: int) -> int:
    count_call()
    os.kill(os.getppid(), signal.SIGKILL)  # the job, not the worker
    time.sleep(60)
    return x
"""


class Lab:
    def __init__(self, scratch):
        self.scratch, self.root, self.project = scratch, scratch.root, scratch.project
        self.tasks = scratch.load("tasks")
        self.todo = scratch.root / "todo"

    def save(self, *tasks):
        for task in tasks:
            task.save(self.todo)
        return tasks

    def executor(self, *, n=2, slurm=(), told=(), **options):
        instructions = Instructions(start=str(self.root), **dict(told))
        slurm = {"cluster": "local", **dict(slurm)}
        return make_executor("slurm", n=n, instructions=instructions, slurm=slurm, **options)

    def works(self):
        return works_of_files(iter_files([str(self.todo)]))

    def run(self, display=Display, **options):
        return run_works(self.works(), self.executor(**options), display)

    def left(self):
        return sorted(path.name.partition("__")[0] for path in self.todo.iterdir())

    def statuses(self):
        return sorted(record.status for record in self.project.records.records())

    def runs(self):
        """Folders of runs of which something may be wanted."""
        folder = self.root / ".smt" / "slurm"
        return list(folder.iterdir()) if folder.exists() else []


class Watcher(Display):
    def __init__(self):
        self.told, self.printed, self.workers = [], [], set()

    def started(self, worker, work):
        self.workers.add(worker)

    def tell(self, text):
        self.told.append(text)

    def output(self, text):
        self.printed.append(text)


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "my lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch)


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The Slurm of this host, else programs of the same names."""
    if shutil.which("sinfo") and subprocess.run(["sinfo"], capture_output=True, check=False).returncode == 0:
        return
    programs, states = tmp_path / "bin", tmp_path / "states"
    programs.mkdir()
    states.mkdir()
    source = Path(__file__).with_name("slurm_programs.py")
    for name in ("sbatch", "srun", "squeue", "scancel"):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "{source}" {name} "$@"\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_STATES", str(states))


def test_jobs_take_several_works_each_and_leave_nothing_behind(lab):
    """Six tasks in two jobs, which run one after the other."""
    squares = lab.save(*(lab.tasks.Square(x) for x in range(6)))
    watcher = Watcher()

    summary = lab.run(lambda: watcher, n=1, slurm={"chunk": "3"})

    assert (summary.counts, lab.left()) == ({"computed": 6}, [])
    assert [task.load() for task in squares] == [0, 1, 4, 9, 16, 25]
    assert lab.statuses() == ["finished"] * 6
    assert (watcher.workers, watcher.told, lab.runs()) == ({1}, [], [])


def test_the_records_of_hosts_without_the_record_store_are_taken_in_at_the_end(lab):
    """Jobs keep journals, as they do on the nodes of a cluster."""
    lab.save(*(lab.tasks.Square(x) for x in range(3)), lab.tasks.Fail(1))
    executor = lab.executor(told={"record_store": JOURNAL})
    assert run_works(lab.works(), executor).counts == {"computed": 3, "failed": 1}
    settle_records(lab.project, Instructions(start=str(lab.root)), Display(), has_journals=True)
    assert lab.statuses() == ["crashed", "finished", "finished", "finished"]


def test_a_task_whose_job_is_ended_has_failed_and_the_others_of_the_job_are_run(lab):
    """The job of three tasks is killed at its first; its log stays."""
    lab.save(lab.tasks.Shoot(1), lab.tasks.Square(1), lab.tasks.Square(2))
    watcher = Watcher()

    summary = lab.run(lambda: watcher, n=1, slurm={"chunk": 3})

    assert (summary.counts, lab.left()) == ({"computed": 2, "killed": 1}, ["Shoot"])
    assert "was ended" in summary.failures[0].error
    assert lab.statuses() == ["finished", "finished", "killed"]
    [folder] = lab.runs()
    assert f"What the jobs printed is in {folder}" in watcher.told


def test_a_job_that_outlives_who_watches_over_it_is_followed_to_its_end(lab):
    """Its process runs on; nothing is given to another job meanwhile, or called a failure."""
    lab.save(lab.tasks.Square(1), lab.tasks.Unwatch(1))
    assert lab.run(n=1, slurm={"chunk": 2}).counts == {"computed": 2}
    assert (lab.left(), lab.runs()) == ([], [])


def test_a_file_of_a_job_that_is_torn_is_told_and_nothing_is_lost(lab):
    """What had begun counts as failed, the rest goes into another job, which finds what is done."""
    lab.save(lab.tasks.Tear(1))
    lab.tasks.Square(5).save(lab.todo / "z")
    watcher = Watcher()
    summary = lab.run(lambda: watcher, n=1, slurm={"chunk": 2})
    assert summary.counts == {"killed": 1, "gone": 1}
    assert [lab.tasks.Tear(1).load(), lab.tasks.Square(5).load()] == [1, 25]
    assert watcher.told[0].startswith("What job ")
    assert "tells cannot be read any more; its results are kept" in watcher.told[0]


def test_a_task_whose_job_is_ended_is_tried_again_if_wanted(lab):
    """As often as retries say; the outcome tells how often."""
    lab.save(lab.tasks.Shoot(1))
    [failure] = lab.run(retries=1).failures
    assert (failure.attempts, lab.scratch.calls("Shoot")) == (2, 2)


@pytest.mark.slow
def test_a_job_at_its_time_limit_stops_its_task_and_the_rest_goes_to_another_one(lab):
    """What ran is killed, with its record; what was not begun is run."""
    lab.save(lab.tasks.Wait(1))
    lab.tasks.Square(1).save(lab.todo / "z")
    summary = lab.run(n=1, slurm={"chunk": 2, "time": "0.1"})
    assert summary.counts == {"killed": 1, "computed": 1}
    assert "was asked to stop: its time limit" in summary.failures[0].error
    assert lab.statuses() == ["finished", "killed"]


def test_stopping_cancels_the_jobs_and_closes_their_records(lab):
    """One job waits in line: what it would run is not begun."""
    lab.save(lab.tasks.Wait(1), lab.tasks.Wait(2))
    command = [
        sys.executable,
        "-m",
        "smttask",
        "run",
        "--executor",
        "slurm",
        "--slurm",
        "cluster=local",
        "todo",
    ]
    with subprocess.Popen(command, cwd=lab.root, stdout=subprocess.PIPE, text=True) as running:
        while not (lab.root / ".smt" / "begun").exists():
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        told = running.communicate()[0]
    assert (running.returncode, lab.left()) == (130, ["Wait", "Wait"])
    assert "1 killed" in told
    assert (lab.statuses(), lab.scratch.calls("Wait")) == (["killed"], 1)


@pytest.mark.parametrize("name", ["Wait", "Insist"])
def test_stopping_twice_ends_all_at_once(lab, name):
    """Within a second or so, whatever jobs and tasks do, and no process is left."""
    lab.save(getattr(lab.tasks, name)(1))
    running = Running(lab.works(), lab.executor())
    outcomes = []
    told = Watcher()
    told.started = lambda worker, work: None
    executor_run = running.outcomes()

    def stop_twice(*_):
        if (lab.root / ".smt" / "begun").exists() and running.summary.signal is None:
            running.stop(signal.SIGINT)
            running.stop(signal.SIGINT)

    running._told.refresh = stop_twice
    outcomes.extend(executor_run)
    assert [outcome.status for outcome in outcomes] == ["killed"]
    assert (running.summary.exit_status, lab.statuses()) == (130, ["killed"])


def test_jobs_take_alike_many_works_where_not_all_are_handed_over_at_once(lab):
    """Eight jobs for each place; the last ones are not of one short work each."""
    lab.save(*(lab.tasks.Square(x) for x in range(15)), lab.tasks.Fail(1))
    assert lab.run(n=1, slurm={"cluster": "debug"}).counts == {"computed": 15, "failed": 1}
    [run] = lab.runs()
    assert len(list(run.glob("*.told"))) == 8


def test_jobs_can_run_in_the_calling_process(lab):
    """To look for what goes wrong; errors of tasks are outcomes all the same."""
    lab.save(lab.tasks.Square(3), lab.tasks.Fail(1))
    summary = lab.run(slurm={"cluster": "debug"})
    assert summary.counts == {"computed": 1, "failed": 1}


def test_what_tasks_print_is_shown_when_asked_for(lab):
    """And a job may run several at once, here two that wait for each other."""
    lab.save(lab.tasks.Meet(0), lab.tasks.Meet(1))
    watcher = Watcher()
    lab.run(lambda: watcher, n=1, slurm={"workers": 2}, shows_output=True)
    assert sorted(" ".join(watcher.printed).split()) == ["0", "1", "here", "here", "is", "is"]
    assert watcher.workers == {1, 2}


def test_results_that_are_not_stored_come_back_from_jobs(lab):
    """`run_tasks` takes the same options."""
    task = lab.tasks.Numbers(3)
    [(_, numbers)] = run_tasks([task], executor="slurm", slurm={"cluster": "local"}, progress=False)
    assert numbers == [0, 1, 2]


def test_an_array_of_slurm_runs_all_and_its_records_are_taken_in(lab, slurm):
    """Three jobs of two tasks; journals of the jobs are in the record store afterwards."""
    squares = lab.save(*(lab.tasks.Square(x) for x in range(5)), lab.tasks.Fail(1))[:5]
    summary = lab.run(slurm={"cluster": "slurm", "chunk": 2, "comment": "a sweep", "mem": "500M"})
    assert (summary.counts, lab.left()) == ({"computed": 5, "failed": 1}, ["Fail"])
    assert [task.load() for task in squares] == [0, 1, 4, 9, 16]
    assert lab.statuses() == ["crashed", *["finished"] * 5]
    [folder] = lab.runs()
    lines = "".join(script.read_text() for script in folder.glob("submitit/*.sh")).splitlines()
    assert {"#SBATCH --array=0-2%2", "#SBATCH --comment='a sweep'", "#SBATCH --mem=500M"} <= set(lines)
    assert not any("--time" in line for line in lines)


@pytest.mark.slow
def test_jobs_that_do_not_reach_the_record_server_keep_journals(lab, slurm):
    """The tasks are no failures; who reaches a record store takes their records in."""
    lab.save(*(lab.tasks.Square(x) for x in range(2)), lab.tasks.Fail(1))
    watcher = Watcher()
    told = {"record_store": "postgresql://nobody@127.0.0.1:9/none"}
    summary = lab.run(lambda: watcher, n=1, slurm={"cluster": "slurm", "chunk": 3}, told=told)
    assert summary.counts == {"computed": 2, "failed": 1}
    assert any(
        text.startswith("Records are kept in a journal, to be taken in later") for text in watcher.told
    )
    take_in_journals(lab.project)
    assert lab.statuses() == ["crashed", "finished", "finished"]


def test_what_slurm_says_of_a_killed_job_is_told(lab, slurm):
    """The task that it was at has failed; the next one runs in another job."""
    lab.save(lab.tasks.Shoot(1), lab.tasks.Square(1))
    summary = lab.run(n=1, slurm={"cluster": "slurm", "chunk": 2, "mem": "500M"})
    assert summary.counts == {"computed": 1, "killed": 1}
    assert summary.failures[0].error.endswith("was ended: FAILED")
    assert lab.statuses() == ["finished", "killed"]


def test_stopping_cancels_an_array_of_slurm(lab, slurm):
    """Elements that wait are not begun; the running task's record says killed."""
    lab.save(lab.tasks.Wait(1), lab.tasks.Wait(2))
    running = Running(lab.works(), lab.executor(n=1, slurm={"cluster": "slurm", "mem": "500M"}))

    def stop():
        while not (lab.root / ".smt" / "begun").exists():
            time.sleep(0.05)
        running.stop(signal.SIGTERM)

    threading.Thread(target=stop).start()
    [outcome] = running.outcomes()
    assert (outcome.status, running.summary.exit_status, running.summary.n_left) == ("killed", 143, 1)
    assert (lab.statuses(), lab.scratch.calls("Wait")) == (["killed"], 1)


def test_what_sbatch_refuses_is_told(lab, slurm):
    """With its own words."""
    lab.save(lab.tasks.Square(1))
    with pytest.raises(
        WorkerError, match=r"(?s)Slurm did not take the jobs.*invalid partition specified: nope"
    ):
        lab.run(slurm={"cluster": "slurm", "partition": "nope"})
    with pytest.raises(SettingError, match="The option 'array' of sbatch cannot be chosen"):
        lab.run(slurm={"cluster": "slurm", "array": "1-3"})


@pytest.mark.slow
def test_jobs_that_do_not_start_are_told(lab, slurm):
    """Here for want of a folder in which they could tell what happens."""
    lab.save(lab.tasks.Square(1))
    with pytest.raises(WorkerError, match=r"(?s)The jobs do not start\..*see whether the nodes see"):
        lab.run(slurm={"cluster": "slurm", "setup": "exit 3", "mem": "500M"})


def test_without_slurm_it_is_told_what_was_looked_for(lab, monkeypatch):
    """And how to try it without."""
    lab.save(lab.tasks.Square(1))
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
    with pytest.raises(WorkerError, match=r"(?s)no Slurm on this host.*sbatch.*cluster=local"):
        lab.run(slurm={"cluster": "slurm"})
    assert (lab.left(), lab.runs()) == (["Square"], [])


@pytest.mark.parametrize(
    ("slurm", "message"),
    [
        ({"cluster": "slum"}, "There is no cluster 'slum'"),
        ({"chunk": "0"}, "chunk=0 cannot be"),
        ({"workers": "two"}, "workers=two cannot be"),
        ({"time": "1h"}, "time=1h is no time limit for cluster=local"),
    ],
)
def test_options_that_cannot_be_are_refused(lab, slurm, message):
    """Before any job is submitted."""
    lab.save(lab.tasks.Square(1))
    with pytest.raises(SettingError, match=message):
        lab.run(slurm=slurm)


def test_the_command_takes_options_of_slurm_as_names_and_values(lab):
    """And tells what is wrong with them, before anything runs."""
    lab.save(lab.tasks.Square(1))
    call = partial(lab.scratch.smttask, "run", "todo", check=False)
    nameless = call("--executor", "slurm", "--slurm", "=3")
    assert (nameless.returncode, "'=3' names nothing; write it as name=value" in nameless.stderr) == (2, True)
    foreign = call("--slurm", "time=3")
    assert (foreign.returncode, "use the executor 'slurm'" in foreign.stderr) == (1, True)
    assert call("--executor", "slurm", "--slurm", "cluster=local", "--slurm", "time=9").returncode == 0


def test_submitit_is_named_where_it_is_missing(lab, monkeypatch):
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingExtraError, match=r'pip install "smttask\[slurm\]"'):
        lab.executor()


def test_what_is_not_whole_yet_is_read_later(tmp_path):
    """A reader on another host may see half of what a job wrote."""
    with FrameWriter(tmp_path / "whole") as frames:
        frames.write("outcome", "x" * 1000)
    data = (tmp_path / "whole").read_bytes()
    reader = FrameReader(tmp_path / "seen")
    assert list(reader.new()) == []
    (tmp_path / "seen").write_bytes(data + data[:500])
    assert list(reader.new()) == [("outcome", "x" * 1000)]
    assert list(reader.new()) == []
    (tmp_path / "seen").write_bytes(data + data)
    assert list(reader.new()) == [("outcome", "x" * 1000)]
