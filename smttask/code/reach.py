"""Which code of the project a function reaches, by the names it uses.

Names are resolved in the source text their module was loaded from, and checked against
the live objects: where these come from elsewhere (a replaced function, a reloaded
module), the live ones count. Nothing is imported and nothing is run.
"""

from __future__ import annotations

import ast
import builtins
from collections import deque
from collections.abc import Callable, Container, Iterable
from functools import partial
from types import CodeType, FunctionType, ModuleType
from typing import Any

from smttask.code.bindings import MISSING, Binding, Node
from smttask.code.constants import LiveConstants, closure_forms, default_forms
from smttask.code.live import cell_contents, code_behind, names_in_code, wrapped_chain
from smttask.code.members import class_head, methods
from smttask.code.names import FreeNames, attribute_chain
from smttask.code.scope import CodeScope
from smttask.code.source import Source
from smttask.code.space import Space, Spaces
from smttask.code.syntax import code_form, short_digest, value_form, with_fields
from smttask.code.watch import Watch
from smttask.protocols import Wiring

__all__ = ["Reach"]

Chain = tuple[str, ...]

# What the import system tells a module of the place it lies at, which may move
PLACES = frozenset({"__cached__", "__file__", "__loader__", "__path__", "__spec__"})


class Reach:
    """Everything that is reached from one function or class.

    Parameters
    ----------
    function
        Where to begin; counts whether or not it is in `scope`.
    scope
        Names that lead out of it are not followed.
    """

    def __init__(self, function: Callable[..., Any] | type, scope: CodeScope) -> None:
        self.watch = Watch()
        self.unresolved: set[str] = set()
        self.held: list[tuple[str, CodeType, Source]] = []
        self._own = ""
        self._parts: dict[str, set[str]] = {}
        self._nested: list[tuple[str, list[str], str]] = []
        self._spaces = Spaces(scope, self.watch)
        self._constants = LiveConstants()
        self._resolved: dict[tuple[int, str], Space | None] = {}
        self._queue: deque[Callable[[], object]] = deque()
        self._queued: set[object] = set()
        self._roots = wrapped_chain(function)
        self._follow(code_behind(function))
        while self._queue:
            self._queue.popleft()()
        self._finish()

    @property
    def parts(self) -> dict[str, str]:
        """Digest of each part by name, the one begun with first, the others sorted."""
        names = sorted(self._parts, key=lambda name: (name != self._own, name))
        return {name: _joined(self._parts[name]) for name in names}

    @property
    def files(self) -> list[str]:
        """Source files of all modules in which a part was found or a name looked up."""
        return sorted(set(self._spaces.files()))

    # ------------------------------------------------------------ names

    def load(self, space: Space, chain: Chain, owner: str) -> None:
        """Follow ``a.b.c`` from the names of `space`."""
        current = self._resolve(space, chain[0]) if chain else space
        for name in chain[1:]:
            current = self._attribute(current, name) if current is not None else None
        if current is not None and current is not space:
            self.unresolved.add(f"{owner}: module {current.name} as a value")

    def _attribute(self, space: Space, name: str) -> Space | None:
        """Follow ``module.name`` or ``from module import name``: a name in it, else a submodule."""
        if space.get(name) is not MISSING or space.bindings(name):
            return self._resolve(space, name)
        submodule = self._spaces.submodule(space, name)
        if submodule is not None:
            return submodule
        if space.get("__getattr__") is not MISSING or space.bindings("__getattr__"):
            self.unresolved.add(f"{space.name}:{name}: __getattr__(…)")
            self._resolve(space, "__getattr__")
        return self._resolve(space, name)

    def _resolve(self, space: Space, name: str) -> Space | None:
        """Queue what `name` stands for; give the space to go on in if it is a module."""
        key = (id(space), name)
        if key not in self._resolved:
            self._resolved[key] = None  # a circle of imports ends here
            self._resolved[key] = self._look_up(space, name)
        return self._resolved[key]

    def _look_up(self, space: Space, name: str) -> Space | None:
        live = space.get(name)
        bindings = space.bindings(name)
        if space.namespace is not None and (live is not MISSING or bindings or not hasattr(builtins, name)):
            self.watch.name(space.namespace, name, live)
        if isinstance(live, ModuleType):
            return self._spaces.of_module(live)
        if issubclass(type(live), Wiring):  # nor does it count how it was made, or what was set on it since
            self._follow(code_behind(live))
            return None
        found = None
        by_kind: dict[str, list[Binding]] = {}
        for binding in bindings:
            by_kind.setdefault(binding.kind, []).append(binding)
        for binding in by_kind.get("import", []):
            found = self._imported(space, binding.statement, name, live) or found
        if "definition" in by_kind:
            self._defined(space, name, by_kind["definition"], live)
        if any(not binding.changes_only for binding in by_kind.get("assignment", [])):
            self._assigned(space, name, by_kind["assignment"], live)
        return found if by_kind else self._unbound(space, name, live)

    def _imported(self, space: Space, node: Node, name: str, live: object) -> Space | None:
        """Follow an import statement to the module it names, or to what was put in its place."""
        if isinstance(node, ast.Import):
            if live is not MISSING:
                self._follow(code_behind(live))
            return self._spaces.named(next((a.name for a in node.names if a.asname == name), name))
        taken = next(alias.name for alias in node.names if (alias.asname or alias.name) == name)
        origin = self._spaces.named(space.absolute(node.level, node.module or ""))
        held = MISSING if origin is None else origin.get(taken)
        if live is not MISSING and held is not live:  # not imported, replaced by hand, or older than a reload
            reached = list(code_behind(live))
            self._follow(reached)
            if held is not MISSING:
                self._constants.replaced(f"{space.name}:{name}", space, name, live, held)
                if any(isinstance(item, FunctionType) for item in reached):
                    return None
        return self._attribute(origin, taken) if origin is not None else None

    def _defined(self, space: Space, name: str, bindings: Iterable[Binding], live: object) -> None:
        """Follow a ``def`` or ``class`` statement, or what stands in its place."""
        reached = [] if live is MISSING else list(code_behind(live))
        self._follow(reached)
        if any(space.is_home_of(item, name) for item in reached):
            return
        nodes = [binding.statement for binding in bindings]
        if live is MISSING or any(node.decorator_list for node in nodes):
            for node in nodes:
                self._definition(space, space.source, name, node)
        elif not self._constants.injected(f"{space.name}:{name}", space, name, live) and not reached:
            self.unresolved.add(f"{space.name}:{name}: no source")

    def _assigned(self, space: Space, name: str, bindings: list[Binding], live: object) -> None:
        """Follow the statements that make a constant, and the functions and classes it now holds."""
        part = f"{space.name}:{name}"
        for binding in bindings:
            self._add_syntax(space, space.source, part, binding, partial(getattr, binding, "syntax"))
        if live is not MISSING:
            self._follow(code_behind(live))
            self._constants.assigned(part, space, name, live, bindings)

    def _unbound(self, space: Space, name: str, live: object) -> Space | None:
        """Follow a name that no statement of the module binds: star imports, notebooks, injected names."""
        if name in PLACES:
            return None
        for node in space.star_imports():
            origin = self._spaces.named(space.absolute(node.level, node.module or ""))
            if origin is not None and (origin.get(name) is not MISSING or origin.bindings(name)):
                if live is not MISSING and origin.get(name) is not live:
                    break
                return self._resolve(origin, name)
        if live is MISSING:
            return None
        reached = list(code_behind(live))
        self._follow(reached)
        if not self._constants.injected(f"{space.name}:{name}", space, name, live) and not reached:
            self.unresolved.add(f"{space.name}:{name}: no source")
        return None

    def _use(self, space: Space, owner: str, names: FreeNames, free: dict[str, object] | None = None) -> None:
        """Follow all the names that a piece of syntax needs."""
        for chain in names.loads:
            if free and chain[0] in free:
                module = free[chain[0]]
                start = self._spaces.of_module(module) if isinstance(module, ModuleType) else None
                if start is not None and len(chain) > 1:
                    self.load(start, chain[1:], owner)
            else:
                self.load(space, chain, owner)
        for level, module_name, chain in names.imports:
            self._import_inside(space, owner, level, module_name, chain)
        for text, chain in names.dynamic:
            if not chain or not self._spaces.leads_outside(space, chain):
                self.unresolved.add(f"{owner}: {text}")
        self._constants.note_state(space, names)

    def _import_inside(self, space: Space, owner: str, level: int, module_name: str, chain: Chain) -> None:
        """Follow an import inside a function, whether or not it was carried out already."""
        name = space.absolute(level, module_name)
        current = self._spaces.named(name, watch=True)
        if current is None and not self._spaces.is_found(name):
            self.unresolved.add(f"{owner}: import {name}")
        for attribute in chain:
            current = self._attribute(current, attribute) if current is not None else None
        if current is not None:
            self.unresolved.add(f"{owner}: module {current.name} as a value")

    # ------------------------------------------------------------ functions and classes

    def _push(self, key: object, work: Callable[[], object]) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._queue.append(work)

    def _follow(self, items: Iterable[FunctionType | type]) -> None:
        for item in items:
            work = partial(self._class, item) if isinstance(item, type) else partial(self._function, item)
            self._push(("live", id(item)), work)

    def _function(self, function: FunctionType) -> None:
        """Add a live function: its syntax where its code comes from it, else its code."""
        is_root = function in self._roots
        space = self._spaces.of_globals(function.__globals__, force=is_root)
        if space is None:
            return
        self.watch.function(function)
        code = function.__code__
        source = space.source_for(code)
        is_foreign = space.source is not None and source is not space.source  # `f.__code__ = g.__code__`
        qualname = function.__qualname__ if is_foreign else code.co_qualname
        part = f"{space.name}:{qualname}"
        if function is self._roots[-1]:
            self._own = part
        source, nodes = source.find(code) if source is not None else (None, [])
        free = cell_contents(function)
        if not nodes or source is None:
            if source is None or _is_made_from_text(function):
                self.unresolved.add(f"{part}: no source")
            self._add(part, short_digest([code_form(code)]))
            for chain in names_in_code(code, function.__globals__):
                self.load(space, chain, part)
            return
        self.held.append((part, code, source))
        is_inner = "<locals>" in part or code.co_name == "<lambda>"
        contents = []
        for node in nodes:
            digest, names = self._add_syntax(space, source, None, node, free=free, owner=part)
            contents += [digest, *default_forms(function, node, is_inner=is_inner)]
            if is_inner:
                contents += closure_forms(free, names)
                self.watch.closure(function, names.nonlocals)
        content = contents[0] if len(contents) == 1 else short_digest([item.encode() for item in contents])
        if is_inner and function is not self._roots[-1]:
            owners = _owners(space, source, qualname, code.co_firstlineno)
            self._nested.append((part, owners, content))
        else:
            self._add(part, content)
        if "." in qualname and not is_inner:
            self._resolve(space, qualname.partition(".")[0])

    def _class(self, cls: type) -> None:
        """Add a live class whole: what it says itself, each method, its bases and metaclass."""
        space = self._spaces.of_class(cls, force=cls in self._roots)
        if space is None:
            return
        source, nodes = space.class_definitions(cls)
        part = f"{space.name}:{cls.__qualname__}"
        if cls is self._roots[-1]:
            self._own = part
        attributes = cls.__dict__
        self.watch.sizes.append((attributes, len(attributes)))
        reached = self._class_members(cls, {name for node in nodes for name in methods(node)})
        for node in nodes:
            self._class_body(space, source, cls.__qualname__, node, reached)
            for name in self._constants.attributes(part, node, attributes):
                self.watch.name(attributes, name, attributes[name])
        if not nodes and any(
            b.kind == "assignment" for b in space.bindings(cls.__qualname__)
        ):  # a named tuple
            self._resolve(space, cls.__qualname__)
        elif not nodes:
            self.unresolved.add(f"{part}: no source")
            plain = sorted(
                f"{k}={value_form(v)}" for k, v in attributes.items() if value_form(v) and k[0] != "_"
            )
            self._add(part, short_digest([item.encode("utf-8", "surrogatepass") for item in plain]))
        self._follow([base for base in (*cls.__mro__[1:], type(cls)) if base not in (object, type)])

    def _class_members(self, cls: type, names_in_body: set[str]) -> set[str]:
        """Queue the live methods and inner classes; give the qualified names they were written under."""
        attributes = cls.__dict__
        reached: set[str] = set()
        for name, value in attributes.items():
            if name in ("__dict__", "__weakref__"):
                continue
            members = [m for m in code_behind(value) if m is not cls]
            if name not in names_in_body:
                members = [m for m in members if not _is_made_from_text(m)]
            if isinstance(value, type) or any(isinstance(member, FunctionType) for member in members):
                self.watch.name(attributes, name, value)
            self._follow(members)
            reached.update(
                m.__code__.co_qualname if isinstance(m, FunctionType) else m.__qualname__ for m in members
            )
        return reached

    def _class_body(
        self, space: Space, source: Source | None, qualname: str, node: ast.ClassDef, reached: Container[str]
    ) -> None:
        """Add the class statement, and by syntax alone the methods that are not `reached` live."""
        self._add_syntax(space, source, f"{space.name}:{qualname}", node)
        for name, definitions in methods(node).items():
            if f"{qualname}.{name}" not in reached:
                for definition in definitions:
                    self._definition(space, source, f"{qualname}.{name}", definition)

    def _definition(self, space: Space, source: Source | None, qualname: str, node: Node) -> None:
        """Queue a function or class to be added by its syntax alone."""
        work: Callable[[], object]
        if isinstance(node, ast.ClassDef):
            work = partial(self._class_body, space, source, qualname, node, ())
        else:
            work = partial(self._add_syntax, space, source, f"{space.name}:{qualname}", node)
        self._push(("node", id(node)), work)

    # ------------------------------------------------------------ parts

    def _add(self, part: str, content: str) -> None:
        self._parts.setdefault(part, set()).add(content)

    def _add_syntax(
        self,
        space: Space,
        source: Source | None,
        part: str | None,
        node: Any,
        make: Callable[[], Any] | None = None,
        *,
        free: dict[str, object] | None = None,
        owner: str = "",
    ) -> tuple[str, FreeNames]:
        """Follow the names in `node` and add its form to `part`, if given; gives form digest and names."""
        if source is None:
            return "", FreeNames()
        digest, names = source.form(node, make or partial(self._without_task_decorators, space, node))
        if part is not None:
            self._add(part, digest)
        self._use(space, part or owner, names, free)
        return digest, names

    def _without_task_decorators(self, space: Space, node: Node) -> Node:
        """Leave out smttask's own decorators: how a task is kept and recorded is not what it computes."""
        head = class_head(node) if isinstance(node, ast.ClassDef) else node
        decorators = getattr(node, "decorator_list", [])
        kept = [
            d for d in decorators if not self._spaces.is_own(space, attribute_chain(getattr(d, "func", d)))
        ]
        return head if len(kept) == len(decorators) else with_fields(head, {"decorator_list": kept})

    def _finish(self) -> None:
        """Add inner functions that stand in no part yet, and constants that are not as their file says."""
        for part, owners, content in self._nested:
            if not any(owner in self._parts for owner in owners):
                self._add(part, content)
        for part, content in self._constants.finish():
            self._add(part, content)
        self.unresolved.update(self._constants.unresolved)
        self.watch.forget(self._constants.is_state)


def _is_made_from_text(member: FunctionType | type) -> bool:
    """Whether a function comes from `exec`, as the methods that make up a dataclass do."""
    return isinstance(member, FunctionType) and member.__code__.co_filename.startswith("<")


def _owners(space: Space, source: Source, qualname: str, line: int) -> list[str]:
    """Parts whose syntax includes an inner function or lambda."""
    outer = qualname.partition(".<locals>")[0]
    if not outer.endswith("<lambda>"):
        return [f"{space.name}:{outer}"]
    if "." in outer:
        return [f"{space.name}:{outer.rpartition('.')[0]}"]
    names = source.parsed.names_bound_around(line) if source.parsed is not None else []
    return [f"{space.name}:{name}" for name in names]


def _joined(contents: set[str]) -> str:
    if len(contents) == 1:
        return next(iter(contents))
    return short_digest([content.encode() for content in sorted(contents)])
