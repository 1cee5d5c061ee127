"""The house keeps its own rules: sizes, names, and what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import smttask

ROOT = Path(__file__).parents[1]
PACKAGE = Path(smttask.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
HOMELESS = {"utils", "util", "helpers", "helper", "common", "base", "misc"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_can_be_read_in_one_sitting(path):
    """No file is longer than 400 lines, and no function than 60 without its docstring."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES
    too_long = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body and node.body[-1].end_lineno - body[0].lineno >= MAX_FUNCTION_LINES:
                too_long.append(node.name)
    assert too_long == []


def test_no_file_is_named_for_having_no_subject():
    """There is no room for odds and ends."""
    assert [path for path in FILES if {path.stem, *path.relative_to(PACKAGE).parent.parts} & HOMELESS] == []


def test_importing_smttask_changes_nothing(tmp_path):
    """No files, no change of directory, no signal handlers, no Django, git or pandas."""
    code = (
        "import os, signal, sys\n"
        "def state():\n"
        "    handlers = [signal.getsignal(number) for number in sorted(signal.valid_signals())]\n"
        "    return os.getcwd(), dict(os.environ), handlers\n"
        "before = state()\n"
        "import smttask\n"
        "smttask.RecordedTask, smttask.config, smttask.typing\n"
        "assert before == state()\n"
        "print(sorted({'django', 'git', 'pandas', 'rich', 'click', 'IPython', 'sumatra'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_the_public_names_are_sorted_and_exist():
    """`__all__` lists what there is, in order."""
    assert list(smttask.__all__) == sorted(smttask.__all__)
    assert [name for name in smttask.__all__ if not hasattr(smttask, name)] == []


def test_the_template_is_reached_by_its_old_name():
    """`.smt-template` at the top of the repository leads to what `project init` copies."""
    assert (ROOT / ".smt-template").resolve() == PACKAGE / "project_template"
