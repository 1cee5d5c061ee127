from __future__ import annotations

import ast
import threading
from types import CodeType

import pytest

from smttask.code.bindings import MISSING, ParsedSource, literal_value

TEXT = """
import a.b, c as d
from e import f as g, h
from i import *
if x:
    j = k[0] = 1
elif (l := 2):
    def m(): pass
for n, (o, *p) in q: r += 1
with s() as t: u: int = 1
v: int
try: import w
except ImportError: w = None
else: y = [lambda: 1, lambda: 2]
match z:
    case 1: aa = 1
k.append(1)
"""


def parsed(text: str) -> ParsedSource:
    return ParsedSource(text, lambda: compile(text, "x.py", "exec"))


def test_every_statement_that_binds_a_name_is_found():
    """A constant is known in whatever way it was made."""
    bindings = parsed(TEXT).bindings
    names = "a aa d g h j k l m n o p r t u w y"
    assert sorted(bindings) == names.split()
    assert [binding.kind for binding in bindings["w"]] == ["import", "assignment"]
    assert [binding.changes_only for binding in bindings["k"]] == [True, True]
    assert [ast.unparse(node) for node in bindings["j"][0].syntax] == ["'if'", "x", "j = k[0] = 1"]
    assert [ast.unparse(node) for node in bindings["m"][0].syntax][:4] == ["'else'", "x", "'if'", "(l := 2)"]
    assert bindings["n"][0].syntax[0].value == "for"


def test_a_code_object_leads_to_the_syntax_it_was_compiled_from():
    """Functions of one name are told apart, wherever their lines have moved to."""
    text = (
        "if x:\n    def f(): return 1\nelse:\n    def f(): return 2\n\n@d\ndef g():\n    def h(): return f\n"
    )
    source = parsed(text)
    moved = compile("\n\n" + text.replace("return f", "return f  # moved"), "y.py", "exec")
    for code in (const for const in moved.co_consts if hasattr(const, "co_code")):
        (node,) = source.find(code)
        assert node.name == code.co_name
        assert len(source.find(next(iter(c for c in code.co_consts if hasattr(c, "co_code")), code))) == 1
    other = compile("def f(): return 3", "x.py", "exec").co_consts[0]
    assert source.find(other) == []


def test_a_thread_finds_the_syntax_while_another_one_looks_for_it_first():
    """What is prepared at the first look is there for all when it is whole."""
    text = "def f(): pass"
    code = next(const for const in compile(text, "x.py", "exec").co_consts if isinstance(const, CodeType))
    found = []

    def compiled():
        if threading.current_thread() is threading.main_thread():
            other = threading.Thread(target=lambda: found.append(source.find(code)))
            other.start()
            other.join()
        return compile(text, "x.py", "exec")

    source = ParsedSource(text, compiled)
    found.append(source.find(code))
    assert [ast.unparse(*nodes) for nodes in found] == ["def f():\n    pass"] * 2


@pytest.mark.parametrize(
    "text",
    ["1", "-2.5", "2 * 3 + 1j", "(1, 'a', b'', None, True)", "60 * 60 // 7 % 5", "2 ** 10", "float('inf')",
     "frozenset({1, 2})"],
)  # fmt: skip
def test_literals_and_arithmetic_are_worked_out_as_python_does(text):
    """A constant written as a product is known to have its value."""
    assert literal_value(ast.parse(text, mode="eval").body) == eval(text)  # noqa: S307 - texts of this test


@pytest.mark.parametrize(
    "text", ["x", "f()", "[1]", "1 / 0", "10 ** 10 ** 10", "'x' * 10", "(1, x)", "float('y')", "2.0 ** 10000",
             "frozenset({x})", "1j % 2"]
)  # fmt: skip
def test_what_is_not_literal_or_too_large_is_left_open(text):
    """No code is run and no huge number is made to find a value."""
    assert literal_value(ast.parse(text, mode="eval").body) is MISSING
