"""Many tasks in real worker processes: results, records, files and faults."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from smttask import run_tasks
from smttask.errors import DescriptionError, SettingError, WorkerError
from smttask.executors.choosing import make_executor
from smttask.executors.files import iter_files
from smttask.executors.messages import Instructions
from smttask.executors.progress import Display
from smttask.executors.running import Running, run_works, works_of_files
from smttask.executors.surroundings import Surroundings
from smttask.testing import scratch_project

TASKS = """
import multiprocessing, os, signal, sys, time
from smttask import MemoizedTask, RecordedTask
from smttask.testing import count_call

@RecordedTask
def Square(x: int) -> int:
    count_call()
    return x * x

@MemoizedTask
def Load(n: int) -> list[int]:
    count_call()
    return list(range(n))

@RecordedTask
def Shared(n: int) -> int:
    count_call()
    time.sleep(0.2)
    return n

@RecordedTask
def Total(values: list[int], shared: int, x: int) -> int:
    return sum(values) + shared + x

@RecordedTask
def Touch(folder: str, x: int) -> int:
    open(f"{folder}/{x}", "w").close()
    return x

@RecordedTask
def Wait(folder: str, n: int) -> int:
    while len(os.listdir(folder)) < n:
        time.sleep(0.01)
    return n

@RecordedTask
def Pid(x: int) -> int:
    return os.getpid()

@RecordedTask
def Fill(n_bytes: int) -> int:
    filled = len(b"x" * n_bytes)
    time.sleep(0.02)  # what a task of less than 5 ms takes is not told
    return filled

@RecordedTask
def Speak(x: int) -> int:
    print("spoken by Python")
    os.system("echo spoken by a child; cat")
    return x

@RecordedTask
def Pool(n: int) -> list[int]:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(abs, range(n))

@RecordedTask
def Fail(how: str) -> int:
    print("before the end", file=sys.stderr)
    if how == "raise":
        raise ValueError("no\\nsecond line")
    if how == "exit":
        sys.exit(3)
    if how == "wander":
        os.chdir("/")
        return 1
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if os.fork() == 0:  # the child holds what the worker has open
        time.sleep(30)
        os._exit(0)
    os.abort()
"""


class Watcher(Display):
    def __init__(self):
        self.told, self.printed = [], []

    def tell(self, text):
        self.told.append(text)

    def output(self, text):
        self.printed.append(text)


class Lab:
    """A scratch project, its module of tasks and its folder of description files."""

    def __init__(self, scratch):
        self.scratch, self.root, self.project = scratch, scratch.root, scratch.project
        self.write, self.calls = scratch.write, scratch.calls
        self.tasks = scratch.load("tasks")
        self.todo = scratch.root / "todo"


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "a lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch)


def run(lab, *, n=1, **options):
    watcher = options.pop("watcher", Watcher())
    shows_output = options.pop("shows_output", False)
    instructions = Instructions(start=str(lab.root), **options)
    return run_files(
        [str(lab.todo)], n=n, instructions=instructions, display=lambda: watcher, shows_output=shows_output
    )


def run_files(paths, display=Display, **options):
    executor = make_executor("process", **options)
    return run_works(works_of_files(iter_files(paths)), executor, display)


def left(lab):
    return sorted(path.name.partition("__")[0] for path in lab.todo.iterdir())


def test_results_and_records_are_kept_and_files_removed(lab):
    """Two workers run six files; each has its result and its record with the file's name."""
    tasks = [lab.tasks.Square(x=x) for x in range(6)]
    files = [task.save(lab.todo) for task in tasks]
    summary = run(lab, n=2, reason="a sweep")
    assert (summary.counts, summary.exit_status) == ({"computed": 6}, 0)
    assert left(lab) == []
    assert [task.load() for task in tasks] == [0, 1, 4, 9, 16, 25]
    records = list(lab.project.records.records())
    assert {record.reason for record in records} == {"a sweep"}
    assert {record.script_arguments for record in records} == {f"Square todo/{file.name}" for file in files}


def test_what_is_stored_is_not_computed_again(lab):
    """`keep` leaves the files; the second run finds, and `recompute` computes all the same."""
    for x in range(3):
        lab.tasks.Square(x=x).save(lab.todo)
    assert run(lab, keep=True).counts == {"computed": 3}
    assert run(lab, keep=True).counts == {"found": 3}
    assert run(lab, recompute=True).counts == {"computed": 3}
    assert (lab.calls("Square"), left(lab)) == (6, [])


def test_failing_and_dying_tasks_stop_no_other(lab):
    """Each failure is named with the last line of its error, and its file stays."""
    for how in ("raise", "exit", "kill"):
        lab.tasks.Fail(how=how).save(lab.todo)
    for x in range(4):
        lab.tasks.Square(x=x).save(lab.todo)
    summary = run(lab, n=2)
    assert summary.counts == {"computed": 4, "failed": 2, "killed": 1}
    assert left(lab) == ["Fail"] * 3
    errors = {outcome.error for outcome in summary.failures}
    assert {"ValueError: no", "SystemExit: 3"} < errors
    assert any(error.startswith("the worker was ended by signal 9 (SIGKILL)") for error in errors)
    raised = next(outcome for outcome in summary.failures if outcome.error == "ValueError: no")
    assert raised.details.startswith('Traceback (most recent call last):\n  File "' + str(lab.root))
    assert "second line" in raised.details


def test_no_short_task_has_to_wait_for_a_long_one(lab, tmp_path):
    """What a worker was to begin next goes elsewhere: the long one waits here for all the others."""
    folder = str(tmp_path / "touched")
    os.mkdir(folder)
    tasks = [lab.tasks.Touch(folder, x) for x in range(40)]
    tasks.insert(20, lab.tasks.Wait(folder, 40))
    assert sum(result for _, result in run_tasks(tasks, n=2)) == 40 + sum(range(40))


def test_a_task_that_dies_among_short_ones_stops_none_of_them(lab):
    """What its worker was to begin next is run by others."""
    tasks = [lab.tasks.Square(x) for x in range(40)]
    tasks.insert(20, lab.tasks.Fail(how="kill"))
    for number, task in enumerate(tasks):
        task.save(lab.todo / f"{number:02}.taskdesc.json")
    summary = run(lab, n=2)
    assert summary.counts == {"computed": 40, "killed": 1}
    assert left(lab) == ["20.taskdesc.json"]


def test_a_worker_that_dies_is_noticed_though_its_child_lives(lab):
    """Its record says killed, and what its task printed is told."""
    lab.tasks.Fail(how="abort").save(lab.todo)
    summary = run(lab)
    [outcome] = summary.failures
    assert outcome.error == "the worker was ended by signal 6 (SIGABRT)"
    assert "Fatal Python error: Aborted" in outcome.details
    assert [record.status for record in lab.project.records.records()] == ["killed"]


def test_a_task_may_have_processes_of_its_own(lab):
    """They end quietly when it ends them."""
    task = lab.tasks.Pool(n=3)
    task.save(lab.todo)
    watcher = Watcher()
    assert run(lab, watcher=watcher, shows_output=True).counts == {"computed": 1}
    assert task.load() == [0, 1, 2]
    assert "Traceback" not in "".join(watcher.printed)


def test_shared_tasks_are_computed_once(lab):
    """Recorded ones once for all workers, memoized ones once for each worker."""
    tasks = lab.tasks
    for x in range(6):
        tasks.Total(values=tasks.Load(n=5), shared=tasks.Shared(n=7), x=x).save(lab.todo)
    assert run(lab, n=2).counts == {"computed": 6}
    assert lab.calls("Shared") == 1
    assert lab.calls("Load") <= 2


def test_output_goes_to_the_record_and_to_who_asks_for_it(lab):
    """What child processes write too; tasks find an empty stdin."""
    lab.tasks.Speak(x=1).save(lab.todo)
    watcher = Watcher()
    run(lab, watcher=watcher, shows_output=True)
    [record] = lab.project.records.records()
    assert sorted(record.stdout_stderr.splitlines()) == ["spoken by Python", "spoken by a child"]
    assert sorted("\n".join(watcher.printed).splitlines()) == ["spoken by Python", "spoken by a child"]


def test_without_record_nothing_is_stored_and_files_stay(lab):
    """`--no-record` computes only."""
    task = lab.tasks.Square(x=2)
    task.save(lab.todo)
    summary = run(lab, record=False)
    assert (summary.counts, summary.n_lost) == ({"computed": 1}, 1)
    assert (task.has_run, left(lab), lab.project.records.count()) == (False, ["Square"], 0)


def test_a_memoized_task_runs_and_its_file_stays(lab):
    """Its result ends with the worker, so nothing is safe."""
    lab.tasks.Load(n=3).save(lab.todo)
    summary = run(lab)
    assert (summary.counts, summary.n_lost, left(lab)) == ({"computed": 1}, 1, ["Load"])


def test_the_settings_cap_the_number_of_workers(lab):
    """`max_processes` in the project's file holds, however many are asked for."""
    (lab.root / ".smt" / "smttask.json").write_text('{"max_processes": 1}')
    tasks = [lab.tasks.Pid(x=x) for x in range(4)]
    for task in tasks:
        task.save(lab.todo)
    assert run(lab, n=3).counts == {"computed": 4}
    assert len({task.load() for task in tasks}) == 1


def test_a_file_that_another_process_finished_is_no_failure(lab):
    """It vanished between the search and its turn."""
    file = lab.tasks.Square(x=1).save(lab.todo)
    file.unlink()
    summary = run_files([str(file)], instructions=Instructions(start=str(lab.root)))
    assert (summary.counts, summary.exit_status) == ({"gone": 1}, 0)


def test_bad_files_fail_alone(lab):
    """A truncated, edited, hostile or newer file has its message; the good one among them runs."""
    good = lab.tasks.Square(x=1).save(lab.todo)
    text = good.read_text()
    digest = json.loads(text)["task"]
    changes = {
        "cut": text[: len(text) // 2],
        "edited": text.replace('"x": 1', '"x": 2'),
        "hostile": text.replace('"module": "tasks"', '"module": "os"').replace('"Square"', '"system"'),
        "newer": text.replace('"format": 1', '"format": 99'),
    }
    for name, changed in changes.items():
        assert changed != text
        (lab.todo / f"{name}__{digest}.taskdesc.json").write_text(changed)
    summary = run(lab)
    assert (summary.counts, left(lab)) == ({"failed": 4, "computed": 1}, sorted(changes))
    assert all(
        outcome.is_ours and os.path.basename(outcome.name) in outcome.error for outcome in summary.failures
    )


def test_uncommitted_changes_refuse_every_task(lab):
    """The message comes from the worker whole, with the way out."""
    lab.tasks.Square(x=1).save(lab.todo)
    lab.write({"tasks.py": TASKS + "\nNEW = 1\n"}, commit=False)
    [outcome] = run(lab).failures
    assert "Square" in outcome.error
    assert "tasks.py" in outcome.details
    assert outcome.is_ours


def test_a_result_without_a_record_is_a_failure(lab):
    """It is stored, but the file stays, and the warning is told."""
    lab.tasks.Square(x=1).save(lab.todo)
    blocker = lab.root / ".smt" / "file"
    blocker.write_text("")
    watcher = Watcher()
    summary = run(lab, watcher=watcher, record_store=str(blocker / "records"))
    [outcome] = summary.failures
    assert outcome.error.startswith("stored, but not recorded: ")
    assert left(lab) == ["Square"]
    assert watcher.told


def test_the_first_order_of_a_slow_worker_is_run(lab, monkeypatch):
    """What comes right behind the instructions does not go back, however long the worker needs to begin."""

    class Slow(Surroundings):
        def __init__(self):
            time.sleep(0.5)
            super().__init__()

    monkeypatch.setattr("smttask.executors.worker.Surroundings", Slow)  # forked workers have it
    lab.tasks.Square(x=1).save(lab.todo)
    instructions = Instructions(start=str(lab.root))
    executor = make_executor("process", n=1, instructions=instructions, start_method="fork")
    running = Running(works_of_files(iter_files([str(lab.todo)])), executor, Display)
    hurry = threading.Timer(20, lambda: [running.stop(signal.SIGINT), running.stop(signal.SIGINT)])
    hurry.start()
    assert [outcome.status for outcome in running.outcomes()] == ["computed"]
    hurry.cancel()


def test_a_task_that_changes_the_working_directory_disturbs_no_other(lab, monkeypatch):
    """Relative paths hold for all files."""
    lab.tasks.Fail(how="wander").save(lab.todo)
    lab.tasks.Square(x=1).save(lab.todo)
    monkeypatch.chdir(lab.root)
    assert run_files(["todo"]).counts == {"computed": 2}


def test_a_module_to_import_that_is_missing_ends_all(lab):
    """The error is that of one worker; no file is touched."""
    lab.tasks.Square(x=1).save(lab.todo)
    with pytest.raises(
        DescriptionError, match=r"Module 'no\.such' cannot be imported\.\n  found: ModuleNotFoundError"
    ):
        run(lab, n=2, imports=("no.such",))
    assert left(lab) == ["Square"]


def test_an_imported_module_is_trusted(lab, tmp_path, monkeypatch):
    """Its tasks run though it lies outside of the project."""
    package = tmp_path / "elsewhere"
    package.mkdir()
    (package / "foreign.py").write_text(TASKS)
    monkeypatch.syspath_prepend(package)
    import foreign

    foreign.Pid(x=1).save(lab.todo)
    [outcome] = run(lab).failures
    assert "not of the project" in outcome.error
    assert run(lab, imports=("foreign",)).counts == {"computed": 1}


def test_a_wrong_setting_is_told_as_it_is(lab):
    """The worker that reads the project's file meets the error; the caller gets it."""
    lab.tasks.Square(x=1).save(lab.todo)
    (lab.root / ".smt" / "smttask.json").write_text('{"max_process": 1}')
    with pytest.raises(SettingError, match="max_process"):
        run(lab)


def test_who_waits_for_another_process_is_told_for_whom(lab, monkeypatch):
    """After a while, once for each file."""
    monkeypatch.setattr("smttask.executors.crew.SAY_AFTER_S", 0.0)
    lab.tasks.Shared(n=1).save(lab.todo)
    code = (
        "import time; nap = time.sleep; time.sleep = lambda s: nap(3); import tasks as t; t.Shared(1).run()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], cwd=lab.root)
    while not lab.calls("Shared"):
        time.sleep(0.01)
    watcher = Watcher()
    assert run(lab, watcher=watcher).counts == {"found": 1}
    assert other.wait() == 0
    [told] = watcher.told
    assert f"waiting for process {other.pid} on " in told
    assert told.endswith(", which computes it")


def test_workers_that_cannot_start_are_told(lab, monkeypatch, tmp_path):
    """With what they said before they ended."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such library >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    lab.tasks.Square(x=1).save(lab.todo)
    with pytest.raises(WorkerError, match="A worker process could not start") as raised:
        run(lab)
    assert "itself, with exit status 3" in raised.value.found
    assert "no such library" in raised.value.found


def test_results_are_kept_in_the_project_of_the_task(lab, tmp_path, monkeypatch):
    """Where the working directory is in none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(lab.root)
    tasks = [lab.tasks.Square(x=x) for x in range(3)]
    assert sorted(result for _, result in run_tasks(tasks, n=1, progress=False)) == [0, 1, 4]
    assert lab.project.records.count() == 3


def test_the_most_memory_of_each_task_is_told(lab):
    """Not that of the tasks before it in the same worker."""
    files = [str(lab.tasks.Fill(n).save(lab.todo)) for n in (1, 10**8, 2)]
    executor = make_executor("process", n=1, instructions=Instructions(str(lab.root)))
    peaks = [outcome.peak_bytes for outcome in Running(works_of_files(files), executor).outcomes()]
    assert peaks[1] > peaks[0] + 9 * 10**7
    assert peaks[1] > peaks[2] + 9 * 10**7 > 9 * 10**7
