"""Typed pure functions as tasks: computed once, stored whole, recorded, explainable.

Names are loaded when they are first used, so that ``smttask --help`` and the parent
of many workers need neither numpy nor pydantic.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from smttask.protocols import view_registry

if TYPE_CHECKING:
    from smttask import errors, typing
    from smttask.executors.tasks import run_tasks
    from smttask.formats.registry import register_format
    from smttask.headway import progress
    from smttask.project import config
    from smttask.runner import output_dir
    from smttask.tasks import (
        Create,
        Failed,
        Join,
        MemoizedTask,
        NonMemoizedTask,
        RecordedIterativeTask,
        RecordedTask,
        Task,
        TaskOutput,
        TaskType,
        UnpureMemoizedTask,
        clear_task_cache,
        find_tasks,
        task_from_record,
        tasks_have_run,
    )
    from smttask.typing import register_type
    from smttask.view import RecordStoreView, RecordView, RSView
    from smttask.workflows import (
        ParamColl,
        SeedGenerator,
        SeedStream,
        expand,
        run_workflow,
        set_workflow_args,
    )

__all__ = [
    "Create",
    "Failed",
    "Join",
    "MemoizedTask",
    "NonMemoizedTask",
    "ParamColl",
    "RSView",
    "RecordStoreView",
    "RecordView",
    "RecordedIterativeTask",
    "RecordedTask",
    "SeedGenerator",
    "SeedStream",
    "Task",
    "TaskOutput",
    "TaskType",
    "UnpureMemoizedTask",
    "clear_task_cache",
    "config",
    "errors",
    "expand",
    "find_tasks",
    "output_dir",
    "progress",
    "register_format",
    "register_type",
    "run_tasks",
    "run_workflow",
    "set_workflow_args",
    "task_from_record",
    "tasks_have_run",
    "typing",
]

__version__ = "0.1.0"

_HOME = {
    **dict.fromkeys(["RSView", "RecordStoreView", "RecordView"], "smttask.view"),
    **dict.fromkeys(["Failed", "MemoizedTask", "NonMemoizedTask", "RecordedTask"], "smttask.tasks"),
    **dict.fromkeys(["RecordedIterativeTask", "UnpureMemoizedTask"], "smttask.tasks"),
    **dict.fromkeys(["clear_task_cache", "find_tasks"], "smttask.tasks"),
    **dict.fromkeys(["task_from_record", "tasks_have_run"], "smttask.tasks"),
    **dict.fromkeys(["Create", "Join", "Task", "TaskOutput", "TaskType"], "smttask.tasks"),
    **dict.fromkeys(["ParamColl", "SeedGenerator", "SeedStream", "expand"], "smttask.workflows"),
    **dict.fromkeys(["run_workflow", "set_workflow_args"], "smttask.workflows"),
    "register_format": "smttask.formats.registry",
    "run_tasks": "smttask.executors.tasks",
    "register_type": "smttask.typing",
    "output_dir": "smttask.runner",
    "progress": "smttask.headway",
    "config": "smttask.project",  # which tells it where the current project's settings are
}


if not TYPE_CHECKING:  # a type checker that sees it would take any name for an attribute

    def __getattr__(name: str) -> Any:
        if name in ("errors", "typing"):
            return import_module(f"smttask.{name}")
        if name not in _HOME:
            raise AttributeError(f"module 'smttask' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


class _ScitypingFinder:
    """Stands last among the finders until something asks for scityping, which is not installed then."""

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != "scityping":
            return None
        sys.meta_path.remove(cls)
        import_module("smttask.typing.scityping").install_scityping_finder()
        return find_spec(name)


sys.meta_path.append(_ScitypingFinder)
view_registry.load_with(lambda: import_module("smttask.view"))
