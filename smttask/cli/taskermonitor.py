"""The commands of `smttask tasker` that look at folders: menu, monitor."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from smttask.cli.folders import dirs_argument, each_tasker, given_folders, taskfile_options
from smttask.cli.quantities import Duration

if TYPE_CHECKING:
    from smttask.tasker.directory import Tasker

__all__ = ["menu", "monitor"]


@click.command()
@dirs_argument
@click.option(
    "--why",
    "says_why",
    is_flag=True,
    help="Say below each stale task why it is stale, and what other code made.",
)
@taskfile_options
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each task, one a line.")
def menu(dirs: tuple[str, ...], says_why: bool, taskfile: str, taskfile_sub: str, as_json: bool) -> None:
    """Show the tasks of DIRS, with a + where one is done.

    Nothing is run but the taskfiles. If one fails, the other folders are still shown.

    \b
    Example:
      smttask tasker menu --why 2026-03-01/*
    """  # noqa: D301 - click looks for the character itself
    from smttask.tasker.menu import menu_text

    folders = given_folders(dirs, quiet=as_json)

    def show(folder: str, tasker: Tasker) -> None:
        text = "\n".join(_json_lines(tasker)) if as_json else menu_text(tasker, why=says_why)
        if folder != folders[0] and not as_json:
            click.echo()
        if text:
            click.echo(text)

    sys.exit(1 if each_tasker(folders, taskfile, taskfile_sub, show) else 0)


def _json_lines(tasker: Tasker) -> Iterator[str]:
    from smttask.tasker.menu import summary
    from smttask.tasker.reporting import judge

    judgement = judge(tasker.tasks.values())
    for name, task in tasker.tasks.items():
        facts: dict[str, Any] = {
            "dir": tasker.folder,
            "task": name,
            "is_done": judgement.is_done(task),
            "why": judgement.why(task),
            "remark": judgement.remark(task),
            "description": summary(task),
            "outputs": [str(path) for path in task.output_files],
        }
        yield json.dumps(facts)


@click.command()
@dirs_argument
@click.option(
    "--interval",
    "interval_s",
    type=Duration(),
    default=5.0,
    metavar="10s",
    help="Between looks.  [default: 5s]",
)
@click.option("--once", is_flag=True, help="Look once, not until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Look once: a JSON object for each row, one a line.")
def monitor(dirs: tuple[str, ...], interval_s: float, once: bool, as_json: bool) -> None:
    """Show what the tasks of DIRS do at the moment, until Ctrl-C.

    Whoever runs them, on whatever host: each folder has a row for each of its running tasks, else one
    for the task that ran last. Times in JSON are seconds.

    \b
    Example:
      smttask tasker monitor 2026-03-01/*
    """  # noqa: D301 - click looks for the character itself
    from smttask.tasker.monitor import Monitor

    looking = Monitor(given_folders(dirs, quiet=as_json))
    if as_json:
        for row in looking.standings():
            rounded = {
                name: round(value, 6) if isinstance(value, float) else value
                for name, value in asdict(row).items()
            }
            click.echo(json.dumps(rounded))
    elif once:
        looking.show()
    else:
        looking.watch(max(interval_s, 0.1))
