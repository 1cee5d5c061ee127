"""What `import smttask` brings, and what it leaves alone."""

import subprocess
import sys

import pytest

import smttask


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_smttask_brings_nothing_heavy():
    """Names are loaded at first use, so that the command and parents of workers start at once."""
    loaded = python("import sys, smttask, smttask.cli, smttask.executors.local; print(*sys.modules)").split()
    assert not {"numpy", "pydantic", "pandas", "rich", "git", "sqlite3", "IPython"}.intersection(loaded)


def test_listing_records_brings_nothing_heavy():
    """A look at the newest runs takes no time for libraries that only values and tasks need."""
    code = """
import sys
import smttask.cli.listing
from smttask.view import RSView, RecordView, record_filter
print(*sys.modules)
"""
    assert not {"numpy", "pydantic", "pandas", "rich", "smttask.tasks"}.intersection(python(code).split())


def test_every_public_name_is_there():
    """By attribute, by `from smttask import` and in `dir`."""
    code = "from smttask import *; import smttask; print(*(n for n in smttask.__all__ if n in globals()))"
    assert python(code).split() == sorted(smttask.__all__)
    assert set(smttask.__all__) <= set(dir(smttask))
    with pytest.raises(AttributeError, match="module 'smttask' has no attribute 'Recorded'"):
        smttask.Recorded  # noqa: B018 - reading it is the test


def test_the_first_name_used_may_be_the_settings():
    """`config` knows the current project's file from the beginning."""
    assert python("from smttask import config; print(config._project_source is not None)") == "True\n"


def test_code_written_for_scityping_imports():
    """Where scityping is not installed its names are those of `smttask.typing`."""
    code = """
import smttask
from scityping.numpy import Array
print(Array is smttask.typing.Array)
try:
    import scityping.nonsense
except ModuleNotFoundError as error:
    print(error)
"""
    assert python(code).splitlines() == ["True", "No module named 'scityping.nonsense'"]
