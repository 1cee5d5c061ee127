"""Modules run as workflows: their parameters set by the caller, their tasks taken from them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.util import resolve_name
from threading import RLock
from types import ModuleType
from typing import Any

from smttask.errors import ArgumentError

__all__ = ["run_workflow", "set_workflow_args"]


@dataclass
class _Call:
    """A workflow being run: its module and what its parameters are to be."""

    module_name: str
    parameters: Mapping[str, Any]
    environment: Mapping[str, str]
    was_taken: bool = field(default=False)


_call: ContextVar[_Call | None] = ContextVar("smttask_workflow", default=None)
_importing = RLock()  # one workflow at a time stands in sys.modules while it is executed


def run_workflow(
    module_name: str,
    package: str | None = None,
    *,
    exenv: str | None = "workflow",
    exenv_var: str | None = "exenv",
    **parameters: Any,
) -> ModuleType:
    """The module, executed anew with other values for its parameters.

    The module sets defaults for its parameters as ordinary variables and calls
    `set_workflow_args` below them; then it makes its tasks. Each call gives a module
    object of its own, so modules from several calls can be kept side by side; the
    latest stands in `sys.modules`.

    Parameters
    ----------
    module_name
        Name as for ``import``; relative names need `package`.
    exenv, exenv_var
        The module finds the text `exenv` in its variable `exenv_var`, so that it
        can tell how it is run; None sets nothing.
    **parameters
        Values of any type, by name.

    Raises
    ------
    ArgumentError
        If the module has no such parameter, or does not call `set_workflow_args`.
    ImportError
        If there is no such module.

    Examples
    --------
    With a module ``sweep`` such as that of `set_workflow_args`::

        sweeps = [run_workflow("sweep", degree=degree) for degree in (1, 2, 3)]
        results = [sweep.task.run() for sweep in sweeps]
    """
    name = resolve_name(module_name, package)
    environment = {} if exenv is None or exenv_var is None else {exenv_var: exenv}
    call = _Call(name, parameters, environment)
    with _importing:
        if "." in name:
            importlib.import_module(name.rpartition(".")[0])
        earlier = sys.modules.pop(name, None)
        token = _call.set(call)
        try:
            module = importlib.import_module(name)
            if not call.was_taken and parameters:
                raise ArgumentError(
                    f"Module {name!r} takes no parameters.",
                    "found: no call of set_workflow_args in it",
                    "put set_workflow_args(__name__, globals()) below its parameters",
                    module=name,
                )
        except BaseException:
            _restore(name, earlier)
            raise
        finally:
            _call.reset(token)
    return module


def _restore(name: str, earlier: ModuleType | None) -> None:
    """Let what was imported before a run that failed be imported again."""
    sys.modules.pop(name, None)
    if earlier is not None:
        sys.modules[name] = earlier
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, earlier)


def set_workflow_args(
    __name__: str, namespace: MutableMapping[str, Any], *, existing_only: bool = True
) -> None:
    """Give the parameters above the call the values that `run_workflow` was called with.

    Does nothing when the module is run as a script or imported otherwise, so that
    the defaults hold.

    Parameters
    ----------
    __name__
        The module's ``__name__``.
    namespace
        The module's ``globals()``.
    existing_only
        Refuse parameters without a default above the call; False sets them too.

    Raises
    ------
    ArgumentError
        If `run_workflow` was given a parameter that the module does not define, or
        that is an imported module or a name of Python's own there.

    Examples
    --------
    A module ``sweep``::

        from smttask.workflows import set_workflow_args
        from tasks import Detrend, load

        degree = 2
        set_workflow_args(__name__, globals())

        task = Detrend(load, degree=degree)
    """
    call = _call.get()
    if call is None or call.module_name != __name__:
        return
    call.was_taken = True
    known = [name for name in namespace if name[:1] != "_" and not callable(namespace[name])]
    known = [name for name in known if not isinstance(namespace[name], ModuleType)]
    unknown = [name for name in call.parameters if name not in namespace]
    reserved = [
        name
        for name in call.parameters
        if (name[:2] == name[-2:] == "__") or isinstance(namespace.get(name), ModuleType)
    ]
    for name in reserved or (unknown if existing_only else []):
        raise ArgumentError(
            f"Module {__name__!r} has no parameter {name!r}.",
            f"defined above set_workflow_args: {', '.join(known)}",
            "give it a default above the call, or call set_workflow_args with existing_only=False",
            module=__name__,
            argument=name,
        )
    namespace.update(call.environment)
    namespace.update(call.parameters)
