"""Cells of a notebook that are run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# What IPython does with a cell: compiled under a name of its own, its text left for tracebacks.
CELLS = """
import linecache, sys
main = vars(sys.modules["__main__"])
del main["__file__"]

def run_cell(number, text):
    name = f"/tmp/ipykernel_7/{number}.py"
    linecache.cache[name] = len(text), None, text.splitlines(True), name
    exec(compile(text, name, "exec"), main)

run_cell(1, "from smttask.tasker import JSON, Tasker; t = Tasker(sys.argv[1])")
run_cell(2, "def helper(x):\\n    return x + OFFSET\\nOFFSET = 1\\n")
ONE = "@t.stores(JSON('one.json'))\\ndef one(tsk):\\n    print('one')\\n    return helper(1)\\n"
TWO = "@t.stores(JSON('two.json'))\\ndef two(tsk, one=one):\\n    print('two')\\n    return one * t.conf.n\\n"
run_cell(3, ONE)
run_cell(4, TWO)
run_cell(5, "t.conf.n = 1; print(t.two())")
run_cell(6, ONE)
run_cell(7, "t.conf.unread = 1; print('the same cell again', t.two())")
run_cell(8, ONE.replace("helper(1)", "helper(5)"))
run_cell(9, "print('another cell', t.two(), two())")
run_cell(10, "OFFSET = 2")
run_cell(11, "print('another constant', t.two())")
run_cell(12, "def helper(x):\\n    return x + 2 * OFFSET\\n")
run_cell(13, "print('another helper', t.two())")
run_cell(14, "t = Tasker(sys.argv[1]); t.conf.n = 1")
run_cell(15, ONE.replace("helper(1)", "helper(5)"))
run_cell(16, TWO)
run_cell(17, "print('a new Tasker', t.two())")
"""

EXPECTED = """\
one
two
2
the same cell again 2
one
two
another cell 6 6
one
two
another constant 7
one
two
another helper 9
a new Tasker 9
"""


def test_a_cell_that_is_run_again_counts_if_its_code_is_another(tmp_path: Path) -> None:
    """So does what it uses from other cells; the same text again, and a new Tasker, redo nothing."""
    script = tmp_path / "cells.py"
    script.write_text(CELLS)
    (tmp_path / "lab").mkdir()
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "lab")], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (EXPECTED, "")
