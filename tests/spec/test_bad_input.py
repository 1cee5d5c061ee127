"""Bad input: refused before anything is lost, in three parts: what failed, what was found, what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smttask import RecordedTask, config
from smttask.errors import (
    ArgumentError,
    DigestError,
    InputError,
    ProjectError,
    RepositoryError,
    SignatureError,
    SmttaskError,
    StaleModuleError,
    UncommittedChangesError,
)
from smttask.testing import git

TASKS = """
from dataclasses import dataclass
from typing import Any
from smttask import RecordedTask
from smttask.testing import count_call

class Foreign:
    pass

@dataclass
class Shape:
    sigma: float

@RecordedTask
def Square(x: float, n: int = 2) -> float:
    count_call()
    return x**n

@RecordedTask
def Deep(x: dict[str, list[Shape]]) -> float:
    return 0.0

@RecordedTask
def Take(x: Any) -> int:
    return 0
"""


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


def check_message(error: BaseException, *parts: str) -> None:
    """Three parts, each there; the first is a line that stands alone."""
    assert isinstance(error, SmttaskError)
    assert error.what
    assert "\n" not in error.what
    assert error.found
    assert error.remedy
    for part in parts:
        assert part in str(error), str(error)


def check_command(lab: Any, *arguments: str, says: tuple[str, ...]) -> None:
    """Exit status 1, the message on stderr, no traceback."""
    done = lab.smttask(*arguments, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for part in says:
        assert part in done.stderr, done.stderr


def test_a_missing_annotation_is_refused_at_decoration() -> None:
    """The message names function and argument, or the return value."""
    with pytest.raises(SignatureError) as caught:

        @RecordedTask(name="spec.no-annotation")
        def Bad(x, y: int) -> int:  # type: ignore[no-untyped-def]
            return y

    check_message(caught.value, "'Bad'", "'x'")
    with pytest.raises(SignatureError) as caught:

        @RecordedTask(name="spec.no-return")
        def Worse(x: int):  # type: ignore[no-untyped-def]
            return x

    check_message(caught.value, "'Worse'", "return")
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("name", ["reason", "self"])
def test_reserved_argument_names_are_refused_at_decoration(name: str) -> None:
    """They mean something else in a call."""
    names: dict[str, Any] = {"RecordedTask": RecordedTask}
    text = f"@RecordedTask(name='spec.reserved')\ndef Bad(x: int, {name}: int) -> int:\n    return x\n"
    with pytest.raises(SignatureError) as caught:
        exec(text, names)  # noqa: S102 - the only way to write an argument of any name
    check_message(caught.value, "'Bad'", f"'{name}'")


ARGUMENTS = {
    "wrong": ({"x": "three"}, InputError, ["'Square'", "x", "'three'", "number"]),
    "missing": ({}, ArgumentError, ["'Square'", "'x' is missing", "x: float"]),
    "unknown": ({"x": 1, "m": 2}, ArgumentError, ["'Square'", "'m'", "x: float, n: int = 2"]),
    "misspelt": ({"x": 1, "nn": 2}, ArgumentError, ["did you mean 'n'?"]),
    "a bool": ({"x": 1, "n": True}, InputError, ["n does not take True (bool)"]),
    "cut": ({"x": 1, "n": 2.5}, InputError, ["n does not take 2.5 (float)"]),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_wrong_arguments_are_refused_at_construction(lab: Any, case: str) -> None:
    """The message names task, argument, what was expected and what was given."""
    arguments, kind, parts = ARGUMENTS[case]
    with pytest.raises(kind) as caught:
        lab.load("tasks").Square(**arguments)
    check_message(caught.value, *parts)


def test_too_many_and_doubled_arguments_are_refused(lab: Any) -> None:
    """By position, or by position and name."""
    Square = lab.load("tasks").Square
    for arguments, named in [((1, 2, 3), {}), ((1,), {"x": 2})]:
        with pytest.raises(ArgumentError) as caught:
            Square(*arguments, **named)
        check_message(caught.value, "'Square'")


def test_a_wrong_value_deep_in_the_data_is_named_by_its_place(lab: Any) -> None:
    """As one would write the way to it in Python."""
    with pytest.raises(InputError) as caught:
        lab.load("tasks").Deep({"a": [{"sigma": 1}, {"sigma": "wide"}]})
    check_message(caught.value, "x['a'][1]", "'wide'", "'Deep'")


def test_a_value_without_digest_is_named_by_its_place_with_the_remedy(lab: Any) -> None:
    """An object of a class that nobody made known, a value that contains itself, an iterator."""
    tasks = lab.load("tasks")
    with pytest.raises(DigestError) as caught:
        tasks.Take({"a": [1, (2, tasks.Foreign())]})
    check_message(caught.value, "x['a'][1][1]", "Foreign", "register_type")
    loop: list[Any] = []
    loop.append(loop)
    for value in (loop, object(), {"a": object()}, iter([1])):
        with pytest.raises(SmttaskError) as error:
            tasks.Take(value)
        check_message(error.value)


def test_uncommitted_untracked_and_newer_code_is_refused(lab: Any) -> None:
    """The files are listed, with the ways out; nothing is written, and after a commit all is well."""
    tasks = lab.load("tasks")
    tasks.Square(2).save(lab.root / "todo")
    lab.write({"tasks.py": TASKS + "\nx = 1\n", "helper.py": "y = 1\n"}, commit=False)
    with pytest.raises(StaleModuleError) as stale:
        tasks.Square(1).run()
    check_message(stale.value, "tasks.py", "reload")
    with pytest.raises(UncommittedChangesError) as caught:
        lab.reload("tasks").Square(1).run()
    check_message(caught.value, "tasks.py", "commit", "allow_uncommitted_changes")
    assert "helper.py" not in str(caught.value), "what no task reaches is not asked for"
    lab.write({"tasks.py": "from helper import y\n" + TASKS.replace("x**n", "x**n + y")}, commit=False)
    git(lab.root, "commit", "-qam", "without helper")
    with pytest.raises(UncommittedChangesError) as caught:
        lab.reload("tasks").Square(1).run()
    check_message(caught.value, "helper.py", "not tracked")
    check_command(lab, "run", "todo", says=("Square", "helper.py"))
    assert list((lab.root / "todo").iterdir())
    assert not (lab.root / "data").exists()
    lab.commit()
    assert lab.smttask("run", "todo").returncode == 0
    assert not list((lab.root / "todo").iterdir())


def outside(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def test_without_a_project_it_says_how_to_make_one(tmp_path: Path) -> None:
    """From Python and from the command line."""
    folder = tmp_path / "nowhere"
    folder.mkdir()
    (folder / "tasks.py").write_text(TASKS.replace("count_call()", "pass"))
    done = outside(folder, "import tasks; tasks.Square(1).run()")
    assert "ProjectError: No project found" in done.stderr
    assert "smttask project init" in done.stderr
    assert outside(folder, "import tasks; tasks.Square(1).save('todo')").returncode == 0
    command = [sys.executable, "-m", "smttask", "run", "todo"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False)
    assert "smttask project init" in ran.stderr
    assert list((folder / "todo").iterdir())
    with config.use(project=folder), pytest.raises(ProjectError) as caught:
        from smttask.project import get_current_project

        get_current_project()
    check_message(caught.value)


@pytest.mark.parametrize("lack", ["no git", "no commit", "no git command"])
def test_without_git_or_commit_a_run_is_refused(lab: Any, lack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """record=False still runs; the description file stays."""
    task = lab.load("tasks").Square(3)
    task.save(lab.root / "todo")
    if lack != "no git command":
        shutil.rmtree(lab.root / ".git")
    else:
        monkeypatch.setenv("PATH", "/nonexistent")
        monkeypatch.setenv("GIT_PYTHON_GIT_EXECUTABLE", "/nonexistent/git")
    if lack == "no commit":
        git(lab.root, "init", "-q")
    says = {"no git": "git init", "no commit": "no commit yet", "no git command": "git"}[lack]
    if lack != "no git command":
        with pytest.raises(RepositoryError) as caught:
            task.run()
        check_message(caught.value, says)
    check_command(lab, "run", "todo", says=(says,))
    assert list((lab.root / "todo").iterdir())
    assert not (lab.root / "data").exists()
    assert lab.run("import tasks; print(tasks.Square(3).run(record=False))").stdout == "9.0\n"
