from __future__ import annotations

import dataclasses
import importlib
import json
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from smttask.code.fingerprint import changed_parts, fingerprint
from smttask.code.scope import CodeScope

PROJECT = {
    "main": """
        import helpers
        from helpers import Model, smooth
        def f(x: float, n: int = 3) -> float:
            return smooth(x, n) + Model(x).step() + helpers.LIMIT
        """,
    "helpers": """
        import functools
        LIMIT = 2.5e-3
        def logged(g):
            @functools.wraps(g)
            def inner(*args): return g(*args)
            return inner
        @logged
        def smooth(x, n): return [f"{x:>{n}}" for _ in range(n)]
        class Base:
            def step(self): return self.x
        class Model(Base):
            '''A model.'''
            scale = 1
            def __init__(self, x=0): self.x = x
        """,
}
GOLDEN = {
    "main:f": "8550e223c6af",
    "helpers:Base": "b62c5b482c6b",
    "helpers:Base.step": "882e774453be",
    "helpers:LIMIT": "d7bcc25401d5",
    "helpers:Model": "99b145ca37cb",
    "helpers:Model.__init__": "c59355172224",
    "helpers:logged": "ff15a77324b9",
    "helpers:smooth": "2adf67769e9d",
}
GOLDEN_DIGEST = "89b6b93df837d5f0f111ac6be9876987fb2165a6"


@pytest.fixture
def project(modules):
    modules.write(**PROJECT)
    return modules


def test_a_fingerprint_is_the_same_on_every_machine_and_under_every_python(project):
    """Manifests hold it: another form would make every stored result look changed."""
    found = project.fingerprint()
    assert dict(found.parts) == GOLDEN
    assert found.digest == GOLDEN_DIGEST
    assert found.unresolved == ()


def test_it_cannot_be_changed_by_whoever_gets_it(project):
    """One fingerprint is shared by all runs of a session."""
    found = project.fingerprint()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.digest = "x"
    assert pickle.loads(pickle.dumps(found)) == found


def test_asked_again_it_is_the_same_object(project):
    """Nothing is read or parsed a second time."""
    main = project.load()
    found = fingerprint(main.f, project.scope)
    Path(main.__file__).unlink()
    assert fingerprint(main.f, project.scope) is found
    assert fingerprint(main.f, CodeScope(project.root)) is found


@pytest.mark.parametrize(
    ("place", "name", "value", "changes"),
    [
        ("helpers", "LIMIT", "7", ["helpers:LIMIT changed"]),
        ("helpers", "LIMIT", "0.0025", []),
        ("helpers", "LIMIT", "spare.g", ["helpers:LIMIT changed", "spare:g added"]),
        ("helpers", "LIMIT", "[2.5e-3]", ["helpers:LIMIT changed"]),
        ("main", "smooth", "len", ["main:smooth added"]),
        ("main", "smooth", "spare.textwrap.dedent", ["helpers:logged removed", "helpers:smooth removed"]),
        ("main", "smooth", "spare.g", ["spare:g added", "helpers:logged removed", "helpers:smooth removed"]),
        ("helpers.Base", "step", "spare.g", ["spare:g added"]),
        ("helpers.Model", "step", "spare.g", ["spare:g added"]),
        ("helpers.Model", "scale", "spare.TWO", ["helpers:Model changed"]),
        ("main.Model.step", "__code__", "spare.g.__code__", ["helpers:Base.step changed"]),
        ("main.f", "__defaults__", "(4,)", ["main:f changed"]),
        ("main.f", "__defaults__", "(3,)", []),
        ("helpers.Model.__init__", "__defaults__", "(4,)", ["helpers:Model.__init__ changed"]),
    ],
)
def test_what_is_replaced_in_a_session_is_noticed_and_so_is_its_return(
    project, monkeypatch, place, name, value, changes
):
    """A function, constant or method put in by hand counts as what runs."""
    project.write(spare="import textwrap\nTWO = 2\ndef g(x, n=0): return x")
    main = project.load()
    loaded = {"main": main, "helpers": main.helpers, "spare": importlib.import_module("spare")}
    before = fingerprint(main.f, project.scope)
    with monkeypatch.context() as patch:
        patch.setattr(eval(place, loaded), name, eval(value, loaded))  # noqa: S307 - texts of this test
        assert changed_parts(before.parts, fingerprint(main.f, project.scope).parts) == changes
    assert fingerprint(main.f, project.scope) == before


def test_a_plain_constant_that_is_computed_counts_when_it_is_replaced_later(modules):
    """The file does not tell its value, but the session saw another one before."""
    modules.write(main="N = len('abc')\ndef f(x): return N")
    main = modules.load()
    before = fingerprint(main.f, modules.scope)
    main.N = 4
    assert changed_parts(before.parts, fingerprint(main.f, modules.scope).parts) == ["main:N changed"]
    main.N = 3
    assert fingerprint(main.f, modules.scope) == before


def test_state_that_the_code_itself_changes_is_no_constant(modules):
    """Counting its own calls does not make a function another one."""
    modules.write(
        main="""
        import helpers
        calls = 0
        class Counter:
            n = 0
        def f(x):
            global calls
            calls += 1
            Counter.n += 1
            helpers.total += 1
            return calls
        """,
        helpers="total = 0",
    )
    main = modules.load()
    before = fingerprint(main.f, modules.scope)
    main.f(1)
    assert fingerprint(main.f, modules.scope) is before
    assert before.unresolved == ("helpers:total: rebound while running", "main:calls: rebound while running")


def test_a_reloaded_helper_is_noticed_and_an_old_function_held_by_name_stays_what_runs(project):
    """After a reload `helpers.g` is the new one, while `from helpers import g` still runs the old one."""
    project.write(
        main="import helpers\nfrom helpers import g\ndef f(x): return g(x)\ndef h(x): return helpers.g(x)"
    )
    project.write(helpers="def g(x): return 1")
    main = project.load()
    old_f, old_h = (fingerprint(function, project.scope) for function in (main.f, main.h))
    project.write(helpers="def g(x): return 22")
    assert fingerprint(main.h, project.scope) is old_h
    importlib.reload(main.helpers)
    assert changed_parts(old_h.parts, fingerprint(main.h, project.scope).parts) == ["helpers:g changed"]
    assert fingerprint(main.f, project.scope) == old_f
    project.write(helpers="# The same.\ndef g(x): return 1")
    importlib.reload(main.helpers)
    assert fingerprint(main.h, project.scope) == old_h
    assert fingerprint(main.f, project.scope) == old_f


def test_code_that_an_import_hook_rewrote_counts_by_its_source(modules):
    """A test's assertions are added to as pytest imports it; the function is still what its file says."""
    found = fingerprint(asserting, CodeScope(Path(__file__).parent))
    code = asserting.__code__
    plain = compile(Path(__file__).read_bytes(), __file__, "exec", dont_inherit=True).co_consts
    assert code not in plain
    assert found.files == (__file__,)
    modules.write(
        main="from __future__ import annotations\ndef asserting(x):\n    assert x == 3\n    return 'three'"
    )
    assert list(found.parts.values()) == list(modules.fingerprint("asserting").parts.values())


def asserting(x):
    assert x == 3
    return "three"


def test_where_a_module_lies_does_not_count(tmp_path, monkeypatch):
    """A project that was moved, whose code asks for its own `__file__`, keeps its fingerprints."""
    text = "from pathlib import Path\nHERE = Path(__file__).parent\ndef f(): return HERE, __file__\n"
    found = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        folder.mkdir()
        (folder / "placed.py").write_text(text)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(folder))
            patch.delitem(sys.modules, "placed", raising=False)
            found.append(fingerprint(importlib.import_module("placed").f, CodeScope(folder)))
        del sys.modules["placed"]
    assert found[0].parts == found[1].parts
    assert found[0].digest == found[1].digest


def test_functions_of_no_project_count_by_themselves(tmp_path):
    """A memoized task needs no project; its own module counts as if it were one."""
    found = fingerprint(textwrap.indent, CodeScope(tmp_path))
    assert next(iter(found.parts)) == "textwrap:indent"
    assert not fingerprint(CodeScope, CodeScope(tmp_path)).parts


STEPS = """
import importlib, json, sys
from pathlib import Path
sys.dont_write_bytecode = True
from smttask.code.fingerprint import fingerprint
from smttask.code.scope import CodeScope
sys.path.insert(0, ".")
import main
found = fingerprint(main.f, CodeScope(Path(".").resolve()))
print(json.dumps(dict(found.parts)))
"""


def test_fresh_processes_agree_and_tell_what_was_edited_between_them(project):
    """A helper edited today is told by name, and with the old text the old fingerprint is back."""

    def run() -> dict[str, str]:
        command = [sys.executable, "-c", STEPS]
        out = subprocess.run(command, cwd=project.root, capture_output=True, check=True, text=True).stdout
        return json.loads(out)

    first = run()
    assert first == dict(project.fingerprint().parts)
    old = (project.root / "helpers.py").read_text()
    (project.root / "helpers.py").write_text(old.replace("return self.x", "return -self.x"))
    assert changed_parts(first, run()) == ["helpers:Base.step changed"]
    (project.root / "helpers.py").write_text("# A comment.\n\n" + old.replace("A model.", "The model."))
    assert changed_parts(first, run()) == []


SCRIPT = """
import multiprocessing
from pathlib import Path
from smttask.code.fingerprint import fingerprint
from smttask.code.scope import CodeScope

class Model:
    def step(self): return 1

def f(x): return Model().step() + x

def look(_):
    return fingerprint(f, CodeScope(Path(__file__).resolve().parent))

if __name__ == "__main__":
    here = look(0)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(look, [0]) == [here]
    print(*here.parts, here.unresolved)
"""


def test_a_script_has_one_fingerprint_in_the_main_process_and_in_spawned_workers(modules):
    """There the script goes by another name, but is the same code."""
    path = modules.root / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=modules.root)
    assert done.stdout.split() == ["__main__:f", "__main__:Model", "__main__:Model.step", "()"], done.stderr


def test_changes_are_told_own_function_first():
    """The reader sees at once whether the task itself or something behind it changed."""
    old = {"b:task": "1", "a:g": "1", "a:gone": "1"}
    new = {"b:task": "2", "a:g": "2", "a:new": "1"}
    assert changed_parts(old, new) == ["b:task changed", "a:g changed", "a:new added", "a:gone removed"]
    assert changed_parts(old, old) == []
