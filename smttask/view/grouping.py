"""What records have in common: the value by which they are put together."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from smttask.errors import InputError
from smttask.records.parameters import form_text, task_reference
from smttask.view.records import RecordView

if TYPE_CHECKING:
    from smttask.view.store import RecordStoreView

__all__ = ["RecordGroups", "group_key", "input_paths"]

JSON = Any

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
CUT = ("...", "…")
SHOWN_IN_SHORT = ('"$array"', '"summary"')
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
    return _text(_without_runs(form)) if isinstance(form, dict | list) else form


def _text(form: JSON) -> str:
    """A form as people read it; where not all of it is shown, the first digits of its hash tell it apart."""
    text, whole = form_text(form), json.dumps(form, sort_keys=True)
    if any(mark in text for mark in CUT) or any(mark in whole for mark in SHOWN_IN_SHORT):
        return f"{text} ({blake3(whole.encode()).hexdigest()[:8]})"
    return text


def _without_runs(form: JSON) -> JSON:
    """A form in which tasks are their digests alone: equal tasks may have had several runs."""
    if (digest := task_reference(form)) is not None:
        return {"$task": digest}
    if isinstance(form, dict):
        return {name: _without_runs(part) for name, part in form.items()}
    return [_without_runs(part) for part in form] if isinstance(form, list) else form
