"""`use`: a folder's Tasker by the taskfile there or above; every way in which that fails says what to do."""

import os
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path

import pytest

from smttask.errors import DefinitionError, ResultNotFoundError, TaskfileError
from smttask.tasker import JSON, Tasker
from smttask.tasker.discovery import taskmod, use, which

TASKFILE = """
from smttask import tasker

SIZE = 3

def use(dir, times=1):
    t = tasker.Tasker(dir)

    @t.stores(tasker.JSON("size.json"))
    def size(tsk):
        return SIZE * times

    @t.stores("plots/size.txt")
    def plot(tsk, size=size):
        (t.p / "plots").mkdir(exist_ok=True)
        tsk.output_files[0].write_text(str(size))

    return t
"""


@pytest.fixture(autouse=True)
def _tidy_imports():
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in ("taskfile", "taskfile_sub"):
        sys.modules.pop(name, None)


@pytest.fixture
def experiment(tmp_path):
    """A ``taskfile_sub.py`` above the folder ``day/movie``."""
    (tmp_path / "day" / "movie").mkdir(parents=True)
    (tmp_path / "taskfile_sub.py").write_text(TASKFILE)
    return tmp_path


def error_of(*args, **kw):
    with pytest.raises(TaskfileError) as caught:
        use(*args, **kw)
    return str(caught.value)


def test_the_taskfile_in_the_folder_makes_its_tasker(tmp_path):
    """It gets the folder as an absolute path, and what else `use` is given."""
    (tmp_path / "taskfile.py").write_text(TASKFILE)
    t = use(tmp_path, times=2)
    assert isinstance(t, Tasker)
    assert (t.p, t.size()) == (tmp_path, 6)
    assert taskmod(tmp_path).SIZE == 3


def test_a_taskfile_above_serves_many_folders(experiment):
    """The nearest one above, unless the folder has its own."""
    assert use(experiment / "day" / "movie").size() == 3
    (experiment / "day" / "taskfile_sub.py").write_text(TASKFILE.replace("SIZE = 3", "SIZE = 4"))
    assert use(experiment / "day" / "movie").p == experiment / "day" / "movie"
    assert taskmod(experiment / "day" / "movie").SIZE == 4
    (experiment / "day" / "movie" / "taskfile.py").write_text(TASKFILE.replace("SIZE = 3", "SIZE = 5"))
    assert taskmod(experiment / "day" / "movie").SIZE == 5
    (experiment / "day" / "movie" / "taskfile.py").unlink()
    assert taskmod(experiment / "day" / "movie").SIZE == 4


def test_a_taskfile_may_be_named_by_a_pattern_or_a_path(experiment):
    """The folder's own names may have letters of patterns in them."""
    odd = experiment / "day[1]"
    odd.mkdir()
    (odd / "task_b.py").write_text(TASKFILE)
    assert use(odd, "task_*.py").size() == 3
    assert use(experiment / "day", odd / "task_b.py").p == experiment / "day"
    assert use(odd, taskfile_sub="taskfile_s?b.py").p == odd


def test_two_taskfiles_in_one_folder_are_an_error(tmp_path):
    """Both are named."""
    for name in ("task_a.py", "task_b.py"):
        (tmp_path / name).write_text(TASKFILE)
    assert error_of(tmp_path, "task_*.py") == (
        f"More than one taskfile is in {tmp_path}.\n"
        "  found: task_a.py, task_b.py\n"
        "  remove all but one, or name one instead of 'task_*.py'"
    )


def test_no_taskfile_is_an_error_that_names_what_was_searched(tmp_path):
    """Names and places."""
    assert error_of(tmp_path, taskfile_sub="no_such_sub.py") == (
        f"There is no taskfile for {tmp_path}.\n"
        f"  searched: {tmp_path / 'taskfile.py'}\n"
        "  searched: no_such_sub.py in the folders above, up to /\n"
        "  write one with a function use(dir), or name it with taskfile="
    )
    assert "above" not in error_of(tmp_path, "t.py", taskfile_sub=None)


def test_a_taskfile_given_by_its_path_is_that_or_none(experiment):
    """One above does not stand in for it."""
    missing = experiment / "elsewhere" / "mine.py"
    message = error_of(experiment / "day", missing)
    assert f"searched: {missing}\n  write one" in message


def test_a_taskfile_for_the_folders_below_is_not_taken_for_the_folder(experiment):
    """The error says whose it is."""
    message = error_of(experiment)
    assert "found: taskfile_sub.py in the folder itself, which is for the folders below it" in message
    assert message.endswith("give one of the folders below, or write taskfile.py for this one")


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    """So is a file in its place."""
    assert error_of(tmp_path / "gone").startswith(
        f"There is no folder: {tmp_path / 'gone'}.\n  searched from: "
    )
    (tmp_path / "file").write_text("")
    assert error_of(tmp_path / "file") == (
        f"Not a folder: {tmp_path / 'file'}.\n  found: a file\n  give the folder it lies in"
    )


@pytest.mark.parametrize(
    ("text", "found"), [("x = 1", "nothing of this name"), ("use = 3", "use = 3")], ids=["none", "number"]
)
def test_a_taskfile_without_use_is_an_error(tmp_path, text, found):
    """It says what to write."""
    (tmp_path / "taskfile.py").write_text(text)
    assert error_of(tmp_path) == (
        f"Taskfile {tmp_path / 'taskfile.py'} has no function use(dir).\n"
        f"  found: {found}\n"
        "  define in it: def use(dir): t = tasker.Tasker(dir); …; return t"
    )


@pytest.mark.parametrize(("returned", "remedy"), [("None", "end it with `return t`"), ("[1]", "return what")])
def test_a_use_that_returns_no_tasker_is_an_error(tmp_path, returned, remedy):
    """It says what was returned."""
    (tmp_path / "taskfile.py").write_text(f"def use(dir): return {returned}")
    message = error_of(tmp_path)
    assert f"found: {returned}\n  expected: the Tasker of the folder\n  {remedy}" in message


@pytest.mark.parametrize("text", ["1 / 0", "def use(dir):\n    1 / 0"], ids=["at the top", "in use"])
def test_a_taskfile_that_raises_says_for_which_folder(experiment, text):
    """The error is the taskfile's own, with its source lines and notes."""
    (experiment / "taskfile_sub.py").write_text(text)
    with pytest.raises(ZeroDivisionError) as caught:
        use(experiment / "day")
    notes = "\n".join(caught.value.__notes__)
    assert str(experiment / "taskfile_sub.py") in notes
    assert f"for the folder {experiment / 'day'}" in notes
    assert "    1 / 0\n" in "".join(traceback.format_exception(caught.value))


def test_two_tasks_of_one_name_are_an_error_in_use_and_a_new_version_after_it(experiment):
    """What a notebook redefines is no mistake."""
    t = use(experiment / "day")

    @t.stores(JSON("size.json"))
    def size(tsk):
        return 30

    assert t.size() == 30
    twice = TASKFILE.replace("    return t\n", "    @t\n    def size(tsk): return 1\n\n    return t\n")
    (experiment / "taskfile_sub.py").write_text(twice)
    with pytest.raises(DefinitionError, match="Task 'size' is defined twice"):
        use(experiment / "day")


def test_tasks_of_two_experiments_keep_their_modules_apart(tmp_path):
    """What a function imports, and the classes that are pickled, are those beside its own taskfile."""
    text = """
from smttask import tasker

class Cell:
    def __init__(self, kind):
        self.kind = kind

def use(dir):
    t = tasker.Tasker(dir)

    @t.stores(tasker.Pickle("cell.pickle"))
    def cell(tsk):
        import beside
        return Cell(beside.kind)

    return t
"""
    made = []
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "beside.py").write_text(f"kind = {kind!r}\n")
        (tmp_path / kind / "taskfile.py").write_text(text)
        made.append(use(tmp_path / kind))
    modules = [taskmod(tmp_path / kind) for kind in ("a", "b")]
    assert [t.cell().kind for t in made] == ["a", "b"]
    assert [type(t.cell.load()) for t in made] == [module.Cell for module in modules]
    (tmp_path / "b" / "beside.py").write_text("kind = 'B'\n")
    code = "from smttask import tasker; print([len(tasker.use(kind).report()) for kind in 'ab'])"
    command = [sys.executable, "-W", "ignore", "-c", code]
    settings = {**os.environ, "SMTTASK_ON_CODE_CHANGE": "recompute"}
    done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=True)
    assert done.stdout == "[0, 1]\n"


def test_which_finds_the_task_of_a_file(experiment, monkeypatch):
    """Of a file that is not there yet, too, and in a folder below that of the Tasker."""
    monkeypatch.chdir(experiment)
    movie = Path("day", "movie")
    assert which(movie / "size.json").name == "size"
    assert which(movie / "plots" / "size.txt").name == "plot"
    which(movie / "plots" / "size.txt")()
    found = which(movie / "plots" / "size.txt")
    assert (found.name, found.tasker.p) == ("plot", experiment / movie)


def test_which_of_a_file_that_no_task_stores_is_an_error(experiment):
    """Files that are stored are listed; where no taskfile is, that is said."""
    with pytest.raises(ResultNotFoundError, match="stored are: size.json, "):
        which(experiment / "day" / "siez.json")
    with pytest.raises(TaskfileError, match="There is no taskfile for"):
        which(experiment / "x.json")
    with pytest.raises(TaskfileError, match="There is no folder for /no_such_folder/x.json"):
        which("/no_such_folder/x.json")


def test_five_hundred_folders_execute_their_taskfile_once(experiment):
    """Whatever the folder, and in a process of its own, with nothing left in the folders but results."""
    (experiment / "beside.py").write_text("one = 1\n")
    counted = "import beside\nprint('executed')\n" + TASKFILE
    (experiment / "taskfile_sub.py").write_text(counted)
    code = """
        import os
        from smttask import tasker
        for n in range(500):
            os.mkdir(f"f{n}")
            tasker.use(f"f{n}")
        print(tasker.use("f7").size())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=experiment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "executed\n3\n"
    assert not list(experiment.rglob("__pycache__"))
    assert sorted(os.listdir(experiment / "f7")) == [".tasker", "size.json"]
