"""Namespaces in which names are looked up: modules, loaded or not, and notebooks."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from smttask.code.bindings import MISSING, Binding
from smttask.code.live import own_methods
from smttask.code.scope import OWN_PACKAGE, CodeScope
from smttask.code.source import MAIN_NAMES, Source, find_source_file, source_of, text_source, unloaded_source
from smttask.code.watch import Watch

__all__ = ["Space", "Spaces"]


class Space:
    """One module: its live names if it is loaded, and the source they come from if there is any."""

    def __init__(self, name: str, namespace: dict[str, Any] | None, source: Source | None) -> None:
        self.name = name
        self.namespace = namespace
        self.source = source

    def get(self, name: str) -> Any:
        """The live object called `name`, or `MISSING`."""
        return MISSING if self.namespace is None else self.namespace.get(name, MISSING)

    def bindings(self, name: str) -> list[Binding]:
        """Statements of the module that bind `name`."""
        parsed = self.source.parsed if self.source is not None else None
        return parsed.bindings.get(name, []) if parsed is not None else []

    def star_imports(self) -> list[ast.ImportFrom]:
        """Statements ``from … import *`` of the module."""
        parsed = self.source.parsed if self.source is not None else None
        return parsed.star_imports if parsed is not None else []

    def absolute(self, level: int, module: str) -> str:
        """The full name of a module imported with `level` dots."""
        if not level:
            return module
        package = None if self.namespace is None else self.namespace.get("__package__")
        if not isinstance(package, str):
            package = self.name if self.is_package() else self.name.rpartition(".")[0]
        for _ in range(level - 1):
            package = package.rpartition(".")[0]
        return f"{package}.{module}" if module else package

    def is_package(self) -> bool:
        """Whether modules may lie below it."""
        return self.source is not None and self.source.file.endswith("__init__.py")

    def is_home_of(self, item: FunctionType | type, name: str) -> bool:
        """Whether a live function or class is what the module defines as `name`."""
        if isinstance(item, FunctionType):
            return item.__globals__ is self.namespace and item.__code__.co_qualname == name
        home = self.name if self.namespace is None else self.namespace.get("__name__")
        return item.__module__ == home and item.__qualname__ == name

    def source_for(self, code: CodeType) -> Source | None:
        """The source in which to look for `code`: a notebook has one for each cell."""
        if self.source is not None and code.co_filename in (self.source.file, self._file()):
            return self.source
        return text_source(code) or self.source

    def class_definitions(self, cls: type) -> tuple[Source | None, list[ast.ClassDef]]:
        """The class statements that `cls` may come from, and the source they stand in."""
        source = self.source
        if source is None:
            source = next(filter(None, (text_source(method.__code__) for method in own_methods(cls))), None)
        if source is None or source.parsed is None:
            return None, []
        return source, [n for n in source.parsed.definitions(cls.__qualname__) if isinstance(n, ast.ClassDef)]

    def _file(self) -> object:
        return self.namespace.get("__file__") if self.namespace is not None else None


class Spaces:
    """The namespaces met on the way, each made once; None stands for code outside the project."""

    def __init__(self, scope: CodeScope, watch: Watch) -> None:
        self.scope = scope
        self.watch = watch
        self._by_namespace: dict[int, Space | None] = {}
        self._unloaded: dict[str, Space | None] = {}
        self._held: list[object] = []

    def of_module(self, module: ModuleType, *, force: bool = False) -> Space | None:
        """The space of a loaded module; `force` takes it in wherever it lies, unless it is smttask's."""
        namespace: dict[str, Any] = object.__getattribute__(module, "__dict__")
        return self._of(namespace, str(namespace.get("__name__")), force, is_module=True)

    def of_class(self, cls: type, *, force: bool = False) -> Space | None:
        """The space a class was written in, also when its ``__module__`` names one that shows it off."""
        module = sys.modules.get(cls.__module__)
        space = self.of_module(module, force=force) if isinstance(module, ModuleType) else None
        if space is None or space.source is None or space.class_definitions(cls)[1]:
            return space
        for method in own_methods(cls):
            found = self.of_globals(method.__globals__, force=force)
            if found is not None and found.class_definitions(cls)[1]:
                return found
        return space

    def of_globals(self, namespace: dict[str, Any], *, force: bool = False) -> Space | None:
        """The space a function looks its globals up in, also when that is no module any more."""
        name = str(namespace.get("__name__", "<unknown>"))
        module = sys.modules.get(name)
        is_module = (
            isinstance(module, ModuleType) and object.__getattribute__(module, "__dict__") is namespace
        )
        return self._of(namespace, name, force, is_module=is_module)

    def _of(self, namespace: dict[str, Any], name: str, force: bool, *, is_module: bool) -> Space | None:
        key = id(namespace)
        force = force and name.partition(".")[0] != OWN_PACKAGE
        if key in self._by_namespace and not (force and self._by_namespace[key] is None):
            return self._by_namespace[key]
        file = namespace.get("__file__")
        is_ours = (
            force or self.scope.contains_source(name, file) or (file is None and name not in sys.modules)
        )
        space = None
        if is_ours:
            source = source_of(name, namespace, keep=is_module)
            space = Space("__main__" if name in MAIN_NAMES else name, namespace, source)
        self._by_namespace[key] = space
        self._held.append(namespace)  # so that its id is not given to another
        return space

    def named(self, name: str, *, watch: bool = False) -> Space | None:
        """The space of the module `name`, read from its file when it is not loaded."""
        module = sys.modules.get(name)
        if isinstance(module, ModuleType):
            if watch:
                self.watch.name(sys.modules, name, module)
            return self.of_module(module)
        if name not in self._unloaded:
            file = find_source_file(name)
            is_ours = file is not None and self.scope.contains_source(name, file)
            source = unloaded_source(name, file) if is_ours and file is not None else None
            self._unloaded[name] = Space(name, None, source) if source is not None else None
            self.watch.name(sys.modules, name, MISSING)
            if source is not None:
                self.watch.file(source.file, source.stat[1])
        return self._unloaded[name]

    def submodule(self, space: Space, name: str) -> Space | None:
        """The module `name` of the package `space`."""
        return self.named(f"{space.name}.{name}") if space.is_package() else None

    def is_found(self, name: str) -> bool:
        """Whether a module of this name could be imported."""
        return name in sys.modules or find_source_file(name) is not None

    def leads_outside(self, space: Space, chain: tuple[str, ...]) -> bool:
        """Whether a name begins at a module that is no project code."""
        module = space.get(chain[0])
        return isinstance(module, ModuleType) and self.of_module(module) is None

    def is_own(self, space: Space, chain: tuple[str, ...] | None) -> bool:
        """Whether a name leads to something of smttask."""
        if chain is None:
            return False
        value = space.get(chain[0])
        if value is MISSING:
            modules = [getattr(b.statement, "module", None) or "" for b in space.bindings(chain[0])]
            modules += [
                a.name
                for b in space.bindings(chain[0])
                if isinstance(b.statement, ast.Import)
                for a in b.statement.names
            ]
        elif isinstance(value, ModuleType):
            modules = [value.__name__]
        else:
            module = getattr(
                value if isinstance(value, FunctionType | type) else type(value), "__module__", None
            )
            modules = [module] if isinstance(module, str) else []
        return any(module.partition(".")[0] == OWN_PACKAGE for module in modules)

    def files(self) -> Iterator[str]:
        """Source files of the spaces that are project code."""
        spaces: Mapping[Any, Space | None]
        for spaces in (self._by_namespace, self._unloaded):
            for space in spaces.values():
                if space is not None and space.source is not None:
                    yield space.source.file
