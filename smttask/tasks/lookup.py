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

from smttask.code.source import MAIN_NAMES
from smttask.errors import DescriptionError, short_repr
from smttask.project import current_project
from smttask.protocols import TASK_MODULES
from smttask.settings import config
from smttask.tasks import naming
from smttask.typing.definitions import definition_in

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = ["get_class", "get_definition", "get_pickled_type", "get_task_type"]


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
    if "made_by" in entry:
        return _made_in(module, entry, origin, is_trusted=_is_trusted(module))
    return _task_in(module, entry["name"], origin)


def get_pickled_type(entry: Mapping[str, Any], origin: str) -> type[Task[Any]]:
    """The same for a pickle: what it names was importable where it was made, so it is imported."""
    if (defined := naming.find_defined(entry["module"], entry["name"])) is not None:
        return defined
    module = importlib.import_module(entry["module"])
    if "made_by" in entry:
        return _made_in(module, entry, origin, is_trusted=True)
    return _task_in(module, entry["name"], origin)


def _made_in(
    module: ModuleType, entry: Mapping[str, Any], origin: str, *, is_trusted: bool
) -> type[Task[Any]]:
    """The task type that `Create` or the like makes of a class of `module`.

    Any class could be named, so the code of packages is reached only if they are trusted, and
    never through a module that only imported it.
    """
    make, found = naming.find_maker(entry["made_by"]), _walk(module, entry["name"])
    is_own = isinstance(found, type) and (found.__module__, found.__qualname__) == (
        module.__name__,
        entry["name"],
    )
    if make is None or not is_own or naming.find_defined(module.__name__, entry["name"]) is not None:
        raise DescriptionError(
            f"Description {origin}: no task can be made of {entry['name']!r} of module {module.__name__!r}.",
            f"found: {short_repr(found)}, to be made by {short_repr(entry['made_by'])}",
            "restore the class, or construct and save the task anew",
            source=origin,
        )
    if not is_trusted:
        top = module.__name__.partition(".")[0]
        raise DescriptionError(
            f"Description {origin}: class {entry['name']!r} is of module {module.__name__!r}, "
            "which is not of the project.",
            "expected: a class of the project or of a trusted package",
            f"if you trust it, add {top!r} to config.trusted_packages",
            source=origin,
        )
    return make(found)


def _is_trusted(module: ModuleType) -> bool:
    """Whether the code of `module` may be run because a description says so."""
    project = current_project()
    if module.__name__ in MAIN_NAMES:
        return True
    if project is not None:
        return project.scope.contains(module)
    return module.__name__.partition(".")[0] in config.trusted_packages


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


def get_definition(module_name: str, qualname: str) -> Any:
    """The function, or the class that is a value itself, that a value in a description names.

    Raises
    ------
    DescriptionError
        If its module is neither of the project nor trusted.
    LookupError, ValueError
        If it is not there, or is nothing that a text may name.
    """
    module = _get_module(module_name, f"{qualname!r}", "description")
    project = current_project()
    trusted = project.setting("trusted_packages") if project else config.trusted_packages
    return definition_in(module, module_name, qualname, trusted)


def _walk(module: ModuleType, qualname: str) -> Any:
    """What stands under a dotted name, through classes only."""
    found: Any = module
    for part in qualname.split("."):
        found = vars(found).get(part) if isinstance(found, ModuleType | type) else None
    return found


def _is_half_loaded(module: ModuleType) -> bool:
    """Whether another thread, for which an import waits, is still executing `module`."""
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _get_module(name: str, what: str, origin: str) -> ModuleType:
    if (loaded := sys.modules.get(name)) is not None and not _is_half_loaded(loaded):
        return loaded
    if name in TASK_MODULES:
        return importlib.import_module(name)
    top = name.partition(".")[0]
    project = current_project()
    trusted = project.setting("trusted_packages") if project else config.trusted_packages
    spec = importlib.util.find_spec(top) if top.isidentifier() else None
    if spec is None:
        raise DescriptionError(
            f"Description {origin}: the module of {what} is gone.",
            f"found: no module {top!r} to import\nsearched: {', '.join(sys.path[:5])}, …",
            "restore the module, or let Python find it: "
            + (f"PYTHONPATH={project.root}" if project else "run from the project's folder"),
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
            ("" if project else "make a project with `smttask project init`, or run from one\n")
            + f"if you trust it, add {top!r} to config.trusted_packages, or import it first",
            source=origin,
        )
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a script may do anything when it is imported
        raise DescriptionError(
            f"Description {origin}: module {name!r} of {what} cannot be imported.",
            f"found: {type(error).__name__}: {error}",
            "restore the module, or construct and save the task anew",
            source=origin,
        ) from error
