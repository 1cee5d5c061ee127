"""What a module's source text binds, and which syntax a code object was compiled from."""

from __future__ import annotations  # the name is used below, for its flag

import ast
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from smttask.code.names import FUNCTIONS, attribute_chain
from smttask.parsing import undisturbed

__all__ = ["Binding", "ParsedSource", "literal_value"]

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()
NEVER_RUN = ("TYPE_CHECKING",)
ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
LARGEST_OPERAND = 10**6  # so that folding `2 ** 10**9` or `"x" * 10**9` is not attempted

Node = Any
"""A syntax node whose class is known from the place it was found at."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One statement at module level that binds or changes a name.

    `conditions` are the expressions of the compound statements around it (the test
    of an ``if``, the iterable of a ``for``), with a marker for the branch.
    """

    statement: Node
    conditions: tuple[Node, ...] = ()
    changes_only: bool = False

    @property
    def kind(self) -> str:
        """One of ``"import"``, ``"definition"`` and ``"assignment"``."""
        if isinstance(self.statement, ast.Import | ast.ImportFrom):
            return "import"
        is_definition = isinstance(self.statement, (*FUNCTIONS, ast.ClassDef))
        return "definition" if is_definition else "assignment"

    @property
    def syntax(self) -> tuple[Node, ...]:
        """What decides the bound value: the statement, or its head when it is a compound one."""
        head: tuple[Node, ...]
        match self.statement:
            case ast.For() | ast.AsyncFor():
                head = (ast.Constant("for"), self.statement.target, self.statement.iter)
            case ast.With() | ast.AsyncWith():
                head = (ast.Constant("with"), *self.statement.items)
            case ast.If() | ast.While():
                head = (self.statement.test,)
            case _:
                head = (self.statement,)
        return (*self.conditions, *head)


class ParsedSource:
    """The syntax of one source text, indexed by what is looked for in it.

    Parameters
    ----------
    text
        Source as it stands in the file, in its own encoding.
    compiled
        Gives the code object that `text` compiles to.
    is_main
        Whether ``if __name__ == "__main__"`` holds.

    Raises
    ------
    SyntaxError
        If `text` is not Python.
    """

    def __init__(self, text: bytes | str, compiled: Callable[[], CodeType], *, is_main: bool = False) -> None:
        self.tree = undisturbed(lambda: ast.parse(text))
        self.bindings: dict[str, list[Binding]] = {}
        self.star_imports: list[ast.ImportFrom] = []
        self._definitions: dict[str, list[Node]] | None = None
        self._lambdas: list[Node] | None = None
        self._compiled = compiled
        self._codes: dict[str, list[CodeType]] | None = None
        self._index(is_main)

    def definitions(self, qualname: str) -> list[Node]:
        """Functions and classes called `qualname`, as in ``outer.<locals>.inner`` or ``C.method``."""
        if self._definitions is None:
            found: dict[str, list[Node]] = {}
            for name, node in _definitions(self.tree):
                found.setdefault(name, []).append(node)
            self._definitions = found  # when it is whole: another thread may look
        return self._definitions.get(qualname, [])

    def find(self, code: CodeType, *, loosely: bool = False) -> list[Node]:
        """The syntax `code` was compiled from, or nothing when this text compiles to other code.

        Lambdas that share a line are not told apart: all of them come back.

        Parameters
        ----------
        loosely
            Accept code to which an import hook has added something.
        """
        line = None
        for candidate in self._codes_named(code.co_qualname):
            if candidate == code or _without_lines(candidate) == _without_lines(code):
                line = candidate.co_firstlineno
                if line == code.co_firstlineno:
                    break
            elif loosely and candidate.co_firstlineno == code.co_firstlineno and _contains(code, candidate):
                line = code.co_firstlineno
        if line is None:
            return []
        if code.co_name == "<lambda>":
            if self._lambdas is None:
                self._lambdas = [node for node in ast.walk(self.tree) if isinstance(node, ast.Lambda)]
            return [node for node in self._lambdas if node.lineno == line]
        return [node for node in self.definitions(code.co_qualname) if _first_line(node) == line]

    def names_bound_around(self, line: int) -> list[str]:
        """Names that the module-level statement at `line` binds."""
        return [
            name
            for name, bindings in self.bindings.items()
            for binding in bindings
            if _first_line(binding.statement) <= line <= binding.statement.end_lineno
        ]

    def _codes_named(self, qualname: str) -> list[CodeType]:
        if self._codes is None:
            found: dict[str, list[CodeType]] = {}
            stack = [self._compiled()]
            while stack:
                code = stack.pop()
                found.setdefault(code.co_qualname, []).append(code)
                stack.extend(const for const in code.co_consts if isinstance(const, CodeType))
            self._codes = found  # when it is whole: another thread may look
        return self._codes.get(qualname, [])

    def _index(self, is_main: bool) -> None:
        stack: list[tuple[Node, tuple[Node, ...]]] = [(node, ()) for node in reversed(self.tree.body)]
        while stack:
            node, conditions = stack.pop()
            for name, changes_only in _bound_names(node):
                self.bindings.setdefault(name, []).append(Binding(node, conditions, changes_only))
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                self.star_imports.append(node)
            stack.extend(reversed(list(_nested(node, conditions, is_main))))


def literal_value(node: Node) -> Any:
    """The value of an expression made of literals and arithmetic, or `MISSING`.

    Examples
    --------
    >>> import ast
    >>> literal_value(ast.parse("(60 * 60, 'x')", mode="eval").body)
    (3600, 'x')
    """
    match node:
        case ast.Constant():
            return node.value
        case ast.Tuple():
            values = [literal_value(element) for element in node.elts]
            return MISSING if MISSING in values else tuple(values)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            value = literal_value(node.operand)
            if isinstance(value, int | float | complex):
                return -value if isinstance(node.op, ast.USub) else +value
        case ast.BinOp():
            left, right = literal_value(node.left), literal_value(node.right)
            function = ARITHMETIC.get(type(node.op))
            is_small = all(
                isinstance(x, int | float | complex) and abs(x) <= LARGEST_OPERAND for x in (left, right)
            )
            if function is not None and is_small and (function is not operator.pow or abs(right) <= 64):
                try:
                    return function(left, right)
                except (ArithmeticError, TypeError):  # a complex number has no remainder
                    return MISSING
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str(text))], keywords=[]):
            try:
                return float(text)
            except ValueError:
                return MISSING
        case ast.Call(
            func=ast.Name(id="frozenset"), args=[ast.Set() | ast.List() | ast.Tuple() as items], keywords=[]
        ):
            values = [literal_value(element) for element in items.elts]
            return MISSING if MISSING in values else frozenset(values)
    return MISSING


def _bound_names(node: Node) -> Iterator[tuple[str, bool]]:
    """Names a statement binds, and whether it only changes what the name stands for."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name, False
        case ast.Import():
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], False
        case ast.ImportFrom():
            for alias in node.names:
                if alias.name != "*":
                    yield alias.asname or alias.name, False
        case ast.Assign():
            for target in node.targets:
                yield from _targets(target)
        case ast.AugAssign() | ast.For() | ast.AsyncFor():
            yield from _targets(node.target)
        case ast.AnnAssign() if node.value is not None:
            yield from _targets(node.target)
        case ast.With() | ast.AsyncWith():
            for item in node.items:
                if item.optional_vars is not None:
                    yield from _targets(item.optional_vars)
        case ast.Expr(value=ast.Call(func=ast.Attribute() as function)):
            chain = attribute_chain(function)
            if chain is not None:
                yield chain[0], True
        case ast.If() | ast.While() | ast.Expr():
            for part in ast.walk(node.value if isinstance(node, ast.Expr) else node.test):
                if isinstance(part, ast.NamedExpr):
                    yield part.target.id, False
        case _ if type(node).__name__ == "TypeAlias":
            yield node.name.id, False


def _targets(target: Node) -> Iterator[tuple[str, bool]]:
    stack = [target]
    while stack:
        node = stack.pop()
        match node:
            case ast.Name():
                yield node.id, False
            case ast.Tuple() | ast.List():
                stack.extend(node.elts)
            case ast.Starred():
                stack.append(node.value)
            case ast.Subscript() | ast.Attribute():
                while isinstance(node, ast.Subscript | ast.Attribute):
                    node = node.value
                if isinstance(node, ast.Name):
                    yield node.id, True


def _nested(
    node: Node, conditions: tuple[Node, ...], is_main: bool
) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Statements inside a compound statement, each with the conditions it stands under."""
    branches: list[tuple[tuple[Node, ...], list[Node]]] = []
    match node:
        case ast.If():
            chain = attribute_chain(node.test)
            never = (chain is not None and chain[-1] in NEVER_RUN) or (
                not is_main and _is_main_test(node.test)
            )
            branches = [] if never else [((ast.Constant("if"), node.test), node.body)]
            branches.append(((ast.Constant("else"), node.test), node.orelse))
        case ast.While():
            branches = [((ast.Constant("while"), node.test), [*node.body, *node.orelse])]
        case ast.For() | ast.AsyncFor():
            branches = [((ast.Constant("for"), node.target, node.iter), [*node.body, *node.orelse])]
        case ast.With() | ast.AsyncWith():
            branches = [((ast.Constant("with"), *node.items), node.body)]
        case ast.Try() | ast.TryStar():
            branches = [((ast.Constant("try"),), [*node.body, *node.orelse]), ((), node.finalbody)]
            branches += [((ast.Constant("except"),), handler.body) for handler in node.handlers]
        case ast.Match():
            branches = [
                ((ast.Constant("match"), node.subject, case.pattern), case.body) for case in node.cases
            ]
    for condition, body in branches:
        for statement in body:
            yield statement, (*conditions, *condition)


def _is_main_test(test: Node) -> bool:
    match test:
        case ast.Compare(
            left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant("__main__")]
        ):
            return True
    return False


def _definitions(tree: ast.Module) -> Iterator[tuple[str, Node]]:
    """All functions and classes with their qualified names; expressions are not searched."""
    stack: list[tuple[Node, str]] = [(tree, "")]
    while stack:
        node, prefix = stack.pop()
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            name = prefix + node.name
            yield name, node
            prefix = name + (".<locals>." if isinstance(node, FUNCTIONS) else ".")
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            children = getattr(node, field, None)
            if type(children) is list:
                stack.extend((child, prefix) for child in reversed(children))


def _first_line(node: Node) -> int:
    """The line that a code object calls its first: that of the first decorator."""
    decorators = getattr(node, "decorator_list", None)
    return int(decorators[0].lineno if decorators else node.lineno)


def _without_lines(code: CodeType) -> CodeType:
    """`code` wherever it stands; the flag of ``from __future__ import annotations`` is not what it does."""
    consts = tuple(
        _without_lines(const) if isinstance(const, CodeType) else const for const in code.co_consts
    )
    flags = code.co_flags & ~annotations.compiler_flag
    return code.replace(co_firstlineno=1, co_linetable=b"", co_filename="", co_consts=consts, co_flags=flags)


def _contains(code: CodeType, smaller: CodeType) -> bool:
    """Whether `code` may be `smaller` with something added, as pytest does to assertions."""
    n_arguments = code.co_argcount + code.co_kwonlyargcount
    return (
        n_arguments == smaller.co_argcount + smaller.co_kwonlyargcount
        and code.co_varnames[:n_arguments] == smaller.co_varnames[:n_arguments]
        and set(code.co_names) >= set(smaller.co_names)
        and {repr(c) for c in code.co_consts if not isinstance(c, CodeType)}
        >= {repr(c) for c in smaller.co_consts if not isinstance(c, CodeType)}
    )
