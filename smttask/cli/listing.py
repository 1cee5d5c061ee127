"""The commands of `smttask store` that look at records: list, show, find-output, export."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import reduce
from typing import TYPE_CHECKING, Any

import click

from smttask.errors import SmttaskError
from smttask.project import get_current_project
from smttask.records.record import STATUSES

if TYPE_CHECKING:
    from smttask.view import RecordStoreView

__all__ = ["export", "filter_options", "find_output", "list_records", "narrowed", "show"]

N_LISTED = 50

FILTERS: dict[str, Callable[[Any], Any]] = {
    "--task": click.option("--task", metavar="NAME", help="Only runs of this task, by name or module.name."),
    "--status": click.option("--status", type=click.Choice(STATUSES), help="Only runs that came to this."),
    "--tag": click.option(
        "--tag", "tags", metavar="TAG", multiple=True, help="Only records with this tag; repeatable."
    ),
    "--label": click.option(
        "--label", metavar="PREFIX", help="Only labels that begin so, or fit a pattern with * or ?."
    ),
    "--since": click.option(
        "--since", metavar="WHEN", help="Only runs since then: 2026-11-22, '2026-11-22 10:15', 202611."
    ),
    "--before": click.option("--before", metavar="WHEN", help="Only runs before then."),
    "--param": click.option(
        "--param",
        "params",
        metavar="PATH=VALUE",
        multiple=True,
        help="Only runs with this input, such as model.sigma=0.1 (JSON, else text); repeatable.",
    ),
}


def filter_options(*, without: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What gives a command the options that `narrowed` takes, but for those `without`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        options = [option for name, option in FILTERS.items() if name not in without]
        return reduce(lambda decorated, option: option(decorated), reversed(options), command)

    return decorate


def narrowed(
    *,
    task: str | None,
    status: str | None,
    tags: tuple[str, ...],
    label: str | None,
    params: tuple[str, ...],
    since: str | None = None,
    before: str | None = None,
) -> RecordStoreView:
    """The records of the current project that the options of `filter_options` select."""
    from smttask.view import RecordStoreView

    view = RecordStoreView(get_current_project())
    given: list[tuple[str, str | None]] = [
        ("task", task),
        ("label", label),
        ("after", since),
        ("before", before),
    ]
    for name, value in given:
        if value is not None:
            view = getattr(view.filter, name)(value)
    for tag in (*tags, *([status] if status else [])):
        view = view.filter.tags(tag)
    return view.filter.params(eq=_parsed(params)) if params else view


def _parsed(params: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for text in params:
        path, mark, value = text.partition("=")
        if not mark:
            raise click.BadParameter(
                f"{text!r} is not PATH=VALUE, such as model.sigma=0.1", param_hint="--param"
            )
        try:
            found[path.strip()] = json.loads(value)
        except ValueError:
            found[path.strip()] = value
    return found


@click.command("list")
@filter_options()
@click.option(
    "-n", "n", type=click.IntRange(min=1), default=N_LISTED, show_default=True, help="Newest records."
)
@click.option("--all", "is_all", is_flag=True, help="All records.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each record, one a line.")
def list_records(n: int, is_all: bool, as_json: bool, **filters: Any) -> None:
    """List records, newest first.

    \b
    Example:
      smttask store list --task Analyze --status finished --param dt=0.5
    """  # noqa: D301 - click looks for the character itself
    view = narrowed(**filters)
    shown = view if is_all else view[:n]
    if as_json:
        from smttask.view.export import light_facts

        for record in shown:
            click.echo(json.dumps(light_facts(record), ensure_ascii=False))
        return
    from smttask.view.text import COLUMNS, cells

    rows = [cells(record) for record in shown]
    columns = [column for column in zip(COLUMNS, *rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True) if rows else ():
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    n_all = len(rows) if len(rows) < n or is_all else len(view)
    more = f"; {len(rows)} shown, --all shows the others" if n_all > len(rows) else ""
    click.echo(f"{n_all} record{'' if n_all == 1 else 's'}{more}")


@click.command()
@click.argument("label")
@click.option("--json", "as_json", is_flag=True, help="All that is kept about the run, as one JSON object.")
def show(label: str, as_json: bool) -> None:
    """Show the record LABEL, which may be cut short where it stays unique.

    \b
    Example:
      smttask store show 20261122-101500
    """  # noqa: D301 - click looks for the character itself
    from smttask.view import RecordStoreView

    record = RecordStoreView(get_current_project())[label]
    if as_json:
        from smttask.view.export import all_facts

        click.echo(json.dumps(all_facts(get_current_project().records.get(record.label)), ensure_ascii=False))
        return
    from smttask.view.text import printable, record_text

    click.echo(record_text(record))
    for key in record.output_data:
        click.echo(f"  output    {key.path}")
    if record.stdout_stderr:
        click.echo("  printed")
        for line in record.stdout_stderr.splitlines():
            click.echo(f"    {printable(line)}")


@click.command("find-output")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each run found, one a line.")
def find_output(files: tuple[str, ...], as_json: bool) -> None:
    """Tell which runs made FILES: files or links in the stores, or copies of outputs anywhere.

    \b
    Example:
      smttask store find-output ~/paper/figure_3.npy
    """  # noqa: D301 - click looks for the character itself
    from smttask.care.finding import find_outputs

    project, n_failed = get_current_project(), 0
    for file in files:
        try:
            found = find_outputs(project, file)
        except SmttaskError as error:
            n_failed += 1
            click.echo(str(error), err=True)
            continue
        for hit in found:
            if as_json:
                click.echo(json.dumps({"file": file, **asdict(hit)}, ensure_ascii=False))
            else:
                part = "manifest" if hit.output is None else hit.output or "result"
                click.echo(f"{hit.label}  {hit.task} {hit.digest}  {part}  {hit.path}")
    sys.exit(1 if n_failed else 0)


@click.command()
@click.argument("file", metavar="[FILE]", default="-")
@filter_options()
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["json", "csv"]),
    help="csv has a column for each input, json all.  [default: by FILE's ending, json without FILE]",
)
def export(file: str, format_name: str | None, **filters: Any) -> None:
    """Write records to FILE, or to the terminal.

    \b
    Example:
      smttask store export --task Analyze sweep.csv
    """  # noqa: D301 - click looks for the character itself
    from smttask.view.export import export_records, write_records

    view = narrowed(**filters)
    if file == "-":
        write_records(view, sys.stdout.buffer, format_name or "json")
    else:
        export_records(view, file, format_name=format_name or "")
        click.echo(f"wrote {len(view)} records to {file}")
