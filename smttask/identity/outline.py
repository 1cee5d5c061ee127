"""Names of the parts of a value, to see later which of them changed.

An outline is JSON. A leaf is the 20 hex of its full canonical bytes; lists, tuples
and dicts that hold something with fields are outlined entry by entry; dataclasses
and models by field. A task stands as ``{"task": full digest}``, and its own outline
in the table that `task_table` makes, so a diamond of tasks is not repeated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from smttask.identity.canonical import canonical_bytes, canonical_forms
from smttask.identity.defaults import usual_bytes
from smttask.identity.digest import digest
from smttask.protocols import Runnable
from smttask.typing.places import class_name, stored_fields

__all__ = ["fields_outline", "is_same", "outline", "task_table"]

JSON = Any
_MAX_TASKS = 200  # upstream tasks whose outlines a table holds; further ones count by their full digest


def outline(value: Any, *, root: Path | None = None) -> JSON:
    """The names of the parts of `value`.

    Raises
    ------
    DigestError
        If some value in it has no canonical bytes.

    Examples
    --------
    >>> outline(1.5) == outline(1.5), outline(1.5) == outline(2.5)
    (True, False)
    """
    if isinstance(value, Runnable):
        return {"task": value.full_digest}
    if isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type)):
        return _object_outline(value, root)
    if isinstance(value, (list, tuple, dict)) and not _is_leaf(value, root):
        if isinstance(value, dict):
            return {
                "dict": {
                    digest(canonical_bytes(k, root=root)): outline(v, root=root) for k, v in value.items()
                }
            }
        return {type(value).__name__: [outline(item, root=root) for item in value]}
    return digest(canonical_bytes(value, full=True, root=root))


def fields_outline(name: str, fields: Mapping[str, JSON], at_default: Iterable[str] = ()) -> JSON:
    """The outline of something with named parts: an object with fields, or a task with inputs.

    Parameters
    ----------
    fields
        The outline of each part.
    at_default
        Which parts stand at their default now; these may be new.

    Examples
    --------
    >>> fields_outline("lab:f", {"x": "3f"}, ["x"])
    {'of': 'lab:f', 'fields': {'x': '3f'}, 'default': ['x']}
    """
    form: dict[str, JSON] = {"of": name, "fields": dict(fields)}
    default = sorted(at_default)
    return {**form, "default": default} if default else form


def task_table(
    tasks: Iterable[Any], upstream: Callable[[Any], Iterable[Any]], *, limit: int = _MAX_TASKS
) -> dict[str, JSON]:
    """The outlines of tasks and all tasks among their inputs, by full digest, nearest first.

    Parameters
    ----------
    tasks
        The tasks to begin with; each `input_outlines` is what `fields_outline` gives.
    upstream
        Gives the tasks among a task's inputs.
    limit
        How many to hold: a long chain would otherwise stand whole in every manifest.
    """
    table: dict[str, JSON] = {}
    waiting = deque(tasks)
    while waiting and len(table) < limit:
        task = waiting.popleft()
        if task.full_digest not in table:
            table[task.full_digest] = dict(task.input_outlines)
            waiting.extend(upstream(task))
    return table


def is_same(
    old: JSON,
    new: JSON,
    *,
    old_tasks: Mapping[str, JSON] | None = None,
    new_tasks: Mapping[str, JSON] | None = None,
) -> bool:
    """Whether nothing but new parts at their defaults tells `new` from `old`.

    Parameters
    ----------
    old, new
        Outlines; `old` as read from a manifest, where anything may stand.
    old_tasks, new_tasks
        The tables of `task_table` that belong to them.

    Examples
    --------
    >>> old = fields_outline("lab:f", {"x": "3f"})
    >>> is_same(old, fields_outline("lab:f", {"x": "3f", "y": "77"}, ["y"]))
    True
    >>> is_same(old, fields_outline("lab:f", {"x": "3f", "y": "77"}))
    False
    """
    tables = (old_tasks or {}, new_tasks or {})
    waiting = [(old, new)]
    compared = set()
    while waiting:
        old, new = waiting.pop()
        if old == new:
            continue
        if not (isinstance(old, dict) and isinstance(new, dict)) or old.keys() - {"default"} != new.keys() - {
            "default"
        }:
            return False
        if "task" in new:
            pair = (str(old["task"]), new["task"])
            if pair in compared:
                continue
            compared.add(pair)
            inner = (tables[0].get(pair[0]), tables[1].get(pair[1]))
            if None in inner:
                return False
            waiting.append(inner)
            continue
        pairs = _pairs(old, new)
        if pairs is None:
            return False
        waiting.extend(pairs)
    return True


def _pairs(old: Any, new: Any) -> list[tuple[JSON, JSON]] | None:
    """The parts to compare, or None when a part is gone or new and not at its default."""
    if "fields" in new:
        before, now = old["fields"], new["fields"]
        if old.get("of") != new.get("of") or not isinstance(before, dict) or not before.keys() <= now.keys():
            return None
        if not (now.keys() - before.keys()) <= set(new.get("default", ())):
            return None
        return [(before[name], now[name]) for name in before]
    (kind,) = new.keys()
    before, now = old[kind], new[kind]
    if kind == "dict":
        if not isinstance(before, dict) or before.keys() != now.keys():
            return None
        return [(before[key], now[key]) for key in now]
    if not isinstance(before, list) or len(before) != len(now):
        return None
    return list(zip(before, now, strict=True))


def _is_leaf(value: Any, root: Path | None) -> bool:
    forms = canonical_forms(value, root=root)
    return forms.short is forms.full


def _object_outline(value: Any, root: Path | None) -> JSON:
    cls = type(value)
    if isinstance(value, BaseModel):
        fields = {name: value.__dict__[name] for name in cls.model_fields if name in value.__dict__}
        fields.update(value.__pydantic_extra__ or {})
    else:
        fields = {name: getattr(value, name) for name in stored_fields(cls) if hasattr(value, name)}
    usual = usual_bytes(cls, root, _short_bytes)
    at_default = [name for name, item in fields.items() if _short_bytes(item, root) in usual.get(name, ())]
    return fields_outline(class_name(cls), {n: outline(v, root=root) for n, v in fields.items()}, at_default)


def _short_bytes(value: Any, root: Path | None) -> bytes:
    return canonical_bytes(value, root=root)
