"""Functions as values: called by name, combined by arithmetic, never executed from text."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, update_wrapper
from importlib import import_module
from types import BuiltinFunctionType, FunctionType
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from smttask.code.source import remember_sources
from smttask.typing.definitions import code_of, definition_in, held_by, home_of
from smttask.typing.places import class_name
from smttask.typing.registry import acceptor_of

__all__ = [
    "FUNCTIONS",
    "Composite",
    "PureFunction",
    "copied_function",
    "function_parts",
    "to_function",
    "type_parts",
]

P = ParamSpec("P")
R = TypeVar("R")

OPERATIONS = frozenset({"abs", "add", "mul", "neg", "pos", "pow", "sub", "truediv"})


@dataclass(frozen=True, slots=True)
class Composite:
    """An operation of the module `operator` on what functions return for the same arguments.

    Parameters
    ----------
    operation
        One of `OPERATIONS`.
    terms
        What is combined; each `PureFunction` is called, everything else stands for itself.
    """

    operation: str
    terms: tuple[Any, ...]

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise ValueError(f"expected one of {', '.join(sorted(OPERATIONS))}, not {self.operation!r}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the operation makes of what the terms give."""
        values = [term(*args, **kwargs) if isinstance(term, PureFunction) else term for term in self.terms]
        return getattr(operator, self.operation)(*values)


_KINDS = (FunctionType, BuiltinFunctionType, partial, np.ufunc, type(np.mean), Composite)


class PureFunction(Generic[P, R]):
    """A function that is a value: what it returns depends on its arguments alone.

    As an annotation it takes functions, `functools.partial` objects and numpy's universal
    functions: ``PureFunction``, ``PureFunction[[float], float]`` (what stands in brackets is
    for readers and checkers). As a decorator it makes a function that can be combined by
    arithmetic: ``f + 2 * g``.

    Its digest is that of its module, its qualified name and its code with all that this
    reaches in the project. A lambda, a function inside another and one of a notebook are known
    by their code and what they hold; a task with such an input cannot be saved.

    Parameters
    ----------
    function
        A function, a partial one, a universal function of numpy, or a `PureFunction`.

    Raises
    ------
    TypeError
        For anything else; a bound method would bring its object along.

    Examples
    --------
    >>> from math import sin, cos
    >>> both = PureFunction(sin) + PureFunction(cos)
    >>> both(0.0)
    1.0
    """

    _pure_function: Any
    __name__: str
    __array_ufunc__ = None  # an array on the left leaves the operation to this class

    def __init__(self, function: Callable[P, R]) -> None:
        if isinstance(function, PureFunction):
            function = function._pure_function
        if not isinstance(function, _KINDS):
            raise TypeError(f"expected a function, not a {type(function).__name__}")
        if isinstance(function, BuiltinFunctionType) and home_of(function) is None:
            raise TypeError(f"expected a function, not the method {function.__name__!r} of an object")
        update_wrapper(self, function)
        self._pure_function = function
        if isinstance(function, FunctionType):
            remember_sources(function.__module__)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns."""
        result: R = self._pure_function(*args, **kwargs)
        return result

    @property
    def func(self) -> Callable[P, R]:
        """The function itself."""
        function: Callable[P, R] = self._pure_function
        return function

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PureFunction):
            return NotImplemented
        return _is_same(self._pure_function, other._pure_function)

    def __hash__(self) -> int:
        function = self._pure_function
        while isinstance(function, partial | PureFunction):
            function = function.func
        if isinstance(function, Composite):  # the other terms may be arrays
            terms = [term for term in function.terms if isinstance(term, PureFunction)]
            return hash((function.operation, *terms))
        return hash(function)

    def __repr__(self) -> str:
        function = self._pure_function
        is_made = isinstance(function, partial | Composite)
        return f"PureFunction({function if is_made else getattr(function, '__qualname__', function)})"

    def __reduce__(self) -> tuple[Any, ...]:
        function = self._pure_function
        if isinstance(function, partial):
            return _bound, (PureFunction(function.func), function.args, function.keywords)
        home = None if isinstance(function, Composite) else home_of(function)
        return (PureFunction, (function,)) if home is None else (_imported, home)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        accept: Any = acceptor_of(PureFunction)
        return accept.__get_pydantic_core_schema__(source, handler)

    def __neg__(self) -> PureFunction[P, Any]:
        return _combined("neg", self)

    def __pos__(self) -> PureFunction[P, Any]:
        return _combined("pos", self)

    def __abs__(self) -> PureFunction[P, Any]:
        return _combined("abs", self)

    def __add__(self, other: Any) -> PureFunction[P, Any]:
        return _combined("add", self, other)

    def __radd__(self, other: Any) -> PureFunction[P, Any]:
        # What `sum` begins with adds nothing.
        return self if type(other) is int and other == 0 else _combined("add", other, self)

    def __sub__(self, other: Any) -> PureFunction[P, Any]:
        return _combined("sub", self, other)

    def __rsub__(self, other: Any) -> PureFunction[P, Any]:
        return _combined("sub", other, self)

    def __mul__(self, other: Any) -> PureFunction[P, Any]:
        return _combined("mul", self, other)

    def __rmul__(self, other: Any) -> PureFunction[P, Any]:
        return _combined("mul", other, self)

    def __truediv__(self, other: Any) -> PureFunction[P, Any]:
        return _combined("truediv", self, other)

    def __rtruediv__(self, other: Any) -> PureFunction[P, Any]:
        return _combined("truediv", other, self)

    def __pow__(self, other: Any) -> PureFunction[P, Any]:
        return _combined("pow", self, other)

    def __rpow__(self, other: Any) -> PureFunction[P, Any]:
        return _combined("pow", other, self)


def _combined(operation: str, *terms: Any) -> PureFunction[Any, Any]:
    """The function that calls all functions among `terms` with its arguments and combines what they give."""
    wrapped = [PureFunction(term) if isinstance(term, _KINDS) else term for term in terms]
    return PureFunction(Composite(operation, tuple(wrapped)))


def _is_same(one: Any, other: Any) -> bool:
    """Whether both are the same function, or the same value that functions are bound to."""
    if isinstance(one, partial) and isinstance(other, partial):
        one, other = _parts(one), _parts(other)
    elif isinstance(one, Composite) and isinstance(other, Composite):
        one, other = (one.operation, one.terms), (other.operation, other.terms)
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        is_alike = type(one) is type(other) and one.dtype == other.dtype
        return is_alike and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    try:
        return bool(one == other)
    except ValueError:  # a table, which has no truth of its own
        return False


def _parts(function: Any) -> Any:
    return PureFunction(function.func), function.args, function.keywords


def _imported(module: str, qualname: str) -> PureFunction[Any, Any]:
    """For pickles, which import what they name."""
    return PureFunction(definition_in(import_module(module), module, qualname, (module.partition(".")[0],)))


def _bound(function: Any, args: Any, keywords: Any) -> PureFunction[Any, Any]:
    return PureFunction(partial(function, *args, **keywords))


FUNCTIONS = (*_KINDS, PureFunction)


def to_function(value: Any) -> PureFunction[Any, Any]:
    """`value` as a `PureFunction`; ValueError if it is no function."""
    if isinstance(value, str):
        raise ValueError("expected a function; text is never executed")
    try:
        return PureFunction(value)
    except TypeError as error:
        raise ValueError(str(error)) from error


def function_parts(function: Any) -> dict[str, Any]:
    """What identifies a function, as values: names, code, and what it is bound to.

    Raises
    ------
    TypeError
        If it has neither a name by which it is found nor code that can be read.

    Examples
    --------
    >>> function_parts(partial(np.power, 2))
    {'partial': <ufunc 'power'>, 'args': (2,), 'keywords': {}}
    >>> function_parts(np.power)
    {'function': 'numpy:power'}
    """
    if isinstance(function, PureFunction):
        return function_parts(function._pure_function)
    if isinstance(function, partial):
        return {"partial": function.func, "args": function.args, "keywords": function.keywords}
    if isinstance(function, Composite):
        return {"composite": function.operation, "terms": function.terms}
    home, code = home_of(function), code_of(function)
    if home is not None:
        return {"function": ":".join(home)} | ({} if code is None else {"code": code})
    if code is None:
        raise TypeError("a function without a name by which it can be found")
    return {"code": code, **held_by(function)}


def type_parts(cls: type) -> dict[str, str]:
    """What identifies a class: its name, and its code if it is one of the project.

    Examples
    --------
    >>> type_parts(int)
    {'type': 'builtins:int'}
    """
    code = code_of(cls)
    return {"type": class_name(cls)} | ({} if code is None else {"code": code})


def copied_function(function: Any, copy: Callable[[Any], Any]) -> Any:
    """`function` with what it is bound to copied; the same object where nothing had to be."""
    if isinstance(function, PureFunction):
        inner = copied_function(function._pure_function, copy)
        return function if inner is function._pure_function else PureFunction(inner)
    if isinstance(function, partial):
        args, keywords = copy(function.args), copy(function.keywords)
        if args is function.args and all(keywords[name] is old for name, old in function.keywords.items()):
            return function
        return partial(function.func, *args, **keywords)
    if isinstance(function, Composite):
        terms = copy(function.terms)
        return function if terms is function.terms else Composite(function.operation, terms)
    return function
