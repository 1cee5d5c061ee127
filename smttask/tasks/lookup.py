"""Types by name: which a description may mean, and which it must not reach.

A description is data. Only modules of the project and of trusted packages are
imported for it, only task types and value types are looked up, nothing is executed.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Any

from smttask.errors import DescriptionError, short_repr
from smttask.project import current_project
from smttask.settings import config
from smttask.tasks import naming

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = ["get_class", "get_pickled_type", "get_task_type"]


def get_task_type(entry: Mapping[str, Any], origin: str) -> type[Task[Any]]:
    """The task type that an entry of a description names.

    Raises
    ------
    DescriptionError
        If the module is neither of the project nor trusted, is gone, or has no such task.
    """
    if (named := naming.find_named(entry.get("identity"))) is not None:
        return named
    module = _get_module(entry["module"], f"task {entry['name']!r}", origin)
    return _task_in(module, entry["name"], origin)


def get_pickled_type(entry: Mapping[str, Any], origin: str) -> type[Task[Any]]:
    """The same for a pickle: what it names was importable where it was made, so it is imported."""
    if (defined := naming.find_defined(entry["module"], entry["name"])) is not None:
        return defined
    return _task_in(importlib.import_module(entry["module"]), entry["name"], origin)


def _task_in(module: ModuleType, name: str, origin: str) -> type[Task[Any]]:
    found = naming.find_defined(module.__name__, name)
    if found is None:
        raise DescriptionError(
            f"Description {origin}: module {module.__name__!r} has no task {name!r}.",
            f"found: {short_repr(_walk(module, name))}",
            "restore the task, or construct and save it anew",
            source=origin,
        )
    return found


def get_class(module_name: str, qualname: str) -> type:
    """The enum, dataclass, named tuple or model that a value in a description is of.

    Raises
    ------
    DescriptionError
        If it is not such a class, or not of the project or a trusted package.
    """
    module = _get_module(module_name, f"class {qualname!r}", "description")
    found = _walk(module, qualname)
    is_value_type = isinstance(found, type) and (
        issubclass(found, Enum)
        or any(hasattr(found, mark) for mark in ("__dataclass_fields__", "model_fields"))
        or (issubclass(found, tuple) and hasattr(found, "_fields"))
    )
    if not is_value_type:
        raise DescriptionError(
            f"{module_name}.{qualname} is no type of values.",
            f"found: {type(found).__name__}\nexpected: an enum, dataclass, named tuple or pydantic model",
            "a description may name only these",
        )
    return found  # type: ignore[no-any-return]


def _walk(module: ModuleType, qualname: str) -> Any:
    """What stands under a dotted name, through classes only."""
    found: Any = module
    for part in qualname.split("."):
        found = vars(found).get(part) if isinstance(found, ModuleType | type) else None
    return found


def _get_module(name: str, what: str, origin: str) -> ModuleType:
    if (loaded := sys.modules.get(name)) is not None:
        return loaded
    top = name.partition(".")[0]
    project = current_project()
    trusted = project.setting("trusted_packages") if project else config.trusted_packages
    spec = importlib.util.find_spec(top) if top.isidentifier() else None
    if spec is None:
        raise DescriptionError(
            f"Description {origin}: the module of {what} is gone.",
            f"found: no module {top!r} to import\nsearched: {', '.join(sys.path[:5])}, …",
            "run from the project's folder, or restore the module",
            source=origin,
        )
    places = [spec.origin, *(f"{folder}/__init__.py" for folder in spec.submodule_search_locations or ())]
    in_project = project is not None and any(
        project.scope.contains_source(top, place) for place in places if place
    )
    if top not in trusted and not in_project:
        raise DescriptionError(
            f"Description {origin}: {what} is of module {name!r}, which is not of the project.",
            f"found: {spec.origin}\nexpected: a module below "
            + (str(project.root) if project else "a project, and there is none here"),
            f"if you trust it, add {top!r} to config.trusted_packages, or import it first",
            source=origin,
        )
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DescriptionError(
            f"Description {origin}: module {name!r} of {what} cannot be imported.",
            f"found: {error}",
            "restore the module, or construct and save the task anew",
            source=origin,
        ) from error
