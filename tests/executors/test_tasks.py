"""`run_tasks`: many tasks from Python."""

import signal
import subprocess
import sys
import time
import types

import pytest
from jupyter_client.manager import KernelManager

from smttask import Failed, RecordedTask, config, run_tasks
from smttask.errors import ArgumentError, NotRecordableError, SettingError, WorkerError
from smttask.testing import scratch_project

TASKS = """
import os, threading, time
from pathlib import Path
from smttask import MemoizedTask, NonMemoizedTask, RecordedTask
from smttask.testing import count_call

HERE = Path(__file__).parent

@RecordedTask
def Square(x: int) -> int:
    count_call()
    return x * x

@RecordedTask
def Total(values: list[int], x: int = 0) -> int:
    count_call()
    return sum(values) + x

@RecordedTask
def Slow(x: int) -> int:
    count_call()
    time.sleep(0.3)
    return x

@RecordedTask
def Meet(x: int) -> int:
    count_call()
    (HERE / f"met{x}").touch()
    end = time.monotonic() + 60
    while len(list(HERE.glob("met*"))) < 2:
        if time.monotonic() > end:
            raise TimeoutError("nobody came")
        time.sleep(0.01)
    return x

@RecordedTask
def Held(x: int) -> int:
    count_call()
    while not (HERE / "release").exists():
        time.sleep(0.01)
    return x

@RecordedTask
def Wait(x: int) -> int:
    count_call()
    time.sleep(60)
    return x

@MemoizedTask
def Shared(n: int) -> int:
    count_call()
    return n

@NonMemoizedTask
def Late(s: float) -> float:
    time.sleep(s)
    return s

@NonMemoizedTask
def Threads(x: int) -> str:
    return os.environ["OMP_NUM_THREADS"]

@MemoizedTask
def Handle(x: int) -> object:
    return threading.Lock()

class Odd(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")

def settled(pid):
    if os.getpid() != pid:
        raise RuntimeError("not elsewhere")
    return Settled("only here")

class Settled(Exception):
    def __reduce__(self):
        return settled, (os.getpid(),)

@RecordedTask
def Fail(x: int) -> int:
    count_call()
    if x == 9:
        raise Odd(1, 2)
    if x < 0:
        raise Settled("only here")
    raise ValueError(f"no {x}")
"""


class Lab:
    """A scratch project and its module of tasks."""

    def __init__(self, scratch):
        self.scratch, self.root, self.project = scratch, scratch.root, scratch.project
        self.calls, self.tasks = scratch.calls, scratch.load("tasks")


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        yield Lab(scratch)


def test_results_come_with_their_tasks(lab):
    """As they are done, or in the order of the tasks; a generator of tasks is read on meanwhile."""
    quick_first = [1.0, 0.0, 0.0, 0.0]
    tasks = [lab.tasks.Late(s=s) for s in quick_first]
    as_done = [result for _, result in run_tasks(tasks, n=2, progress=False)]
    in_order = list(run_tasks((task for task in tasks), n=2, ordered=True, progress=False))
    assert (as_done[-1], sorted(as_done)) == (1.0, sorted(quick_first))
    assert in_order == list(zip(tasks, quick_first, strict=True))


@pytest.mark.parametrize("ordered", [False, True])
def test_no_worker_is_started_for_what_is_stored(lab, monkeypatch, ordered):
    """A cell that is run again has its results at once; from the first that is missing on, workers run."""
    tasks = [lab.tasks.Square(x) for x in range(3)]
    for task in tasks:
        task.run()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/nowhere/python")
        found = list(run_tasks(tasks, ordered=ordered, progress=False))
        with pytest.raises(FileNotFoundError, match="/nowhere/python"):
            list(run_tasks([*tasks, lab.tasks.Square(3)], n=1, ordered=ordered, progress=False))
    assert found == list(zip(tasks, [0, 1, 4], strict=True))
    more = [*tasks, lab.tasks.Square(4), lab.tasks.Square(0), lab.tasks.Fail(1)]
    results = []
    with pytest.raises(WorkerError, match="1 of 6 tasks failed"):
        for _, result in run_tasks(more, n=1, ordered=ordered, progress=False):
            results.append(result)
    assert results == [0, 1, 4, 16, 0]
    assert lab.calls("Square") == 4


def test_what_is_stored_is_computed_again_where_that_is_asked_for(lab):
    """By `recompute`; and where results are not to be looked for."""
    task = lab.tasks.Square(3)
    task.run()
    assert [result for _, result in run_tasks([task], n=1, recompute=True, progress=False)] == [9]
    assert [result for _, result in run_tasks([task], n=1, record=False, progress=False)] == [9]
    assert lab.calls("Square") == 3


def test_failures_are_raised_after_all_others(lab):
    """One error names them; each is there with its own error, its traceback as a note."""
    tasks = [lab.tasks.Fail(1), lab.tasks.Square(2), lab.tasks.Fail(3)]
    results = []
    with pytest.raises(WorkerError, match=r"2 of 3 tasks failed\.\n  Fail .*: ValueError: no 1\n") as raised:
        for pair in run_tasks(tasks, n=1, progress=False):
            results.append(pair)
    assert results == [(tasks[1], 4)]
    assert [failed.task for failed in raised.value.failures] == [tasks[0], tasks[2]]
    error = raised.value.__cause__
    assert isinstance(error, ValueError)
    assert "in Fail" in "".join(error.__notes__)


def test_failures_are_returned_where_that_is_asked_for(lab):
    """By the argument, or by the setting that holds for `run()`, too."""
    tasks = [lab.tasks.Fail(1), lab.tasks.Square(2)]
    by_argument = dict(run_tasks(tasks, n=1, on_error="return", progress=False))
    with config.use(on_error="return"):
        by_setting = dict(run_tasks(tasks, n=1, progress=False))
    for results in (by_argument, by_setting):
        assert isinstance(results[tasks[0]], Failed)
        assert isinstance(results[tasks[0]].error, ValueError)
        assert results[tasks[1]] == 4


def test_the_first_failure_can_stop_all(lab):
    """Its own error is raised, and the others are not begun."""
    tasks = [lab.tasks.Fail(1), *(lab.tasks.Slow(x) for x in range(20))]
    with pytest.raises(ValueError, match="no 1"):
        list(run_tasks(tasks, n=1, on_error="stop", progress=False))
    assert lab.calls("Slow") < 5


def test_an_error_that_cannot_be_sent_is_told(lab):
    """The text of an exception that pickle cannot make again."""
    [(_, failed)] = run_tasks([lab.tasks.Fail(9)], n=1, on_error="return", progress=False)
    assert isinstance(failed.error, WorkerError)
    assert "failed: Odd: 1 and 2" in str(failed.error)
    assert "call task.run()" in str(failed.error)


def test_an_error_that_arrives_but_cannot_be_made_again_is_told_with_the_reason(lab):
    """What the worker knew of the error stands beside what is wrong with it here."""
    [(_, failed)] = run_tasks([lab.tasks.Fail(-1)], n=1, on_error="return", progress=False)
    assert isinstance(failed.error, WorkerError)
    assert "failed: Settled: only here" in str(failed.error)
    assert isinstance(failed.error.__cause__, RuntimeError)
    [note] = failed.error.__notes__
    assert note == "The task's own error cannot be made again in this process: RuntimeError('not elsewhere')"


def test_a_result_that_cannot_be_sent_is_an_error(lab):
    """One that is not stored and cannot be pickled; threads hand it over as it is."""
    task = lab.tasks.Handle(1)
    [(_, failed)] = run_tasks([task], n=1, on_error="return", progress=False)
    assert "cannot be sent from its worker" in str(failed.error)
    assert "run it with executor='thread'" in str(failed.error)
    [(_, handle)] = run_tasks([task], executor="thread", n=1, progress=False)
    assert hasattr(handle, "acquire")


def test_threads_share_the_results_of_memoized_tasks(lab):
    """They are those of this process."""
    shared = lab.tasks.Shared(5)
    tasks = [lab.tasks.Total([shared, x]) for x in range(6)]
    assert sum(result for _, result in run_tasks(tasks, executor="thread", n=3, progress=False)) == 45
    assert (lab.calls("Shared"), shared.run(), lab.calls("Shared")) == (1, 5, 1)


def test_settings_chosen_in_code_hold_in_the_workers(lab):
    """Those of `config`, and the arguments that are as for `run()`."""
    task = lab.tasks.Square(3)
    with config.use(record=False):
        assert dict(run_tasks([task], n=1, progress=False)) == {task: 9}
    assert (task.has_run, lab.project.records.count()) == (False, 0)
    assert dict(run_tasks([task], n=1, reason="because", progress=False)) == {task: 9}
    assert [record.reason for record in lab.project.records.records()] == ["because"]
    assert dict(run_tasks([task], n=1, recompute=True, progress=False)) == {task: 9}
    assert lab.calls("Square") == 3


def test_numerical_libraries_get_one_thread(lab, monkeypatch):
    """Unless the user says how many."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [result for _, result in run_tasks([lab.tasks.Threads(1)], n=1, progress=False)] == ["1"]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert [result for _, result in run_tasks([lab.tasks.Threads(1)], n=1, progress=False)] == ["3"]


def test_forked_workers_have_what_this_process_has(lab):
    """They are copies of it; results and records are as always."""
    tasks = [lab.tasks.Square(x) for x in range(6)]
    results = dict(run_tasks(tasks, n=2, start_method="fork", progress=False))
    assert results == {task: task.load() for task in tasks}
    assert lab.project.records.count() == 6


def test_independent_parts_are_run_side_by_side(lab):
    """Of a single task; each once, and what they need first."""
    inner = [lab.tasks.Total([lab.tasks.Meet(x), lab.tasks.Meet(x + 1)], x) for x in (0, 10)]
    task = lab.tasks.Total([*inner, lab.tasks.Meet(20)])
    assert dict(run_tasks([task], n=4, progress=False)) == {task: 1 + 31 + 20}
    assert (lab.calls("Meet"), lab.calls("Total")) == (5, 3)


def test_a_failing_part_fails_those_that_need_it(lab):
    """It is run once, and named in the error of each."""
    failing = lab.tasks.Fail(1)
    tasks = [lab.tasks.Total([failing, lab.tasks.Square(x)]) for x in range(3)]
    results = dict(run_tasks(tasks, n=2, on_error="return", progress=False))
    assert lab.calls("Fail") == 1
    for task in tasks:
        assert "failed: ValueError: no 1 (in Fail__" in str(results[task].error)


def test_what_another_process_computes_is_come_back_to(lab):
    """Meanwhile the others are run; its result is found."""
    other = subprocess.Popen([sys.executable, "-c", "from tasks import Held; Held(0).run()"], cwd=lab.root)
    while not lab.calls("Held"):
        time.sleep(0.01)
    tasks = [lab.tasks.Held(0), lab.tasks.Square(1), lab.tasks.Square(2)]
    order = []
    for task, _ in run_tasks(tasks, n=1, progress=False):
        order.append(task.x)
        if len(order) == 2:
            (lab.root / "release").touch()
    assert (order, other.wait(), lab.calls("Held")) == ([1, 2, 0], 0, 1)


@pytest.mark.filterwarnings("ignore::smttask.errors.NotRecordedWarning")
def test_tasks_of_main_need_threads(lab, monkeypatch):
    """No other process could import them; the error says so."""
    module = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)

    def Local(x: int) -> int:
        return x + 1

    Local.__module__, Local.__qualname__ = "__main__", "Local"
    task = RecordedTask(Local)(1)
    with pytest.raises(NotRecordableError, match=r"'Local' .* cannot run in another process") as raised:
        list(run_tasks([task], n=1, progress=False))
    assert "executor='thread'" in str(raised.value)
    assert [result for _, result in run_tasks([task], executor="thread", n=1, progress=False)] == [2]


def test_ctrl_c_stops_what_runs(lab):
    """The records of the running tasks say killed."""
    code = (
        "import tasks; from smttask import run_tasks\n"
        "for _ in run_tasks([tasks.Wait(1), tasks.Wait(2)], n=1, progress=False): pass\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=lab.root, stderr=subprocess.PIPE, text=True)
    while not lab.calls("Wait"):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert [record.status for record in lab.project.records.records()] == ["killed"]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [(3, "run_tasks takes many tasks"), ([1], "run_tasks takes tasks; number 0 is none")],
)
def test_what_is_no_task_is_told(tasks, message):
    """With its place."""
    with pytest.raises(ArgumentError, match=message):
        list(run_tasks(tasks, n=1, progress=False))


def test_wrong_options_are_told_at_the_call(lab):
    """Not when the first result is asked for; a single task is no list of tasks."""
    with pytest.raises(SettingError, match="run_tasks has no on_error='ignore'"):
        run_tasks([], on_error="ignore")
    with pytest.raises(SettingError, match="There is no executor 'cloud'"):
        run_tasks([], executor="cloud")
    with pytest.raises(ArgumentError, match=r"give \[task\], or call task\.run\(\)"):
        run_tasks(lab.tasks.Square(1))


def test_no_tasks_give_no_results():
    """And start no worker."""
    assert list(run_tasks([], progress=False)) == []


def test_a_notebook_shows_how_far_all_is(lab):
    """Below the cell, in one place; the failures and the counts stay there."""
    cell = (
        "import tasks; from smttask import run_tasks\n"
        "todo = [*map(tasks.Slow, range(6)), tasks.Fail(1)]\n"
        "n = len(list(run_tasks(todo, n=1, on_error='return')))"
    )
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(lab.root))
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        shown = []
        client.execute_interactive(cell, timeout=60, output_hook=shown.append)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    texts = [message["content"]["data"]["text/plain"] for message in shown if "data" in message["content"]]
    assert any("/7" in text and "Slow__" in text for text in texts)
    assert "failed   Fail__" in texts[-1]
    assert "\n7 tasks: 6 computed, 1 failed in " in texts[-1]
    assert [message["msg_type"] for message in shown if "data" in message["content"]][1:] == [
        "update_display_data"
    ] * (len(texts) - 1)


@pytest.mark.slow
def test_a_generator_of_many_tasks_is_never_held_in_memory(lab):
    """Twenty thousand results that are not stored: this process keeps none of them."""
    code = (
        "import resource; import tasks; from smttask import run_tasks\n"
        "n = 0\n"
        "many = (tasks.Shared(n=x) for x in range(20_000))\n"
        "for _, result in run_tasks(many, n=2, progress=False):\n"
        "    n += 1\n"
        "    if n == 2000: before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(n, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    n, grown_mb = map(int, lab.scratch.run(code).stdout.split())
    assert n == 20_000
    assert grown_mb < 20
