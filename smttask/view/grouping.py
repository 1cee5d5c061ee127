"""What records have in common: the value by which they are put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from smttask.errors import InputError
from smttask.records.parameters import form_text
from smttask.view.records import RecordView

if TYPE_CHECKING:
    from smttask.view.store import RecordStoreView

__all__ = ["RecordGroups", "group_key", "input_paths"]

FIELDS: dict[str, Callable[[RecordView], Any]] = {
    "task": lambda record: record.task_name,
    "module": lambda record: record.module,
    "digest": lambda record: record.digest,
    "status": lambda record: record.status,
    "tags": lambda record: record.tags,
    "reason": lambda record: record.reason,
    "outcome": lambda record: record.outcome,
    "user": lambda record: record.user,
    "version": lambda record: record.version,
    "main_file": lambda record: record.main_file,
    "date": lambda record: record.timestamp.astimezone().date(),
}
INPUTS = "inputs."  # before a path whose first name is that of a field


class RecordGroups(dict[Any, "RecordStoreView"]):
    """A view for each value; shown as how many records each has, not as their tables."""

    def __repr__(self) -> str:
        counts = {key: len(view) for key, view in self.items()}
        lines = [f"{key!r}: {n} record{'' if n == 1 else 's'}" for key, n in counts.items()]
        return "\n".join(lines) or "no records"


def group_key(record: RecordView, names: Sequence[str]) -> Any:
    """The value of the only name, or a tuple of the values of several; see `RecordStoreView.splitby`."""
    if not names:
        raise InputError(
            "Records cannot be split by nothing.",
            f"expected: an input, or one of {', '.join(FIELDS)}",
            "for example view.splitby('task')",
        )
    values = tuple(_value(record, str(name)) for name in names)
    return values[0] if len(values) == 1 else values


def input_paths(names: Sequence[str]) -> list[str]:
    """Those of `names` that are no fields of records: paths of inputs."""
    return [str(name).removeprefix(INPUTS) for name in names if name not in FIELDS]


def _value(record: RecordView, name: str) -> Any:
    if name in FIELDS:
        return FIELDS[name](record)
    found, form = record.forms.find(name.removeprefix(INPUTS))
    if not found:
        return None
    return form_text(form) if isinstance(form, dict | list) else form
