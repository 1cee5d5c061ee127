"""Functions and classes by name: what they are called, what code they are, and which a text may name.

A function is named by module and qualified name and found again by looking it up.
Nothing is imported or executed here.
"""

from __future__ import annotations

import cmath
import inspect
import math
import os
import sys
import sysconfig
from collections.abc import Collection
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from smttask.code.fingerprint import fingerprint
from smttask.code.scope import ENVIRONMENT_NAMES, OWN_PACKAGE, CodeScope
from smttask.code.source import MAIN_NAMES
from smttask.typing.registry import entry_of

__all__ = ["code_of", "definition_in", "held_by", "home_of", "is_library", "loaded_definition", "source_of"]

_LIBRARY_DIRS = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
_NOWHERE = CodeScope(Path(os.devnull))
_UFUNC_HOMES = ("numpy", "scipy.special")
# What a text may name in libraries: functions that only compute, not `numpy.load` or `os.system`.
_BUILTINS = """
abs all any bin bool bytes chr complex dict divmod enumerate float frozenset int len list max min object ord
pow range reversed round set slice sorted str sum tuple zip
"""
_NUMPY = """
all amax amin angle any append argmax argmin argsort around array_equal asarray average bincount broadcast_to
clip concatenate convolve corrcoef correlate count_nonzero cov cross cumprod cumsum diff digitize dot einsum
fix flip gradient heaviside histogram i0 imag inner interp isclose isin kron linspace max mean median min
nan_to_num nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar outer
percentile polyval prod ptp quantile real reshape roll round searchsorted sinc sort squeeze stack std sum
tensordot trace transpose trapezoid unique unwrap var vdot where
"""
_LINALG = "cholesky det eig eigh eigvals eigvalsh inv norm pinv qr slogdet solve svd"
_OPERATOR = "abs add and_ eq floordiv ge gt le lt matmul mod mul ne neg not_ or_ pos pow sub truediv xor"
_PURE = {
    "_operator": frozenset(_OPERATOR.split()),
    "builtins": frozenset(_BUILTINS.split()),
    "numpy": frozenset(_NUMPY.split()),
    "numpy.linalg": frozenset(_LINALG.split()),
}
_VALUE_MODULES = {"collections", "datetime", "decimal", "enum", "fractions", "pathlib", "uuid", "zoneinfo"}


def home_of(definition: Any) -> tuple[str, str] | None:
    """Module and qualified name by which a function or class is found again; None if it is not.

    Examples
    --------
    >>> home_of(math.sin), home_of(lambda x: x)
    (('math', 'sin'), None)
    """
    if isinstance(definition, np.ufunc):
        candidates = [(module, definition.__name__) for module in _UFUNC_HOMES]
    else:
        qualname = getattr(definition, "__qualname__", "") or ""
        candidates = [(getattr(definition, "__module__", None) or "", qualname)]
    for module, qualname in candidates:
        if module not in MAIN_NAMES and _found(sys.modules.get(module), qualname) is definition:
            return module, qualname
    return None


def code_of(definition: Any) -> str | None:
    """The fingerprint of the project code that a function or class is and reaches; None for libraries.

    What is found by name in a library is known by that name; what is not, by its own code alone.

    Examples
    --------
    >>> code_of(math.sin) is None, len(code_of(lambda x: x + 1))
    (True, 40)
    """
    if not isinstance(definition, FunctionType | type):
        return None
    module = definition.__module__
    if is_library(module):
        return fingerprint(definition, _NOWHERE).digest if home_of(definition) is None else None
    top = sys.modules.get(str(module).partition(".")[0])
    scope = _scope_below(getattr(top, "__file__", None), bool(getattr(top, "__path__", None)))
    return fingerprint(definition, scope).digest


def held_by(function: FunctionType) -> dict[str, Any]:
    """The values that a function carries with it: defaults of its arguments, and what it closes over.

    Examples
    --------
    >>> held_by(lambda x, n=3: x + n)
    {'defaults': (3,)}
    """
    names = function.__code__.co_freevars
    closure = {}
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            if cell.cell_contents is not function:
                closure[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    held = {
        "defaults": function.__defaults__,
        "keyword_defaults": function.__kwdefaults__,
        "closure": {
            name: value for name, value in closure.items() if not isinstance(value, ModuleType | type)
        },
    }
    return {name: value for name, value in held.items() if value}


def source_of(function: Any) -> str:
    """The text of a function, for people; empty where there is none."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return ""


def definition_in(module: ModuleType | None, name: str, qualname: str, trusted: Collection[str] = ()) -> Any:
    """The function or class that a text may mean by a name in `module`; runs nothing.

    In the project's own modules that is whatever is defined there; in libraries it is what
    only computes: numpy's functions, those of `math`, universal functions of scipy, and types
    of values.

    Parameters
    ----------
    name
        Of the module.
    trusted
        Top-level packages that count like the project's own.

    Raises
    ------
    LookupError
        If there is no such function or class.
    ValueError
        If it may not be named.
    """
    found = _found(module, qualname)
    if found is None:
        raise LookupError(f"no {qualname!r} in module {name!r}")
    is_own = not is_library(name) or name.partition(".")[0] in trusted
    if isinstance(found, FunctionType | type) and is_own:
        if (found.__module__, found.__qualname__) == (name, qualname):
            return found
        raise ValueError(f"{name}:{qualname} is defined elsewhere, in {found.__module__}")
    if _only_computes(found, name, qualname):
        return found
    raise ValueError(f"{name}:{qualname} is neither of the project nor known to only compute")


def loaded_definition(name: str, qualname: str) -> Any:
    """What `definition_in` finds in a module that is loaded already."""
    return definition_in(sys.modules.get(name), name, qualname)


def _found(module: ModuleType | None, qualname: str) -> Any:
    """What stands under a dotted name, through classes only; a decorated `PureFunction` as its function."""
    found: Any = module
    for part in qualname.split("."):
        found = vars(found).get(part) if isinstance(found, ModuleType | type) else None
    if isinstance(found, staticmethod):
        found = found.__func__
    try:
        return object.__getattribute__(found, "_pure_function")
    except AttributeError:
        return found


def _only_computes(found: Any, module: str, qualname: str) -> bool:
    if qualname in _PURE.get(module, ()):
        return True
    if isinstance(found, type):
        is_value = issubclass(found, np.generic | np.ndarray) or module.partition(".")[0] in _VALUE_MODULES
        return is_value or entry_of(found) is not None
    if isinstance(found, np.ufunc):
        return module in _UFUNC_HOMES
    return isinstance(found, BuiltinFunctionType) and found.__self__ in (math, cmath)


def is_library(name: Any) -> bool:
    """Whether a module is part of Python, of smttask or of an installed package.

    Examples
    --------
    >>> is_library("math"), is_library("__main__")
    (True, False)
    """
    if name in MAIN_NAMES:
        return False
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None:
        return False
    return _is_library_file(getattr(module, "__file__", None)) or name.partition(".")[0] == OWN_PACKAGE


@cache
def _is_library_file(file: str | None) -> bool:
    if file is None:
        return True
    path = Path(file).absolute()
    if not ENVIRONMENT_NAMES.isdisjoint(path.parts):
        return True
    return any(path.is_relative_to(folder) for folder in _LIBRARY_DIRS)


@cache
def _scope_below(file: str | None, is_package: bool) -> CodeScope:
    """The modules beside the top-level module or package in `file`."""
    folder = Path(file).absolute().parent if file else Path.cwd()
    return CodeScope(folder.parent if is_package else folder)
