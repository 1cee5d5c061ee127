"""The code of a task: what its function is and reaches, part by part."""

from __future__ import annotations

import dis
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from types import CellType, CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from smttask.code.fingerprint import CodeFingerprint, fingerprint
from smttask.code.scope import CodeScope
from smttask.code.source import MAIN_NAMES
from smttask.code.syntax import short_digest, value_form
from smttask.project import Project, config, find_project
from smttask.protocols import Wiring
from smttask.tasker.definition import CONSTANTS
from smttask.tasker.nesting import leaves
from smttask.tasker.state import file_key

if TYPE_CHECKING:
    from smttask.tasker.unit import TaskUnit

__all__ = ["TaskCode"]


@dataclass(frozen=True, slots=True)
class _Home:
    """Where code lies: what counts as code there, and the settings of the project around it."""

    scope: CodeScope
    project: Project | None


_homes: dict[str, _Home] = {}
"""By folder of the file, so that each scope is one object."""
_alike: dict[tuple[Any, ...], FunctionType] = {}
"""Functions of one text that hold the same: one of them stands for all, in however many folders."""
MOST_ALIKE = 4096


class TaskCode:
    """The code of one task, worked out when first asked and looked at again each time.

    What goes in is no code, only the text that names it: the defaults of the function are left out, except
    for numbers. Nor is the folder, so that it can be moved.
    """

    def __init__(self, task: TaskUnit) -> None:
        self._task = task
        self._home = _home_of(task)
        self._constants = _constants_of(task)
        self._kind = _kind_asked_for(task)
        self._own: Any = None
        self._known: tuple[Mapping[str, str], Mapping[str, str]] | None = None

    def fingerprint(self) -> CodeFingerprint:
        """The code without what goes in."""
        if self._task.use is not None:
            self._task.use.bring_forward()  # else what lies beside another taskfile would be found
        function = self._task.func
        if self._own is None and isinstance(function, FunctionType):
            alike = _one_for_all(function, self._task, self._kind)
            if alike is not None:
                return fingerprint(alike, self._home.scope)
            self._own = _bare(function, function.__closure__, self._kind)
            self._own.__dict__.update(function.__dict__)
        elif self._own is None:
            self._own = function if isinstance(function, MethodType | partial) else type(function)
        return fingerprint(self._own, self._home.scope)

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

    def policy(self) -> str:
        """What becomes of outputs that other code made: the setting ``on_code_change``.

        A task of a notebook or script is always run again: a cell that was redefined never gives what the
        old one stored.
        """
        if self._task.__module__ in MAIN_NAMES:
            return "recompute"
        project = self._home.project
        return str(config.get("on_code_change", {} if project is None else project.settings))


def _kind_asked_for(task: TaskUnit) -> type | None:
    """The class of the Tasker, if the function asks its task for it, as in ``tsk.tasker.method()``."""
    code = getattr(task.func, "__code__", None)
    return type(task.tasker) if isinstance(code, CodeType) and _takes_tasker(code) else None


def _takes_tasker(code: CodeType) -> bool:
    """Whether `code`, or a function in it, takes an attribute ``tasker`` of something."""
    if "tasker" in code.co_names and any(
        step.argval == "tasker" and step.opname in ("LOAD_ATTR", "LOAD_METHOD")
        for step in dis.get_instructions(code)
    ):
        return True
    return any(_takes_tasker(inner) for inner in code.co_consts if isinstance(inner, CodeType))


def _one_for_all(function: FunctionType, task: TaskUnit, kind: type | None) -> FunctionType | None:
    """A function of the same code that holds the same, made once; None if what it holds is its own."""
    held: list[Any] = []
    forms: list[Any] = []
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # not filled yet
            return None
        kind = type(value)
        if issubclass(kind, Wiring):
            try:
                value = object.__new__(kind)  # which keeps no folder in memory
            except TypeError:  # a user's class that is a dict too
                return None
            forms.append(kind)
        elif issubclass(kind, PurePath):  # of which no value counts
            value = None
            forms.append(PurePath)
        elif (form := value_form(_anywhere(value, task))) is not None:
            value = _anywhere(value, task)
            forms.append(form)
        else:
            return None
        held.append(value)
    if function.__dict__:
        return None
    # What is found under the key holds the objects, so their ids are not given to others.
    key = (id(function.__code__), id(function.__globals__), function.__module__, kind, *forms)
    found = _alike.get(key)
    if found is None:
        if len(_alike) >= MOST_ALIKE:
            _alike.clear()  # at once: other threads may be here too
        found = _alike[key] = _bare(function, tuple(map(CellType, held)), kind)
    return found


def _bare(function: FunctionType, closure: tuple[CellType, ...] | None, kind: type | None) -> FunctionType:
    """The function without what goes in, which leads to the class `kind` of the Tasker, too."""
    bare = FunctionType(function.__code__, function.__globals__, function.__name__, None, closure)
    bare.__qualname__, bare.__module__ = function.__qualname__, function.__module__
    if kind is not None:
        bare.__dict__["tasker"] = kind
    return bare


def _anywhere(value: Any, task: TaskUnit) -> Any:
    """A text that a function holds; a name of the folder, or of something in it, is made relative."""
    folder = task.tasker.folder
    if type(value) is not str:
        return value
    if value == task.tasker.given or value.rstrip(os.sep) == folder:
        return "."
    return file_key(folder, value)


def _constants_of(task: TaskUnit) -> dict[str, str]:
    """Digest of the numbers in each argument that holds some, at whatever depth."""
    found = {}
    for argument, tree in task.definition.inputs.items():
        forms = [
            f"{place}={value_form(leaf) or repr(leaf)}"
            for place, leaf in leaves(tree)
            if isinstance(leaf, CONSTANTS)
        ]
        if forms:
            found[argument] = short_digest([form.encode() for form in forms])
    return found


def _home_of(task: TaskUnit) -> _Home:
    """The project around the function's file or the notebook; without one that folder, or the Tasker's."""
    code = getattr(task.func, "__code__", None) or getattr(type(task.func).__call__, "__code__", None)
    file = None if code is None else code.co_filename
    if task.__module__ in MAIN_NAMES and not hasattr(sys.modules[task.__module__], "__file__"):
        from smttask.tasks.mainmodule import main_path  # with numpy and pydantic

        notebook = main_path(task.__module__)
        file = None if notebook is None else str(notebook)
    folder = os.path.dirname(file) if file and os.path.isabs(file) else task.tasker.folder
    home = _homes.get(folder)
    if home is None:
        project = find_project(folder)
        scope = CodeScope(Path(folder)) if project is None else project.scope
        home = _homes[folder] = _Home(scope, project or find_project(task.tasker.folder))
    return home
