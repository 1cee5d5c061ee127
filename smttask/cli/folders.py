"""The folders that commands of `smttask tasker` are given, and the Taskers of these."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import reduce
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from smttask.errors import TaskfileError
from smttask.headway.text import printable_lines

if TYPE_CHECKING:
    from smttask.tasker.directory import Tasker

__all__ = ["dirs_argument", "each_tasker", "given_folders", "many", "taskfile_options", "tasks_option"]

Decorator = Callable[[Any], Any]

dirs_argument: Decorator = click.argument(
    "dirs", nargs=-1, required=True, metavar="DIRS...", type=click.Path()
)
tasks_option: Decorator = click.option(
    "--task", "tasks", metavar="NAME", multiple=True, help="Only this task; repeatable.  [default: all]"
)


def taskfile_options(command: Any) -> Any:
    """Add the options that say how taskfiles are called."""
    options = [
        click.option(
            "--taskfile",
            metavar="NAME",
            default="taskfile.py",
            show_default=True,
            help="Of the taskfile in a folder.",
        ),
        click.option(
            "--taskfile-sub",
            metavar="NAME",
            default="taskfile_sub.py",
            show_default=True,
            help="Of the one above, where a folder has none.",
        ),
    ]
    return reduce(lambda decorated, option: option(decorated), reversed(options), command)


def given_folders(dirs: Sequence[str], *, quiet: bool = False) -> list[str]:
    """The folders among `dirs`, each once; that plain files are passed over is told.

    Patterns such as ``data/*`` match these, too. A folder that is not there is kept:
    whoever works on it tells.

    Raises
    ------
    click.UsageError
        If a name is empty, as that of a shell variable which is not set.
    TaskfileError
        If none of them is a folder.
    """
    if not all(dirs):
        raise click.UsageError("the name of a folder is empty; write . for the folder you are in")
    folders: dict[str, str] = {}
    files = []
    for path in dirs:
        shown = path.rstrip(os.sep) or path
        if os.path.isdir(path) or not os.path.lexists(path):
            folders.setdefault(os.path.realpath(path), shown)
        else:
            files.append(shown)
    if not any(map(os.path.isdir, folders)):
        first = [*folders.values(), *files][0]
        others = f" (and {len(dirs) - 1} more)" if len(dirs) > 1 else ""
        raise TaskfileError(
            f"There is no folder {first}{others}.",
            f"found: {'nothing' if folders else 'a file'}; searched from: {os.getcwd()}",
            "name folders for which a taskfile makes tasks",
            folder=first,
        )
    if files and not quiet:
        n = len(files)
        click.echo(f"Passed over {n} file{'' if n == 1 else 's'}: {_named(files)}", err=True)
    return list(folders.values())


def _named(files: Sequence[str]) -> str:
    return ", ".join(files[:3]) + (", ..." if len(files) > 3 else "")


def each_tasker(
    folders: Sequence[str], taskfile: str, taskfile_sub: str, act: Callable[[str, Tasker], None]
) -> dict[str, str]:
    """Do something with each folder and its Tasker; what goes wrong with one is told, and stops no other.

    It is done in the project around the first folder, as in a worker: taskfiles import what lies in its root.

    Returns
    -------
    dict
        For each folder that something went wrong with the error in one line.
    """
    from smttask.executors.calls import Calls
    from smttask.executors.failures import describe_failure
    from smttask.executors.messages import Instructions
    from smttask.executors.work import Work
    from smttask.tasker.discovery import use

    errors = {}
    with Calls(Instructions(start=os.path.abspath(folders[0]), only_calls=True)):
        for folder in folders:
            try:
                with redirect_stdout(sys.stderr):  # what a taskfile prints is no line of ours
                    made = use(folder, taskfile, taskfile_sub)
                act(folder, made)
            except Exception as error:  # noqa: BLE001 - code of the taskfile
                told = describe_failure(Work(folder), error, 0.0)
                errors[folder] = told.error
                click.echo(
                    printable_lines(f"{folder}: {told.error}\n{indent(told.details, '  ')}".rstrip()),
                    err=True,
                )
    return errors


def many(n: int, noun: str) -> str:
    """So many things, in words.

    Examples
    --------
    >>> many(1, "task"), many(2, "task")
    ('1 task', '2 tasks')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"
