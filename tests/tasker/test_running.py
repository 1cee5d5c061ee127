"""One run: what is stored, what is an error, and who may run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from smttask.errors import InputError, LockError, MissingExtraError, OutputError, ResultNotFoundError
from smttask.tasker import JSON, Pandas, Tasker, Text


@pytest.fixture
def t(tmp_path: Path) -> Tasker:
    return Tasker(tmp_path)


def test_several_outputs_come_as_a_list(t: Tasker) -> None:
    """Values from their files, plain files as absolute paths; None stands for a plain file."""

    @t.stores(JSON("a.json"), "b.txt", Text("c.txt"))
    def three(tsk):
        """Writes one itself."""
        assert tsk.output_files == [t.p / "a.json", t.p / "b.txt", t.p / "c.txt"]
        Path("b.txt").write_text("plain")
        return (1, 2), None, "text"

    assert three() == [[1, 2], t.p / "b.txt", "text"]
    assert (t.p / "b.txt").read_text() == "plain"


def test_a_file_of_a_format_may_lie_in_a_folder_that_the_task_stores(t: Tasker) -> None:
    """In whatever order they are named, the task is up to date when it has run."""

    @t.stores("frames", JSON("frames/n.json"))
    def frames(tsk):
        (tsk.output_files[0] / "deep").mkdir(parents=True, exist_ok=True)
        (tsk.output_files[0] / "deep" / "0.txt").write_text("0")
        return None, 1

    assert frames() == [t.p / "frames", 1]
    assert frames.report() == []
    frames.clear()
    assert not (t.p / "frames").exists()


def test_several_plain_files_need_no_placeholder(t: Tasker) -> None:
    """A function that writes all itself may return nothing; folders are files too."""

    @t.stores("a.txt", "frames")
    def both(tsk):
        Path("a.txt").write_text("a")
        Path("frames").mkdir(exist_ok=True)
        Path("frames/1.txt").write_text("1")

    assert both() == [t.p / "a.txt", t.p / "frames"]
    assert both.is_current()
    (t.p / "frames/1.txt").unlink()
    assert [stale.why for stale in both.report()] == ["'frames' is not as the task stored it"]
    both()
    both.clear()
    assert not (t.p / "frames").exists()


def test_what_cannot_be_saved_is_not_computed(t: Tasker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that a format needs is missed before the function runs, and nothing counts as begun."""
    ran = []

    @t.stores(JSON("a.json"), Pandas("b.h5"))
    def both(tsk):
        ran.append(tsk.name)
        return 1, None

    monkeypatch.setitem(sys.modules, "tables", None)
    with pytest.raises(MissingExtraError) as caught:
        both()
    assert str(caught.value).splitlines()[0] == (
        "The file 'b.h5' needs the library 'tables', which is not installed."
    )
    assert 'pip install "smttask[hdf5]"' in str(caught.value)
    assert ran == []
    assert [stale.why for stale in both.report()] == ["'a.json' is missing"]


@pytest.mark.parametrize(
    ("returned", "what"),
    [((1, 2, 3), "3 values"), (5, "int"), (None, "NoneType"), ({"a": 1, "b": 2}, "dict")],
)
def test_a_wrong_number_of_values_is_an_error(t: Tasker, returned: Any, what: str) -> None:
    """It names the outputs, and the run does not count."""

    @t.stores(JSON("a.json"), JSON("b.json"))
    def two(tsk):
        return returned

    with pytest.raises(OutputError, match=f"Task 'two' returned {what} for 2 outputs") as caught:
        two()
    assert "outputs: a.json, b.json" in str(caught.value)
    assert [stale.why for stale in two.report()] == ["its last run did not finish"]


def test_a_plain_file_that_is_left_as_it_was_is_an_error(t: Tasker) -> None:
    """What it is made from changed, so the old one must not pass for new; the next run may write it."""
    t.conf.x = 1

    @t.stores("a.txt")
    def one(tsk):
        if tsk.conf.x != 2:
            Path("a.txt").write_text("a")

    os.utime(one(), ns=(10**18 + 1, 10**18 + 1))
    t.conf.x = 2
    with pytest.raises(OutputError, match="Task 'one' did not write 'a.txt'") as caught:
        one()
    assert "as it was before the run" in str(caught.value)
    assert not one.is_current()
    t.conf.x = 3
    assert one().read_text() == "a"


def test_a_plain_file_that_was_not_written_is_an_error(t: Tasker) -> None:
    """It says which, and the run does not count, though the other was written."""

    @t.stores("a.txt", "b.txt")
    def two(tsk):
        Path("a.txt").write_text("a")

    with pytest.raises(OutputError, match="Task 'two' did not write 'b.txt'") as caught:
        two()
    assert caught.value.__notes__ == [f"in task 'two' of {t.p}"]
    assert not two.is_current()
    with pytest.raises(ResultNotFoundError, match=f"missing: {t.p / 'b.txt'}"):
        two.load()


def test_what_a_function_raises_comes_through_with_a_note(t: Tasker) -> None:
    """Its own traceback, and where it was."""

    @t.stores(JSON("a.json"))
    def broken(tsk):
        raise KeyError("mouse")

    with pytest.raises(KeyError, match="mouse") as caught:
        broken()
    assert caught.value.__notes__ == [f"in task 'broken' of {t.p}"]
    assert not t.is_working()


def test_a_value_that_the_format_does_not_take_is_an_error_of_the_task(t: Tasker) -> None:
    """The note says which task returned it."""

    @t.stores(JSON("a.json"))
    def odd(tsk):
        return object()

    with pytest.raises(OutputError) as caught:
        odd()
    assert caught.value.__notes__ == [f"in task 'odd' of {t.p}"]
    assert not (t.p / "a.json").exists()


def test_a_failed_run_leaves_what_was_stored(t: Tasker) -> None:
    """Files of a format are replaced only by whole new ones, and count on."""
    t.conf.fails = False

    @t.stores(JSON("a.json"))
    def sometimes(tsk):
        if os.path.exists("fail"):
            raise ValueError("now")
        return 1

    sometimes()
    (t.p / "fail").touch()
    with pytest.raises(ValueError, match="now"):
        sometimes.force()
    assert sometimes.is_current()
    assert sometimes() == 1


def test_a_missing_input_file_is_an_error(t: Tasker) -> None:
    """Of a task that runs, or of one without outputs before it."""

    @t
    def text(tsk, name="in.txt"):
        return name.read_text()

    @t.stores(JSON("a.json"))
    def length(tsk, text=text):
        return len(text)

    for task in (text, length):
        with pytest.raises(InputError, match="Task 'text' of .* cannot run: an input is not there") as caught:
            task()
        assert f"missing: {t.p / 'in.txt'}, which no task of the Tasker stores" in str(caught.value)


def test_a_function_runs_in_its_folder_with_paths_of_its_inputs(t: Tasker) -> None:
    """Absolute, so that they hold in what it starts elsewhere too."""
    (t.p / "in.txt").write_text("x")
    before = os.getcwd()

    @t
    def where(tsk, name="in.txt"):
        return Path.cwd(), name, tsk.p, tsk.name, tsk.__doc__

    assert where() == (t.p, t.p / "in.txt", t.p, "where", "")
    assert os.getcwd() == before


def test_another_task_may_be_called_inside_a_task(tmp_path: Path) -> None:
    """Of the same folder or of another; the working directory is right in both."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    a, b = Tasker(tmp_path / "a"), Tasker(tmp_path / "b")

    @b.stores(JSON("inner.json"))
    def inner(tsk):
        return Path.cwd().name

    @a.stores(JSON("outer.json"))
    def outer(tsk):
        return [inner(), Path.cwd().name]

    assert outer() == ["b", "a"]


def test_a_task_that_asks_for_itself_by_another_tasker_is_told(tmp_path: Path) -> None:
    """Of the same folder, whatever that is called."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "lab")
    ran = []

    def made(folder: str) -> Tasker:
        t = Tasker(tmp_path / folder)

        @t.stores(JSON("a.json"))
        def again(tsk):
            ran.append(folder)
            return made("lab").again()

        return t

    for folder in ("lab", "link"):
        with pytest.raises(LockError, match="it asks for its own value"):
            made(folder).again()
    assert ran == ["lab", "link"]


@pytest.mark.parametrize("outputs", [[], [JSON("a.json")]])
def test_a_task_that_asks_for_itself_is_told(t: Tasker, outputs: list[Any]) -> None:
    """Not left waiting for ever, with or without outputs, even if it would wait."""
    task = t.create_task([], outputs)(lambda_named(lambda tsk, ins: tsk(wait=True), "again"))
    with pytest.raises(
        LockError, match="Task 'again' of .* is running already.\n  it asks for its own value"
    ):
        task()


def lambda_named(function: Any, name: str) -> Any:
    function.__name__ = name
    return function


SLOW = """
import sys, time
from pathlib import Path
from smttask.tasker import JSON, Tasker
t = Tasker(sys.argv[1])

@t.stores(JSON("a.json"))
def slow(tsk):
    with open("runs", "a") as file:
        file.write("x")
    Path("begun").touch()
    while not Path("go").exists():
        time.sleep(0.01)
    return 5

print(slow(wait=len(sys.argv) > 2))
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    script = folder.parent / "slow.py"
    script.write_text(SLOW)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def slow(tmp_path: Path) -> Tasker:
    """The Tasker of `SLOW`, seen from this process."""
    (tmp_path / "lab").mkdir()
    t = Tasker(tmp_path / "lab")
    t.stores(JSON("a.json"))(lambda_named(lambda tsk: 0, "slow"))
    return t


def test_a_task_that_runs_elsewhere_is_not_run_twice(slow: Tasker) -> None:
    """The call says which process has it; a second one that waits finds what the first stored."""
    first = start(slow.p)
    second = None
    try:
        wait_for(slow.p / "begun", first)
        assert slow.is_working("slow")
        assert slow.is_working()
        with pytest.raises(LockError, match="Task 'slow' of .* is running already") as caught:
            slow.slow()
        assert f"held by process {first.pid} on" in str(caught.value)
        assert "wait=True" in str(caught.value)
        with pytest.raises(LockError, match="is running already"):
            slow.clear()
        second = start(slow.p, "wait")
        (slow.p / "go").touch()
        assert first.communicate()[0] == "5\n"
        assert second.communicate()[0] == "5\n"
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()
    assert (slow.p / "runs").read_text() == "x"


def test_the_lock_of_a_dead_process_is_free(slow: Tasker) -> None:
    """Nothing is to be unlocked after kill -9."""
    process = start(slow.p)
    wait_for(slow.p / "begun", process)
    process.kill()
    process.communicate()
    assert not slow.is_working()
    assert slow.slow() == 0


def test_threads_run_one_task_once(t: Tasker) -> None:
    """The second thread waits for the working directory and finds the result."""
    runs = []

    @t.stores(JSON("a.json"))
    def once(tsk):
        runs.append(threading.get_ident())
        return 1

    values: list[int] = []
    threads = [threading.Thread(target=lambda: values.append(once())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (values, len(runs)) == ([1] * 4, 1)


CHAIN = """
import random, sys
from pathlib import Path
from smttask.tasker import JSON, Tasker

def use(folder):
    t = Tasker(folder)
    last = None
    for number in range(8):
        def step(tsk, before=last):
            with open("log", "a") as file:
                file.write(f"{tsk.name} ")
            return (before or 0) + 1
        step.__name__ = f"s{number}"
        last = t.stores(JSON(f"{step.__name__}.json"))(step)
    return last

folders = sorted(Path(sys.argv[1]).iterdir())
random.Random(sys.argv[2]).shuffle(folders)
assert all(use(folder)(wait=True) == 8 for folder in folders)
"""


@pytest.mark.slow
def test_four_processes_over_the_same_folders_run_each_task_once(tmp_path: Path) -> None:
    """In whatever order they come to them: who waits looks again."""
    script = tmp_path / "chain.py"
    script.write_text(CHAIN)
    for number in range(50):
        (tmp_path / "all" / f"{number}").mkdir(parents=True)
    processes = [
        subprocess.Popen([sys.executable, str(script), str(tmp_path / "all"), str(n)]) for n in (1, 1, 2, 3)
    ]
    assert [process.wait() for process in processes] == [0] * 4
    logs = {(folder / "log").read_text() for folder in (tmp_path / "all").iterdir()}
    assert logs == {"s0 s1 s2 s3 s4 s5 s6 s7 "}


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
