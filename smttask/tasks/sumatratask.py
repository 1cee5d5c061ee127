"""Description files of SumatraTask 0.2: tasks inside tasks, without digests of ours.

Form: ``{"taskname", "module", "inputs", "reason"}``, with ``digest``, ``hashed_digest`` and
``unhashed_digests`` among the inputs; a task among them stands as such an object itself. Source: the
classes ``TaskDesc`` and ``TaskInput`` of smttask 0.2.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from smttask.errors import DescriptionError
from smttask.tasks import lookup
from smttask.typing.jsonform import to_json
from smttask.typing.scityping_form import from_scityping, is_scityping

__all__ = ["flat_form", "is_sumatratask"]

_KEYS = {"taskname", "module", "inputs"}
_DIGESTS = {"digest", "hashed_digest", "unhashed_digests"}


def is_sumatratask(tree: object) -> bool:
    """Whether `tree` is a description by SumatraTask.

    Examples
    --------
    >>> is_sumatratask({"taskname": "Add", "module": "tasks", "inputs": {"a": 1}})
    True
    """
    return isinstance(tree, Mapping) and tree.keys() >= _KEYS and isinstance(tree["inputs"], Mapping)


def flat_form(tree: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """The same tasks in the flat form, under numbers in the place of digests.

    Raises
    ------
    DescriptionError
        If it describes a task made by a generator, or is nested too deeply.
    """
    entries: dict[str, Any] = {}
    numbers: dict[str, str] = {}

    def flat(value: Any) -> Any:
        if is_sumatratask(value):
            return {"$task": add(value)}
        if is_scityping(value):
            known = from_scityping(value, get_class=lookup.get_class, get_definition=lookup.get_definition)
            return to_json(known)
        if isinstance(value, Mapping):
            return {name: flat(item) for name, item in value.items()}
        return [flat(item) for item in value] if isinstance(value, list) else value

    def add(task: Mapping[str, Any]) -> str:
        if "generator_module" in task:
            raise DescriptionError(
                f"Description {origin} is of a generated task, {task['taskname']!r}.",
                "found: a task that SumatraTask made by a generator such as Create",
                "construct the task anew and save it",
                source=origin,
            )
        inputs = {name: flat(value) for name, value in task["inputs"].items() if name not in _DIGESTS}
        entry = {"name": task["taskname"], "module": task["module"], "inputs": inputs}
        if task.get("reason"):
            entry["reason"] = task["reason"]
        key = numbers.setdefault(json.dumps(entry, sort_keys=True), str(len(numbers)))
        entries[key] = entry
        return key

    try:
        root = add(tree)
    except RecursionError:
        raise DescriptionError(
            f"Description {origin} is nested too deeply.",
            "found: more levels than Python's recursion limit allows",
        ) from None
    return {"format": 1, "task": root, "tasks": entries}
