"""How a task looks in a terminal and in a notebook; displays never raise."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from smttask.errors import short_repr
from smttask.protocols import Runnable

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = ["task_html", "task_text"]

LEFT = 'style="text-align:left"'


def _rows(task: Task[Any]) -> list[tuple[str, str]]:
    rows = [("digest", task.digest)]
    if task.reason:
        rows.append(("reason", task.reason))
    for name, value in task.taskinputs._values.items():
        shown = f"{value!r} ({value.digest})" if isinstance(value, Runnable) else short_repr(value)
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
