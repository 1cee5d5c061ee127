"""Taskfiles as modules: executed once, with what lies beside them, and nothing left behind."""

import os
import pickle
import subprocess
import sys
import traceback

import pytest

from smttask.errors import TaskfileError
from smttask.tasker.loading import load_taskfile


@pytest.fixture(autouse=True)
def _tidy_imports():
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None):
            del sys.modules[name]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_a_taskfile_is_executed_once(tmp_path):
    """Asked for again, also by another path to it, it is the same module; a touch changes nothing."""
    file = write(tmp_path / "a" / "tf.py", "import os\nopen(__file__ + '.log', 'a').write('x')\n")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    module = load_taskfile(file)
    os.utime(file, (1, 1))
    assert load_taskfile(file) is module
    assert load_taskfile(str(tmp_path / "b" / "tf.py")) is module
    assert (tmp_path / "a" / "tf.py.log").read_text() == "x"


def test_an_edited_taskfile_is_executed_again(tmp_path):
    """Even if it keeps its size within one tick of the clock; the old module stays whole."""
    file = write(tmp_path / "tf.py", "x = 1\n")
    for x in range(2, 9):
        old = load_taskfile(file)
        write(tmp_path / "tf.py", f"x = {x}\n")
        assert (load_taskfile(file).x, old.x) == (x, x - 1)


def test_modules_beside_the_taskfile_can_be_imported(tmp_path):
    """At its top, and later in a function; no bytecode is left in the folder."""
    write(tmp_path / "beside_one.py", "one = 1\n")
    write(tmp_path / "beside_two.py", "two = 2\n")
    text = "from beside_one import one\ndef two():\n    import beside_two\n    return beside_two.two\n"
    module = load_taskfile(write(tmp_path / "tf.py", text))
    assert (module.one, module.two()) == (1, 2)
    assert sorted(os.listdir(tmp_path)) == ["beside_one.py", "beside_two.py", "tf.py"]


def test_each_experiment_has_its_own_modules_of_the_same_name(tmp_path):
    """Two folders with a `beside` each do not get each other's, in whatever order they are used."""
    files = {}
    for name in ("a", "b"):
        write(tmp_path / name / "beside.py", f"name = {name!r}\n")
        write(tmp_path / name / "pack" / "__init__.py", f"name = {name!r}\n")
        text = "import beside, pack\ndef late():\n    import beside\n    return beside.name\n"
        files[name] = write(tmp_path / name / "tf.py", text)
    for name in ("a", "b", "a", "b"):
        module = load_taskfile(files[name])
        assert (module.beside.name, module.pack.name, module.late()) == (name, name, name)


def test_values_of_classes_of_a_taskfile_can_be_pickled(tmp_path):
    """By the name of the file, so that another process can read them, also where the folder was moved to."""
    text = "class Cell:\n    def __init__(self, size): self.size = size\n"
    file = write(tmp_path / "tf_cells.py", text)
    data = pickle.dumps(load_taskfile(file).Cell(3))
    (tmp_path / "moved").mkdir()
    os.rename(file, tmp_path / "moved" / "tf_cells.py")
    code = (
        "import pickle, sys; from smttask.tasker.loading import load_taskfile; "
        f"load_taskfile({str(tmp_path / 'moved' / 'tf_cells.py')!r}); "
        f"print(pickle.loads({data!r}).size)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"


def test_a_taskfile_never_stands_in_for_another_module(tmp_path):
    """One that is called like an imported module leaves that alone."""
    import json

    module = load_taskfile(write(tmp_path / "json.py", "x = 1\n"))
    assert module.x == 1
    assert sys.modules["json"] is json


def test_a_taskfile_that_raises_says_where(tmp_path):
    """Its error comes through with the line of its source and a note; repaired, it is executed."""
    file = write(tmp_path / "tf_bad.py", "x = 1\nboom = 1 / 0  # here\n")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            load_taskfile(file)
        assert caught.value.__notes__ == [f"while the taskfile {file} was executed"]
    assert "boom = 1 / 0  # here" in "".join(traceback.format_exception(caught.value))
    assert "tf_bad" not in sys.modules
    write(tmp_path / "tf_bad.py", "x = 2\n")
    assert load_taskfile(file).x == 2


def test_a_file_that_a_taskfile_misses_is_not_taken_for_itself(tmp_path):
    """What it raises comes through, though it may be an error of the system."""
    file = write(tmp_path / "tf_misses.py", "open('/no/such/file')\n")
    with pytest.raises(FileNotFoundError, match="/no/such/file"):
        load_taskfile(file)


def test_a_taskfile_that_is_no_python_says_so(tmp_path):
    """A syntax error names file and line."""
    file = write(tmp_path / "tf_syntax.py", "x = 1\ndef use(:\n")
    with pytest.raises(SyntaxError) as caught:
        load_taskfile(file)
    assert (caught.value.filename, caught.value.lineno) == (file, 2)


def test_a_taskfile_that_cannot_be_read_is_an_error(tmp_path):
    """A folder of this name, or one that is gone."""
    (tmp_path / "tf.py").mkdir()
    with pytest.raises(TaskfileError, match=r"The taskfile .*tf.py cannot be read.\n  found: Is a directory"):
        load_taskfile(str(tmp_path / "tf.py"))
