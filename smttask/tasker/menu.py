"""The tasks of a Tasker as a table, in a terminal and in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from smttask.errors import SmttaskError
from smttask.headway.text import printable
from smttask.tasker.reporting import judge

if TYPE_CHECKING:
    from smttask.tasker.directory import Tasker
    from smttask.tasker.unit import TaskUnit

__all__ = ["menu_html", "menu_text", "summary"]

MOST_NAME = 40
MOST_DESCRIPTION = 100
MOST_WHY = 100
HEADS = ("Done?", "Name", "Description")


def menu_text(tasker: Tasker, *, why: bool = False) -> str:
    """The menu as plain text.

    Parameters
    ----------
    why
        Say below each stale task why it is stale, and of which other code made what is stored.
    """
    judgement = judge(tasker.tasks.values())
    width = max([len(HEADS[1]), *(min(len(name), MOST_NAME) for name in tasker.tasks)])
    lines = [
        f"Tasks for {printable(tasker.folder)}:",
        f"{HEADS[0]}  {HEADS[1]:<{width}}  {HEADS[2]}".rstrip(),
    ]
    for name, task in tasker.tasks.items():
        mark = "+" if judgement.is_done(task) else ""
        shown = f"{_cut(name, MOST_NAME):<{width}}  {_cut(summary(task), MOST_DESCRIPTION)}"
        lines.append(f"{mark:^5}  {shown}".rstrip())
        if why and (reason := judgement.why(task) or judgement.remark(task)):
            lines.append(f"{'':7}{'':{width}}  {_cut(reason, MOST_WHY)}")
    return "\n".join(lines)


def menu_html(tasker: Tasker) -> str:
    """The menu with the reasons, as HTML; it never raises what the tasks or their files do."""
    title = f"<b>Tasks for {escape(printable(tasker.folder))}:</b>"
    try:
        judgement = judge(tasker.tasks.values())
    except (SmttaskError, OSError) as error:
        return f"{title}<pre>{escape(printable(str(error)))}</pre>"
    rows = []
    for name, task in tasker.tasks.items():
        mark = "+" if judgement.is_done(task) else ""
        shown = (mark, _cut(name, MOST_NAME), _cut(summary(task), MOST_DESCRIPTION))
        reason = escape(_cut(judgement.why(task) or judgement.remark(task), MOST_WHY))
        cells = "".join(f'<td style="text-align: left">{escape(text)}</td>' for text in shown)
        rows.append(f'<tr>{cells}<td style="text-align: left; opacity: 0.6">{reason}</td></tr>')
    heads = "".join(f'<th style="text-align: left">{head}</th>' for head in (*HEADS, ""))
    return f"{title}<table><tr>{heads}</tr>{''.join(rows)}</table>"


def summary(task: TaskUnit) -> str:
    """The first line of the docstring of `task`; empty if it has none."""
    return (task.__doc__ or "").strip().partition("\n")[0]


def _cut(text: str, length: int) -> str:
    text = printable(text)
    return text if len(text) <= length else text[: length - 1] + "…"
