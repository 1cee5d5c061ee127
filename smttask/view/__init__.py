"""Looking at what was run: the records of a project as a sequence, a table, tasks and results."""

from smttask.protocols import view_registry
from smttask.view.compare import (
    ParameterComparison,
    RecordComparison,
    compare_tasks,
    dfdiff,
    fold_task_inputs,
    get_task_param,
)
from smttask.view.filters import record_filter
from smttask.view.records import RecordView
from smttask.view.store import RecordStoreView

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
