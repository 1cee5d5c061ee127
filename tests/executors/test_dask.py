"""Works on Dask: a cluster of its own, and real schedulers and workers that somebody else started."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from smttask import run_tasks
from smttask.errors import MissingExtraError, WorkerError
from smttask.executors.choosing import make_executor
from smttask.executors.files import iter_files
from smttask.executors.messages import Instructions
from smttask.executors.progress import Display
from smttask.executors.running import Running, run_works, works_of_files
from smttask.extras import require
from smttask.testing import scratch_project

TASKS = """
import os, platform, signal, sys, time
from pathlib import Path
from smttask import MemoizedTask, RecordedTask, progress
from smttask.testing import count_call

MARKS = Path(__file__).parent / ".smt"

@RecordedTask
def Square(x: int) -> int:
    count_call()
    return x * x

@RecordedTask
def Where(x: int) -> str:
    return os.environ.get("ROLE", "none")

@RecordedTask
def Shared(n: int) -> int:
    count_call()
    time.sleep(0.2)
    return n

@MemoizedTask
def Twice(n: int) -> int:
    return 2 * n

@RecordedTask
def Total(values: list[int], x: int) -> int:
    count_call()
    return sum(values) + x

@RecordedTask
def Speak(x: int) -> int:
    print("a word of Speak")
    return x

@RecordedTask
def Refuse(x: int) -> int:
    count_call()
    raise ValueError("refused")

@RecordedTask
def Die(x: int) -> int:
    count_call()
    if (MARKS / f"spared{x}").exists():
        return x
    if x == 1:
        (MARKS / f"spared{x}").touch()
    time.sleep(0.2)
    print("last words", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

@RecordedTask
def Exit(x: int) -> int:
    os._exit(3)

@RecordedTask
def Loop(x: int) -> int:
    (MARKS / f"begun{x}").touch()
    for _ in progress(range(6000)):
        time.sleep(0.01)
    return x
"""


class Programs:
    """A scheduler and workers, as a user starts them."""

    def __init__(self, folder):
        self.folder = folder
        self.workers = []
        file = folder / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
        self.scheduler = self._start("scheduler", *options, "--scheduler-file", str(file))
        while not file.exists() or not file.read_text().endswith("}"):
            assert self.scheduler.poll() is None
            time.sleep(0.02)
        self.file, self.address = file, json.loads(file.read_text())["address"]

    def add_worker(self, *, before="", **environment):
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        options += ["--local-directory", str(self.folder)]
        worker = self._start("worker", self.address, *options, before=before, **environment)
        self.workers.append(worker)
        return worker

    def _start(self, program, *options, before="", **environment):
        code = f"{before}\nfrom distributed.cli.dask_{program} import main; main()"
        command = [sys.executable, "-c", code, *options]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, "DASK_LOGGING__DISTRIBUTED": "error", **environment},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def close(self):
        for process in [*self.workers, self.scheduler]:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers that cannot reach the record store, as those of other hosts."""
    programs = Programs(tmp_path_factory.mktemp("cluster"))
    for _ in range(2):
        programs.add_worker(SMTTASK_RECORD_STORE="journal", ROLE="joined")
    yield programs
    programs.close()


class Lab:
    """A scratch project, its module of tasks and its folder of description files."""

    def __init__(self, scratch):
        self.scratch, self.root, self.project, self.calls = (
            scratch,
            scratch.root,
            scratch.project,
            scratch.calls,
        )
        self.tasks = scratch.load("tasks")
        self.todo = scratch.root / "todo"


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch)


class Seen(Display):
    def __init__(self):
        self.told, self.parts, self.facts = [], [], []

    def tell(self, text):
        self.told.append(text)

    def started(self, worker, work):
        if work.part:
            self.parts.append(work.part)

    def watched(self, worker, facts):
        self.facts.append(facts)


def run(lab, *, n=None, display=Display, scheduler=None, **told):
    if n is None and scheduler is None:
        n = 2
    instructions = Instructions(start=str(lab.root), **told)
    executor = make_executor("dask", n=n, instructions=instructions, scheduler=scheduler)
    return run_works(works_of_files(iter_files([str(lab.todo)])), executor, display)


def left(lab):
    return sorted(path.name.partition("__")[0] for path in lab.todo.iterdir())


def statuses(lab):
    return sorted(record.status for record in lab.project.records.records())


def wait_for(path):
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


# -- graphs


def test_parts_are_run_once_and_before_what_needs_them(lab, cluster):
    """A recorded task that six others need, one of them through a memoized task, is a key of its own."""
    shared = lab.tasks.Shared(5)
    for x in range(5):
        lab.tasks.Total([shared, lab.tasks.Square(x)], x).save(lab.todo)
    lab.tasks.Total([lab.tasks.Twice(shared), 1], 9).save(lab.todo)
    seen = Seen()
    summary = run(lab, scheduler=cluster.address, display=lambda: seen)
    assert (summary.counts, left(lab)) == ({"computed": 6}, [])
    assert (lab.calls("Shared"), lab.calls("Square"), lab.calls("Total")) == (1, 5, 6)
    assert sorted(seen.parts) == sorted([shared.digest, *(lab.tasks.Square(x).digest for x in range(5))])
    assert lab.tasks.Total([shared, lab.tasks.Square(4)], 4).load() == 25


def test_what_a_stored_task_needs_is_not_run(lab, cluster):
    """The result is there; that its parts were deleted changes nothing."""
    part = lab.tasks.Square(3)
    task = lab.tasks.Total([part], 1)
    task.run()
    part.invalidate()
    task.save(lab.todo)
    assert run(lab, scheduler=cluster.address).counts == {"found": 1}
    assert lab.calls("Square") == 1


def test_a_part_that_fails_fails_all_that_need_it_once(lab, cluster):
    """Its error is theirs, and it is not tried for each of them."""
    part = lab.tasks.Refuse(1)
    for x in range(4):
        lab.tasks.Total([part], x).save(lab.todo)
    lab.tasks.Square(1).save(lab.todo)
    summary = run(lab, scheduler=cluster.address)
    assert summary.counts == {"failed": 4, "computed": 1}
    assert {outcome.error for outcome in summary.failures} == {"ValueError: refused"}
    assert (lab.calls("Refuse"), left(lab)) == (1, ["Total"] * 4)


def test_tasks_of_this_process_become_graphs_too(lab, cluster):
    """And what is not stored comes back."""
    shared = lab.tasks.Shared(2)
    tasks = [lab.tasks.Total([shared, lab.tasks.Square(x)], 0) for x in range(3)] + [lab.tasks.Twice(shared)]
    results = run_tasks(tasks, executor="dask", scheduler=cluster.address, ordered=True, progress=False)
    assert [result for _, result in results] == [2, 3, 6, 4]
    assert lab.calls("Shared") == 1


def test_a_thousand_files_are_not_handed_over_at_once(lab, cluster):
    """Works are read on as others are done."""
    read = []

    def works():
        for work in works_of_files(str(lab.tasks.Square(x).save(lab.todo)) for x in range(300)):
            read.append(work)
            yield work

    executor = make_executor(
        "dask", n=None, scheduler=cluster.address, instructions=Instructions(str(lab.root))
    )
    ahead = [
        len(read) - n for n, _ in enumerate(Running(works(), executor, most_ahead=1).outcomes(), start=1)
    ]
    assert len(ahead) == 300
    assert max(ahead) < 100


# -- several hosts


def test_no_record_of_workers_that_do_not_reach_the_record_store_is_lost(lab, cluster):
    """They keep journals, which are taken in when the command ends."""
    for x in range(20):
        lab.tasks.Square(x).save(lab.todo)
    lab.tasks.Refuse(1).save(lab.todo)
    summary = run(lab, scheduler=cluster.address)
    assert summary.counts == {"computed": 20, "failed": 1}
    assert list((lab.root / ".smt" / "journal").glob("*.jsonl"))
    assert statuses(lab) == ["crashed"] + ["finished"] * 20


def test_no_record_of_workers_whose_record_store_fails_is_lost(lab, tmp_path):
    """They were told of no journal; the command finds one, the run of a task that failed in it too."""
    programs = Programs(tmp_path)
    programs.add_worker(SMTTASK_RECORD_STORE="/proc/nowhere/records")
    for x in range(3):
        lab.tasks.Square(x).save(lab.todo)
    lab.tasks.Refuse(1).save(lab.todo)
    try:
        summary = run(lab, scheduler=programs.address)
    finally:
        programs.close()
    assert summary.counts == {"computed": 3, "failed": 1}
    assert statuses(lab) == ["crashed"] + ["finished"] * 3


def test_the_command_takes_a_scheduler_or_its_file(lab, cluster):
    """And uses its workers, not some of its own."""
    for x in range(2):
        lab.tasks.Where(x).save(lab.todo / str(x))
    for x, scheduler in enumerate([cluster.address, str(cluster.file)]):
        lab.scratch.smttask("run", "--executor", "dask", "--scheduler", scheduler, f"todo/{x}")
        assert lab.tasks.Where(x).load() == "joined"


def test_edited_modules_are_loaded_anew(lab, cluster):
    """Workers of a cluster outlive many versions of the code."""
    lab.tasks.Square(3).save(lab.todo)
    run(lab, scheduler=cluster.address)
    lab.scratch.write({"tasks.py": TASKS.replace("return x * x", "return -x * x")})
    tasks = lab.scratch.reload("tasks")
    tasks.Square(5).save(lab.todo)
    assert run(lab, scheduler=cluster.address).counts == {"computed": 1}
    assert tasks.Square(5).load() == -25


def test_a_progress_of_a_task_is_told(lab, cluster):
    """While it runs, from its worker; when all is stopped, its record says killed."""
    lab.tasks.Loop(1).save(lab.todo)
    seen = Seen()
    executor = make_executor(
        "dask", n=None, scheduler=cluster.address, instructions=Instructions(str(lab.root))
    )
    running = Running(works_of_files(iter_files([str(lab.todo)])), executor, lambda: seen)

    def stop():
        while not any("progress" in facts for facts in seen.facts):
            time.sleep(0.02)
        running.stop(signal.SIGINT)

    threading.Thread(target=stop).start()
    [outcome] = running.outcomes()
    assert (outcome.status, running.summary.exit_status) == ("killed", 130)
    assert (statuses(lab), left(lab)) == (["killed"], ["Loop"])


# -- what goes wrong


def test_no_scheduler_at_the_address_is_told_soon(lab):
    """With the address, and what to do; no thread is left that waits for it."""
    lab.tasks.Square(1).save(lab.todo)
    threads = set(threading.enumerate())
    begin = time.monotonic()
    for address in ("tcp://127.0.0.1:9", "no such place", str(lab.root / "none.json")):
        with pytest.raises(WorkerError, match="No Dask scheduler answers at") as told:
            run(lab, scheduler=address)
        assert "start one (dask scheduler)" in str(told.value)
    assert time.monotonic() - begin < 30
    assert [thread.name for thread in threading.enumerate() if thread not in threads] == []


def test_a_scheduler_without_workers_is_waited_for(lab, tmp_path):
    """And that is told; a worker that comes later does all."""
    programs = Programs(tmp_path)
    try:
        lab.tasks.Square(1).save(lab.todo)
        seen = Seen()
        seen.tell = lambda text: (seen.told.append(text), programs.add_worker())
        assert run(lab, scheduler=programs.address, display=lambda: seen).counts == {"computed": 1}
        assert seen.told == [f"The Dask scheduler at {programs.address} has no workers; waiting for them."]
    finally:
        programs.close()


@pytest.mark.slow
def test_a_scheduler_that_goes_is_told_and_a_second_run_finishes(lab, cluster, tmp_path):
    """The message says what was finished."""
    programs = Programs(tmp_path)
    for _ in range(2):
        programs.add_worker()
    for x in range(3):
        lab.tasks.Square(x).save(lab.todo / "0")
    loop = lab.tasks.Loop(1).save(lab.todo / "1")

    def kill():
        wait_for(lab.root / ".smt" / "begun1")
        time.sleep(0.5)
        programs.scheduler.kill()

    threading.Thread(target=kill).start()
    try:
        done = lab.scratch.smttask(
            "run", "--executor", "dask", "--scheduler", programs.address, "todo", check=False
        )
    finally:
        programs.close()
    assert done.returncode == 1
    assert f"The Dask scheduler at {programs.address} is gone.\n" in done.stderr
    assert "finished before: 3 (3 computed); of 1 that it had, nothing is known" in done.stderr
    loop.unlink()
    lab.tasks.Square(9).save(lab.todo)
    assert run(lab, scheduler=cluster.address).counts == {"computed": 1}
    assert statuses(lab) == ["finished"] * 4 + ["killed"]


@pytest.mark.slow
def test_workers_that_are_killed_cost_no_result(lab, tmp_path):
    """Dask does their tasks again, and every record says what became of its run."""
    programs = Programs(tmp_path)
    workers = [programs.add_worker() for _ in range(2)]
    for x in range(300):
        lab.tasks.Square(x).save(lab.todo)

    def kill():
        while lab.calls("Square") < 100:
            time.sleep(0.01)
        workers[0].kill()

    threading.Thread(target=kill).start()
    try:
        summary = run(lab, scheduler=programs.address)
    finally:
        programs.close()
    assert (summary.counts.total(), summary.failures, left(lab)) == (300, [], [])
    assert [lab.tasks.Square(x).load() for x in range(300)] == [x * x for x in range(300)]
    assert "running" not in statuses(lab)
    assert statuses(lab).count("finished") == 300


def ended(summary):
    """How many ended well and how many were killed; what a dying worker could not tell of is found again."""
    counts = summary.counts
    assert counts.total() == counts["computed"] + counts["found"] + counts["killed"]
    return counts["computed"] + counts["found"], counts["killed"]


@pytest.mark.slow
def test_a_task_that_kills_its_workers_is_reported_and_no_other(lab):
    """It is tried once more, on another worker; one that succeeds then is no failure."""
    for x in (1, 2):
        lab.tasks.Die(x).save(lab.todo)
    for x in range(40):
        lab.tasks.Square(x).save(lab.todo)
    lab.tasks.Total([lab.tasks.Die(2)], 1).save(lab.todo)
    summary = run(lab)
    assert (ended(summary), lab.calls("Square")) == ((41, 2), 40)
    assert {outcome.error for outcome in summary.failures} == {
        "its worker died 2 times, at last ended by signal 9 (SIGKILL)"
    }
    assert left(lab) == ["Die", "Total"]
    assert set(statuses(lab)) == {"finished", "killed"}


@pytest.mark.slow
def test_tasks_that_end_their_workers_at_once_are_reported_and_no_other(lab):
    """They are not taken for workers that cannot start, however many they are."""
    for x in range(3):
        lab.tasks.Exit(x).save(lab.todo)
    for x in range(10):
        lab.tasks.Square(x).save(lab.todo)
    summary = run(lab)
    assert (ended(summary), lab.calls("Square")) == ((10, 3), 10)
    assert {outcome.error for outcome in summary.failures} == {
        "its worker died 2 times, at last ended by itself, with exit status 3"
    }
    assert left(lab) == ["Exit"] * 3


@pytest.mark.slow
def test_ctrl_c_ends_workers_of_our_own(lab):
    """Records say killed, the files stay, and no process is left."""
    lab.tasks.Loop(1).save(lab.todo)
    command = [sys.executable, "-m", "smttask", "run", "--executor", "dask", "todo"]
    process = subprocess.Popen(
        command, cwd=lab.root, stderr=subprocess.PIPE, start_new_session=True, text=True
    )
    wait_for(lab.root / ".smt" / "begun1")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130, told
    assert (statuses(lab), left(lab)) == (["killed"], ["Loop"])


def test_workers_with_another_version_are_told(lab, cluster, monkeypatch):
    """With both versions; nothing is run."""
    lab.tasks.Square(1).save(lab.todo)
    monkeypatch.setattr("smttask.__version__", "99.0")
    with pytest.raises(WorkerError, match="has another version of smttask.\n  found: .*\n  expected: 99.0"):
        run(lab, scheduler=cluster.address)
    assert left(lab) == ["Square"]


def test_a_module_that_workers_cannot_import_fails_its_task(lab, cluster):
    """With the name of the module; others are run."""
    lab.tasks.Square(1).save(lab.todo)
    path = lab.tasks.Square(2).save(lab.todo)
    path.write_text(path.read_text().replace('"module": "tasks"', '"module": "elsewhere"'))
    summary = run(lab, scheduler=cluster.address)
    assert summary.counts == {"computed": 1, "failed": 1}
    assert "the module of task 'Square' is gone" in summary.failures[0].error
    assert "elsewhere" in summary.failures[0].details


def test_workers_without_smttask_are_told(lab, tmp_path):
    """With what is missing there, and what to do."""
    programs = Programs(tmp_path)
    programs.add_worker(before="import sys; sys.modules['smttask'] = None")
    lab.tasks.Square(1).save(lab.todo)
    with require("distributed").Client(programs.address, set_as_default=False) as client:
        client.wait_for_workers(1)
    try:
        with pytest.raises(WorkerError, match="The Dask worker at tcp://.* cannot run tasks") as told:
            run(lab, scheduler=programs.address)
    finally:
        programs.close()
    assert "smttask" in told.value.found
    assert "install smttask" in told.value.remedy
    assert left(lab) == ["Square"]


def test_workers_of_our_own_that_cannot_start_are_told(lab, monkeypatch):
    """With what they said; the command does not wait for ever."""
    monkeypatch.setattr("smttask.executors.daskcluster.START", "import sys; sys.exit('no way')")
    lab.tasks.Square(1).save(lab.todo)
    with pytest.raises(WorkerError, match="Worker processes for Dask could not start") as told:
        run(lab)
    assert "exit status 1\nno way" in told.value.found


def test_dask_that_is_not_installed_is_told(monkeypatch):
    """With what installs it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r'pip install "smttask\[dask\]"'):
        make_executor("dask", n=1)


def test_what_tasks_print_is_shown_on_request(lab):
    """By workers of our own; the record has it in any case."""
    lab.tasks.Speak(1).save(lab.todo)
    done = lab.scratch.smttask("run", "--executor", "dask", "-v", "todo")
    assert "a word of Speak" in done.stdout
    [record] = lab.project.records.records()
    assert record.stdout_stderr == "a word of Speak\n"
