"""The code of a task: what its function is and reaches, part by part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from smttask.code.fingerprint import CodeFingerprint, fingerprint
from smttask.code.scope import CodeScope
from smttask.code.source import MAIN_NAMES
from smttask.code.syntax import short_digest, value_form
from smttask.project import config, find_project
from smttask.tasker.definition import CONSTANTS
from smttask.tasker.nesting import leaves

if TYPE_CHECKING:
    from smttask.tasker.unit import TaskUnit

__all__ = ["TaskCode", "code_policy"]

_scopes: dict[str, CodeScope] = {}  # by folder of the file, so that each scope is one object


class TaskCode:
    """The code of one task, worked out when first asked and looked at again each time.

    What goes in is no code, only the text that names it: the defaults of the function are left out, except
    for numbers.
    """

    def __init__(self, task: TaskUnit) -> None:
        self._function = _without_defaults(task.func)
        self._scope = _scope_of(task)
        self._constants = _constants_of(task)
        self._known: tuple[Mapping[str, str], Mapping[str, str]] | None = None

    def fingerprint(self) -> CodeFingerprint:
        """The code without what goes in."""
        return fingerprint(self._function, self._scope)

    def parts(self) -> Mapping[str, str]:
        """Parts as `CodeFingerprint.parts`; arguments that hold numbers are parts of their own."""
        found = self.fingerprint().parts
        if not self._constants:
            return found
        if self._known is None or self._known[0] is not found:
            own = next(iter(found), "")
            numbers = {f"{own}({name})": digest for name, digest in self._constants.items()}
            self._known = (found, {**found, **numbers})
        return self._known[1]


def code_policy(task: TaskUnit) -> str:
    """What becomes of results of other code: the setting ``on_code_change``.

    A task of a notebook or script is always run again: a cell that was redefined never gives what the old one
    stored.
    """
    if task.__module__ in MAIN_NAMES:
        return "recompute"
    project = find_project(task.tasker.folder)
    return str(config.get("on_code_change", {} if project is None else project.settings))


def _without_defaults(function: Any) -> Any:
    """The same function without what goes in, which differs from folder to folder."""
    if not isinstance(function, FunctionType) or not (function.__defaults__ or function.__kwdefaults__):
        return function
    bare = FunctionType(
        function.__code__, function.__globals__, function.__name__, None, function.__closure__
    )
    bare.__qualname__, bare.__module__ = function.__qualname__, function.__module__
    bare.__dict__.update(function.__dict__)
    return bare


def _constants_of(task: TaskUnit) -> dict[str, str]:
    """Digest of the numbers in each argument that holds some, at whatever depth."""
    found = {}
    for argument, tree in task.definition.inputs.items():
        forms = [f"{place}={value_form(leaf)}" for place, leaf in leaves(tree) if isinstance(leaf, CONSTANTS)]
        if forms:
            found[argument] = short_digest([form.encode() for form in forms])
    return found


def _scope_of(task: TaskUnit) -> CodeScope:
    """The project around the function's file, else its folder; of a notebook the folder of the Tasker."""
    code = getattr(task.func, "__code__", None)
    file = None if code is None else code.co_filename
    folder = os.path.dirname(file) if file and os.path.isabs(file) else task.tasker.folder
    scope = _scopes.get(folder)
    if scope is None:
        project = find_project(folder)
        scope = _scopes[folder] = CodeScope(Path(folder)) if project is None else project.scope
    return scope
