"""How records look in a terminal; displays never raise."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smttask.view.records import RecordView
    from smttask.view.store import RecordStoreView

__all__ = [
    "COLUMNS",
    "N_SHOWN",
    "cells",
    "fields",
    "heading",
    "record_line",
    "record_text",
    "safely",
    "view_text",
]

N_SHOWN = 20  # records in the display of a view; the table of all is `dframe`
COLUMNS = ("label", "task", "started", "duration", "status", "tags", "reason")
SHORTENED = ("task", "tags", "reason")  # where the terminal is narrow
SHORTEST = 12
Show = Callable[[Any], str]

LONGEST = 2_000  # characters of one value; outcomes and reasons may hold anything


def safely(encode: Callable[[str], str] = str) -> Callable[[Show], Show]:
    """Let what displays give a text in any case: where there is an error, its text, as `encode` writes it."""

    def safe(show: Show) -> Show:
        @wraps(show)
        def shown(item: Any) -> str:
            try:
                return show(item)
            except Exception as error:  # noqa: BLE001 - a display must not hide what the user was doing
                text = f"<{type(item).__name__} that cannot be shown: {type(error).__name__}: {error}>"
                return encode(printable(text))

        return shown

    return safe


def printable(text: str) -> str:
    """`text` on one line, without characters that a terminal would obey."""
    cut = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else "\ufffd" for letter in cut
    ).strip()


def cells(record: RecordView) -> list[str]:
    """What the row of a record shows, by `COLUMNS`; times are local."""
    started = f"{record.timestamp.astimezone():%Y-%m-%d %H:%M}"
    taken = "" if record.duration is None else duration_text(record.duration.total_seconds())
    shown = (
        record.label,
        record.task_name,
        started,
        taken,
        record.status,
        ", ".join(sorted(record.tags)),
        record.reason,
    )
    return [printable(text) for text in shown]


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


def heading(view: RecordStoreView, n_records: int) -> str:
    """One line that says which records these are."""
    plural = "" if n_records == 1 else "s"
    return f"{n_records} record{plural} of {view.project.name!r}" + (
        ", newest first" if n_records > 1 else ""
    )


def fields(record: RecordView) -> list[tuple[str, str]]:
    """Names and texts of what the display of one record shows; empty ones are left out."""
    started, taken, status, tags, reason = cells(record)[2:]
    shown: list[tuple[str, str]] = [
        ("task", f"{record.module}.{record.task_name}" if record.module else record.task_name),
        ("digest", record.digest),
        ("started", started),
        ("duration", taken),
        ("status", status),
        ("tags", tags),
        ("reason", reason),
        ("outcome", record.outcome),
        ("version", record.version),
        ("main file", record.main_file),
        ("user", record.user),
        *((f"input {name}", text) for name, text in record.input_texts.items()),
    ]
    return [(name, printable(text)) for name, text in shown if text]


@safely()
def record_line(record: RecordView) -> str:
    """Label, task and status on one line."""
    return (
        f"<{type(record).__name__} {printable(record.label)} {printable(record.task_name)} {record.status}>"
    )


@safely()
def record_text(record: RecordView) -> str:
    """The label, and a line for each field that is not empty."""
    shown = fields(record)
    width = max(len(name) for name, _ in shown)
    return "\n".join([printable(record.label), *(f"  {name.ljust(width)}  {text}" for name, text in shown)])


@safely()
def view_text(view: RecordStoreView) -> str:
    """A table of the first records, as wide as the terminal where that can be."""
    view = view[:]  # so that functions decide once
    n_records = len(view)
    lines = [heading(view, n_records)]
    columns = zip(COLUMNS, *(cells(record) for record in view[:N_SHOWN]), strict=True)
    lines += _table([column for column in columns if any(column[1:])])
    if n_records > N_SHOWN:
        lines.append(f"… and {n_records - N_SHOWN} more; dframe() has all")
    return "\n".join(lines)


def _table(columns: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the texts of `columns` side by side; the last of `SHORTENED` give way first."""
    widths = {column[0]: max(map(len, column)) for column in columns}
    excess = sum(widths.values()) + 2 * len(widths) - 2 - shutil.get_terminal_size().columns
    for name in reversed([name for name in SHORTENED if name in widths]):
        kept = max(widths[name] - max(excess, 0), min(widths[name], SHORTEST))
        excess -= widths[name] - kept
        widths[name] = kept
    rows = zip(*columns, strict=True)
    return ["  ".join(map(_fitted, row, widths.values())).rstrip() for row in rows]


def _fitted(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"
