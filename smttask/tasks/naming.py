"""Under which name a task's results are found: module and qualified name, or a fixed name."""

from __future__ import annotations

import os
import re
import sys
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from smttask.code.source import MAIN_NAMES
from smttask.errors import SignatureError
from smttask.project import project_root
from smttask.tasks.mainmodule import main_path

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = [
    "check_one_module",
    "find_defined",
    "find_maker",
    "find_named",
    "identity",
    "main_place",
    "register_maker",
    "remember",
]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")

_session_name = f"session-{uuid.uuid4().hex}"
_types: dict[tuple[str, str], type[Task[Any]]] = {}
_named: dict[str, tuple[str, str]] = {}
_module_of_file: dict[str, str] = {}
_makers: dict[str, Callable[[type], type[Task[Any]]]] = {}


def identity(definition: Any, name: object, *, is_recorded: bool) -> tuple[str, str]:
    """Module and qualified name under which the task's results are found.

    A fixed name stands alone, with an empty module. A task of ``__main__`` is named
    by its script or notebook, or by this session.

    Raises
    ------
    SignatureError
        If `name` has other characters or is used by another function; if a recorded
        task is defined inside a function and has no fixed name.
    """
    place = (definition.__module__, definition.__qualname__)
    if name is not None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise SignatureError(
                f"Task {definition.__name__!r} cannot be named {name!r}.",
                "expected: letters, digits, '_', '.' and '-', beginning with a letter, digit or '_'",
                "choose another name",
            )
        if _named.setdefault(name, place) != place:
            raise SignatureError(
                f"The task name {name!r} is used by two functions.",
                f"found: {'.'.join(_named[name])} and {'.'.join(place)}",
                "give one of them another name",
            )
        return "", name
    if is_recorded and "<locals>" in definition.__qualname__:
        raise SignatureError(
            f"Recorded task {definition.__name__!r} is defined inside a function.",
            f"found: {definition.__qualname__}; another call would define another task of the same name",
            'define it at the top of a module, or name it: @RecordedTask(name="…")',
        )
    if definition.__module__ in MAIN_NAMES:
        return f"__main__:{main_place(definition.__module__)}", definition.__qualname__
    return place


def main_place(module: str) -> str:
    """The script or notebook, relative to its project; without a path, this session.

    Parameters
    ----------
    module
        ``__mp_main__`` in a process that multiprocessing spawned: there it is the script.
    """
    path = main_path(module)
    if path is None:
        return _session_name
    root = project_root(module)
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else str(path)


def remember(task_type: type[Task[Any]]) -> None:
    """Let descriptions and pickles find `task_type`; a newer definition replaces an older one."""
    place = task_type.__wrapped__.__module__, task_type.__wrapped__.__qualname__
    if (older := _types.get(place)) is not None:
        task_type.definition_number = older.definition_number + 1
    _types[place] = task_type


def find_defined(module: str, qualname: str) -> type[Task[Any]] | None:
    """The task type defined under this name in this process."""
    return _types.get((module, qualname))


def find_named(name: str | None) -> type[Task[Any]] | None:
    """The task type with this fixed name, if its module is loaded."""
    return _types.get(_named[name]) if name in _named else None


def register_maker(name: str, make: Callable[[type], type[Task[Any]]]) -> None:
    """Let descriptions name task types that `make` makes of a class."""
    _makers[name] = make


def find_maker(name: object) -> Callable[[type], type[Task[Any]]] | None:
    """What makes a task type of a class, if `name` was registered."""
    return _makers.get(name) if isinstance(name, str) else None


def check_one_module(module: str) -> None:
    """Refuse a file that is imported under two names: its tasks would have two identities."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module in MAIN_NAMES:
        return
    path = os.path.realpath(file)
    first = _module_of_file.setdefault(path, module)
    if first != module and first in sys.modules:
        raise SignatureError(
            f"The file of module {module!r} is imported under two names.",
            f"found: {first} and {module}, both from {path}",
            "import it by one name everywhere; its tasks would have two identities",
        )
    _module_of_file[path] = module
