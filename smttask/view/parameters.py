"""From a record's parameters back to values and to the task.

The description in a record stands for itself, except for upstream tasks that have
records of their own and for large values, which the data store keeps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from glob import escape
from typing import TYPE_CHECKING, Any

from smttask.errors import DamagedResultError, DescriptionError
from smttask.project import Project
from smttask.records.parameters import (
    MADE_BY_TASKER,
    Step,
    find_parameter,
    find_parts,
    form_text,
    path_steps,
    read_json,
    task_reference,
)
from smttask.records.query import Selection
from smttask.records.stores import SQLRecordStore
from smttask.storage.manifest import read_head, read_rest

if TYPE_CHECKING:
    from smttask.tasks import Task

__all__ = ["Parameters"]

JSON = Any


class Parameters:
    """The parameters of one record.

    Parameters
    ----------
    content
        As the record store has them: JSON text of a description, or what other programs wrote.
    digest
        Of the record's task.
    """

    def __init__(self, project: Project, store: SQLRecordStore, content: str, digest: str) -> None:
        self._project = project
        self._store = store
        self._content = content
        self._digest = digest

    @cached_property
    def tree(self) -> JSON:
        """The parsed JSON; the text itself if it is none."""
        tree = read_json(self._content)
        return self._content if tree is None else tree

    @property
    def fixed_name(self) -> str:
        """What ``name=`` calls the task, in whatever module its function stands; empty if nothing does."""
        try:
            fixed = self.tree["tasks"][self._digest]["identity"]
        except (LookupError, TypeError):
            return ""
        return fixed if isinstance(fixed, str) else ""

    @property
    def folder(self) -> str:
        """The folder of the Tasker whose task was run, in its project; empty for other tasks."""
        if MADE_BY_TASKER not in self._content:  # so that long lists of other records are not parsed
            return ""
        try:
            own = self.tree["tasks"][self._digest]
            return form_text(own["inputs"]["folder"]).strip("'") if own["made_by"] == MADE_BY_TASKER else ""
        except (LookupError, TypeError):
            return ""

    def get(self, path: str, default: Any) -> Any:
        """The value at `path`, or `default`; see `RecordView.get_param`."""
        found, form = self.find(path)
        return self.value(form) if found else default

    def find(self, path: str) -> tuple[bool, JSON]:
        """Whether anything stands at `path`, and its JSON form."""
        return find_parameter(self.tree, self._digest, path_steps(path), self.find_upstream)

    def has(self, steps: Sequence[Step]) -> bool:
        """Whether anything stands at `steps`."""
        return find_parameter(self.tree, self._digest, steps, self.find_upstream)[0]

    def parts(self, steps: Sequence[Step]) -> dict[Step, JSON]:
        """The JSON forms one step below `steps`; empty if there are none."""
        return find_parts(self.tree, self._digest, steps, self.find_upstream) or {}

    def value(self, form: JSON) -> Any:
        """The value of a JSON form that stands in the parameters."""
        from smttask.view.restoring import restored_value

        return restored_value(self._project, form, self.load_task)

    def inputs(self) -> dict[str, JSON]:
        """The JSON form of each input by name; empty if the record describes no task."""
        found, forms = find_parameter(self.tree, self._digest, [], self.find_upstream)
        return forms if found and isinstance(forms, dict) else {}

    def text(self, form: JSON) -> str:
        """A JSON form that stands in the parameters as people read it, a task with its name."""
        text = form_text(form)
        if (digest := task_reference(form)) is None:
            return text
        tree: JSON = self.tree
        if digest not in tree["tasks"]:
            tree, digest = self.find_upstream(str(form.get("label", ""))) or (None, "")
        try:
            return f"{tree['tasks'][digest]['name']}, {text}"
        except (LookupError, TypeError):  # the record of the upstream run is gone, or of another program
            return text

    def find_upstream(self, label: str) -> tuple[JSON, str] | None:
        """Parameters of another record, parsed, and its digest."""
        rows = self._store.columns(Selection().with_labels(label), ["parameters", "digest"])
        return (read_json(rows[0][0]), rows[0][1]) if rows else None

    def load_task(self, digest: str | None = None) -> Task[Any]:
        """The task itself, or the one of this digest that it depends on; see `RecordView.task`."""
        if not isinstance(self.tree, dict) or "tasks" not in self.tree:
            raise DescriptionError(
                "The record describes no task.",
                "its parameters are of another program, or were edited",
                "look at them: record.parameters",
            )
        entries = self._entries()
        own = entries.get(str(digest or self.tree.get("task")))
        if isinstance(own, dict) and own.get("made_by") == MADE_BY_TASKER:
            folder = form_text(own.get("inputs", {}).get("folder"))
            raise DescriptionError(
                f"The record is of the task {own.get('name')!r} of a Tasker, which makes it.",
                f"folder: {folder}",
                f"get it from there: smttask.tasker.use({folder}).{own.get('name')}",
            )
        from smttask.view.restoring import restored_task

        tree = {**self.tree, "task": digest or self.tree.get("task"), "tasks": entries}
        return restored_task(self._project, tree)

    def _entries(self) -> dict[str, JSON]:
        """The descriptions of this task and all it depends on, by digest, from all their records."""
        entries: dict[str, JSON] = {}
        contents = [self._content]
        seen: set[str] = set()
        while contents:
            labels: dict[str, None] = {}
            for content in contents:
                for digest, entry in _whole(content, labels).items():
                    entries.setdefault(digest, entry)
            labels = {label: None for label in labels if label not in seen}
            seen.update(labels)
            contents = self._contents(list(labels))
        return entries

    def _contents(self, labels: list[str]) -> list[str]:
        """The parameters of these records; of those that were deleted, from their manifests."""
        if not labels:
            return []
        found = dict(self._store.columns(Selection().with_labels(*labels), ["label", "parameters"]))
        return [found[label] if label in found else self._from_manifest(label) for label in labels]

    def _from_manifest(self, label: str) -> str:
        for path in self._project.data.output_dir.glob(f"*/{escape(label)}.json"):
            try:
                return json.dumps(read_rest(read_head(path))["parameters"])
            except (DamagedResultError, OSError, LookupError):
                continue
        return ""


def _whole(content: str, labels: dict[str, None]) -> dict[str, JSON]:
    """The entries in the parameters `content`; labels in references are taken out and noted in `labels`."""

    def note(node: dict[str, JSON]) -> dict[str, JSON]:
        if node.keys() == {"$task", "label"}:
            labels[node["label"]] = None
            return {"$task": node["$task"]}
        return node

    try:
        tasks = json.loads(content, object_hook=note)["tasks"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
    return tasks if isinstance(tasks, dict) else {}
