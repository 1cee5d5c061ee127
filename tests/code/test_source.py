from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

import pytest

from smttask.code.fingerprint import fingerprint
from smttask.code.source import find_source_file, remember_sources, stale_files


@pytest.fixture
def project(modules):
    modules.write(main="import helpers\ndef f(x): return helpers.g(x)", helpers="def g(x): return 1")
    return modules


def touch(path):
    """Make the file look edited, whatever the resolution of the clock."""
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))


def test_a_file_edited_after_a_task_was_defined_is_stale_and_the_loaded_code_counts(project):
    """What runs is what was loaded, and nothing is computed until the two agree again."""
    main = project.load()
    remember_sources("main")
    project.write(helpers="def g(x): return 22")
    found = fingerprint(main.f, project.scope)
    assert stale_files(found.files) == [str(project.root / "helpers.py")]
    project.write(helpers="def g(x): return 1")
    assert stale_files(found.files) == []
    assert found.parts == project.fingerprint().parts


def test_a_module_that_is_imported_anew_is_remembered_anew(project):
    """The text of an earlier module of the same name does not stand for it, nor does a later edit."""
    project.load()
    remember_sources("main")
    main = project.load()
    remember_sources("main")
    project.write(helpers="def g(x): return 22")
    found = fingerprint(main.f, project.scope)
    project.write(helpers="def g(x): return 1")
    assert stale_files(found.files) == []
    assert found.parts == project.fingerprint().parts


def test_a_touched_but_equal_file_is_not_stale(project):
    """Only another text counts; git checkouts touch files."""
    files = fingerprint(project.load().f, project.scope).files
    touch(project.root / "helpers.py")
    assert stale_files(files) == []


def test_a_deleted_file_is_stale(project):
    """Nobody could read what was run."""
    files = fingerprint(project.load().f, project.scope).files
    (project.root / "helpers.py").unlink()
    assert stale_files(files) == [str(project.root / "helpers.py")]


def test_a_reloaded_module_is_not_stale(project):
    """Reloading is one of the two ways out, restarting the other."""
    main = project.load()
    files = fingerprint(main.f, project.scope).files
    project.write(helpers="def g(x): return 22")
    importlib.reload(main.helpers)
    assert stale_files(files) == []


def test_a_file_edited_before_any_task_was_defined_is_stale_all_the_same(project):
    """The helper was loaded first and edited then: its code is not what the file compiles to."""
    main = project.load()
    project.write(helpers="def g(x): return 22")
    remember_sources("main")
    found = fingerprint(main.f, project.scope)
    assert stale_files(found.files) == [str(project.root / "helpers.py")]
    project.write(helpers="def g(x): return 1")
    assert found.parts["helpers:g"] != project.fingerprint().parts["helpers:g"]


def test_a_file_edited_elsewhere_before_any_task_was_defined_counts_the_same(project):
    """Lines added above a function do not make it another one."""
    before = fingerprint(project.load().f, project.scope)
    main = project.load()
    project.write(helpers="import os\n\ndef g(x): return 1")
    found = fingerprint(main.f, project.scope)
    assert found.digest == before.digest
    assert stale_files(found.files) == []


def test_files_that_are_not_loaded_are_never_stale(project, tmp_path):
    """The files of another project say nothing about this session."""
    assert stale_files([str(tmp_path / "helpers.py"), "/nowhere.py"]) == []


def test_source_files_are_found_without_importing(modules):
    """Looking for a module runs neither it nor the packages around it."""
    (modules.root / "pkg").mkdir()
    modules.write(pkg____init__="raise SystemExit", pkg__inner="raise SystemExit", plain="raise SystemExit")
    assert find_source_file("pkg.inner") == str(modules.root / "pkg" / "inner.py")
    assert find_source_file("plain") == str(modules.root / "plain.py")
    assert [find_source_file(name) for name in ("plain.inner", "pkg.nothing", "nothing.at.all")] == [None] * 3
    assert "pkg" not in sys.modules


def test_a_module_that_loads_itself_when_it_is_looked_at_is_left_alone(modules):
    """A lazily loaded library stays unloaded however many tasks are defined."""
    modules.write(lazy="raise SystemExit")
    spec = importlib.util.find_spec("lazy")
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["lazy"] = module
    spec.loader.exec_module(module)
    try:
        remember_sources("lazy")
    finally:
        del sys.modules["lazy"]
    assert type(module).__name__ == "_LazyModule"


def test_what_only_claims_to_be_a_module_is_left_alone(modules, monkeypatch):
    """The cryptography package puts a C library among the modules; tasks are defined all the same."""

    class Library:
        __slots__ = ()
        __class__ = property(lambda self: ModuleType)

    monkeypatch.setitem(sys.modules, "claims_to_be_a_module", Library())
    modules.write(main="def f(x): return x")
    assert fingerprint(modules.load().f, modules.scope).digest
    remember_sources("main")
