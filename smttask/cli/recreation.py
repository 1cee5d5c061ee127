"""The commands of `smttask store` between records and description files: recreate, create-surrogates."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from smttask.cli.completion import complete_labels, complete_task_files
from smttask.cli.filters import filter_options, narrowed
from smttask.errors import InputError, RecordNotFoundError, SmttaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smttask.care.recreate import Recreated
    from smttask.view import RecordStoreView

__all__ = ["create_surrogates", "recreate"]


@click.command()
@click.argument("labels", nargs=-1, metavar="[LABELS]...", shell_complete=complete_labels)
@click.option(
    "-o", "--dir", "folder", metavar="DIR", default=".", help="Where to, made if missing.  [default: here]"
)
@filter_options()
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each record, one a line.")
def recreate(labels: tuple[str, ...], folder: str, as_json: bool, **filters: Any) -> None:
    """Write the description files of recorded tasks again, so that they can be run anew.

    LABELS may be cut short where they stay unique. Without labels the filters choose. What cannot be
    recreated, such as a task whose module is gone, is told, and the others are written all the same.

    \b
    Example:
      smttask store recreate --task Analyze --status crashed -o again
      smttask run -n4 again
    """  # noqa: D301 - click looks for the character itself
    if not labels and not any(filters.values()):
        raise InputError(
            "No records are chosen to be recreated.",
            "found: neither labels nor filters",
            "give labels, as `smttask store list` shows them, or filters such as --task",
        )
    from smttask.executors.messages import Instructions
    from smttask.executors.taskfile import TaskFiles

    n_failed, paths = 0, set()
    with TaskFiles(Instructions()):
        for done in _recreated(narrowed(**filters), labels, folder):
            if done.error is not None:
                n_failed += 1
                click.echo(f"{done.label}: {done.error}", err=True)
            else:
                paths.add(done.path)
            if as_json:
                facts = {"label": done.label, "path": done.path, "error": done.error}
                click.echo(json.dumps(facts, default=str, ensure_ascii=False))
            elif done.path is not None:
                click.echo(f"{done.label}  {done.path}")
    if not as_json:
        click.echo(f"{len(paths)} file{'' if len(paths) == 1 else 's'}")
    sys.exit(1 if n_failed else 0)


def _recreated(view: RecordStoreView, labels: tuple[str, ...], folder: str) -> Iterator[Recreated]:
    from smttask.care.recreate import Recreated, recreate

    if not labels:
        yield from recreate(view.project, view, folder)
    for label in labels:
        try:
            record = view[label]
        except RecordNotFoundError as error:
            yield Recreated(label, None, error)
        else:
            yield from recreate(view.project, [record], folder)


@click.command("create-surrogates")
@click.argument("files", nargs=-1, required=True, metavar="FILES...", shell_complete=complete_task_files)
@click.option("--dry-run", is_flag=True, help="Only tell which results have no record.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each result, one a line.")
def create_surrogates(files: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Make records for stored results that have none, of the tasks in description FILES.

    FILES are description files, and folders that are searched for *.taskdesc.json. The records are made
    from the manifests and have the tag `surrogate`; those of tasks that these depend on are made too.
    `smttask store rebuild` makes the records of all results in the output store.

    \b
    Example:
      smttask store create-surrogates tasks/Analyze__3f9c1b77.taskdesc.json
    """  # noqa: D301 - click looks for the character itself
    from smttask.care.surrogates import create_surrogates as create
    from smttask.executors.files import check_paths, iter_files
    from smttask.executors.messages import Instructions
    from smttask.executors.taskfile import TaskFiles
    from smttask.project import get_current_project

    check_paths(files)
    n_made = n_failed = 0
    with TaskFiles(Instructions()):
        for file in iter_files(files):
            try:
                found = create(get_current_project(), file, dry_run=dry_run)
            except SmttaskError as error:
                n_failed += 1
                click.echo(f"{file}: {error}", err=True)
                continue
            for item in found:
                n_made += item.is_new
                if as_json:
                    click.echo(json.dumps({"file": file, **asdict(item)}, ensure_ascii=False))
                else:
                    state = "surrogate" if item.is_new else "recorded"
                    click.echo(f"{state:<9}  {item.label}  {item.task} {item.digest}")
    if not as_json:
        click.echo(f"{'would make' if dry_run else 'made'} {n_made} record{'' if n_made == 1 else 's'}")
    sys.exit(1 if n_failed else 0)
