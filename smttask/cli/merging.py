"""`smttask store merge`: records of other stores taken into that of the project."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from smttask.project import get_current_project

if TYPE_CHECKING:
    from smttask.care.merge import Collisions, Merged

__all__ = ["merge"]


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCES...")
@click.option(
    "--collisions",
    type=click.Choice(["stop", "ours", "rename"]),
    default="stop",
    show_default=True,
    help="What becomes of records whose label another run has here: change nothing, leave them out, or add "
    "them under another label.",
)
@click.option(
    "--project", "source_project", metavar="NAME", help="Whose records, if a source has those of several."
)
@click.option("--data", is_flag=True, help="Also copy the results of project folders that are not here.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each source, one a line.")
def merge(
    sources: tuple[str, ...],
    collisions: Collisions,
    source_project: str | None,
    data: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take the records of other stores into that of the current project.

    SOURCES are folders of projects, SQLite files such as .smt/records, and postgresql:// URLs, made by
    smttask or Sumatra; they are only read. A run that is here already gets the tags and comments of
    both. The store as it was is kept as records.<time>.backup. A merge that was interrupted is
    completed by the next.

    \b
    Example:
      smttask store merge ../laptop/lab --data
    """  # noqa: D301 - click looks for the character itself
    from smttask.care.merge import merge as merge_records

    project, is_kept = get_current_project(), False
    for source in sources:
        done = merge_records(
            project,
            source,
            collisions=collisions,
            source_project=source_project,
            data=data,
            backup=not is_kept,
            dry_run=dry_run,
        )
        is_kept = is_kept or bool(done.backup)
        if as_json:
            click.echo(json.dumps(asdict(done), ensure_ascii=False))
        else:
            _tell(done, dry_run=dry_run)


def _tell(done: Merged, *, dry_run: bool) -> None:
    for label in done.updated:
        click.echo(f"update   {label}")
    for label, new in done.renamed.items():
        click.echo(f"rename   {label}: {new}")
    for label in done.collisions:
        click.echo(f"taken    {label}: left out")
    for label in done.running:
        click.echo(f"running  {label}: left out, merge again when it has ended")
    n_added = len(done.added) + len(done.renamed)
    counts = f"{n_added} new records, {len(done.updated)} updated, {done.n_equal} equal"
    results = f", {len(done.results)} results" if done.results else ""
    click.echo(f"{done.source}: {'would merge ' if dry_run else ''}{counts}{results}")
    if done.backup:
        click.echo(f"before: {done.backup}")
