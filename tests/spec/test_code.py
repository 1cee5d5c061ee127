"""Edited code, each step in a fresh process: what matters is noticed and named, what does not is a hit."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

FILES = {
    "lab/__init__.py": "",
    "lab/tasks.py": '''
"""Tasks."""
from smttask import MemoizedTask, RecordedTask
from smttask.testing import count_call
from lab.helpers import scaled, twice
from lab.models import Model
from lab import settings


@MemoizedTask
def Offset(x: float) -> float:
    return x + 1


@RecordedTask
def Source(x: float) -> float:
    count_call()
    return 10 * x


@RecordedTask
def Analyze(x: float, y: float = 0.0, z: float = 0.0) -> float:
    """Say something."""
    count_call()
    model = Model(x)
    return scaled(model.value()) + twice(y) + z + settings.SHIFT
''',
    "lab/helpers.py": '''
"""Helpers."""
from lab.tools import logged
from lab.deep import table

FACTOR = 2.0
UNUSED = 3


@logged
def scaled(x, by=1.0):
    """Scale it."""
    # a comment
    return x * by * FACTOR * table["unit"]


def twice(x):
    return 2 * x


def unused(x):
    return x
''',
    "lab/deep.py": 'table = {"unit": 1.0}\n',
    "lab/tools.py": """
import functools


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper
""",
    "lab/models.py": """
class Base:
    exponent = 2

    def value(self):
        return self.power() + 0

    def power(self):
        return self.x**self.exponent


class Model(Base):
    def __init__(self, x):
        self.x = x
""",
    "lab/settings.py": "SHIFT = 0.5\n",
}
RUN = """
import sys, warnings
warnings.simplefilter("always")
from lab.tasks import Analyze, Offset, Source
task = Analyze(3.0, Offset(1.0), Source(2.0))
print(task.run(), task.last_hit)
"""
FIRST = "42.5 computed\n"  # 9 * 2 + 2 * 2 + 20 + 0.5

MATTERS = {
    "a helper in another module": ("helpers", "return 2 * x", "return 3 * x", "lab.helpers:twice changed"),
    "a constant of a helper": ("helpers", "FACTOR = 2.0", "FACTOR = 4.0", "lab.helpers:FACTOR changed"),
    "a constant by its module": ("settings", "0.5", "1.5", "lab.settings:SHIFT changed"),
    "a table of constants": ("deep", '"unit": 1.0', '"unit": 2.0', "lab.deep:table changed"),
    "a method of a base class": ("models", "+ 0", "+ 1", "models:Base.* changed"),
    "an attribute of a base class": ("models", "exponent = 2", "exponent = 3", "models:Base.* changed"),
    "the initializer": ("models", "self.x = x", "self.x = -x", "lab.models:Model.* changed"),
    "a default of a helper": ("helpers", "by=1.0", "by=2.0", "lab.helpers:scaled changed"),
    "a decorator": ("tools", "return function(*args)", "return -function(*args)", "tools:logged.* changed"),
    "a decorator that is gone": ("helpers", "@logged\n", "", "lab.helpers:scaled changed"),
    "the function itself": ("tasks", "+ z +", "+ 2 * z +", "lab.tasks:Analyze changed"),
    "a recorded task among the inputs": (
        "tasks", "10 * x", "11 * x", r"tasks:Source changed \(in upstream task Source"
    ),
    "a memoized task among the inputs": ("tasks", "x + 1", "x + 2", "upstream task Offset .* changed"),
}  # fmt: skip
NOTHING = {
    "a comment": ("helpers", "# a comment", "# another comment, and\n    # a second one"),
    "no comment": ("helpers", "    # a comment\n", ""),
    "a docstring": ("helpers", '"""Scale it."""', '"""Scale it, somehow.\n\n    With care.\n    """'),
    "no docstring": ("tasks", '    """Say something."""\n', ""),
    "the module's docstring": ("tasks", '"""Tasks."""', '"""All the tasks."""'),
    "blank lines": ("helpers", "def scaled", "\n\n\n\ndef scaled"),
    "layout": ("helpers", "x * by * FACTOR", "(x   * by\n        * FACTOR)"),
    "the order of functions": ("helpers",
                               "def twice(x):\n    return 2 * x\n\n\ndef unused(x):\n    return x\n",
                               "def unused(x):\n    return x\n\n\ndef twice(x):\n    return 2 * x\n"),
    "what is not used": ("helpers", "UNUSED = 3", "UNUSED = 4\n\ndef new(x):\n    return x\n"),
    "an import": ("tasks", "from lab import settings", "import os\nfrom lab import settings"),
}  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project whose task was run once; each test works on the code and puts it back."""
    from smttask.testing import scratch_project

    with scratch_project(tmp_path_factory.mktemp("code") / "project", FILES) as lab:
        assert lab.run(RUN).stdout == FIRST
        yield lab


@pytest.fixture
def lab(stored: Any) -> Any:
    """The project with the result of the first code, and that code."""
    yield stored
    stored.write(FILES)


def edit(lab: Any, module: str, old: str, new: str) -> None:
    file = f"lab/{module}.py"
    assert old in FILES[file]
    lab.write({file: FILES[file].replace(old, new)})


@pytest.mark.parametrize("change", MATTERS)
def test_a_change_that_matters_is_noticed_and_named(lab: Any, change: str) -> None:
    """The old result is loaded with a warning that names the change; under "error" it is not."""
    *edited, named = MATTERS[change]
    edit(lab, *edited)
    done = lab.run(RUN + "import smttask\nsmttask.config.on_code_change = 'error'\ntask.run()", check=False)
    assert done.stdout == FIRST.replace("computed", "disk")
    warned = [line for line in done.stderr.splitlines() if "CodeChangedWarning" in line and "Analyze" in line]
    assert len(warned) == 1
    assert re.search(named, warned[0]), warned
    assert re.search(rf"CodeChangedError(.|\n)*changed: .*{named}", done.stderr), done.stderr


@pytest.mark.parametrize("change", NOTHING)
def test_a_change_that_means_nothing_is_a_hit_without_a_word(lab: Any, change: str) -> None:
    """Comments, docstrings, blank lines, layout, order and what is not reached."""
    edit(lab, *NOTHING[change])
    done = lab.run(RUN, SMTTASK_ON_CODE_CHANGE="error")
    assert (done.stdout, done.stderr) == (FIRST.replace("computed", "disk"), "")


def test_back_to_the_old_code_is_back_to_the_old_result(lab: Any) -> None:
    """Under "recompute" each version has its result, and none is computed twice."""
    calls = lab.calls("Analyze")
    outputs = []
    for text in ("return 2 * x", "return 5 * x", "return 2 * x", "return 5 * x"):
        edit(lab, "helpers", "return 2 * x", text)
        outputs.append(lab.run(RUN, SMTTASK_ON_CODE_CHANGE="recompute").stdout)
    assert outputs == ["42.5 disk\n", "48.5 computed\n", "42.5 disk\n", "48.5 disk\n"]
    assert lab.calls("Analyze") == calls + 1


def test_a_new_result_of_an_upstream_task_makes_a_new_one_below_it(lab: Any) -> None:
    """Under "recompute" the whole chain follows, and goes back."""
    outputs = []
    for text in ("10 * x", "20 * x", "10 * x"):
        edit(lab, "tasks", "10 * x", text)
        outputs.append(lab.run(RUN, SMTTASK_ON_CODE_CHANGE="recompute").stdout)
    assert outputs == ["42.5 disk\n", "62.5 computed\n", "42.5 disk\n"]


def test_a_file_edited_while_it_is_loaded_is_refused(lab: Any) -> None:
    """What would run is not what the file says; the message names the file; hits go on."""
    code = RUN + (
        "from pathlib import Path\n"
        "path = Path('lab/helpers.py')\n"
        "path.write_text(path.read_text().replace('2 * x', '7 * x'))\n"
        "print(task.run(), task.last_hit)\n"
        "Analyze(4.0).run()\n"
    )
    done = lab.run(code, check=False)
    assert done.stdout.splitlines()[1] == "42.5 disk"
    assert "StaleModuleError: Task 'Analyze'" in done.stderr
    assert "lab/helpers.py" in done.stderr
    assert "restart Python or reload the module" in done.stderr


def test_a_reloaded_module_counts_as_it_is_now(lab: Any) -> None:
    """importlib.reload and the reloading of notebooks give other code, hence another result."""
    code = RUN + (
        "import importlib, subprocess, lab.helpers, lab.tasks\n"
        "from pathlib import Path\n"
        "path = Path('lab/helpers.py')\n"
        "path.write_text(path.read_text().replace('2 * x', '7 * x'))\n"
        "git = ['git', '-c', 'user.name=n', '-c', 'user.email=e']\n"
        "subprocess.run([*git, 'commit', '-qam', 'x'], check=True)\n"
        "importlib.reload(lab.helpers); importlib.reload(lab.tasks)\n"
        "from lab.tasks import Analyze, Offset, Source\n"
        "task = Analyze(3.0, Offset(1.0), Source(2.0))\n"
        "print(task.run(), task.last_hit)\n"
    )
    done = lab.run(code, SMTTASK_ON_CODE_CHANGE="recompute")
    assert done.stdout.splitlines()[1] == "52.5 computed"


def test_edited_code_is_the_same_to_every_interpreter_start(lab: Any) -> None:
    """The fingerprint depends on neither hash seed, optimization, nor how the module was imported."""
    for options in (["-O"], ["-OO"], ["-B"], ["-X", "utf8"]):
        done = subprocess.run(
            [sys.executable, *options, "-c", RUN],
            cwd=lab.root,
            env={"PYTHONHASHSEED": "7", "SMTTASK_ON_CODE_CHANGE": "error", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == (FIRST.replace("computed", "disk"), ""), options
