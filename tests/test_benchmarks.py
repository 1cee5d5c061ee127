"""The table of times can be made."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_each_row_of_the_benchmarks_can_be_measured(tmp_path):
    """Whoever asks for the table gets every row, each beside at least one peer."""
    file = tmp_path / "times.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--tiny", "--json", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "not measured" not in done.stdout
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(file.read_text())["rows"]
    assert all(isinstance(row["median_s"], float | int) and row["peers"] for row in rows)


def test_one_row_is_asked_for_by_its_key():
    """A single row is measured alone; an unknown one is refused with the list of those that are there."""
    command = [sys.executable, "-m", "benchmarks", "--tiny"]
    one = subprocess.run([*command, "construct"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "three scalars" in one.stdout
    assert "1 of 1 rows measured" in one.stdout
    none = subprocess.run([*command, "speed"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert none.returncode == 2
    assert "construct" in none.stderr
