"""Live objects: the functions and classes that stand behind a value."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from itertools import islice
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from smttask.protocols import Wiring

__all__ = ["cell_contents", "code_behind", "names_in_code", "own_attributes", "own_methods", "wrapped_chain"]

PLAIN = (int, float, complex, str, bytes, type(None), ModuleType, BuiltinFunctionType)
CONTAINERS = (dict, list, tuple, set, frozenset, type(type.__dict__))
WRAPPERS = (staticmethod, classmethod, MethodType, property, functools.partial, functools.partialmethod)
FOLLOWED = (FunctionType, type, *WRAPPERS)
MAX_OBJECTS = 10_000  # a table longer than this is data, not a choice of functions


def code_behind(value: object) -> Iterator[FunctionType | type]:
    """Yield the functions and classes that `value` is made of or leads to.

    Goes through ``__wrapped__``, partial and decorated objects, methods, properties,
    what closures hold, and functions in tables (one level). The class of an instance is
    yielded too. A class with ``__wrapped__``, as a task has, stands for what it wraps.
    """
    stack = [value]
    seen: set[int] = set()
    while stack and len(seen) < MAX_OBJECTS:
        item: Any = stack.pop()
        kind = type(item)  # not isinstance: it asks proxies for their __class__, which may do anything
        if issubclass(kind, PLAIN) or id(item) in seen:
            continue
        seen.add(id(item))
        if issubclass(kind, Wiring):
            yield kind
            continue
        if issubclass(kind, FunctionType):
            yield item
            stack.extend(_within(item.__dict__.values()))
            stack.extend(cell_contents(item).values())
            stack.extend(_within(item.__defaults__ or ()))
            stack.extend(_within((item.__kwdefaults__ or {}).values()))
        elif issubclass(kind, type):
            wrapped = item.__dict__.get("__wrapped__")
            if wrapped is None:
                yield item
            else:
                stack.append(wrapped)
        elif issubclass(kind, WRAPPERS):
            stack.extend(_unwrapped(item))
        elif issubclass(kind, CONTAINERS):
            stack.extend(_within(item.values() if hasattr(kind, "values") else item))
        else:
            yield from _class_of(item)
            stack.extend(_within(own_attributes(item).values()))


def wrapped_chain(value: object) -> list[object]:
    """Give `value`, what it wraps, what that wraps, and so on to the function somebody wrote."""
    chain = [value]
    while True:
        inner = own_attributes(chain[-1]).get("__wrapped__")
        if inner is None or any(inner is known for known in chain):
            return chain
        chain.append(inner)


def own_methods(cls: type) -> Iterator[FunctionType]:
    """Yield the functions that were written in the body of `cls`."""
    prefix = f"{cls.__qualname__}."
    for value in cls.__dict__.values():
        for member in code_behind(value):
            if isinstance(member, FunctionType) and member.__code__.co_qualname.startswith(prefix):
                yield member


def cell_contents(function: FunctionType) -> dict[str, Any]:
    """What a function holds from the functions around it, by name."""
    contents = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            contents[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    return contents


def names_in_code(code: CodeType, namespace: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Names of `namespace`, and of modules in it, that a code object without source may use."""
    names: set[str] = set()
    stack = [code]
    while stack:
        current = stack.pop()
        names.update(current.co_names)
        stack.extend(const for const in current.co_consts if isinstance(const, CodeType))
    chains: set[tuple[str, ...]] = set()
    for name in names & namespace.keys():
        value = namespace[name]
        taken = names & own_attributes(value).keys() if isinstance(value, ModuleType) else set()
        chains.update((name, attribute) for attribute in taken)
        if not taken:
            chains.add((name,))
    return chains


def own_attributes(value: object) -> dict[str, Any]:
    """The instance dictionary of `value`, without asking its class's ``__getattr__``."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return {}
    return dict(found) if isinstance(found, Mapping) else {}


def _class_of(item: object) -> Iterator[type]:
    kind = type(item)
    wrapped = kind.__dict__.get("__wrapped__")
    if wrapped is None:
        yield kind
    elif isinstance(wrapped, FunctionType | type):
        yield from code_behind(wrapped)  # type: ignore[misc]


def _unwrapped(item: Any) -> list[object]:
    if isinstance(item, property):
        return [item.fget, item.fset, item.fdel]
    if isinstance(item, functools.partial | functools.partialmethod):
        return [item.func, *_within(item.args), *_within(item.keywords.values())]
    owner = [item.__self__] if isinstance(item, MethodType) else []
    return [item.__func__, *owner]


def _within(values: Any) -> list[object]:
    """What is a function, a class or a wrapper among values; instances in tables are data."""
    found = []
    for value in islice(list(values), MAX_OBJECTS):
        kind = type(value)
        if issubclass(kind, PLAIN):
            continue
        if issubclass(kind, FOLLOWED) or "__wrapped__" in own_attributes(value):
            found.append(value)
    return found
