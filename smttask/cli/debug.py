"""`smttask debug`: look into description files and compare runs."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smttask.cli.completion import complete_labels, complete_task_files
from smttask.project import get_current_project
from smttask.records.differences import MISSING
from smttask.records.parameters import form_text

if TYPE_CHECKING:
    from smttask.view import RecordView

__all__ = ["debug"]


@click.group()
def debug() -> None:
    """Look into description files, and compare runs."""


@debug.command()
@click.argument("file", shell_complete=complete_task_files)
@click.option("--json", "as_json", is_flag=True, help="One JSON object; inputs stand as text.")
def humanize(file: str, as_json: bool) -> None:
    """Print a description file as indented text, each task once.

    Tasks among the inputs stand by name, arrays by one line. Files of SumatraTask are shown
    as they are.

    \b
    Example:
      smttask debug humanize tasks/Analyze__3f9c1b77.taskdesc.json
    """  # noqa: D301 - click looks for the character itself
    from smttask.care.descriptions import humanize as humanized
    from smttask.care.descriptions import readable_tasks
    from smttask.tasks.description import read_description

    tree = read_description(Path(file))[0]
    if not as_json:
        click.echo(humanized(tree))
    elif "tasks" in tree:
        click.echo(json.dumps({"task": tree["task"], "tasks": readable_tasks(tree)}, ensure_ascii=False))
    else:
        click.echo(json.dumps(tree, ensure_ascii=False))


@debug.command("key-parents")
@click.argument("pattern")
@click.argument("file", shell_complete=complete_task_files)
@click.option("--json", "as_json", is_flag=True, help="One JSON object of paths and values, for scripts.")
def key_parents(pattern: str, file: str, as_json: bool) -> None:
    """Print the paths of all keys and values in FILE that contain PATTERN.

    FILE is a description, a manifest or any JSON. The exit status is 1 if there are none.

    \b
    Example:
      smttask debug key-parents sigma tasks/Analyze__3f9c1b77.taskdesc.json
    """  # noqa: D301 - click looks for the character itself
    from smttask.care.descriptions import find_paths, read_json_file

    found = find_paths(read_json_file(file), pattern)
    if as_json:
        click.echo(json.dumps(dict(found), ensure_ascii=False))
    else:
        for path, text in found:
            click.echo(f"{path}: {text}")
        if not found:
            click.echo(f"Nothing in {file} contains {pattern!r}.", err=True)
    sys.exit(0 if found else 1)


@debug.command()
@click.argument("first", shell_complete=complete_labels)
@click.argument("second", shell_complete=complete_labels)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object: what differs, and how it is on each side."
)
def compare(first: str, second: str, as_json: bool) -> None:
    """Print what differs between two runs or description files: labels of records, or paths.

    Of two records inputs, code and packages are compared, else inputs. Labels may be cut short
    where they stay unique.

    \b
    Example:
      smttask debug compare 20261122-101500 20261122-111500
    """  # noqa: D301 - click looks for the character itself
    from smttask.view import RecordView
    from smttask.view.compare import ParameterComparison, compare_records

    old, new = _source(first), _source(second)
    if isinstance(old, RecordView) and isinstance(new, RecordView):
        runs = compare_records(old, new)
        differences = [asdict(difference) for difference in runs.differences]
        text = str(runs)
    else:
        inputs = ParameterComparison([old, new], [first, second])
        differences = [
            {"kind": "input", "name": place, "old": _text(forms[0]), "new": _text(forms[1])}
            for place, forms in inputs.differences.items()
        ]
        text = str(inputs)
    if as_json:
        labels = [
            each.label if isinstance(each, RecordView) else given
            for each, given in ((old, first), (new, second))
        ]
        click.echo(json.dumps({"labels": labels, "differences": differences}, ensure_ascii=False))
    else:
        click.echo(text)


def _text(form: Any) -> str:
    """How an input stands in a list of differences; MISSING as it calls itself."""
    return repr(form) if form is MISSING else form_text(form)


def _source(text: str) -> RecordView | Any:
    """The description in a file, or the record of a label."""
    if os.path.exists(text) or text.endswith(".json"):
        from smttask.tasks.description import read_description

        return read_description(text)[0]
    from smttask.view import RecordStoreView

    return RecordStoreView(get_current_project())[text]
