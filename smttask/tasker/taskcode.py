"""The code of a task: what its function is and reaches, part by part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import CellType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from smttask.code.fingerprint import CodeFingerprint, fingerprint
from smttask.code.scope import CodeScope
from smttask.code.source import MAIN_NAMES
from smttask.code.syntax import short_digest, value_form
from smttask.project import config, find_project
from smttask.tasker.definition import CONSTANTS
from smttask.tasker.nesting import leaves
from smttask.tasker.state import file_key

if TYPE_CHECKING:
    from smttask.tasker.unit import TaskUnit

__all__ = ["TaskCode", "code_policy"]

_scopes: dict[str, CodeScope] = {}  # by folder of the file, so that each scope is one object


class TaskCode:
    """The code of one task, worked out when first asked and looked at again each time.

    What goes in is no code, only the text that names it: the defaults of the function are left out, except
    for numbers. Nor is the folder, so that it can be moved.
    """

    def __init__(self, task: TaskUnit) -> None:
        self._function = _unwired(task)
        self._scope = _scope_of(task)
        self._constants = _constants_of(task)
        self._use = task.use
        self._known: tuple[Mapping[str, str], Mapping[str, str]] | None = None

    def fingerprint(self) -> CodeFingerprint:
        """The code without what goes in."""
        if self._use is not None:
            self._use.bring_forward()  # the function may import what lies beside its taskfile
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


def _unwired(task: TaskUnit) -> Any:
    """The function without what goes in, and with the folder by the same name wherever it is."""
    function = task.func
    if not isinstance(function, FunctionType):
        return function if isinstance(function, MethodType | partial) else type(function)
    closure = tuple(_anywhere(cell, task) for cell in function.__closure__ or ())
    bare = FunctionType(function.__code__, function.__globals__, function.__name__, None, closure)
    bare.__qualname__, bare.__module__ = function.__qualname__, function.__module__
    bare.__dict__.update(function.__dict__)
    return bare


def _anywhere(cell: CellType, task: TaskUnit) -> CellType:
    """What a function holds; a name of the folder, or of something in it, is made relative."""
    try:
        text = cell.cell_contents
    except ValueError:  # not filled yet
        return cell
    folder = task.tasker.folder
    if not isinstance(text, str):
        return cell
    if text == task.tasker.given or text.rstrip(os.sep) == folder:
        return CellType(".")
    return CellType(file_key(folder, text)) if text.startswith(folder + os.sep) else cell


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
    code = getattr(task.func, "__code__", None) or getattr(type(task.func).__call__, "__code__", None)
    file = None if code is None else code.co_filename
    folder = os.path.dirname(file) if file and os.path.isabs(file) else task.tasker.folder
    scope = _scopes.get(folder)
    if scope is None:
        project = find_project(folder)
        scope = _scopes[folder] = CodeScope(Path(folder)) if project is None else project.scope
    return scope
