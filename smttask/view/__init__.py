"""Looking at what was run: the records of a project as a sequence, a table, tasks and results.

Comparing brings numpy and every kind of task, and is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from smttask.protocols import view_registry
from smttask.view.filters import record_filter
from smttask.view.records import RecordView
from smttask.view.store import RecordStoreView

if TYPE_CHECKING:
    from smttask.view.compare import (
        ParameterComparison,
        RecordComparison,
        compare_tasks,
        dfdiff,
        fold_task_inputs,
        get_task_param,
    )

__all__ = [
    "ParameterComparison",
    "RSView",
    "RecordComparison",
    "RecordStoreView",
    "RecordView",
    "compare_tasks",
    "dfdiff",
    "fold_task_inputs",
    "get_task_param",
    "record_filter",
]

RSView = RecordStoreView

view_registry.register_record_view(RecordView)


if not TYPE_CHECKING:  # a type checker that sees it would take any name for an attribute

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'smttask.view' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module("smttask.view.compare"), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
