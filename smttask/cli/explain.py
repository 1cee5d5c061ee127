"""`smttask explain`: why tasks in description files would be found or computed."""

from __future__ import annotations

import json
import os
import sys

import click

from smttask.cli.completion import complete_task_files
from smttask.errors import DescriptionError, SmttaskError
from smttask.executors.files import check_paths, iter_files
from smttask.executors.messages import Instructions


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", shell_complete=complete_task_files)
@click.option(
    "--import", "imports", metavar="MODULE", multiple=True, help="Import a module and trust its package."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each file, one a line.")
def explain(paths: tuple[str, ...], imports: tuple[str, ...], as_json: bool) -> None:
    """Tell for each task whether its result is stored, and why, or why not.

    PATHS are description files, and folders that are searched for *.taskdesc.json. A task
    that would be computed is compared with what is stored of it, else with the nearest
    earlier run: inputs, code and packages. Nothing is run or changed.

    \b
    Example:
      smttask explain tasks/Analyze__3f9c1b77.taskdesc.json
    """  # noqa: D301 - click looks for the character itself
    check_paths(paths)
    first = os.path.abspath(paths[0])
    start = first if os.path.isdir(first) else os.path.dirname(first)
    from smttask.executors.taskfile import TaskFiles  # brings numpy and pydantic, which --help does not need

    n_files = n_failed = 0
    with TaskFiles(Instructions(start=start, imports=imports)) as task_files:
        for path in iter_files(paths):
            n_files += 1
            try:
                found = task_files.explain(path)
            except SmttaskError as error:
                n_failed += 1
                click.echo(f"{path}: {error}", err=True)
                continue
            if as_json:
                facts = {"path": path} if found is None else {"path": path, **found.to_json()}
                click.echo(json.dumps(facts, ensure_ascii=False))
            else:
                click.echo(f"gone  {path}" if found is None else str(found))
    if not n_files:
        raise DescriptionError(
            "There are no description files to explain.",
            f"searched: {', '.join(paths)} for *.taskdesc.json",
            "task.save(folder) writes them; without a file, ask task.explain()",
        )
    sys.exit(1 if n_failed else 0)
