from __future__ import annotations

import sys
from pathlib import Path

import pytest

from smttask.code.fingerprint import fingerprint

HELPERS = """\
from functools import cached_property, lru_cache, partial, wraps
LIMIT = 3
def scale(x):
    return x * 2
"""
MAIN = """\
import helpers
def f(x):
    return helpers.g(x)
"""


def read_cases() -> dict[str, dict[str, str]]:
    """Cases by name, each with its sections by name."""
    cases = {}
    for case in (Path(__file__).parent / "reach_cases.txt").read_text("utf-8").split("\n=== ")[1:]:
        name, *sections = case.split("\n--- ")
        cases[name] = {title: text for title, _, text in (section.partition("\n") for section in sections)}
    return cases


CASES = read_cases()


@pytest.mark.parametrize("case", CASES)
def test_an_edit_of_what_a_function_reaches_is_noticed_and_named(modules, case):
    """Whichever way the function uses the edited code, the change is found and told by name."""
    sections = CASES[case]
    old, _, new = sections["edit"].strip("\n").partition(" => ")
    helpers = HELPERS + sections.get("helpers.py", "")
    assert old in helpers
    modules.write(helpers=helpers, main=sections.get("main.py", MAIN))
    changed = modules.changes(helpers=helpers.replace(old, new, 1))
    assert {words.partition(" ")[0] for words in changed} == set(sections["named"].split())


def test_what_is_not_reached_does_not_count(modules):
    """Editing a neighbour, the order of functions or a library's use elsewhere keeps results."""
    modules.write(
        main="""
        import helpers, numpy as np
        data = [1]
        def f(x):
            data = np.zeros(3)  # another one
            return helpers.g(data)
        """,
        helpers="def g(x): return x\ndef other(x): return 1\nN = 1\n",
    )
    assert modules.changes(
        helpers="""
        '''Doc.'''
        N = 2  # a comment
        def other(x): return 2

        def g(x):
            '''Doc.'''
            return x
        """,
    ) == []  # fmt: skip


def test_packages_with_relative_imports_and_reexports_are_followed(modules):
    """A name re-exported by a package leads to the module that defines it."""
    modules.write(
        main="import pkg\nfrom pkg import tools\ndef f(x): return pkg.g(x) + tools.h(x)",
        pkg____init__="from .inner import g\nfrom . import tools\nfrom .tools import *\n",
        pkg__inner="from .tools import K as L\nfrom . import tools as t\ndef g(x): return x + L + t.M\n",
        pkg__tools="K = 1\nM = 2\ndef h(x): return x\n",
    )
    found = modules.fingerprint()
    assert list(found.parts) == ["main:f", "pkg.inner:g", "pkg.tools:K", "pkg.tools:M", "pkg.tools:h"]
    assert [file.removeprefix(f"{modules.root}/") for file in found.files] == [
        "main.py", "pkg/__init__.py", "pkg/inner.py", "pkg/tools.py",
    ]  # fmt: skip
    assert found.unresolved == ()


def test_a_module_that_is_not_loaded_yet_is_read_and_gives_the_same_fingerprint_as_when_it_is(modules):
    """An import inside the function counts before it was carried out, and then changes nothing."""
    modules.write(
        main="def f(x):\n    from lazy import g\n    return g(x)",
        lazy="""
        import functools
        from deeper import N
        def d(h):
            @functools.wraps(h)
            def w(x): return h(x)
            return w
        class B:
            a = 1
            @property
            def p(self): return N
        class C(B):
            class D: pass
        @d
        def g(x): return C().p + (lambda y: y)(x)
        """,
        deeper="N = 3",
    )
    main = modules.load()
    before = fingerprint(main.f, modules.scope)
    assert "lazy" not in sys.modules
    main.f(1)
    after = fingerprint(main.f, modules.scope)
    assert before is not after
    assert before == after
    assert {"lazy:d", "lazy:B.p", "lazy:C.D", "deeper:N"} <= before.parts.keys()


def test_a_file_of_a_module_not_loaded_yet_may_change(modules):
    """The text counts that would be loaded now."""
    modules.write(main="def f(x):\n    import lazy\n    return lazy.g(x)", lazy="def g(x): return 1")
    main = modules.load()
    before = fingerprint(main.f, modules.scope)
    modules.write(lazy="def g(x): return 22")
    assert fingerprint(main.f, modules.scope).digest != before.digest


@pytest.mark.parametrize(
    ("main", "unresolved"),
    [
        ("import helpers\ndef f(x): return getattr(helpers, x)", ("main:f: getattr(…)",)),
        ("def f(x): return eval(x)", ("main:f: eval(…)",)),
        ("def f(x): return globals()[x]", ("main:f: globals()",)),
        ("import importlib\ndef f(x): return importlib.import_module(x)", ("main:f: import_module(…)",)),
        ("def f(x):\n    import nowhere.at_all\n    return nowhere.at_all", ("main:f: import nowhere",)),
        ("import helpers\ndef f(x): return x(helpers)", ("main:f: module helpers as a value",)),
        ("exec('def g(x): return 1')\ndef f(x): return g(x)", ("main:g: no source",)),
        ("import math\ndef f(x): return getattr(math, x)", ()),
        ("def f(x):\n    getattr = dict.get\n    return getattr(x, x)", ()),
        ("class C:\n    def m(self, x): return getattr(self, x)\ndef f(x): return C().m(x)", ()),
        ("import lazy\ndef f(x): return lazy.g", ("lazy:g: __getattr__(…)",)),
        ("class C:\n    def m(self): return eval('1')\ndef f(x): return C().m()", ("main:C.m: eval(…)",)),
    ],
)
def test_what_cannot_be_followed_is_named(modules, main, unresolved):
    """Nobody takes a fingerprint for complete that is not."""
    modules.write(main=main, helpers="", lazy="def __getattr__(name): return 1")
    assert modules.fingerprint().unresolved == unresolved


def test_the_decorators_of_smttask_do_not_count_and_tasks_are_what_they_wrap(modules):
    """Other options for keeping a result, or a task where a function was, keep results."""

    def other(decorator: str, value: str = "x") -> str:
        imports = "import smttask\nfrom smttask import MemoizedTask as M"
        return f"{imports}\n{decorator}\ndef Other(x: int) -> int: return {value}"

    modules.write(main="from other import Other\ndef f(x): return Other(x).run()", other=other("@M"))
    assert list(modules.fingerprint().parts) == ["main:f", "other:Other"]
    assert modules.changes(other=other("@smttask.RecordedTask(on_code_change='ignore')")) == []
    assert modules.changes(other=other("")) == []
    assert modules.changes(other=other("@M", "x + 1")) == ["other:Other changed"]


def test_chains_and_circles_of_any_length_are_followed(modules):
    """Recursion, circular imports and a chain longer than the recursion limit are no obstacle."""
    chain = "\n".join(f"def f{i}(x): return f{i + 1}(x)" for i in range(3000))
    modules.write(
        main=f"import helpers\n{chain}\ndef f3000(x): return helpers.g(f0)\ndef f(x): return f0(x) or f(x)",
        helpers="import main\ndef g(a): return main.f(a)",
    )
    assert len(modules.fingerprint().parts) == 3003


def test_a_function_inside_a_function_counts_with_what_it_holds(modules):
    """Two closures of one code differ by the values they were made with, and counters are no such value."""
    modules.write(
        main="""
        def outer(n, calls=0):
            def helper(x): return x + 1
            def inner(x):
                nonlocal calls
                calls += 1
                return helper(x) * n
            return inner
        """,
    )
    main = modules.load()
    one, two, same = main.outer(1), main.outer(2), main.outer(1)
    first = fingerprint(one, modules.scope)
    assert list(first.parts) == ["main:outer.<locals>.inner", "main:outer.<locals>.helper"]
    assert first.digest == fingerprint(same, modules.scope).digest != fingerprint(two, modules.scope).digest
    one(1)
    assert fingerprint(one, modules.scope) is first


def test_a_method_counts_with_its_class(modules):
    """What `self` offers is part of what a method may use."""
    modules.write(
        main="class C:\n    n = 1\n    def __call__(self): return self.m()\n    def m(self): return 1"
    )
    main = modules.load()
    assert fingerprint(main.C.__call__, modules.scope).parts == fingerprint(main.C, modules.scope).parts
    assert next(iter(fingerprint(main.C, modules.scope).parts)) == "main:C"


def test_a_notebook_without_file_counts_by_the_source_of_its_cells(modules, monkeypatch):
    """Cells keep their text; names of other cells are looked up live."""
    import linecache
    import types

    notebook = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", notebook)

    def run(number: int, text: str) -> None:
        name = f"<ipython-input-{number}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), notebook.__dict__)  # noqa: S102 - this is what a notebook does

    run(1, "N = 3\ndef g(x):\n    return x + N  # three\nclass C:\n    n = 1\n    def m(self): return 1\n")
    run(2, "def f(x):\n    return g(x) + C().m()\n")
    first = fingerprint(notebook.f, modules.scope)
    assert set(first.parts) == {"__main__:f", "__main__:g", "__main__:N", "__main__:C", "__main__:C.m"}
    assert first.unresolved == ()
    run(3, "def g(x):\n    return x + N\n")
    assert fingerprint(notebook.f, modules.scope).digest == first.digest
    run(4, "N = 4")
    assert fingerprint(notebook.f, modules.scope).digest != first.digest


def test_classes_that_are_made_or_shown_elsewhere_are_found(modules):
    """A named tuple counts by its call, a class that says it is of another module where it was written."""
    modules.write(
        main="import collections, pkg\nP = collections.namedtuple('P', 'x')\ndef f(x): return P(pkg.C())",
        pkg____init__="from .inner import C",
        pkg__inner="class C:\n    __module__ = 'pkg'\n    def m(self): return 1",
    )
    assert list(modules.fingerprint().parts) == ["main:f", "main:P", "pkg.inner:C", "pkg.inner:C.m"]
    assert list(modules.fingerprint("P").parts) == ["main:P"]


def test_names_for_type_checkers_alone_and_main_blocks_do_not_count(modules):
    """What never runs when the module is imported cannot change a result."""
    main = """
    from typing import TYPE_CHECKING
    if TYPE_CHECKING:
        from helpers import T
    N = [1]
    if __name__ == "__main__":
        N = [2]
    def f(x: "T"): return N
    """
    modules.write(main=main, helpers="class T: n = 1")
    assert modules.changes(helpers="class T: n = 2", main=main.replace("[2]", "[3]")) == []
