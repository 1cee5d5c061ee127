from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from smttask import run_workflow
from smttask.errors import ArgumentError
from smttask.testing import ScratchProject, scratch_project

FILES = {
    "wftasks.py": """
from smttask import RecordedTask
from smttask.testing import count_call

@RecordedTask
def Scale(x: float, factor: float = 1.0) -> float:
    count_call()
    return x * factor
""",
    "sweep.py": """
from smttask import set_workflow_args
from wftasks import Scale

x = 1.0
factor = 2.0
exenv = "script"
set_workflow_args(__name__, globals())

task = Scale(x, factor)
""",
    "own.py": """
from smttask import RecordedTask, set_workflow_args

power = 2
set_workflow_args(__name__, globals())

@RecordedTask
def Power(x: float) -> float:
    return x**power
""",
    "fixed.py": "x = 1\n",
    "broken.py": """
from smttask.workflows import set_workflow_args
divisor = 1
set_workflow_args(__name__, globals())
result = 1 / divisor
""",
    "open.py": """
import json
from smttask.workflows import set_workflow_args
set_workflow_args(__name__, globals(), existing_only=False)
""",
    "pack/__init__.py": "",
    "pack/inside.py": """
from smttask.workflows import run_workflow, set_workflow_args
size = 1
set_workflow_args(__name__, globals())
other = run_workflow("broken", divisor=size)
""",
}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScratchProject]:
    with scratch_project(tmp_path_factory.mktemp("workflows") / "project", FILES) as scratch:
        yield scratch


def test_a_workflow_is_run_with_other_parameters(scratch):
    """Defaults hold for what is not given; each run is a module of its own."""
    runs = [run_workflow("sweep", x=x) for x in (1, 2, 3)]
    assert [run.task.taskinputs.x for run in runs] == [1.0, 2.0, 3.0]
    assert [run.task.run() for run in runs] == [2.0, 4.0, 6.0]
    assert sys.modules["sweep"] is runs[-1]
    assert run_workflow("sweep", x=3).task.run() == 6.0
    assert scratch.calls("Scale") == 3


def test_values_may_be_of_any_type(scratch):
    """Tasks too: one workflow may go on where another ends."""
    first = run_workflow("sweep", x=5)
    second = run_workflow("sweep", x=first.task, factor=10)
    assert second.task.upstream == (first.task,)
    assert second.task.run() == 100.0


def test_a_workflow_knows_how_it_is_run(scratch):
    """`exenv` says whether `run_workflow` runs it; the variable and its value may be others."""
    assert run_workflow("sweep").exenv == "workflow"
    assert run_workflow("sweep", exenv="test").exenv == "test"
    assert run_workflow("sweep", exenv=None).exenv == "script"
    assert run_workflow("sweep", exenv_var="mode").mode == "workflow"
    done = scratch.run("from sweep import exenv, x; print(exenv, x)")
    assert done.stdout == "script 1.0\n"


def test_tasks_defined_in_a_workflow_keep_their_parameters(scratch):
    """A task that reads a parameter of its module is other code under another value."""
    square, cube = run_workflow("own", power=2), run_workflow("own", power=3)
    assert cube.Power(2.0).run() == 8.0
    assert square.power == 2
    assert run_workflow("own", power=2).Power(2.0).run(recompute=True) == 4.0


def test_modules_of_packages_and_nested_workflows(scratch):
    """Relative names work, and a workflow may run others."""
    module = run_workflow(".inside", package="pack", size=4)
    assert module is sys.modules["pack"].inside
    assert module.other.result == 0.25
    assert sys.modules["pack.inside"] is module


def test_threads_do_not_mix_parameters(scratch):
    """Each call gets the parameters it gave."""
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: run_workflow("broken", divisor=n).result, range(1, 33)))
    assert results == [1 / n for n in range(1, 33)]


def test_a_run_that_fails_leaves_the_module_as_it_was(scratch):
    """The error comes through, and what was imported stays."""
    good = run_workflow("broken", divisor=2)
    with pytest.raises(ZeroDivisionError):
        run_workflow("broken", divisor=0)
    assert sys.modules["broken"] is good


def test_an_unknown_parameter_is_refused(scratch):
    """A misspelt name is an error, with those that there are."""
    with pytest.raises(ArgumentError, match=r"'sweep' has no parameter 'fctor'.\n.*x, factor, exenv") as info:
        run_workflow("sweep", fctor=2)
    assert info.value.argument == "fctor"
    assert "Scale" not in info.value.found
    assert run_workflow("open", anything=3).anything == 3


def test_imported_modules_and_names_of_python_are_no_parameters(scratch):
    """What would break the module if it were replaced is refused, also where unknown names are allowed."""
    for name, value in [("__name__", "x"), ("__file__", "y"), ("json", 3)]:
        with pytest.raises(ArgumentError, match=f"has no parameter '{name}'"):
            run_workflow("open", **{name: value})


def test_a_module_that_takes_no_parameters_is_refused(scratch):
    """Without set_workflow_args every run would be the same."""
    with pytest.raises(ArgumentError, match=r"'fixed' takes no parameters.\n.*no call of set_workflow_args"):
        run_workflow("fixed", x=2)
    assert run_workflow("fixed").x == 1


def test_a_module_that_is_not_there(scratch):
    """As for any import."""
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        run_workflow("nowhere", x=2)
