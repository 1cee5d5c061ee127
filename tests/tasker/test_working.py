"""What a worker does with one folder."""

import os
import subprocess
import sys
import threading

import pytest

from smttask import tasker
from smttask.errors import CodeChangedWarning, LockError, TaskfileError
from smttask.executors.calls import Held
from smttask.executors.telling import Watcher
from smttask.tasker.state import lock_path
from smttask.tasker.working import update_folder

TASKFILE = """
import os
from pathlib import Path
from smttask import tasker
from smttask.errors import LockError

Path(__file__).with_suffix(".log").open("a").write(f"{os.getpid()}\\n")

def use(dir):
    t = tasker.Tasker(dir)

    @t.stores("a.txt")
    def a(tsk, file="fail_a"):
        act(file, "a.txt")

    @t.stores("b.txt")
    def b(tsk, a=a):
        Path("b.txt").write_text(a.read_text())

    @t.stores("c.txt")
    def c(tsk, file="fail_c"):
        act(file, "c.txt")

    @t
    def silent(tsk, file="fail_s"):
        act(file, "unused")

    @t.stores("d.txt")
    def d(tsk, silent=silent):
        Path("d.txt").touch()

    @t.stores("e.txt")
    def e(tsk, silent=silent):
        Path("e.txt").touch()

    return t

def act(file, output):
    text = file.read_text()
    if text == "fail":
        raise ValueError(f"no {file.name}")
    if text == "lock":
        raise LockError("Something else is locked.", holder="somebody on venus")
    if text == "stop":
        raise KeyboardInterrupt
    if text == "exit":
        raise SystemExit(3)
    Path(output).write_text(text)
"""

HOLD = """
import sys
from smttask.storage.locks import computing
with computing(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    """A folder whose tasks do what their input files say."""
    (tmp_path / "taskfile.py").write_text(TASKFILE)
    said(tmp_path)
    return tmp_path


def said(folder, **how):
    for name in "acs":
        (folder / f"fail_{name}").write_text(how.get(name, ""))


@pytest.fixture
def held(folder):
    """The lock of `c`, held by another process."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, lock_path(str(folder), "c")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def stored(folder):
    return sorted(path.stem for path in folder.glob("?.txt"))


def test_what_ran_is_computed_and_what_is_current_found(folder):
    """The working directory is the same afterwards."""
    before = os.getcwd()
    assert update_folder(str(folder)) == {"status": "computed"}
    assert update_folder(str(folder)) == {"status": "found"}
    assert (stored(folder), os.getcwd()) == (["a", "b", "c", "d", "e"], before)


def test_a_failure_is_told_with_its_task_and_what_was_left(folder):
    """What does not depend on it is done; nothing of smttask's own says why, so it may be tried again."""
    said(folder, a="fail")
    told = update_folder(str(folder))
    assert (told["status"], told["is_ours"]) == ("failed", False)
    assert told["error"] == "a: ValueError: no fail_a (1 left)"
    assert "left, as they depend on it: b" in told["details"]
    assert f"in task 'a' of {folder}" in told["details"]
    assert stored(folder) == ["c", "d", "e"]


def test_several_failures_are_told_together(folder):
    """The first one first; also one of a task without outputs, which is called once."""
    said(folder, a="fail", c="exit", s="fail")
    told = update_folder(str(folder))
    assert told["error"] == "a: ValueError: no fail_a (2 more failed, 2 left)"
    assert "c: SystemExit: 3\nsilent: ValueError: no fail_s" in told["details"]
    assert told["details"].count("in task 'silent' of") == 1
    assert stored(folder) == []


def test_for_a_debugger_the_first_error_comes_through(folder):
    """As it was raised."""
    said(folder, a="fail")
    with pytest.raises(ValueError, match="no fail_a"):
        update_folder(str(folder), raises=True)


def test_ctrl_c_stops_all(folder):
    """It is no failure of the task."""
    said(folder, a="stop")
    with pytest.raises(KeyboardInterrupt):
        update_folder(str(folder))
    assert stored(folder) == []


def test_a_folder_that_another_process_is_at_is_left_for_later(folder, held):
    """Unless it may wait; what was done before stays done."""
    with pytest.raises(Held) as caught:
        update_folder(str(folder), wait=False)
    assert str(held.pid) in caught.value.holder
    assert stored(folder) == ["a", "b"]
    held.kill()
    held.wait()
    assert update_folder(str(folder), wait=False) == {"status": "computed"}


def test_who_has_failures_waits_since_coming_back_would_repeat_them(folder, held):
    """The task that the other process holds runs when it is free."""
    said(folder, a="fail")
    threading.Timer(0.5, held.kill).start()
    assert update_folder(str(folder), wait=False)["error"] == "a: ValueError: no fail_a (1 left)"
    assert stored(folder) == ["c", "d", "e"]


def test_a_lock_that_a_function_asks_for_is_its_failure(folder):
    """Not the folder's."""
    said(folder, c="lock")
    told = update_folder(str(folder), wait=False)
    assert told["error"] == "c: Something else is locked."


def test_named_tasks_alone(folder):
    """With what they need; a name that there is not is an error with the names that there are."""
    assert update_folder(str(folder), tasks=["b"])["status"] == "computed"
    assert stored(folder) == ["a", "b"]
    with pytest.raises(TaskfileError, match="There is no task 'f'") as caught:
        update_folder(str(folder), tasks=["f"])
    assert "tasks: a, b, c, silent, d, e" in str(caught.value)


def test_what_is_running_is_told(folder):
    """Its name and why."""
    told = []
    with Watcher(told.append).watching():
        update_folder(str(folder), tasks=["a"])
        (folder / "fail_a").write_text("more")
        update_folder(str(folder), tasks=["a"])
    assert [facts["task"] for facts in told if "task" in facts] == ["a", "a"]
    assert told[-1]["why"] == "'fail_a' changed"


def test_a_task_that_stores_nothing_is_told_while_it_is_computed(folder):
    """Then again the one that takes its value; once, though it is asked for itself."""
    told = []
    with Watcher(told.append).watching():
        update_folder(str(folder), tasks=["d", "silent"])
    assert [facts["task"] for facts in told if "task" in facts] == ["d", "silent", "d"]


def test_the_taskfile_is_executed_once_for_many_folders(tmp_path):
    """Its `use` is called for each."""
    (tmp_path / "taskfile_sub.py").write_text(TASKFILE)
    for number in range(5):
        (tmp_path / str(number)).mkdir()
        said(tmp_path / str(number))
        assert update_folder(str(tmp_path / str(number)))["status"] == "computed"
    assert (tmp_path / "taskfile_sub.log").read_text() == f"{os.getpid()}\n"


def test_a_lock_error_names_the_holder(folder, held):
    """Who calls the task gets it at once."""
    with pytest.raises(LockError, match="is running already"):
        tasker.use(folder).c()


def test_a_change_of_code_is_told_for_each_taskfile(tmp_path):
    """Once for all its folders; another with tasks of the same names has changes of its own."""
    for name in ("one", "two"):
        folders = [tmp_path / name / sub for sub in "ab"]
        for folder in folders:
            folder.mkdir(parents=True)
            said(folder)
        taskfile = tmp_path / name / "taskfile_sub.py"
        taskfile.write_text(TASKFILE)
        [update_folder(str(folder), tasks=["a"]) for folder in folders]
        taskfile.write_text(TASKFILE.replace('act(file, "a.txt")', 'act(file, "a.txt"), 1'))
        with pytest.warns(CodeChangedWarning, match="Task 'a' keeps what other code made") as told:
            [update_folder(str(folder), tasks=["a"]) for folder in folders]
        assert [one.category for one in told].count(CodeChangedWarning) == 1
