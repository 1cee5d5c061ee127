from __future__ import annotations

import ast

import pytest

from smttask.code.names import free_names


def names(text: str):
    return free_names(*ast.parse(text).body)


@pytest.mark.parametrize(
    ("text", "loads"),
    [
        ("def f(x, y=d): return x.a + g.b.c(y)", {"d", "g.b.c"}),
        ("def f():\n    x = 1\n    def g(): return x + y\n    return g", {"y"}),
        ("def f(): return [x + z for x in y for y in x]", {"y", "z"}),
        ("def f(): return [(x := y) for y in a] and x", {"a"}),
        ("def f():\n    for x, *y in a:\n        with b as z: print(x, y, z)", {"a", "b", "print"}),
        ("def f():\n    try: pass\n    except E as e: return e", {"E"}),
        ("def f(x):\n    match x:\n        case C(y, z=[*w]) | {'a': y, **v}: return y, w, v", {"C"}),
        ("def f():\n    global x\n    x += 1", {"x"}),
        ("def f(x):\n    def g():\n        nonlocal x\n        x += 1", set()),
        ("class C(B, metaclass=M):\n    a = b\n    def m(self): return a + self.c", {"B", "M", "b", "a"}),
        (
            "def f(x: 'list[T]', y: Literal['U'], z: 'no type!') -> 'm.V | None': pass",
            {"list", "T", "Literal", "m.V"},
        ),
        ("def f():\n    x: 'T' = 1\n    lambda x, y=z: x + y + w", {"T", "z", "w"}),
        ("def f(): return f'{x:{y}}' + a[b:c]", {"x", "y", "a", "b", "c"}),
        ("def f():\n    import os.path as p, re\n    from a.b import c\n    return p, re", set()),
        ("async def f():\n    async for x in y: await z(x)", {"y", "z"}),
        ("def f(): return getattr(m, 'a')(getattr(n, 'b', d))", {"m.a", "n.b", "d", "getattr"}),
    ],
)
def test_names_from_outside_are_told_from_those_bound_inside(text, loads):
    """A local variable that is called like a constant of the module does not lead to it."""
    assert {".".join(chain) for chain in names(text).loads} == loads


def test_imports_inside_a_function_lead_to_what_is_used_of_them():
    """What is imported and not used, or shadowed, does not count."""
    found = names(
        "def f():\n"
        "    import a.b, c.d as e\n"
        "    from ..g import h as i, unused\n"
        "    j = importlib.import_module('k')\n"
        "    return a.b.x, e.y, i.z, j.w, import_module('l').v"
    )
    assert found.imports == {
        (0, "a", ("b", "x")),
        (0, "c.d", ("y",)),
        (2, "g", ("h", "z")),
        (0, "k", ("w",)),
        (0, "l", ("v",)),
    }


def test_what_is_assigned_outside_is_noted():
    """State that a function changes is told from constants."""
    found = names("def f(self, x):\n    global n\n    self.a = x.b = m.c = 1\n    m.d += 1")
    assert (found.rebound, found.stores, found.attribute_stores) == (
        {"n"},
        {("m", "c"), ("m", "d")},
        {"b", "c", "d"},
    )


def test_depth_is_no_limit():
    """A chain of twenty thousand operations is walked like any other."""
    node: ast.expr = ast.Name("x", ast.Load())
    for _ in range(20_000):
        node = ast.UnaryOp(ast.Not(), node)
    assert free_names(node).loads == {("x",)}
