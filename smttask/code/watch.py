"""Whether what a fingerprint was made from is still the same live objects."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Mapping, Sized
from dataclasses import dataclass, field
from types import CellType, CodeType, FunctionType

from smttask.code.bindings import MISSING

__all__ = ["Watch"]


@dataclass(slots=True)
class Watch:
    """Every place that was looked at, with the object found there.

    Looking again compares identities only: no hashing, no files, 25 ns a place.
    """

    names: list[tuple[Mapping[str, object], str, object]] = field(default_factory=list)
    absent: list[tuple[Mapping[str, object], str]] = field(default_factory=list)
    codes: list[tuple[FunctionType, CodeType]] = field(default_factory=list)
    defaults: list[tuple[FunctionType, object]] = field(default_factory=list)
    cells: list[tuple[CellType, object]] = field(default_factory=list)
    sizes: list[tuple[Sized, int]] = field(default_factory=list)
    unloaded: list[tuple[str, int]] = field(default_factory=list)
    _known: set[tuple[int, str]] = field(default_factory=set)

    def name(self, namespace: Mapping[str, object], name: str, value: object) -> None:
        """Watch an entry of a module's or a class's namespace; `MISSING` for one that is not there."""
        key = (id(namespace), name)
        if key in self._known:
            return
        self._known.add(key)
        if value is MISSING:
            self.absent.append((namespace, name))
        else:
            self.names.append((namespace, name, value))

    def forget(self, is_state: Callable[[Mapping[str, object], str], bool]) -> None:
        """Stop watching the entries that the watched code changes itself."""
        self.names = [entry for entry in self.names if not is_state(entry[0], entry[1])]
        self.absent = [entry for entry in self.absent if not is_state(*entry)]

    def function(self, function: FunctionType) -> None:
        """Watch the code and the defaults of a function."""
        self.codes.append((function, function.__code__))
        if function.__defaults__ is not None:
            self.defaults.append((function, function.__defaults__))

    def closure(self, function: FunctionType, state: Container[str]) -> None:
        """Watch what a function holds, except the names in `state`, which it rebinds."""
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                if name not in state:
                    self.cells.append((cell, cell.cell_contents))
            except ValueError:  # not filled yet
                continue

    def file(self, path: str, mtime_ns: int) -> None:
        """Watch the file of a module that is not loaded."""
        self.unloaded.append((path, mtime_ns))

    def holds(self) -> bool:
        """Whether nothing that is watched was replaced."""
        for function, code in self.codes:
            if function.__code__ is not code:
                return False
        for function, defaults in self.defaults:
            if function.__defaults__ is not defaults:
                return False
        try:
            for namespace, name, value in self.names:
                if namespace[name] is not value:
                    return False
            for cell, value in self.cells:
                if cell.cell_contents is not value:
                    return False
            for path, mtime_ns in self.unloaded:
                if os.stat(path).st_mtime_ns != mtime_ns:
                    return False
        except (KeyError, ValueError, OSError):
            return False
        for namespace, name in self.absent:
            if name in namespace:
                return False
        for container, size in self.sizes:  # noqa: SIM110 - a generator in all() costs three times as much
            if len(container) != size:
                return False
        return True
