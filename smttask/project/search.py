"""Which project is in use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from time import monotonic
from typing import Any

from smttask.errors import ProjectError
from smttask.project.project import Project, get_project
from smttask.project.sumatra import is_project
from smttask.settings import config

__all__ = [
    "current_project",
    "find_project",
    "forget_searches",
    "get_current_project",
    "project_root",
    "use_project",
]

SEARCH_AGAIN_S = 2.0

_found: dict[str, Project] = {}  # by the folder that the search started from
_nowhere: dict[str, float] = {}  # folder of modules in no project -> when to search again
_used: ContextVar[Project | None] = ContextVar("smttask project", default=None)


def find_project(start: str | os.PathLike[str]) -> Project | None:
    """Return the project that the folder `start` lies in, the innermost one; None if there is none."""
    start = os.fspath(start)
    project = _found.get(start)
    if project is None:
        folder = os.path.realpath(start)
        while not is_project(folder):
            folder, inner = os.path.dirname(folder), folder
            if folder == inner:
                return None
        project = _found[start] = get_project(folder)
    return project


def current_project(module_name: str | None = None) -> Project | None:
    """Return the project in use for a task of the module `module_name`; None if there is none.

    It is the one given to `use_project`, else the one that ``config.project`` or
    ``SMTTASK_PROJECT`` names, else the one around the working directory if it holds
    or trusts the module or the module is in no project, else the one around the module.

    Raises
    ------
    ProjectError
        If the setting names a folder that is no project.
    """
    project = _used.get()
    if project is not None:
        return project
    chosen = config.get("project")
    if chosen is not None:
        return get_project(chosen)
    try:
        here = find_project(os.getcwd())
    except FileNotFoundError:  # the working directory was removed
        here = None
    module = sys.modules.get(module_name) if module_name is not None else None
    file = getattr(module, "__file__", None)
    if module is None or file is None or (here is not None and here.scope.contains(module)):
        return here
    around = _find_around(os.path.dirname(file))
    return around if around is not None and around.scope.contains(module) else here


def _find_around(folder: str) -> Project | None:
    """Return what `find_project` does; a failed search, 25 us, is believed for a while."""
    project = _found.get(folder)
    if project is None and _nowhere.get(folder, 0.0) < monotonic():
        project = find_project(folder)
        if project is None:
            _nowhere[folder] = monotonic() + SEARCH_AGAIN_S
    return project


def project_root(module_name: str | None = None) -> Path | None:
    """Root of what `current_project` gives: what paths among the inputs are relative to."""
    project = current_project(module_name)
    return None if project is None else project.root


def get_current_project(module_name: str | None = None) -> Project:
    """Return what `current_project` does, where one is needed.

    Raises
    ------
    ProjectError
        If there is none; the message says where it was searched.
    """
    project = current_project(module_name)
    if project is None:
        file = getattr(sys.modules.get(module_name or ""), "__file__", None)
        places = (
            [_working_dir()] if file is None else [_working_dir(), os.path.dirname(os.path.abspath(file))]
        )
        raise ProjectError(
            "No project found" + (f" for module '{module_name}'." if module_name else "."),
            "\n".join(f"searched: {place} and the folders above it" for place in dict.fromkeys(places)),
            "to make one: smttask project init\nor name one: config.project or SMTTASK_PROJECT",
        )
    return project


@contextmanager
def use_project(project: Project | str | os.PathLike[str]) -> Iterator[Project]:
    """Use `project` for the block, in this thread or asyncio task, wherever the work is done.

    Raises
    ------
    ProjectError
        If it is a path and no project.
    """
    project = project if isinstance(project, Project) else get_project(project)
    before = _used.get()
    _used.set(project)
    try:
        yield project
    finally:
        _used.set(before)


def forget_searches() -> None:
    """Search anew for the projects around folders: there is a new one."""
    _found.clear()
    _nowhere.clear()


def _working_dir() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "the working directory (removed)"


def _current_settings() -> Mapping[str, Any]:
    project = current_project()
    return {} if project is None else project.settings


config.find_project_values_with(_current_settings)
