"""The commands of `smttask store` that look at records: list, show, find-output, export."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click

from smttask.cli.columns import chosen_columns, facts, long_lines, print_lines, table_lines, whole_lines
from smttask.cli.completion import complete_columns, complete_inputs, complete_labels
from smttask.cli.filters import filter_options, narrowed
from smttask.errors import SmttaskError
from smttask.project import get_current_project

__all__ = ["export", "find_output", "list_records", "show"]

N_LISTED = 50


@click.command("list")
@filter_options()
@click.option(
    "-n", "n", type=click.IntRange(min=1), default=N_LISTED, show_default=True, help="Newest records."
)
@click.option("--all", "is_all", is_flag=True, help="All records.")
@click.option("-r", "--reverse", is_flag=True, help="Oldest first.")
@click.option(
    "--columns",
    metavar="NAMES",
    help="What to show, between commas: fields (see --help), and inputs by name or dotted path.",
    shell_complete=complete_columns,
)
@click.option("-l", "--long", "is_long", is_flag=True, help="All of each record, as `show` does.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each record, one a line.")
@click.option(
    "--pager/--no-pager", default=True, help="In a terminal, long lists open in $PAGER.  [default: yes]"
)
def list_records(
    n: int,
    is_all: bool,
    reverse: bool,
    columns: str | None,
    is_long: bool,
    as_json: bool,
    pager: bool,
    **filters: Any,
) -> None:
    """List records, newest first.

    Options that narrow may be combined; all of them must hold. Fields for --columns are label,
    task, module, digest, started, duration, status, tags, reason, outcome, version, main_file,
    user and script_arguments; an input of such a name is inputs.NAME.

    \b
    Example:
      smttask store list --task Analyze --status finished --param 'dt>=0.5'
      smttask store list --on 202611 --columns label,dt,model.sigma
    """  # noqa: D301 - click looks for the character itself
    if is_long and columns is not None:
        raise click.UsageError("--long shows all; --columns chooses: give one of them")
    view = narrowed(**filters)
    if reverse:
        view = view.narrowed(view.selection.oldest_first())
    shown = list(view if is_all else view[:n])
    chosen = None if columns is None else chosen_columns(columns, shown)
    if as_json:
        for record in shown:
            click.echo(json.dumps(facts(record, chosen), ensure_ascii=False))
        return
    lines = long_lines(shown) if is_long else table_lines(shown, chosen)
    n_all = len(shown) if len(shown) < n or is_all else len(view)
    more = f"; {len(shown)} shown, --all shows the others" if n_all > len(shown) else ""
    print_lines([*lines, f"{n_all} record{'' if n_all == 1 else 's'}{more}"], pager=pager)


@click.command()
@click.argument("label", shell_complete=complete_labels)
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
    for line in whole_lines(record):
        click.echo(line)


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
@click.option(
    "--inputs",
    metavar="NAMES",
    help="For csv: which inputs, between commas, by name or dotted path, which may lead through tasks.",
    shell_complete=complete_inputs,
)
def export(file: str, format_name: str | None, inputs: str | None, **filters: Any) -> None:
    """Write records to FILE, or to the terminal.

    \b
    Example:
      smttask store export --task Analyze sweep.csv
      smttask store export --task Analyze --inputs dt,spectrum.window sweep.csv
    """  # noqa: D301 - click looks for the character itself
    from smttask.view.export import export_records, write_records

    view = narrowed(**filters)
    names = True if inputs is None else [name.strip() for name in inputs.split(",") if name.strip()]
    if file == "-":
        write_records(view, sys.stdout.buffer, format_name or "json", names)
    else:
        export_records(view, file, format_name=format_name or "", parameters=names)
        click.echo(f"wrote {len(view)} records to {file}")
