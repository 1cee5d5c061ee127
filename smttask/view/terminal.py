"""How records look where rich prints them: tables in colours; displays never raise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from smttask.view.text import fields, listing, printable, safely

if TYPE_CHECKING:
    from smttask.records.record import Dependency
    from smttask.view.records import RecordView
    from smttask.view.store import RecordStoreView

__all__ = ["dependencies_table", "record_table", "view_table"]

STATUS_STYLES = {
    "initialized": "dim",
    "running": "blue",
    "finished": "green",
    "crashed": "bold red",
    "killed": "yellow",
}


def _message(text: str) -> RenderableType:
    return Text(text)


@safely(_message)
def view_table(view: RecordStoreView) -> RenderableType:
    """A table of the first records."""
    found = listing(view)
    table = _table(found.title, found.more)
    for name, texts in found.columns:
        width = max(map(len, texts)) if name in ("label", "status") else None  # others give way first
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=width)
    for row in zip(*(texts for _, texts in found.columns), strict=True):
        table.add_row(*(_cell(name, text) for (name, _), text in zip(found.columns, row, strict=True)))
    return table


@safely(_message)
def record_table(record: RecordView) -> RenderableType:
    """The label, and a row for each field that is not empty."""
    table = _table(printable(record.label), "")
    table.show_header = False
    table.add_column("field", style="bold", no_wrap=True)
    table.add_column("value", overflow="fold")
    for name, text in fields(record):
        table.add_row(Text(name), _cell(name, text))
    return table


@safely(_message)
def dependencies_table(dependencies: Sequence[Dependency]) -> RenderableType:
    """Name, version and place of each distribution."""
    table = _table(f"{len(dependencies)} dependencies", "")
    for name in ("name", "version", "path"):
        table.add_column(name, overflow="fold")
    for each in dependencies:
        table.add_row(*(Text(printable(text)) for text in (each.name, each.version, each.path)))
    return table


def _table(title: str, more: str) -> Table:
    return Table(
        title=Text(title), title_justify="left", caption=Text(more), caption_justify="left", box=SIMPLE_HEAD
    )


def _cell(name: str, text: str) -> Text:  # never markup: brackets in a reason are no styles
    return Text(text, style=STATUS_STYLES.get(text, "") if name == "status" else "")
