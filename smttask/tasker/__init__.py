"""Tasks bound to a folder: they store named files there, redone only when what they depend on changed.

Names are loaded when they are first used: neither numpy nor pandas until a format needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functools import cached_property

    from smttask.errors import LockError
    from smttask.headway import progress
    from smttask.tasker.directory import Tasker
    from smttask.tasker.discovery import taskmod, use, which
    from smttask.tasker.files import JSON, NetCDF, Npy, Npz, Pandas, Pickle, Text, Zarr
    from smttask.tasker.monitor import Monitor
    from smttask.tasker.sets import SetTasker

__all__ = [
    "JSON",
    "LockError",
    "Monitor",
    "NetCDF",
    "Npy",
    "Npz",
    "Pandas",
    "Pickle",
    "SetTasker",
    "Tasker",
    "Text",
    "Zarr",
    "cached_property",
    "progress",
    "taskmod",
    "use",
    "which",
]

_HOME = {
    **dict.fromkeys(
        ["JSON", "NetCDF", "Npy", "Npz", "Pandas", "Pickle", "Text", "Zarr"], "smttask.tasker.files"
    ),
    **dict.fromkeys(["taskmod", "use", "which"], "smttask.tasker.discovery"),
    "LockError": "smttask.errors",
    "Monitor": "smttask.tasker.monitor",
    "SetTasker": "smttask.tasker.sets",
    "Tasker": "smttask.tasker.directory",
    "cached_property": "functools",
    "progress": "smttask.headway",
}


if not TYPE_CHECKING:  # a type checker that sees it would take any name for an attribute

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module 'smttask.tasker' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
