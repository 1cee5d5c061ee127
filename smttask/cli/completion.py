"""What the shell completes: labels, tasks, tags, inputs and task files; and `smttask completion`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import wraps
from itertools import chain
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from smttask.project import Project

__all__ = [
    "complete_columns",
    "complete_inputs",
    "complete_labels",
    "complete_tags",
    "complete_task_files",
    "complete_tasks",
    "completion",
]

N_OFFERED = 200  # labels, the newest: nobody reads more
N_SEARCHED = 1000  # newest records, whose labels, tags and tasks are offered first
ENDING = ".taskdesc.json"
SHELLS = ("bash", "zsh", "fish")

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that lets SHELL complete commands, options, labels, tasks and files.

    Put it where the shell reads it at its start; for bash a line of ~/.bashrc, for zsh of
    ~/.zshrc: eval "$(smttask completion zsh)"; for fish a file:
    smttask completion fish > ~/.config/fish/completions/smttask.fish

    \b
    Example:
      echo 'eval "$(smttask completion bash)"' >> ~/.bashrc
    """  # noqa: D301 - click looks for the character itself
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"this version of click knows no completion for {shell}")
    program = click.get_current_context().find_root().command
    click.echo(made(program, {}, "smttask", "_SMTTASK_COMPLETE").source())


def _from_records(names: Callable[[Project, str], Iterable[CompletionItem]]) -> Complete:
    """Let the shell complete what `names` gives; nothing without project or records, or after an error."""

    @wraps(names)
    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from smttask.project import current_project

        try:
            project = current_project()
            # a record store that is asked for records is made if it is not there
            if project is None or not project.records.is_made():
                return []
            return list(names(project, incomplete))
        except Exception:  # noqa: BLE001 - what is printed here lands in the middle of the user's line
            return []

    return complete


@_from_records
def complete_labels(project: Project, incomplete: str) -> Iterable[CompletionItem]:
    """Labels of the newest records that begin with `incomplete`, with task and status as their help."""
    from smttask.records.query import Selection
    from smttask.records.reading import split_status

    columns = ["label", "task", "tags"]
    # Among 100 000 records the search by a short prefix takes 0.4 s, these 5 ms
    newest = project.records.columns(Selection().sliced(0, N_SEARCHED), columns)
    found = [row for row in newest if row[0].startswith(incomplete)]
    if not found:
        found = project.records.columns(Selection().with_label(incomplete).sliced(0, N_OFFERED), columns)
    for label, task, tags in found[:N_OFFERED]:
        yield CompletionItem(label, help=f"{task} {split_status(tags)[0]}".strip())


@_from_records
def complete_tasks(project: Project, incomplete: str) -> Iterable[CompletionItem]:
    """Names of the tasks that have stored results, or were among the last that ran."""
    from smttask.records.query import Selection

    rows = project.records.columns(Selection().sliced(0, N_SEARCHED), ["task", "module"])
    names = {task for task, _ in rows} | _folders(project)
    if "." in incomplete:
        names |= {f"{module}.{task}" for task, module in rows}
    return _items(names, incomplete)


@_from_records
def complete_tags(project: Project, incomplete: str) -> Iterable[CompletionItem]:
    """Tags of the newest records."""
    from smttask.records.query import Selection
    from smttask.records.reading import split_status

    rows = project.records.columns(Selection().sliced(0, N_SEARCHED), ["tags"])
    return _items(chain.from_iterable(split_status(tags)[1] for (tags,) in rows), incomplete)


@_from_records
def complete_inputs(project: Project, incomplete: str) -> Iterable[CompletionItem]:
    """Dotted paths of the inputs of the newest records, after those that stand before a comma."""
    from smttask.view import RecordStoreView

    return _next_items(RecordStoreView(project).params, incomplete)


@_from_records
def complete_columns(project: Project, incomplete: str) -> Iterable[CompletionItem]:
    """Fields and inputs, after the columns that stand before a comma."""
    from smttask.cli.columns import FIELDS
    from smttask.view import RecordStoreView

    return _next_items(chain(FIELDS, RecordStoreView(project).params), incomplete)


def complete_task_files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Task files, where only such fit; else what the shell knows of files and folders."""
    folder, start = os.path.split(incomplete)
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as entries:
            found = [entry for entry in entries if entry.name.startswith(start)]
    except OSError:
        found = []
    has_folders = any(entry.is_dir() for entry in found if start or not entry.name.startswith("."))
    names = sorted(entry.name for entry in found if entry.name.endswith(ENDING))
    if has_folders or not names:
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(os.path.join(folder, name)) for name in names]


def _items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(set(names)) if name and name.startswith(incomplete)]


def _next_items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The last of several, between commas."""
    before, comma, _ = incomplete.rpartition(",")
    return _items((before + comma + name for name in names), incomplete)


def _folders(project: Project) -> set[str]:
    """Names of the folders that both stores have: each is the name of a task."""
    found = []
    for setting in ("input_store", "output_store"):
        try:
            found.append(set(os.listdir(project.root / project.setting(setting))))
        except OSError:
            return set()
    return {name for name in found[0] & found[1] if not name.startswith(".")}
