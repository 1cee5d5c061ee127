"""Looking at what was run: the records of a project as a sequence, a table, tasks and results."""

from smttask.protocols import view_registry
from smttask.view.filters import record_filter
from smttask.view.records import RecordView
from smttask.view.store import RecordStoreView

__all__ = ["RSView", "RecordStoreView", "RecordView", "record_filter"]

RSView = RecordStoreView

view_registry.register_record_view(RecordView)
