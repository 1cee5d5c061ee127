"""How records look in a terminal; displays never raise."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from smttask.headway.text import printable

if TYPE_CHECKING:
    from smttask.view.records import RecordView
    from smttask.view.store import RecordStoreView

__all__ = [
    "COLUMNS",
    "Listing",
    "cells",
    "duration_text",
    "fields",
    "listing",
    "printable",
    "record_line",
    "record_text",
    "safely",
    "view_text",
]

N_SHOWN = 50  # records in the display of a view; the table of all is `dframe`
UNREADABLE = "?"
COLUMNS = ("label", "task", "folder", "started", "duration", "status", "tags", "reason")
SHORTENED = ("task", "folder", "tags", "reason")  # where the terminal is narrow
SHORTEST = 12
T = TypeVar("T")


def safely(encode: Callable[[str], T]) -> Callable[[Callable[[Any], T]], Callable[[Any], T]]:
    """Let what displays give something in any case: where there is an error, its text, through `encode`."""

    def safe(show: Callable[[Any], T]) -> Callable[[Any], T]:
        @wraps(show)
        def shown(item: Any) -> T:
            try:
                return show(item)
            except Exception as error:  # noqa: BLE001 - a display must not hide what the user was doing
                told = ", ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
                text = f"<{type(item).__name__} that cannot be shown: {told}>"
                return encode(printable(text))

        return shown

    return safe


_CELLS: Mapping[str, Callable[[RecordView], str]] = {
    "label": lambda record: record.label,
    "task": lambda record: record.task_name,
    "folder": lambda record: record.forms.folder,
    "started": lambda record: f"{record.timestamp.astimezone():%Y-%m-%d %H:%M}",
    "duration": lambda record: (
        "" if record.duration is None else duration_text(record.duration.total_seconds())
    ),
    "status": lambda record: record.status,
    "tags": lambda record: ", ".join(sorted(record.tags)),
    "reason": lambda record: record.reason,
}


def cells(record: RecordView) -> list[str]:
    """What the row of a record shows, by `COLUMNS`; times are local, and what is damaged is a ``?``."""
    return [cell(show, record) for show in _CELLS.values()]


def cell(show: Callable[[RecordView], str], record: RecordView) -> str:
    """One text of a record; `UNREADABLE` where other programs, or a damaged disk, left no such thing."""
    try:
        return printable(show(record))
    except Exception:  # noqa: BLE001 - one damaged field must not hide the others, nor the other records
        return UNREADABLE


def duration_text(seconds: float) -> str:
    """A duration as people say it.

    Examples
    --------
    >>> duration_text(0.0123), duration_text(75), duration_text(7265)
    ('12 ms', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 1:
        return f"{seconds * 1000:.2g} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


@dataclass(frozen=True)
class Listing:
    """What the display of a view shows, whatever it is drawn with.

    Parameters
    ----------
    title
        Which records these are.
    rows
        Of the first `N_SHOWN`: the texts of `columns`.
    more
        What is said of the others; empty if there are none.
    """

    title: str
    rows: list[list[str]]
    more: str

    @property
    def columns(self) -> list[tuple[str, list[str]]]:
        """Title and texts of the columns in which there is something."""
        found = zip(COLUMNS, zip(*self.rows, strict=True), strict=False)
        return [(name, list(texts)) for name, texts in found if any(texts)]


def listing(view: RecordStoreView) -> Listing:
    """The first records of `view`; no others are read, and functions that filter decide on no others."""
    if view.is_decided:
        n_records = len(view)
        rows = [cells(record) for record in view[:N_SHOWN]]
        more = f"… and {n_records - N_SHOWN} more; dframe() has all" if n_records > N_SHOWN else ""
        return Listing(heading(view, str(n_records)), rows, more)
    rows = [cells(record) for record in islice(view, N_SHOWN + 1)]
    is_more = len(rows) > N_SHOWN
    title = heading(view, f"more than {N_SHOWN}" if is_more else str(len(rows)))
    return Listing(title, rows[:N_SHOWN], "… and more; dframe() has all" if is_more else "")


def heading(view: RecordStoreView, n_records: str) -> str:
    """One line that says which records these are."""
    text = f"{n_records} record{'' if n_records == '1' else 's'} of {view.project.name!r}"
    if n_records in "01":
        return printable(text)
    return printable(f"{text}, {'oldest' if view.selection.is_oldest_first else 'newest'} first")


_FIELDS: Mapping[str, Callable[[RecordView], str]] = {
    "task": lambda record: f"{record.module}.{record.task_name}" if record.module else record.task_name,
    "digest": lambda record: record.digest,
    **{name: _CELLS[name] for name in ("started", "duration", "status", "tags", "reason")},
    "outcome": lambda record: record.outcome,
    "version": lambda record: record.version,
    "main file": lambda record: record.main_file,
    "user": lambda record: record.user,
}


def fields(record: RecordView) -> list[tuple[str, str]]:
    """Names and texts of what the display of one record shows; empty ones are left out."""
    shown = [(name, cell(show, record)) for name, show in _FIELDS.items()]
    try:
        shown += [(f"input {printable(name)}", printable(text)) for name, text in record.input_texts.items()]
    except Exception:  # noqa: BLE001 - as in `cell`
        shown.append(("inputs", UNREADABLE))
    return [(name, text) for name, text in shown if text]


@safely(str)
def record_line(record: RecordView) -> str:
    """Label, task and status on one line."""
    shown = dict(zip(COLUMNS, cells(record), strict=True))
    words = [shown[name] for name in ("label", "task", "folder", "status") if shown[name]]
    return f"<{type(record).__name__} {' '.join(words)}>"


@safely(str)
def record_text(record: RecordView) -> str:
    """The label, and a line for each field that is not empty."""
    shown = fields(record)
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join([printable(record.label), *(f"  {name.ljust(width)}  {text}" for name, text in shown)])


@safely(str)
def view_text(view: RecordStoreView) -> str:
    """A table of the first records, as wide as the terminal where that can be."""
    found = listing(view)
    lines = [found.title, *_table([[name, *texts] for name, texts in found.columns])]
    return "\n".join([*lines, found.more] if found.more else lines)


def _table(columns: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the texts of `columns` side by side; the last of `SHORTENED` give way first."""
    widths = {column[0]: max(map(len, column)) for column in columns}
    excess = sum(widths.values()) + 2 * len(widths) - 2 - shutil.get_terminal_size().columns
    for name in reversed([name for name in SHORTENED if name in widths]):
        kept = max(widths[name] - max(excess, 0), min(widths[name], SHORTEST))
        excess -= widths[name] - kept
        widths[name] = kept
    rows = zip(*columns, strict=True)
    return ["  ".join(map(_fitted, widths, row, widths.values())).rstrip() for row in rows]


def _fitted(name: str, text: str, width: int) -> str:
    if len(text) <= width:
        return text.ljust(width)
    return f"…{text[1 - width :]}" if name == "folder" else f"{text[: width - 1]}…"
