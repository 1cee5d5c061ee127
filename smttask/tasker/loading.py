"""Taskfiles as modules: each executed once per process and content, for as many folders as there are."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from importlib.util import module_from_spec, spec_from_file_location
from threading import RLock
from types import ModuleType
from typing import Any

from smttask.code.source import remember_sources
from smttask.errors import TaskfileError

__all__ = ["bring_forward", "load_taskfile"]

YOUNG_NS = 50_000_000  # a file edited twice within one tick of the file system's clock may look untouched

Stat = tuple[int, int, int]


@dataclass(slots=True)
class _Loaded:
    stat: Stat | None  # size, mtime in ns, inode; None: too young to tell the next edit
    text: bytes
    module: ModuleType


_loaded: dict[str, _Loaded] = {}
"""By the real path of the file."""
_folders: set[str] = set()
"""Folders of taskfiles, as they stand in `sys.path`."""
_set_aside: dict[str, dict[str, ModuleType]] = {}
"""By folder: modules from there whose names those of another folder have now."""
_executing = RLock()


def load_taskfile(path: str) -> ModuleType:
    """The module that the taskfile at `path` is, executed when it is new or its text is another.

    From then on its folder comes first in ``sys.path``, so that it can import modules that lie beside it,
    in functions too, and so can processes that a task starts; no ``__pycache__`` is left there. Where
    another experiment has modules of the same names, those of the taskfile asked for last are imported.

    The module is called as its file, without the folder: its code has the same name, and values of its
    classes can be unpickled, when the folder is moved.

    Parameters
    ----------
    path
        Absolute.

    Raises
    ------
    TaskfileError
        If the file cannot be read.
    Exception
        What the code of the file raises; a note names the file.
    """
    file = os.path.realpath(path)
    with _executing:
        known = _loaded.get(file)
        found, text = _read_if_changed(path, None if known is None else known.stat)
        if known is None or (text is not None and known.text != text):
            known = _loaded[file] = _Loaded(None, text or b"", _executed(file, text or b""))
        known.stat = found
        bring_forward(known.module)
        return known.module


def bring_forward(module: ModuleType) -> None:
    """Let `module`, a taskfile, and what lies beside it, be what imports and unpickling find from now on.

    Where taskfiles of several experiments are used in one process, modules of the same name may lie
    beside them.
    """
    if sys.modules.get(module.__name__) is not module:
        with _executing:
            _show(str(module.__file__), module)


def _read_if_changed(path: str, known: Stat | None) -> tuple[Stat | None, bytes | None]:
    """The stat of the file, None if it is too young, and its text; None if its stat is `known`."""
    try:
        found = os.stat(path)
        if known is not None and known == (found.st_size, found.st_mtime_ns, found.st_ino):
            return known, None
        with open(path, "rb") as stream:
            found, text = os.fstat(stream.fileno()), stream.read()
    except OSError as error:
        raise TaskfileError(
            f"The taskfile {path} cannot be read.",
            f"found: {error.strerror or error}",
            "make it readable, or name another with taskfile=",
            taskfile=path,
        ) from error
    is_young = time.time_ns() - found.st_mtime_ns < YOUNG_NS
    return None if is_young else (found.st_size, found.st_mtime_ns, found.st_ino), text


def _executed(file: str, text: bytes) -> ModuleType:
    """A new module of the source `text`."""
    name = _module_name(file)
    loader = _Tidy(name, file)
    spec = spec_from_file_location(name, file, loader=loader)
    assert spec is not None  # a loader is given
    module = module_from_spec(spec)
    earlier = sys.modules.get(name)
    try:
        code = loader.source_to_code(text, file)
        _show(file, module)  # before it is executed: a module beside it may import it
        exec(code, module.__dict__)  # noqa: S102 - the user's own code, as an import would
    except BaseException as error:
        if earlier is not None:
            sys.modules[name] = earlier
        elif sys.modules.get(name) is module:
            del sys.modules[name]
        error.add_note(f"while the taskfile {file} was executed")
        raise
    remember_sources(name)
    return module


def _module_name(file: str) -> str:
    stem = os.path.splitext(os.path.basename(file))[0]
    return stem if stem.isidentifier() else "".join(c if c.isalnum() else "_" for c in f"_{stem}")


def _show(file: str, module: ModuleType) -> None:
    """Put `module` and its folder before all others, unless its name is that of no taskfile."""
    earlier = _file_of(sys.modules.get(module.__name__))
    if module.__name__ not in sys.modules or (earlier and os.path.realpath(earlier) in (file, *_loaded)):
        sys.modules[module.__name__] = module
    if sys.path[:1] != [os.path.dirname(file)] or file not in _loaded:
        _search_first(os.path.dirname(file))


def _search_first(folder: str) -> None:
    """Let modules be imported from `folder` before all others, without a trace in it."""
    finder = FileFinder(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Tidy, SOURCE_SUFFIXES))
    sys.path_importer_cache[folder] = finder  # a new one also knows what was written a moment ago
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
    _folders.add(folder)
    for name, module in list(sys.modules.items() if len(_folders) > 1 else ()):
        home = _home(name, _file_of(module))
        if home in _folders and home != folder and _has_module(folder, name):
            members = [each for each in sys.modules if each == name or each.startswith(f"{name}.")]
            _set_aside.setdefault(home, {}).update({each: sys.modules.pop(each) for each in members})
    sys.modules.update(_set_aside.pop(folder, {}))


def _home(name: str, file: str | None) -> str:
    """The folder from which a module was imported; "" of parts of packages, and of taskfiles."""
    if "." in name or file is None or file in _loaded:
        return ""
    folder, last = os.path.split(file)
    return os.path.dirname(folder) if last == "__init__.py" else folder


def _file_of(module: Any) -> str | None:
    try:
        file = object.__getattribute__(module, "__dict__").get("__file__")
    except AttributeError:  # what stands among the modules may be anything
        return None
    return file if isinstance(file, str) else None


def _has_module(folder: str, name: str) -> bool:
    place = os.path.join(folder, name)
    return os.path.isfile(f"{place}.py") or os.path.isfile(os.path.join(place, "__init__.py"))


class _Tidy(SourceFileLoader):
    """Loads modules and leaves no bytecode beside them: taskfiles stand among data."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Write nothing."""
