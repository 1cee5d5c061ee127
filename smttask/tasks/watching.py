"""The code that makes a task's results: its own, and that of the tasks among its inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from blake3 import blake3

from smttask.code.fingerprint import CodeFingerprint, fingerprint
from smttask.code.scope import CodeScope
from smttask.project import current_project

__all__ = ["combined_code", "is_watched", "own_fingerprint", "with_classes"]


def own_fingerprint(definition: Callable[..., Any]) -> CodeFingerprint:
    """The code of a task's function or class as loaded, that of upstream tasks left out."""
    return fingerprint(definition, _scope_of(definition.__module__))


def with_classes(own: CodeFingerprint, classes: Iterable[type], module: str) -> CodeFingerprint:
    """`own`, of a task of `module`, and the code of `classes`, as far as it is the task's own and not in it.

    A function that is annotated to take some class may be given one that is derived from it.
    """
    scope = _scope_of(module)
    found = [
        fingerprint(cls, scope)
        for cls in classes
        if f"{cls.__module__}:{cls.__qualname__}" not in own.parts
        and (home := sys.modules.get(cls.__module__)) is not None
        and scope.contains(home)
    ]
    if not found:
        return own
    return CodeFingerprint(
        combined_code(own.digest, [one.digest for one in found]),
        {**own.parts, **{name: part for one in found for name, part in one.parts.items()}},
        tuple(sorted({*own.unresolved, *(text for one in found for text in one.unresolved)})),
        tuple(sorted({*own.files, *(file for one in found for file in one.files)})),
        own.held + tuple(entry for one in found for entry in one.held),
    )


def is_watched(module: str) -> bool:
    """Whether the code of this module is a task's own, so that its changes count."""
    loaded = sys.modules.get(module)
    return loaded is None or _scope_of(module).contains(loaded)


def combined_code(own: str, upstream: Sequence[str]) -> str:
    """Name of the code of a task with the fingerprint `own` whose upstream tasks have these.

    Examples
    --------
    >>> combined_code("ab", []), combined_code("ab", ["x", "y", "x"]) == combined_code("ab", ["y", "x"])
    ('ab', True)
    """
    if not upstream:
        return own
    return str(blake3(" ".join([own, *sorted(set(upstream))]).encode()).hexdigest(length=20))


def _scope_of(module: str) -> CodeScope:
    """Which code is the task's own: the project's, or without one all below its top-level package."""
    if (project := current_project(module)) is not None:
        return project.scope
    top = sys.modules.get(module.partition(".")[0])
    return _scope_below(getattr(top, "__file__", None), bool(getattr(top, "__path__", None)))


@cache
def _scope_below(file: str | None, is_package: bool) -> CodeScope:
    folder = Path(file).absolute().parent if file else Path.cwd()
    return CodeScope(folder.parent if is_package else folder)
