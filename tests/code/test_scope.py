from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import ModuleType

import pytest

import smttask.code.scope
from smttask.code.scope import CodeScope


def module(name: str, file: Path | str | None) -> ModuleType:
    made = ModuleType(name)
    if file is not None:
        made.__file__ = str(file)
    return made


@pytest.mark.parametrize(
    ("file", "is_ours"),
    [
        ("tasks.py", True),
        ("pkg/sub/inner.py", True),
        ("env/lib/python3.11/site-packages/numpy/core.py", False),
        ("venv/local.py", False),
        ("conda/tool.py", False),
        ("dist-packages/tool.py", False),
        ("../elsewhere/tasks.py", False),
        ("../proj-2/tasks.py", False),
    ],
)
def test_project_code_lies_under_the_root_and_in_no_environment(tmp_path, file, is_ours):
    """A virtual environment inside the project is no project code."""
    root = tmp_path / "proj"
    (root / "venv").mkdir(parents=True)
    (root / "venv" / "pyvenv.cfg").touch()
    (root / "conda" / "conda-meta").mkdir(parents=True)
    assert CodeScope(root).contains(module("m", root / file)) is is_ours


def test_trusted_packages_count_wherever_they_lie(tmp_path):
    """A group's own library may be installed like any other and still be watched."""
    scope = CodeScope(tmp_path, trusted=("json",))
    assert scope.contains(json)
    assert scope.contains(json.decoder)
    assert not CodeScope(tmp_path).contains(json)


def test_smttask_is_never_project_code():
    """A new release of smttask does not make results look changed, not even in its own folder."""
    root = Path(smttask.code.scope.__file__).parents[2]
    assert not CodeScope(root, trusted=("smttask",)).contains(smttask.code.scope)


def test_a_notebook_is_project_code_and_built_in_modules_are_not(tmp_path):
    """`__main__` without a file holds what the user wrote."""
    assert CodeScope(tmp_path).contains(module("__main__", None))
    assert not CodeScope(tmp_path).contains(module("math", None))


def test_a_project_reached_through_a_link_is_the_same_project(tmp_path):
    """Modules imported by the linked path count, and so do those imported by the real one."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for root in ("real", "link"):
        for folder in ("real", "link"):
            assert CodeScope(tmp_path / root).contains(module("m", tmp_path / folder / "m.py"))


def test_scopes_compare_and_pickle_by_root_and_trusted_packages(tmp_path):
    """What a scope has looked at already is not part of it."""
    scope = CodeScope(tmp_path, ("a",))
    scope.contains(json)
    assert scope == CodeScope(tmp_path, ("a",)) == pickle.loads(pickle.dumps(scope))
    assert hash(scope) == hash(CodeScope(tmp_path, ("a",)))
