from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smttask.code.syntax import code_form, short_digest, syntax_form, value_form


def form(text: str) -> bytes:
    return syntax_form(ast.parse(text))


GOLDEN = {
    ("def f(a, /, b: int = 1, *c, d=None, **e) -> str:\n    return a if b else -d"): "14920d4b51c3",
    (
        "async def f(x):\n    async with a as b, c:\n        await d\n    async for i in x: yield i"
    ): "67741be91f48",
    ("class A(B, metaclass=M):\n    x: int = 3\n    y = {**z, 'k': [*u], 2: {1, 2}}"): "5774e061d261",
    (
        "try:\n    a()\nexcept* (E, F) as e:\n    raise G from e\nelse:\n    b\nfinally:\n    del c"
    ): "60e82fef807a",
    ("match x:\n    case {'a': [1, *r], **k} if k: pass\n    case C(1, y=None) | -1: z"): "afe9cee8a9b5",
    "f'a{{b{x!r:>{w}}c' 'd' f'{y=}{z:}'": "d5153703418e",
    "[i async for i in x if i] + [*{j: k for j, k in y}][1:2, ::3, ...]": "ba4fc1865333",
    "lambda x, *, y=0: (z := x @ y) and not (1 < x <= 2 is None)": "6e7ee3246399",
    (
        "from ..a import b as c, d\n"
        "import e.f\n"
        "global g\n"
        "x += 0x10 + 1_0.5e3 + 2j + 1e999\n"
        "assert x, b'\\x00\\xff'"
    ): "a9f2a3e07dbd",
    ("'é\\ud800\\U0001f600\\n' 'second'\nx = 'é\\ud800\\U0001f600\\n' 'second'"): "1b1b5e7790fe",
}


@pytest.mark.parametrize("text", GOLDEN)
def test_the_form_of_a_piece_of_syntax_is_the_same_under_every_python(text):
    """Results made under one version of Python are hits under another: these digests never change."""
    assert short_digest([form(text)]) == GOLDEN[text]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 10", "x  =  1_0  # ten"),
        ("def f():\n    'Doc.'\n    return 1", "def f():\n\n    return (1)"),
        ("class A:\n    x = 1\n    'About x.'", "class A:\n    x = 1"),
        ("def f(): 'Doc.'", "def f(): pass"),
        ("x = 'a' 'b'", 'x = u"ab"'),
        ("f'{x}' 'a' f'b'", "f'{x}ab'"),
        ("f'{x:}'", "f'{x}'"),
        ("x = 1  # type: int", "x = 1"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(one, other):
    """Tidying a file does not make results stale."""
    assert form(one) == form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = 0.0", "x = -0.0"),
        ("f(a, b)", "f(a, b=b)"),
        ("x = [a, None]", "x = [None, a]"),
        ("x = {**a, 'b': c}", "x = {'b': c, **a}"),
        ("x = {None: a}", "x = {**a}"),
        ("f'{x!r}'", "f'{x!s}'"),
        ("def f(x: int): pass", "def f(x: float): pass"),
        ("def f(): return 1", "async def f(): return 1"),
        ("try:\n    a\nexcept E:\n    b", "try:\n    a\nexcept* E:\n    b"),
        ("match x:\n    case None: y()", "match x:\n    case True: y()"),
        ("x = a[1:]", "x = a[:1]"),
        ("x = 'a<s1:b>'", "x = 'a', 'b'"),
        ("return_ = 1", "x = 1"),
    ],
)
def test_whatever_changes_the_meaning_changes_the_form(one, other):
    """A change that may change a result is never overlooked."""
    assert form(one) != form(other)


def test_depth_is_no_limit():
    """A tree far deeper than the recursion limit is written like any other."""
    node: ast.expr = ast.Name("x", ast.Load())
    for _ in range(20_000):
        node = ast.UnaryOp(ast.Not(), node)
    assert len(syntax_form(node)) > 20_000


def test_nodes_and_fields_of_later_versions_are_written_too():
    """A kind of syntax that this version of smttask does not know still counts."""

    class Pipe(ast.expr):
        _fields = ("left", "empty", "items", "mode")

    node = Pipe(left=ast.Constant(1), empty=None, items=[ast.Constant(2), None], mode="lazy")
    assert syntax_form(node) == b"(Pipe left=<i1> items=[<i2>()] mode=<s4:lazy>)"


floats = st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | floats,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)


@given(plain, plain)
def test_plain_values_have_equal_forms_only_if_type_and_value_are_equal(one, other):
    """`1`, `1.0` and `True` are three constants, and so are `0.0` and `-0.0`."""
    same = value_form(one) == value_form(other)
    assert value_form(one) is not None
    if same:
        assert repr(one) == repr(other) or one == other
    if type(one) is not type(other):
        assert not same


def test_values_that_may_change_have_no_form():
    """A list, an array or an instance of a subclass is no plain constant."""

    class Number(int):
        pass

    assert [value_form(value) for value in ([1], (1, [2]), Number(1), object())] == [None] * 4


def test_code_without_source_is_told_apart_by_what_it_does():
    """Code objects differ by their constants and nested code, not by file and line."""

    def compiled(text: str, file: str) -> bytes:
        return code_form(compile(text, file, "exec"))

    assert compiled("def f(): return 1", "a") == compiled("\n\ndef f(): return 1", "b")
    assert compiled("def f(): return 1", "a") != compiled("def f(): return 2", "a")
