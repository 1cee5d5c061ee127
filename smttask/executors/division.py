"""A task as a graph: which recorded tasks it needs that are not stored yet, and in which order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from smttask.executors.work import Work
from smttask.tasks import Task
from smttask.tasks.evaluation import RunOptions, Session

__all__ = ["Division", "Part", "divide", "part_works"]

MOST_PARTS = 200


@dataclass(frozen=True, slots=True)
class Part:
    """A recorded task that another one needs.

    Parameters
    ----------
    key
        Its `Task.description_key`.
    needs
        Keys of the parts that come before it.
    """

    key: str
    name: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Division:
    """What comes before a task.

    Parameters
    ----------
    parts
        Each after those that it needs.
    needs
        Keys of the parts that the task itself needs.
    """

    parts: tuple[Part, ...]
    needs: tuple[str, ...]


def divide(task: Task[Any], *, recompute: bool = False, most: int = MOST_PARTS) -> Division | None:
    """The recorded tasks that must be run before `task`; None if there are none, or it is stored itself.

    Nothing is run. Memoized tasks are no parts: they are run within those that need them.

    Parameters
    ----------
    recompute
        Whether `task` itself is to be computed although it is stored.
    most
        Of so many parts in a row, of which each needs only the one before, the later ones are run
        within the first that is named; fewer are all named.
    """
    if not task.upstream or task.has_late_digest:
        return None
    if task.is_recorded and not recompute and task.has_run:
        return None
    with Session.current() as session:
        needs = _needs_below(task, session, recompute=recompute)
    if not needs[task.description_key]:
        return None
    if len(needs) > most + 1:
        needs = _shortened(task.description_key, needs)
    names = {part.description_key: part.name for parts in needs.values() for part in parts}
    keys = {key: tuple(part.description_key for part in parts) for key, parts in needs.items()}
    ordered = [key for key in reversed(keys) if key != task.description_key]
    return Division(
        tuple(Part(key, names[key], keys[key]) for key in _in_order(ordered, keys)),
        keys[task.description_key],
    )


def _needs_below(task: Task[Any], session: Session, *, recompute: bool) -> dict[str, tuple[Task[Any], ...]]:
    """For `task` and each task that it waits for: the nearest recorded tasks that are not stored."""
    needs: dict[str, tuple[Task[Any], ...]] = {}
    stack = [task]
    while stack:
        current = stack.pop()
        if current.description_key in needs:
            continue
        options = RunOptions(recompute=recompute and current is task)
        nearest = _nearest_recorded(current.needed(session, options))
        needs[current.description_key] = missing = tuple(part for part in nearest if not part.has_run)
        stack.extend(missing)
    return needs


def _nearest_recorded(upstream: tuple[Task[Any], ...]) -> list[Task[Any]]:
    """The nearest recorded tasks among `upstream`, each once, also through others."""
    found: list[Task[Any]] = []
    seen: set[str] = set()
    stack = list(reversed(upstream))
    while stack:
        current = stack.pop()
        if current.description_key in seen or current.has_late_digest:
            continue
        seen.add(current.description_key)
        if current.is_recorded:
            found.append(current)
        else:
            stack.extend(reversed(current.upstream))
    return found


def _shortened(top: str, needs: Mapping[str, tuple[Task[Any], ...]]) -> dict[str, tuple[Task[Any], ...]]:
    """The same without parts that only one other waits for, and for nothing else: it runs them itself."""
    n_waiting: dict[str, int] = {}
    for parts in needs.values():
        for part in parts:
            n_waiting[part.description_key] = n_waiting.get(part.description_key, 0) + 1
    short: dict[str, tuple[Task[Any], ...]] = {}
    stack = [top]
    while stack:
        key = stack.pop()
        if key in short:
            continue
        parts = needs[key]
        while key != top and len(parts) == 1 and n_waiting[parts[0].description_key] == 1:
            parts = needs[parts[0].description_key]
        short[key] = parts
        stack.extend(part.description_key for part in parts)
    return short


def _in_order(keys: list[str], needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The `keys`, each after those that it needs."""
    ordered: dict[str, None] = {}
    stack = list(reversed(keys))
    while stack:
        key = stack[-1]
        missing = [other for other in needs[key] if other not in ordered]
        if key in ordered or not missing:
            ordered.setdefault(stack.pop())
        else:
            stack.extend(missing)
    return list(ordered)


def part_works(work: Work, division: Division) -> dict[str, Work]:
    """The works of the parts of `work`, by key; of a description in memory each has what it needs alone."""
    if work.path:
        return {part.key: replace(work, part=part.key, wants_value=False) for part in division.parts}
    tree = json.loads(work.description)
    return {
        part.key: replace(work, part=part.key, description=_description_of(part.key, tree), wants_value=False)
        for part in division.parts
    }


def _description_of(key: str, tree: Mapping[str, Any]) -> str:
    """The description of one of the tasks in `tree`; all of it where today's defaults gave it another key."""
    tasks = tree.get("tasks", {})
    if key not in tasks:
        return json.dumps(tree)
    kept: set[str] = set()
    stack = [key]
    while stack:
        current = stack.pop()
        if current in kept or current not in tasks:
            continue
        kept.add(current)
        stack.extend(_references(tasks[current]["inputs"]))
    entries = {name: entry for name, entry in tasks.items() if name in kept}
    return json.dumps({"format": tree["format"], "task": key, "tasks": entries}, separators=(",", ":"))


def _references(inputs: Any) -> list[str]:
    """Keys of the tasks that stand in `inputs`."""
    found: list[str] = []
    stack = [inputs]
    while stack:
        current = stack.pop()
        if isinstance(current, Mapping):
            if isinstance(reference := current.get("$task"), str):
                found.append(reference)
            stack.extend(current.values())
        elif isinstance(current, list):
            stack.extend(current)
    return found
