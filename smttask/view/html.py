"""How records look in a notebook: every text is escaped, and displays never raise."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from smttask.view.text import COLUMNS, N_SHOWN, cells, fields, heading, printable, safely

if TYPE_CHECKING:
    from smttask.view.records import RecordView
    from smttask.view.store import RecordStoreView

__all__ = ["record_html", "view_html"]


@safely(escape)
def view_html(view: RecordStoreView) -> str:
    """A table of the first records."""
    view = view[:]  # so that functions decide once
    n_records = len(view)
    rows = [_row(cells(record)) for record in view[:N_SHOWN]]
    head = _row(COLUMNS, "th") if rows else ""
    more = f"<p>… and {n_records - N_SHOWN} more; <code>dframe()</code> has all</p>"
    table = _table(heading(view, n_records), head, *rows)
    return table + more if n_records > N_SHOWN else table


@safely(escape)
def record_html(record: RecordView) -> str:
    """The label, and a row for each field that is not empty."""
    rows = [f"<tr>{_cell(name, 'th')}{_cell(text)}</tr>" for name, text in fields(record)]
    return _table(printable(record.label), *rows)


def _table(title: str, *rows: str) -> str:
    return f"<table><caption><b>{escape(title)}</b></caption>{''.join(rows)}</table>"


def _row(texts: Iterable[str], tag: str = "td") -> str:
    return f"<tr>{''.join(_cell(text, tag) for text in texts)}</tr>"


def _cell(text: str, tag: str = "td") -> str:
    return f'<{tag} style="text-align:left">{escape(text)}</{tag}>'
