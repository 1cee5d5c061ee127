"""How a task looks in a terminal and in a notebook; displays never raise."""

from __future__ import annotations

from contextvars import ContextVar
from html import escape
from typing import TYPE_CHECKING, Any

from smttask.errors import short_repr
from smttask.tasks.digests import Digested

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = ["task_html", "task_repr", "task_text"]

LEFT = 'style="text-align:left"'

_level: ContextVar[int] = ContextVar("smttask_display_level", default=0)


def task_repr(task: Task[Any]) -> str:
    """The task as it was called; tasks among its inputs too, and those among theirs by name alone."""
    if _level.get() > 1:  # a diamond of tasks has more paths through it than anyone can print
        return f"{task.name}(…)"
    token = _level.set(_level.get() + 1)
    try:
        inputs = [f"{name}={short_repr(value, length=40)}" for name, value in task.raw_inputs.items()]
    finally:
        _level.reset(token)
    return f"{task.name}({', '.join(inputs)})"


def _rows(task: Task[Any]) -> list[tuple[str, str]]:
    rows = [("digest", task.description_key)]
    if task.reason:
        rows.append(("reason", task.reason))
    for name, value in task.taskinputs._values.items():
        shown = f"{value!r} ({value.description_key})" if isinstance(value, Digested) else short_repr(value)
        rows.append((name, shown))
    return rows


def task_text(task: Task[Any]) -> str:
    """Name, digest, reason and inputs, a line each."""
    rows = _rows(task)
    width = max(len(name) for name, _ in rows)
    return "\n".join([task.name, *(f"  {name.ljust(width)}  {text}" for name, text in rows)])


def task_html(task: Task[Any]) -> str:
    """The same as a small table; every text is escaped."""
    cells = "".join(
        f"<tr><th {LEFT}>{escape(name)}</th><td {LEFT}>{escape(text)}</td></tr>" for name, text in _rows(task)
    )
    return f"<table><caption><b>{escape(task.name)}</b></caption>{cells}</table>"
