"""Constants and defaults whose live value is not what their file says."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from smttask.code.bindings import MISSING, Binding, literal_value
from smttask.code.names import FreeNames
from smttask.code.space import Space
from smttask.code.syntax import short_digest, value_form

__all__ = ["LiveConstants"]

EXPECTED_UNKNOWN = None


class LiveConstants:
    """Collects live values, and tells at the end which of them count.

    A value counts when it is plain (see `value_form`) and the source says another one
    or leaves it open. A name that the reached code itself rebinds is state, not a
    constant: its value does not count, and it is named in `unresolved`.
    """

    def __init__(self) -> None:
        self.unresolved: set[str] = set()
        self._pending: list[tuple[str, Mapping[str, Any], str, str, set[str] | None, Space]] = []
        self._attributes: list[tuple[str, Mapping[str, Any], str, str | None]] = []
        self._state: set[tuple[int, str]] = set()
        self._attribute_stores: set[str] = set()

    def note_state(self, space: Space, names: FreeNames) -> None:
        """Take in which names a piece of reached code rebinds."""
        if names.rebound:
            self._state.update((id(space.namespace), name) for name in names.rebound)
        self._attribute_stores |= names.attribute_stores
        for chain in names.stores:
            module = space.get(chain[0])
            if isinstance(module, ModuleType) and len(chain) == 2:
                self._state.add((id(object.__getattribute__(module, "__dict__")), chain[1]))

    def assigned(self, part: str, space: Space, name: str, live: object, bindings: list[Binding]) -> bool:
        """Take in a name of `space` that `bindings` should have made; whether its value is plain."""
        form = value_form(live)
        expected = _expected(name, bindings)
        if space.namespace is not None and (form is not None or expected):
            self._pending.append((part, space.namespace, name, form or _type_form(live), expected, space))
        return form is not None

    def replaced(self, part: str, space: Space, name: str, live: object, origin: object) -> None:
        """Take in a name imported from a module that has another object under it by now."""
        form, expected = value_form(live) or _type_form(live), value_form(origin) or _type_form(origin)
        if form != expected and space.namespace is not None:
            self._pending.append((part, space.namespace, name, form, set(), space))

    def injected(self, part: str, space: Space, name: str, live: object) -> bool:
        """Take in a name that no statement explains; whether its value is plain, or a table of such."""
        form = _table_form(live)
        if form is not None and space.namespace is not None:
            self._pending.append((part, space.namespace, name, form, set(), space))
        return form is not None

    def attributes(self, part: str, node: ast.ClassDef, attributes: Mapping[str, Any]) -> list[str]:
        """Take in the attributes of a class that its body sets to literals; gives their names."""
        names = []
        for name, binding in _class_assignments(node):
            expected = _expected(name, [binding])
            form = value_form(attributes.get(name, MISSING))
            if form is None or not expected:
                continue
            names.append(name)
            self._attributes.append((part, attributes, name, form if form not in expected else None))
        return names

    def is_state(self, namespace: Mapping[str, Any], name: str) -> bool:
        """Whether reached code rebinds an entry of a module's or a class's namespace."""
        if isinstance(namespace, dict):
            return (id(namespace), name) in self._state
        return name in self._attribute_stores

    def finish(self) -> Iterator[tuple[str, str]]:
        """Yield part and content digest of each value that counts."""
        for part, namespace, name, form, expected, space in self._pending:
            if self.is_state(namespace, name):
                self.unresolved.add(f"{part}: rebound while running")
            elif expected is EXPECTED_UNKNOWN:
                if space.source is not None and space.source.first_values.setdefault(name, form) != form:
                    yield part, _digest(form)
            elif expected != {form}:
                yield part, _digest(form)
        for part, attributes, name, other in self._attributes:
            if other is not None and not self.is_state(attributes, name):
                yield part, _digest(f"{name}={other}")


def default_forms(function: FunctionType, node: Any, *, is_inner: bool) -> list[str]:
    """Forms of the live defaults that differ from those in the source.

    Parameters
    ----------
    is_inner
        Made inside a function, so that a default that is no literal may be another each time.
    """
    declared = [*node.args.defaults, *(default for default in node.args.kw_defaults if default is not None)]
    live = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    forms = []
    for position, value in enumerate(live):
        form = value_form(value)
        expected = literal_value(declared[position]) if len(declared) == len(live) else None
        is_open = expected is MISSING
        if form is not None and ((is_open and is_inner) or (not is_open and value_form(expected) != form)):
            forms.append(f"default {position} {form}")
    return forms


def closure_forms(free: Mapping[str, object], names: FreeNames) -> list[str]:
    """Forms of the plain values that an inner function holds, except those it rebinds."""
    forms = []
    for name in sorted(free.keys() - names.nonlocals):
        form = value_form(free[name])
        if form is not None:
            forms.append(f"closure {name} {form}")
    return forms


def _expected(name: str, bindings: list[Binding]) -> set[str] | None:
    """Forms of the values that the source may give `name`; None where it does not tell."""
    expected: set[str] | None = set()
    for binding in bindings:
        value = _assigned_value(name, binding.statement)
        form = value_form(value) if value is not MISSING else None
        if form is None:
            expected = None
        elif not binding.conditions:
            expected = {form}
        elif expected is not None:
            expected.add(form)
    return expected


def _assigned_value(name: str, statement: Any) -> Any:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    value = getattr(statement, "value", None)
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or value is None:
        return MISSING
    try:
        for target in targets:
            if isinstance(target, ast.Name) and target.id == name:
                return literal_value(value)
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                for element, part in zip(target.elts, value.elts, strict=False):
                    if isinstance(element, ast.Name) and element.id == name:
                        return literal_value(part)
    except RecursionError:
        return MISSING
    return MISSING


def _class_assignments(node: ast.ClassDef) -> Iterator[tuple[str, Binding]]:
    for statement in node.body:
        targets = (
            statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        )
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, Binding(statement)


def _table_form(value: object) -> str | None:
    """The form of a plain value or of a flat list, set or dict of plain values."""
    kind = type(value)
    if kind is dict:
        pairs = [(value_form(k), value_form(v)) for k, v in value.items()]  # type: ignore[attr-defined]
        return None if any(None in pair for pair in pairs) else f"dict{sorted(pairs)}"
    if kind is list or kind is set:
        forms = [value_form(element) for element in value]  # type: ignore[attr-defined]
        return None if None in forms else f"{kind.__name__}{forms if kind is list else sorted(forms)}"  # type: ignore[type-var]
    return value_form(value)


def _type_form(value: object) -> str:
    """Stands for a value that is not plain, where the source has one that is."""
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


def _digest(form: str) -> str:
    return short_digest([form.encode("utf-8", "surrogatepass")])
