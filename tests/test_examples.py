"""The examples with folders of data tell the stories that they promise."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path):
    """Copies an example and gives what runs its script; twice the same folder."""

    def run_script(name):
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__", "movies"))
        done = subprocess.run(
            [sys.executable, "run.py"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run_script


def test_the_tour_runs_what_it_must_and_nothing_else(run):
    """All tasks at first, then those after the changed file, then the deleted one alone."""
    for _ in range(2):
        ran = re.findall("^  running (.*)", run("tasker_tour"), re.MULTILINE)
        assert ran[:5] == ["raw_random", "random", "summary", "std_err", "report_everything"]
        assert ran[5:8] == ["summary", "std_err", "report_everything"]
        assert ran[8:] == ["random", "raw_random", "random", "summary", "std_err"]


@pytest.mark.slow
def test_fifty_folders_are_done_in_parallel_and_then_only_what_changed(run):
    """Counts come out as the movies were made; a second look runs the one folder that was edited."""
    said = run("tasker_many")
    assert "50 folders: 50 computed" in said
    assert "50 folders: 1 computed, 49 found" in said
    assert "counts: 'params.json' changed" in said
    assert "background:" not in said
