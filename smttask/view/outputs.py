"""The outputs of a run, by its record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smttask.errors import OutputError, SmttaskError, StorageError
from smttask.formats.pickle import PickleFormat
from smttask.project import Project
from smttask.storage.manifest import Head
from smttask.tasks.outputforms import is_pickled

if TYPE_CHECKING:
    from smttask.view.records import RecordView

__all__ = ["load_output"]


def load_output(record: RecordView, project: Project, name: str) -> Any:
    """The output `name` of a run, or all its elements; see `RecordView.get_output`."""
    head = record.head
    if name in head.outputs:
        return _load(record, project, head, name)
    elements = [known for known in head.outputs if known.startswith(f"{name}." if name else "")]
    # Without elements, or without a name that they begin with, only the task knows.
    if (elements and name) or _is_separate(record, name):
        return tuple([_load(record, project, head, known) for known in elements])
    known = ", ".join(known or "the unnamed one, get_output()" for known in head.outputs)
    raise OutputError(
        f"Run {record.label} has no output {name!r}.",
        f"expected: {known or 'none, it has no outputs'}",
        "check the spelling",
    )


def _load(record: RecordView, project: Project, head: Head, name: str) -> Any:
    is_pickle = head.outputs[name].format == PickleFormat.name
    if is_pickle and not _declares_pickle(record, name):
        raise StorageError(
            f"Run {record.label} has {f'the output {name!r}' if name else 'an output'} that is not read.",
            "found: a pickle, which can run any code\n"
            f"expected: that the task {record.task_name!r} of today declares it as Pickled",
            "if you trust the file, unpickle it yourself: see record.outputpaths",
            label=record.label,
        )
    return project.data.load_output(head, name, verify=project.setting("verify"), allow_pickle=is_pickle)


def _is_separate(record: RecordView, name: str) -> bool:
    """Whether the task, as found today, has an output `name` whose elements are stored one by one."""
    try:
        form = record.task.output_spec.forms.get(name)
    except SmttaskError:  # the task is gone
        return False
    return form is not None and form.separate is not None


def _declares_pickle(record: RecordView, name: str) -> bool:
    try:
        return is_pickled(record.task.output_spec.forms.values(), name)
    except SmttaskError:  # the task is gone
        return False
