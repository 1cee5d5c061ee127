"""The names of `smttask.tasker`."""

import subprocess
import sys
from pathlib import Path

import pytest

import smttask
from smttask import tasker

REFERENCE = Path(__file__).parents[2] / "docs/reference/tasker.md"


def test_every_public_name_is_there_in_order():
    """By attribute, by `from smttask.tasker import *` and in `dir`; what there is not is an error."""
    code = (
        "from smttask.tasker import *; from smttask import tasker; print(*filter(vars().get, tasker.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted(tasker.__all__) == list(tasker.__all__)
    assert set(tasker.__all__) <= set(dir(tasker))
    with pytest.raises(AttributeError, match=r"module 'smttask\.tasker' has no attribute 'Taskers'"):
        tasker.Taskers  # noqa: B018 - reading it is the test


def test_no_module_of_the_room_has_the_name_of_something_else():
    """`tasker.progress` is that of smttask, whatever was imported before."""
    modules = {path.stem for path in Path(tasker.__file__).parent.glob("*.py")}
    assert not modules & set(tasker.__all__)
    assert tasker.progress is smttask.progress


def test_every_public_name_stands_in_the_reference():
    """A name that nobody can look up is no promise."""
    text = REFERENCE.read_text(encoding="utf-8")
    told = {line.split(":: ")[1] for line in text.splitlines() if line.startswith(".. auto")}
    assert [n for n in tasker.__all__ if n not in told and f"`smttask.tasker.{n}`" not in text] == []
