"""The source text that each loaded module was made from.

A file may be edited after its module was loaded; what runs is the old text. So the
text is kept from the moment a task is defined, and looked up here, not in the file.
"""

from __future__ import annotations  # the name is used below, for its flag

import ast
import linecache
import os
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.machinery import PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from smttask.code.bindings import Node, ParsedSource
from smttask.code.live import code_behind, own_methods
from smttask.code.names import FreeNames, free_names
from smttask.code.scope import CodeScope
from smttask.code.syntax import short_digest, syntax_form
from smttask.process import process_start

__all__ = [
    "MAIN_NAMES",
    "Source",
    "find_source_file",
    "loaded_files",
    "remember_sources",
    "source_of",
    "stale_files",
    "text_source",
    "unloaded_source",
]


Stat = tuple[int, int, int]

STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

MAIN_NAMES = ("__main__", "__mp_main__")  # the latter in a worker that multiprocessing spawned
MAX_VERSIONS = 10  # of a file that is edited and reloaded all day
MAX_CELLS = 1024  # of notebooks and the like, whose text is kept

_sources: dict[str, Source] = {}
"""By module name."""
_by_file: dict[str, dict[str, Source]] = {}
_unloaded: dict[str, Source] = {}
"""Sources that no loaded module was made from, by file."""
_loaded: WeakKeyDictionary[CodeScope, tuple[int, tuple[str, ...]]] = WeakKeyDictionary()
"""Number of loaded modules, and the files of those in a scope."""
_seen: set[str] = set()
"""Names that stood in `sys.modules` when it was last looked through."""


class Source:
    """The text one module was loaded from, with what was worked out from it.

    Parameters
    ----------
    spec
        The module's ``__spec__``, a new object at each reload.
    file
        Absolute path, or an invented name such as ``<ipython-input-1>``.
    text
        Source in the encoding it declares.
    stat
        Size, mtime in ns and inode when `text` was read.
    flags
        For `compile`: what ``from __future__`` switched on outside `text`.
    """

    def __init__(
        self, name: str, spec: Any, file: str, text: bytes | str, stat: Stat, flags: int = 0
    ) -> None:
        self.name = name
        self.spec = spec
        self.file = file
        self.text = text
        self.stat = stat
        self.flags = flags
        self.older: Source | None = None
        """What the module was loaded from before it was reloaded."""
        self.differs = False
        """Whether the loaded code was found to be older than `text`."""
        self.first_values: dict[str, str] = {}
        """Forms of plain values at module level, as first seen: later ones were put there by hand."""
        self._parsed: ParsedSource | None = None
        self._unreadable = False
        self._forms: dict[int, tuple[object, str, FreeNames]] = {}

    @property
    def parsed(self) -> ParsedSource | None:
        """The syntax of the text, or None where it is not Python."""
        if self._parsed is None and not self._unreadable:
            try:
                self._parsed = ParsedSource(self.text, self._compiled, is_main=self.name in MAIN_NAMES)
            except (SyntaxError, ValueError, RecursionError):
                self._unreadable = True
        return self._parsed

    def find(self, code: CodeType) -> tuple[Source, list[Node]]:
        """The syntax `code` was compiled from, and the version of the text it stands in.

        Looks into the texts before a reload too: a function may be held from then.
        The list is empty when the code comes from none of them.
        """
        version: Source | None = self
        while version is not None:
            nodes = version.find_here(code)
            if nodes:
                return version, nodes
            version = version.older
        if code.co_filename == self.file and (patched := _patched(self)) is not None:
            nodes = patched.find_here(code)
            if nodes:
                return patched, nodes
        if code.co_filename == self.file and self.stat[1] / 1e9 > process_start():
            self.differs = True
        return self, []

    def find_here(self, code: CodeType) -> list[Node]:
        """The syntax in this text that `code` was compiled from."""
        if self.parsed is None:
            return []
        try:
            return self.parsed.find(code, loosely=self._is_rewritten())
        except (SyntaxError, RecursionError):
            return []

    def form(self, node: object, make: Callable[[], Any]) -> tuple[str, FreeNames]:
        """Digest and free names of what `make` makes of `node`, worked out once."""
        known = self._forms.get(id(node))
        if known is None:
            made = make()
            nodes = made if isinstance(made, tuple) else (made,)
            known = (node, short_digest([syntax_form(*nodes)]), free_names(*nodes))
            self._forms[id(node)] = known
        return known[1], known[2]

    def still_holds(self, code: CodeType) -> bool:
        """Whether `code`, which was found here, stands in what the module was loaded from last."""
        last = _sources.get(self.name, self)
        return last is self or last.file != self.file or bool(last.find_here(code))

    def is_stale(self) -> bool:
        """Whether the file now says something else than what is loaded."""
        if self.differs:
            return True
        try:
            if _stat(os.stat(self.file)) == self.stat:
                return False
            text, stat = _read(self.file)
        except OSError:
            return True
        if text != self.text:
            return True
        self.stat = stat
        return False

    def _is_rewritten(self) -> bool:
        """Whether an import hook that has no compiler of its own made the code."""
        loader = getattr(self.spec, "loader", None)
        return loader is not None and not isinstance(loader, SourceFileLoader)

    def _compiled(self) -> CodeType:
        """What the text compiles to, by the loader's own way if it has one."""
        loader = getattr(self.spec, "loader", None)
        if isinstance(loader, SourceFileLoader) and type(loader) is not SourceFileLoader:
            code: CodeType = loader.source_to_code(self.text, self.file)
        else:
            code = compile(self.text, self.file, "exec", flags=self.flags, dont_inherit=True)
        return code


def remember_sources(module_name: str) -> None:
    """Keep the text that loaded modules were made from, so that later edits do not pass for it.

    Called when a task is defined. Takes in the module `module_name` and those that were
    loaded since the last call, or loaded anew, except the standard library and installed packages.
    """
    new = sys.modules.keys() - _seen
    names = new.union(_sources)  # reloaded, or removed and imported again, perhaps from another file
    names.add(module_name)
    for name in names:
        module = sys.modules.get(name)
        # what cffi puts among the modules says that it is one, and has no dictionary
        if not isinstance(module, ModuleType) or not issubclass(type(module), ModuleType):
            continue
        file = _source_file(_namespace(module))
        if file and (name == module_name or not is_installed(file)):
            source_of(name, _namespace(module))
    _seen.update(new)  # when all are kept: another thread may look


def loaded_files(scope: CodeScope) -> tuple[str, ...]:
    """Source files of all loaded modules in `scope`, ``__main__`` aside: its tasks are never recorded.

    Looked through again when the number of loaded modules is another.
    """
    known = _loaded.get(scope)
    if known is None or known[0] != len(sys.modules):
        remember_sources("")
        files = [
            file
            for file, sources in list(_by_file.items())  # to which another thread may add
            for name in list(sources)
            if name in sys.modules and name not in MAIN_NAMES and scope.contains_source(name, file)
        ]
        known = _loaded[scope] = (len(sys.modules), tuple(files))
    return known[1]


def source_of(name: str, namespace: dict[str, Any], *, keep: bool = True) -> Source | None:
    """The source that the module with this `namespace` was loaded from; None without a file.

    Read now unless it was remembered; read anew after a reload.

    Parameters
    ----------
    keep
        Remember it. Not for the namespace of a module that is not in `sys.modules` any more.
    """
    file = _source_file(namespace)
    if file is None:
        return None
    spec = namespace.get("__spec__")
    known = _sources.get(name)
    if known is not None and known.spec is spec and known.file == file:
        return known
    return _keep(name, spec, file) if keep else unloaded_source(name, file)


def unloaded_source(name: str, file: str) -> Source | None:
    """The source of a module that is not loaded, as its file stands now."""
    known = _unloaded.get(file)
    try:
        if known is not None and known.name == name and known.stat == _stat(os.stat(file)):
            return known
        text, stat = _read(file)
    except OSError:
        return None
    _unloaded[file] = Source(name, None, file, text, stat)
    return _unloaded[file]


def text_source(code: CodeType) -> Source | None:
    """The source of code that came from no file but left its text, as notebook cells do."""
    file = code.co_filename
    text = "".join(linecache.getlines(file))
    if not text:
        return None
    flags = code.co_flags & annotations.compiler_flag  # a notebook's future import holds for its later cells
    return _cell(file, text, flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@lru_cache(maxsize=MAX_CELLS)
def _cell(file: str, text: str, flags: int) -> Source:
    return Source("__main__", None, file, text, (0, 0, 0), flags)


def stale_files(files: Iterable[str]) -> list[str]:
    """Those of `files` whose text differs from what is loaded; never loaded ones do not count.

    Costs one `stat` for a file that was not touched. A touched but equal file is not stale.

    Parameters
    ----------
    files
        Absolute paths, as `CodeFingerprint.files` has them.
    """
    stale = []
    for file in files:
        for name, source in list(_by_file.get(file, {}).items()):
            module = sys.modules.get(name)
            current = source_of(name, _namespace(module)) if isinstance(module, ModuleType) else source
            if current is None or current.file != file or not current.is_stale():
                continue
            if _patched(current) is None:
                stale.append(file)
                break
    return stale


def find_source_file(name: str) -> str | None:
    """The source file that ``import name`` would load, without importing anything; None if not found."""
    path = None
    parent, _, _ = name.rpartition(".")
    if parent:
        module = sys.modules.get(parent)
        if isinstance(module, ModuleType):
            path = list(_namespace(module).get("__path__", ()))
        else:
            file = find_source_file(parent)
            path = [os.path.dirname(file)] if file and os.path.basename(file) == "__init__.py" else []
        if not path:
            return None
    try:
        spec = PathFinder.find_spec(name, path)
    except (ImportError, ValueError, OSError):
        return None
    return spec.origin if spec is not None else None


def is_installed(file: str) -> bool:
    """Whether a file belongs to the standard library or to an installed package."""
    return file.startswith(STANDARD_LIBRARY) or any(part in file for part in INSTALLED)


def _namespace(module: ModuleType) -> dict[str, Any]:
    """The module's dictionary; plain attribute access would make a lazy module load itself."""
    return object.__getattribute__(module, "__dict__")  # type: ignore[no-any-return]


def _source_file(namespace: dict[str, Any]) -> str | None:
    file = namespace.get("__file__")
    if not isinstance(file, str) or not file.endswith((".py", ".pyw")):
        return None
    return file if os.path.isabs(file) else os.path.abspath(file)


def _keep(name: str, spec: Any, file: str) -> Source | None:
    try:
        text, stat = _read(file)
    except OSError:
        return None
    old = _sources.get(name)
    if old is not None:
        _by_file.get(old.file, {}).pop(name, None)
    source = Source(name, spec, file, text, stat)
    if old is not None and old.file == file:
        source.older = old.older if old.text == text else old
        _forget_all_but(source, MAX_VERSIONS)
    _sources[name] = source
    _by_file.setdefault(file, {})[name] = source
    return source


def _patched(source: Source) -> Source | None:
    """The text that the module stands for now if its functions were replaced in place; None if not.

    IPython's autoreload does so: the module is not loaded again, but each function
    whose text was edited gets the code that the file holds now.
    """
    module = sys.modules.get(source.name)
    if not isinstance(module, ModuleType) or _namespace(module).get("__spec__") is not source.spec:
        return None
    try:
        new = Source(source.name, source.spec, source.file, *_read(source.file))
    except OSError:
        return None
    codes = [
        function.__code__
        for value in list(_namespace(module).values())
        for member in code_behind(value)
        for function in (own_methods(member) if isinstance(member, type) else [member])
        if function.__code__.co_filename == source.file
    ]
    if not all(map(new.find_here, codes)) or all(map(source.find_here, codes)):
        return None
    return _keep(source.name, source.spec, source.file)


def _forget_all_but(source: Source, n_versions: int) -> None:
    version: Source | None = source
    for _ in range(n_versions - 1):
        version = version.older if version is not None else None
    if version is not None:
        version.older = None


def _read(file: str) -> tuple[bytes, Stat]:
    with open(file, "rb") as stream:
        stat = _stat(os.fstat(stream.fileno()))
        return stream.read(), stat


def _stat(result: os.stat_result) -> Stat:
    return (result.st_size, result.st_mtime_ns, result.st_ino)
