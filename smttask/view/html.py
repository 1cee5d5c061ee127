"""How records look in a notebook: every text is escaped, and displays never raise."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from smttask.view.text import fields, listing, printable, safely

if TYPE_CHECKING:
    from smttask.records.record import Dependency
    from smttask.view.records import RecordView
    from smttask.view.store import RecordStoreView

__all__ = ["dependencies_html", "record_html", "view_html"]

# Readable on light and dark pages alike
STATUS_COLOURS = {
    "initialized": "#888888",
    "running": "#2a7de1",
    "finished": "#2e9e4f",
    "crashed": "#e0433a",
    "killed": "#c77700",
}


@safely(escape)
def view_html(view: RecordStoreView) -> str:
    """A table of the first records."""
    found = listing(view)
    names = [name for name, _ in found.columns]
    rows = [
        _row([_cell(text, is_status=name == "status") for name, text in zip(names, texts, strict=True)])
        for texts in zip(*(texts for _, texts in found.columns), strict=True)
    ]
    table = _table(found.title, *([_row([_cell(name, "th") for name in names])] if names else []), *rows)
    return f"{table}<p>{escape(found.more)}</p>" if found.more else table


@safely(escape)
def record_html(record: RecordView) -> str:
    """The label, and a row for each field that is not empty."""
    rows = [
        _row([_cell(name, "th"), _cell(text, is_status=name == "status")]) for name, text in fields(record)
    ]
    return _table(printable(record.label), *rows)


@safely(escape)
def dependencies_html(dependencies: Sequence[Dependency]) -> str:
    """Name, version and place of each distribution."""
    rows = [
        _row([_cell(printable(text)) for text in (each.name, each.version, each.path)])
        for each in dependencies
    ]
    head = _row([_cell(name, "th") for name in ("name", "version", "path")])
    return _table(f"{len(rows)} dependencies", head, *rows)


def _table(title: str, *rows: str) -> str:
    caption = f'<caption style="white-space:nowrap"><b>{escape(title)}</b></caption>'
    return f"<table>{caption}{''.join(rows)}</table>"


def _row(cells: Sequence[str]) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _cell(text: str, tag: str = "td", *, is_status: bool = False) -> str:
    colour = STATUS_COLOURS.get(text) if is_status else None
    style = f"text-align:left;color:{colour};font-weight:bold" if colour else "text-align:left"
    return f'<{tag} style="{style}">{escape(text)}</{tag}>'
