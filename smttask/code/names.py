"""Which names a piece of syntax takes from outside itself.

Names bound inside it (arguments, variables, loop targets, nested definitions)
are followed no further; what is left must come from the module around it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from smttask.parsing import undisturbed

__all__ = ["FreeNames", "attribute_chain", "free_names"]

Chain = tuple[str, ...]
DYNAMIC = frozenset({"eval", "exec", "globals", "__import__", "import_module", "getattr"})
OWN_OBJECTS = ("self", "cls")  # whose class counts whole
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(slots=True)
class FreeNames:
    """What a piece of syntax needs from its module."""

    loads: set[Chain] = field(default_factory=set)
    """Names and what is taken from them: ``a.b.c`` is ``("a", "b", "c")``."""
    imports: set[tuple[int, str, Chain]] = field(default_factory=set)
    """Imports inside functions: level of dots, module, and what is taken from it."""
    stores: set[Chain] = field(default_factory=set)
    """Attributes of outside names that are assigned to: ``module.NAME = …``."""
    attribute_stores: set[str] = field(default_factory=set)
    """Names of attributes assigned to on anything but ``self``."""
    rebound: set[str] = field(default_factory=set)
    """Names in ``global`` statements: state, not constants."""
    nonlocals: set[str] = field(default_factory=set)
    """Names in ``nonlocal`` statements."""
    dynamic: set[tuple[str, Chain]] = field(default_factory=set)
    """Look-ups that cannot be followed, with the name they start from, if any."""


class _Scope:
    __slots__ = ("aliases", "bound", "calls", "kind", "loads", "outer", "parent", "stores")

    def __init__(self, kind: str, parent: _Scope | None) -> None:
        self.kind = kind
        self.parent = parent
        self.bound: set[str] = set()
        self.outer: dict[str, str] = {}
        self.aliases: dict[str, tuple[int, str, Chain]] = {}
        self.loads: list[Chain] = []
        self.stores: list[Chain] = []
        self.calls: list[tuple[str, str, Chain]] = []

    def find(self, name: str) -> _Scope | None:
        """The scope inside the piece that binds `name`, or None when it comes from outside."""
        scope: _Scope | None = self
        while scope is not None and scope.kind != "outside":
            declared = scope.outer.get(name)
            if declared == "global":
                return None
            # a class body sees the outer value until it binds its own, methods never see the class's
            if declared is None and name in scope.bound and scope.kind != "class":
                return scope
            scope = scope.parent
        return None


def free_names(*nodes: ast.AST) -> FreeNames:
    """Collect the names that `nodes`, statements or expressions of a module, take from it.

    Examples
    --------
    >>> import ast
    >>> tree = ast.parse("def f(x): return [g.h(y) for y in x]")
    >>> free_names(*tree.body).loads
    {('g', 'h')}
    """
    walk = _Walk()
    outside = _Scope("outside", None)
    walk.scopes.append(outside)
    walk.stack.extend((node, outside, False) for node in nodes)
    while walk.stack:
        node, scope, annotation = walk.stack.pop()
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            handler(walk, node, scope, annotation)
        else:
            walk.push_children(node, scope, annotation)
    return walk.result()


def attribute_chain(node: ast.AST) -> Chain | None:
    """Give ``("a", "b", "c")`` for the expression ``a.b.c``, None for any other."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node.id, *reversed(names))


class _Walk:
    """The traversal, with its own stack so that depth is no limit."""

    def __init__(self) -> None:
        self.stack: list[tuple[ast.AST, _Scope, bool]] = []
        self.scopes: list[_Scope] = []
        self.names = FreeNames()

    def scope(self, kind: str, parent: _Scope) -> _Scope:
        scope = _Scope(kind, parent)
        self.scopes.append(scope)
        return scope

    def push(self, nodes: Sequence[ast.AST | None], scope: _Scope, annotation: bool = False) -> None:
        self.stack.extend((node, scope, annotation) for node in nodes if node is not None)

    def push_children(self, node: ast.AST, scope: _Scope, annotation: bool) -> None:
        stack = self.stack
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                stack.append((value, scope, annotation))
            elif type(value) is list:
                for element in value:
                    if isinstance(element, ast.AST):
                        stack.append((element, scope, annotation))

    def result(self) -> FreeNames:
        names = self.names
        for scope in self.scopes:
            for chain in scope.loads:
                owner = scope.find(chain[0])
                if owner is None:
                    names.loads.add(chain)
                elif chain[0] in owner.aliases:
                    level, module, taken = owner.aliases[chain[0]]
                    names.imports.add((level, module, taken + chain[1:]))
            for chain in scope.stores:
                if scope.find(chain[0]) is None:
                    names.stores.add(chain)
            for function, text, chain in scope.calls:
                if scope.find(function) is None:
                    known = not chain or scope.find(chain[0]) is None
                    names.dynamic.add((text, chain if known else ()))
        return names

    def name(self, node: ast.Name, scope: _Scope, annotation: bool) -> None:
        if isinstance(node.ctx, ast.Load):
            scope.loads.append((node.id,))
        else:
            scope.bound.add(node.id)

    def attribute(self, node: ast.Attribute, scope: _Scope, annotation: bool) -> None:
        chain = attribute_chain(node)
        is_load = isinstance(node.ctx, ast.Load)
        if not is_load and chain is not None:
            scope.stores.append(chain)
        if not is_load and (chain is None or chain[0] != "self"):
            self.names.attribute_stores.add(node.attr)
        if chain is not None:
            if is_load:
                scope.loads.append(chain)
            return
        taken: list[str] = []
        value: ast.expr = node
        while isinstance(value, ast.Attribute):
            taken.insert(0, value.attr)
            value = value.value
        module = imported_module(value)
        if module is None:
            self.push([value], scope)
        else:
            self.names.imports.add((0, module, tuple(taken)))

    def constant(self, node: ast.Constant, scope: _Scope, annotation: bool) -> None:
        if annotation and isinstance(node.value, str):
            text = node.value.strip()
            try:
                annotated = undisturbed(lambda: ast.parse(text, mode="eval"))
            except (SyntaxError, ValueError):
                return  # text inside Annotated, not a type
            self.push([annotated.body], scope, True)

    def subscript(self, node: ast.Subscript, scope: _Scope, annotation: bool) -> None:
        chain = attribute_chain(node.value)
        is_literal = chain is not None and chain[-1] == "Literal"
        self.push([node.value], scope, annotation)
        self.push([node.slice], scope, annotation and not is_literal)

    def call(self, node: ast.Call, scope: _Scope, annotation: bool) -> None:
        chain = attribute_chain(node.func)
        arguments = list(node.args)
        if chain and chain[-1] in DYNAMIC and (len(chain) == 1 or chain[-1] == "import_module"):
            arguments = self.dynamic_call(node, chain, scope)
        self.push([node.func, *arguments, *(keyword.value for keyword in node.keywords)], scope)

    def dynamic_call(self, node: ast.Call, chain: Chain, scope: _Scope) -> list[ast.expr]:
        """Follow a call whose target is a literal, note one whose target is not; give what is left."""
        arguments = list(node.args)
        literal = [arg.value if isinstance(arg, ast.Constant) else None for arg in arguments]
        text = "globals()" if chain[-1] == "globals" else f"{chain[-1]}(…)"
        start = attribute_chain(arguments[0]) if arguments and chain[-1] == "getattr" else None
        if chain[-1] == "getattr" and start and len(literal) > 1 and isinstance(literal[1], str):
            scope.loads.append((*start, literal[1]))
            return arguments[2:]
        module = imported_module(node)
        if module is not None:
            self.names.imports.add((0, module, ()))
            return []
        if not start or start[0] not in OWN_OBJECTS:
            scope.calls.append((chain[0], text, start or ()))
        return arguments[1:] if start else arguments

    def function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: _Scope, annotation: bool
    ) -> None:
        around = scope
        if not isinstance(node, ast.Lambda):
            scope.bound.add(node.name)
            self.push(node.decorator_list, scope)
            around = self.type_parameters(node, scope)
            self.push([node.returns], around, True)
        self.push([*node.args.defaults, *node.args.kw_defaults], scope)
        inner = self.scope("function", around)
        for argument in _arguments(node.args):
            inner.bound.add(argument.arg)
            self.push([argument.annotation], around, True)
        self.push([node.body] if isinstance(node, ast.Lambda) else node.body, inner)

    def type_parameters(self, node: ast.AST, scope: _Scope) -> _Scope:
        parameters = getattr(node, "type_params", None)
        if not parameters:
            return scope
        inner = self.scope("function", scope)
        inner.bound.update(parameter.name for parameter in parameters)
        self.push(parameters, inner, True)
        return inner

    def class_(self, node: ast.ClassDef, scope: _Scope, annotation: bool) -> None:
        scope.bound.add(node.name)
        self.push(node.decorator_list, scope)
        around = self.type_parameters(node, scope)
        self.push([*node.bases, *(keyword.value for keyword in node.keywords)], around)
        self.push(node.body, self.scope("class", around))

    def comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        scope: _Scope,
        annotation: bool,
    ) -> None:
        inner = self.scope("comprehension", scope)
        for number, generator in enumerate(node.generators):
            self.push([generator.target, *generator.ifs], inner)
            self.push([generator.iter], inner if number else scope)
        if isinstance(node, ast.DictComp):
            self.push([node.key, node.value], inner)
        else:
            self.push([node.elt], inner)

    def named_expression(self, node: ast.NamedExpr, scope: _Scope, annotation: bool) -> None:
        owner = scope
        while owner.kind == "comprehension" and owner.parent is not None:
            owner = owner.parent
        owner.bound.add(node.target.id)
        self.push([node.value], scope)

    def declaration(self, node: ast.Global | ast.Nonlocal, scope: _Scope, annotation: bool) -> None:
        is_global = isinstance(node, ast.Global)
        (self.names.rebound if is_global else self.names.nonlocals).update(node.names)
        scope.outer.update(dict.fromkeys(node.names, "global" if is_global else "nonlocal"))

    def assignment(self, node: ast.Assign, scope: _Scope, annotation: bool) -> None:
        module = imported_module(node.value)
        if module is None or scope.kind == "outside":
            self.push([node.value], scope)
        else:
            scope.aliases.update({t.id: (0, module, ()) for t in node.targets if isinstance(t, ast.Name)})
        self.push(node.targets, scope)

    def annotated_assignment(self, node: ast.AnnAssign, scope: _Scope, annotation: bool) -> None:
        self.push([node.target, node.value], scope)
        self.push([node.annotation], scope, True)

    def augmented_assignment(self, node: ast.AugAssign, scope: _Scope, annotation: bool) -> None:
        chain = attribute_chain(node.target)
        if chain is not None:
            scope.loads.append(chain)
        self.push([node.target, node.value], scope)

    def import_(self, node: ast.Import, scope: _Scope, annotation: bool) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            scope.bound.add(name)
            scope.aliases[name] = (0, alias.name if alias.asname else name, ())

    def import_from(self, node: ast.ImportFrom, scope: _Scope, annotation: bool) -> None:
        for alias in node.names:
            scope.bound.add(alias.asname or alias.name)
            scope.aliases[alias.asname or alias.name] = (node.level, node.module or "", (alias.name,))

    def bound_text(self, node: ast.AST, scope: _Scope, annotation: bool) -> None:
        """Nodes that bind a name given as text: ``except … as x``, patterns."""
        for attribute in ("name", "rest"):
            name = getattr(node, attribute, None)
            if isinstance(name, str):
                scope.bound.add(name)
        self.push_children(node, scope, annotation)


def imported_module(node: ast.AST) -> str | None:
    """The module's name in ``importlib.import_module("name")``, None for anything else."""
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        return None
    chain = attribute_chain(node.func)
    name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
    is_import = chain is not None and chain[-1] == "import_module"
    return name if is_import and isinstance(name, str) and not name.startswith(".") else None


def _arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from arguments.posonlyargs
    yield from arguments.args
    yield from arguments.kwonlyargs
    for argument in (arguments.vararg, arguments.kwarg):
        if argument is not None:
            yield argument


_Handler = Callable[[_Walk, Any, _Scope, bool], None]
_HANDLERS: dict[type, _Handler] = {
    ast.Name: _Walk.name,
    ast.Attribute: _Walk.attribute,
    ast.Constant: _Walk.constant,
    ast.Subscript: _Walk.subscript,
    ast.Call: _Walk.call,
    **dict.fromkeys((*FUNCTIONS, ast.Lambda), _Walk.function),
    ast.ClassDef: _Walk.class_,
    **dict.fromkeys(COMPREHENSIONS, _Walk.comprehension),
    ast.NamedExpr: _Walk.named_expression,
    **dict.fromkeys((ast.Global, ast.Nonlocal), _Walk.declaration),
    ast.Assign: _Walk.assignment,
    ast.AnnAssign: _Walk.annotated_assignment,
    ast.AugAssign: _Walk.augmented_assignment,
    ast.Import: _Walk.import_,
    ast.ImportFrom: _Walk.import_from,
    **dict.fromkeys((ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping), _Walk.bound_text),
}
