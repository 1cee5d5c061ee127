"""What lists of records show: fields and inputs as columns, in a table, as JSON, or page by page."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from smttask.view import RecordView

__all__ = ["chosen_columns", "facts", "long_lines", "print_lines", "table_lines", "whole_lines"]

# Names in the table that are not those of JSON
DISPLAYED = {"started": "timestamp", "duration": "duration_s"}
FIELDS = (
    *("label", "task", "module", "digest", "started", "duration", "status", "tags", "reason", "outcome"),
    *("version", "main_file", "user", "script_arguments"),
)
INPUTS = "inputs."
STYLES = {
    "finished": "green",
    "running": "yellow",
    "initialized": "yellow",
    "crashed": "red",
    "killed": "red",
}


def chosen_columns(text: str, records: Sequence[RecordView]) -> list[str]:
    """The columns named in `text`, between commas.

    Raises
    ------
    click.BadParameter
        If one is no field and none of `records` has such an input, or there is none.
    InputError
        If one is no path.
    """
    from smttask.view.paths import listed, paths_of, suggestion

    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("it names no column", param_hint="--columns")
    for name in names:
        if name in FIELDS or name in DISPLAYED.values() or not records:
            continue
        if not any(record.forms.find(name.removeprefix(INPUTS))[0] for record in records):
            inputs = sorted({known for record in records for known in paths_of(record.forms)})
            raise click.BadParameter(
                f"{name!r} is no field, and no record shown has such an input; "
                f"{suggestion(name, [*FIELDS, *inputs])}"
                f"fields: {', '.join(FIELDS)}; inputs: {listed(inputs)}",
                param_hint="--columns",
            )
    return names


def facts(record: RecordView, columns: Sequence[str] | None) -> dict[str, Any]:
    """The `columns` of a record as JSON types, None for an input that it lacks; all fields without any."""
    from smttask.view.export import light_facts

    fields = light_facts(record)
    if columns is None:
        return fields
    return {name: _fact(record, fields, name) for name in columns}


def _fact(record: RecordView, fields: dict[str, Any], name: str) -> Any:
    field = DISPLAYED.get(name, name)
    if field in fields:
        return fields[field]
    found, form = record.forms.find(name.removeprefix(INPUTS))
    return form if found else None


def table_lines(records: Sequence[RecordView], columns: Sequence[str] | None) -> Iterator[str]:
    """A line of names and one for each record; without `columns` the usual ones that are not all empty."""
    from smttask.view.text import COLUMNS, cells

    if not records:
        return
    if columns is None:
        rows = [cells(record) for record in records]
        shown = [column for column in zip(COLUMNS, *rows, strict=True) if any(column[1:])]
    else:
        rows = [_texts(record, columns) for record in records]
        shown = list(zip(columns, *rows, strict=True))
    widths = [max(map(len, column)) for column in shown]
    names = [column[0] for column in shown]
    for n_row, row in enumerate(zip(*shown, strict=True)):
        padded = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        padded[-1] = padded[-1].rstrip()
        if n_row and "status" in names:
            place = names.index("status")
            padded[place] = click.style(padded[place], fg=STYLES.get(row[place]))
        yield "  ".join(padded).rstrip()


def _texts(record: RecordView, columns: Sequence[str]) -> list[str]:
    from smttask.records.parameters import form_text
    from smttask.view.text import COLUMNS, cells, printable

    usual = dict(zip(COLUMNS, cells(record), strict=True))
    fields = facts(record, None)
    texts = []
    for name in columns:
        value = _fact(record, fields, name)
        if name in usual and name in FIELDS:  # no input, which may be called folder
            texts.append(usual[name])
        elif isinstance(value, str) or value is None:
            texts.append(printable(value or ""))
        else:
            texts.append(printable(form_text(value)))
    return texts


def long_lines(records: Sequence[RecordView]) -> Iterator[str]:
    """All of each record, with an empty line after it."""
    return chain.from_iterable((*whole_lines(record), "") for record in records)


def whole_lines(record: RecordView) -> Iterator[str]:
    """All of a record: its fields, the files that the run wrote, and what it printed."""
    from smttask.headway.text import printable_lines
    from smttask.view.text import record_text

    yield from record_text(record).splitlines()
    for key in record.output_data:
        yield f"  output    {printable_lines(key.path)}"
    if record.stdout_stderr:
        yield "  printed"
        yield from indent(printable_lines(record.stdout_stderr), "    ").splitlines()


def print_lines(lines: Sequence[str], *, pager: bool) -> None:
    """Print `lines`; in a terminal that they do not fit in, with `pager`, page by page in ``$PAGER``.

    Colours are left out where the output is no terminal, or ``NO_COLOR`` is set. As for git,
    ``PAGER`` empty or ``cat`` means none.
    """
    color = None if _may_color() else False
    command = os.environ.get("PAGER")
    is_wanted = pager and (command is None or (command.strip() and shlex.split(command)[:1] != ["cat"]))
    fits = len(lines) < shutil.get_terminal_size().lines
    if is_wanted and not fits and sys.stdout.isatty() and sys.stdin.isatty():
        click.echo_via_pager((f"{line}\n" for line in lines), color=color)
        return
    for line in lines:
        click.echo(line, color=color)


def _may_color() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
