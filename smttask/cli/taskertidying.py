"""The commands of `smttask tasker` that tidy folders: clear, unlock."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from smttask.cli.folders import (
    dirs_argument,
    each_tasker,
    given_folders,
    many,
    taskfile_options,
    tasks_option,
)
from smttask.cli.quantities import size_text
from smttask.cli.removal import may_go_on, with_safety
from smttask.errors import LockError
from smttask.headway.text import printable
from smttask.storage.locks import find_holder

if TYPE_CHECKING:
    from smttask.tasker.directory import Tasker
    from smttask.tasker.unit import TaskUnit

__all__ = ["clear", "unlock"]


@dataclass
class _Stored:
    """A task of a folder, and files and folders that it stored."""

    folder: str
    task: TaskUnit
    paths: list[str] = field(default_factory=list)

    @property
    def n_bytes(self) -> int:
        return sum(map(_size, self.paths))


def _size(path: str) -> int:
    """Bytes of a file, or of all below a folder."""
    if os.path.islink(path) or not os.path.isdir(path):
        return os.lstat(path).st_size
    return sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, files in os.walk(path) for name in files
    )


@click.command()
@dirs_argument
@tasks_option
@taskfile_options
@with_safety
def clear(
    dirs: tuple[str, ...],
    tasks: tuple[str, ...],
    taskfile: str,
    taskfile_sub: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete what the tasks of DIRS stored, files and folders.

    What their functions took, and files that no task stores, stay. Tasks that are running
    are left as they are.

    \b
    Example:
      smttask tasker clear --task summary --dry-run 2026-03-01/*
    """  # noqa: D301 - click looks for the character itself
    found: list[_Stored] = []

    def look(folder: str, made: Tasker) -> None:
        from smttask.tasker.working import chosen_tasks

        for task in chosen_tasks(made, tasks):
            if paths := [path for path in task.output_paths if os.path.lexists(path)]:
                found.append(_Stored(folder, task, paths))
            elif tasks and not task.output_paths:
                task.clear()  # which says that it stores nothing

    errors = each_tasker(given_folders(dirs), taskfile, taskfile_sub, look)
    counts = f"{many(sum(len(each.paths) for each in found), 'file')}, "
    counts += size_text(sum(each.n_bytes for each in found))
    for each in found if not as_json else ():
        for path in each.paths:
            click.echo(f"{each.task.name:<12} {printable(os.path.relpath(path))}")
    is_done = bool(found) and not dry_run and may_go_on(f"Delete {counts}?", yes)
    cleared = [each for each in found if is_done and _clear(each, errors)]
    if as_json:
        facts = {
            "found": [{"dir": e.task.tasker.folder, "task": e.task.name, "paths": e.paths} for e in found],
            "cleared": len(cleared),
            "errors": {os.path.abspath(folder): error for folder, error in errors.items()},
        }
        click.echo(json.dumps(facts))
    elif not found:
        click.echo("nothing to delete")
    elif dry_run:
        click.echo(f"would delete {counts}")
    else:
        click.echo(f"cleared {many(len(cleared), 'task')}" if is_done else "nothing deleted")
    sys.exit(1 if errors else 0)


def _clear(stored: _Stored, errors: dict[str, str]) -> bool:
    """Delete it; False, and what is told, if that cannot be."""
    try:
        stored.task.clear()
    except (LockError, OSError) as error:
        errors[stored.folder] = str(error).partition("\n")[0]
        click.echo(str(error), err=True)
        return False
    return True


@click.command()
@dirs_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask, also where a task is running.")
def unlock(dirs: tuple[str, ...], yes: bool) -> None:
    """Break the locks of DIRS.

    Never needed after a crash, for a lock ends with its owner. A task that is running would
    go on, and could be run a second time beside it.

    \b
    Example:
      smttask tasker unlock 2026-03-01/movie1
    """  # noqa: D301 - click looks for the character itself
    from smttask.tasker.directory import Tasker
    from smttask.tasker.state import find_locks

    given = given_folders(dirs)
    folders = [folder for folder in given if os.path.isdir(folder)]
    for folder in given:
        if folder not in folders:
            click.echo(f"There is no folder {printable(folder)}.", err=True)
    holders = {path: find_holder(path) for folder in folders for path in find_locks(folder)}
    for path, holder in holders.items():
        click.echo(f"{printable(os.path.relpath(path))}: held by {holder or 'nobody'}")
    n_held = sum(map(bool, holders.values()))
    if n_held and not may_go_on(f"Break {many(n_held, 'lock')} of running tasks?", yes):
        click.echo("nothing unlocked")
        return
    for folder in folders:
        Tasker(folder).unlock()
    click.echo(f"{many(len(holders), 'lock')} broken" if holders else "nothing is locked")
    sys.exit(1 if len(folders) < len(given) else 0)
