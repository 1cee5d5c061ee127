"""`smttask store`: look at results and records, and keep their stores healthy."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

import click

from smttask.cli.listing import export, find_output, list_records, show
from smttask.cli.merging import merge
from smttask.cli.recreation import create_surrogates, recreate
from smttask.cli.removal import clean, delete
from smttask.project import get_current_project

__all__ = ["store"]


@click.group()
def store() -> None:
    """List, check, mend and clean results and records of the current project."""


@store.command()
@click.option("--only-sizes", is_flag=True, help="Compare the sizes of files, not their checksums.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def verify(only_sizes: bool, as_json: bool) -> None:
    """Check every result, kept value, link and record; nothing is changed.

    The exit status is 0 if all is as it was written, else 1. Records of other working copies, whose
    results are kept there, are counted.

    \b
    Example:
      smttask store verify
    """  # noqa: D301 - click looks for the character itself
    from smttask.care.verify import verify as verify_project

    done = verify_project(get_current_project(), only_sizes=only_sizes)
    if as_json:
        click.echo(json.dumps(asdict(done), ensure_ascii=False))
    else:
        for problem in done.problems:
            click.echo(f"{problem.kind:<7} {problem.what}: {problem.found}")
        for folder, n_records in done.elsewhere.items():
            click.echo(f"not looked at: {_records(n_records)} whose results are kept in {folder}")
        looked_at = f"{done.n_results} results, {done.n_values} values, {done.n_links} links"
        click.echo(f"{looked_at}, {_records(done.n_records)}: {_problems(len(done.problems))}")
    sys.exit(1 if done.problems else 0)


def _records(n: int) -> str:
    return f"{n} record{'' if n == 1 else 's'}"


def _problems(n: int) -> str:
    return {0: "no problem", 1: "1 problem"}.get(n, f"{n} problems")


@store.command()
@click.option("--links/--no-links", default=True, help="Make missing links.  [default: yes]")
@click.option("--records/--no-records", default=True, help="Make missing records.  [default: yes]")
@click.option("--here", is_flag=True, help="Let this host write the record store from now on.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be made.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def rebuild(links: bool, records: bool, here: bool, dry_run: bool, as_json: bool) -> None:
    """Make lost links and records again from the manifests; close records of dead processes.

    What is there stays as it is. A result that was invalidated is found again, since only
    its missing link says so; --no-links leaves them. Tags, comments
    and reasons come back as far as RSView edited them.

    What other hosts keep in journals is taken in. Where one of them writes the record
    store, this command refuses to; --here makes this host the one that does.

    \b
    Example:
      smttask store rebuild --dry-run
    """  # noqa: D301 - click looks for the character itself
    from smttask.care.rebuild import rebuild as rebuild_project

    project = get_current_project()
    if here and not dry_run:
        project.home.claim(replace=True)
    done = rebuild_project(project, links=links, records=records, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(asdict(done), ensure_ascii=False))
    else:
        for path in done.links:
            click.echo(f"link    {os.path.relpath(path, project.root)}")
        for label in done.journaled:
            click.echo(f"journal {label}")
        for label in done.records:
            click.echo(f"record  {label}")
        for label in done.settled:
            click.echo(f"closed  {label}")
        counts = f"{len(done.links)} links, {len(done.journaled) + len(done.records)} records"
        made = f"would make {counts}" if dry_run else f"made {counts}, closed {len(done.settled)} records"
        click.echo(made)
    for path, reason in done.damaged:
        click.echo(f"not used: {path}: {reason}", err=True)
    sys.exit(1 if done.damaged else 0)


for command in (
    *(list_records, show, find_output, export),
    *(recreate, create_surrogates, merge),
    *(clean, delete),
):
    store.add_command(command)
