"""`smttask tasker`: the tasks of many folders."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from smttask.cli.displays import Shown
from smttask.cli.folders import (
    dirs_argument,
    each_tasker,
    given_folders,
    many,
    taskfile_options,
    tasks_option,
)
from smttask.cli.launching import launch, run_debugged, store_address, wait_until_start
from smttask.cli.runoptions import (
    Where,
    debug_option,
    imports_option,
    record_store_option,
    reverse_option,
    wait_option,
    where_options,
    which_shown_options,
)
from smttask.cli.taskermonitor import menu, monitor
from smttask.cli.taskertidying import clear, unlock
from smttask.executors.calls import Calls
from smttask.executors.messages import Instructions
from smttask.executors.work import Work
from smttask.headway.text import printable

if TYPE_CHECKING:
    from smttask.tasker.directory import Tasker

__all__ = ["tasker"]

UPDATE = "smttask.tasker.working:update_folder"


def _json_option(when: str = "") -> Callable[[Any], Any]:
    text = f"{when}a JSON object for each folder, one a line."
    return click.option("--json", "as_json", is_flag=True, help=text[0].upper() + text[1:])


@click.group()
def tasker() -> None:
    """Bring up to date, look at and tidy what the tasks of many folders stored."""


for command in (menu, monitor, clear, unlock):
    tasker.add_command(command)


@tasker.command()
@dirs_argument
@tasks_option
@where_options("folder", why_no_threads="tasks run in their own folder, and threads share one")
@click.option(
    "--recompute", is_flag=True, help="Run the tasks although they are up to date; not those before them."
)
@taskfile_options
@imports_option
@click.option(
    "--record/--no-record",
    default=None,
    help="Whether runs of Taskers that keep records are recorded.  [default: by the settings]",
)
@record_store_option
@reverse_option("folder")
@wait_option
@click.option("--dry-run", is_flag=True, help="Only tell what is stale, and why.")
@_json_option("with --dry-run, ")
@debug_option
@which_shown_options("folder")
def run(
    dirs: tuple[str, ...],
    tasks: tuple[str, ...],
    where: Where,
    recompute: bool,
    taskfile: str,
    taskfile_sub: str,
    imports: tuple[str, ...],
    record: bool | None,
    record_store: str | None,
    reverse: bool,
    wait_s: float,
    dry_run: bool,
    as_json: bool,
    debug: bool,
    shown: Shown,
) -> None:
    """Bring the tasks of DIRS up to date, and all they depend on.

    What is up to date is found, and what another process runs is waited for. Where a task
    fails, those that do not depend on it, and the other folders, go on; the same command
    does what is left. The exit status is 0 if all went well, else 1.

    \b
    Example:
      smttask tasker run -n4 --task summary 2026-03-01/*
    """  # noqa: D301 - click looks for the character itself
    if as_json and not dry_run:
        raise click.UsageError("--json needs --dry-run")
    folders = given_folders(dirs, quiet=shown.quiet)[:: -1 if reverse else 1]
    instructions = Instructions(
        start=os.path.abspath(folders[0]),
        imports=imports,
        keep=True,
        record=record,
        record_store=store_address(record_store),
        only_calls=True,
    )
    wait_until_start(wait_s, quiet=shown.quiet)
    if dry_run:
        with Calls(instructions):
            sys.exit(_report(folders, tasks, taskfile, taskfile_sub, as_json=as_json))
    arguments = {"tasks": tasks, "recompute": recompute, "taskfile": taskfile, "taskfile_sub": taskfile_sub}
    if debug:
        works = _works(folders, {**arguments, "raises": True})
        with Calls(instructions) as calls:
            sys.exit(run_debugged(works, calls.call, shown, keeps=True, noun="folder"))
    works = _works(folders, arguments)
    sys.exit(launch(works, where, shown, instructions, paths=tuple(folders), noun="folder"))


def _works(folders: Iterable[str], arguments: dict[str, Any]) -> Iterator[Work]:
    for number, folder in enumerate(folders):
        given = json.dumps({"folder": os.path.abspath(folder), **arguments})
        yield Work(folder, number, call=UPDATE, arguments=given)


@tasker.command()
@dirs_argument
@tasks_option
@taskfile_options
@_json_option()
def report(
    dirs: tuple[str, ...], tasks: tuple[str, ...], taskfile: str, taskfile_sub: str, as_json: bool
) -> None:
    """Tell which tasks of DIRS are stale, and why.

    Tasks that they depend on are told, too; nothing is run but the taskfiles. The exit
    status is 0 unless a folder cannot be looked at.

    \b
    Example:
      smttask tasker report --task summary 2026-03-01/*
    """  # noqa: D301 - click looks for the character itself
    sys.exit(_report(given_folders(dirs), tasks, taskfile, taskfile_sub, as_json=as_json))


def _report(
    folders: list[str], tasks: tuple[str, ...], taskfile: str, taskfile_sub: str, *, as_json: bool
) -> int:
    n_stale = n_folders = n_kept = 0

    def look(folder: str, made: Tasker) -> None:
        nonlocal n_stale, n_folders, n_kept
        from smttask.tasker.judging import label_from
        from smttask.tasker.reporting import judge
        from smttask.tasker.working import chosen_tasks

        judgement = judge(chosen_tasks(made, tasks))
        stale = [(label_from(made.folder, each.task), each.why) for each in judgement.stale()]
        remarks = [(label_from(made.folder, task), remark) for task, remark in judgement.remarks().items()]
        n_stale += len(stale)
        n_folders += bool(stale)
        n_kept += len(remarks)
        if as_json:
            facts = {
                "dir": made.folder,
                "stale": [{"task": name, "why": why} for name, why in stale],
                "remarks": [{"task": name, "remark": remark} for name, remark in remarks],
            }
            click.echo(json.dumps(facts))
            return
        click.echo(f"{printable(folder)}: {f'{len(stale)} stale' if stale else 'up to date'}")
        for name, said in [*stale, *remarks]:
            click.echo(f"  {printable(name)}: {printable(said)}")

    errors = each_tasker(folders, taskfile, taskfile_sub, look)
    for folder, error in errors.items() if as_json else ():
        click.echo(json.dumps({"dir": os.path.abspath(folder), "error": error}))
    if not as_json:
        looked_at = f"{many(len(folders) - len(errors), 'folder')}: "
        click.echo(
            looked_at
            + (f"{many(n_stale, 'stale task')} in {many(n_folders, 'folder')}" if n_stale else "up to date")
            + _kept_words(n_kept)
        )
    return 1 if errors else 0


def _kept_words(n: int) -> str:
    keep = "keeps" if n == 1 else "keep"
    return f"; {many(n, 'task')} {keep} what other code made, which `run --recompute` replaces" if n else ""
