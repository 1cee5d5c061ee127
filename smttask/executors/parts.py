"""What a task needs that is not stored yet: parts that can be run side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from smttask.project import current_project
from smttask.runner import find_computing
from smttask.tasks import Task

__all__ = ["Outlook", "look_ahead"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What stands between a task and its result.

    Parameters
    ----------
    parts
        Recorded tasks that it needs, not stored and independent of each other: two or more, or none.
    holder
        Who computes it, or the one task that it needs next, at the moment; empty if nobody does.
    """

    parts: tuple[Task[Any], ...] = ()
    holder: str = ""


def look_ahead(task: Task[Any]) -> Outlook:
    """What to do first for the result of `task`; nothing is run, nothing is waited for."""
    if task.has_late_digest:
        return Outlook()
    current = task
    while True:
        if holder := _holder(current):
            return Outlook(holder=holder)
        if not current.upstream:
            return Outlook()
        if current is task and task.is_recorded and task.has_run:
            return Outlook()
        missing = [upstream for upstream in _recorded_upstream(current) if not upstream.has_run]
        if len(missing) != 1:
            return Outlook(tuple(missing))
        current = missing[0]


def _holder(task: Task[Any]) -> str:
    project = current_project(task.home_module) if task.is_recorded else None
    return "" if project is None else find_computing(project, task.stored_key())


def _recorded_upstream(task: Task[Any]) -> list[Task[Any]]:
    """The nearest recorded tasks that `task` depends on, each once, also through others."""
    found: list[Task[Any]] = []
    seen: set[str] = set()
    stack = list(reversed(task.upstream))
    while stack:
        current = stack.pop()
        key = current.description_key
        if key in seen or current.has_late_digest:
            continue
        seen.add(key)
        if current.is_recorded:
            found.append(current)
        else:
            stack.extend(reversed(current.upstream))
    return found
