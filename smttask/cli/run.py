"""`smttask run`: run description files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from smttask.cli.completion import complete_task_files
from smttask.cli.displays import Shown
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
from smttask.errors import DescriptionError, SmttaskError
from smttask.executors.files import check_paths, iter_files
from smttask.executors.messages import Instructions
from smttask.executors.running import works_of_files


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", shell_complete=complete_task_files)
@where_options()
@click.option("--keep", is_flag=True, help="Leave the files of finished tasks; else they are removed.")
@click.option("--recompute", is_flag=True, help="Run tasks although their results are stored.")
@click.option(
    "--record/--no-record",
    default=None,
    help="Fail what cannot be recorded; or compute without storing (files stay).  [default: by the settings]",
)
@click.option("--reason", metavar="TEXT", help="Why the tasks are run, for their records.")
@imports_option
@record_store_option
@reverse_option()
@wait_option
@click.option(
    "--dry-run", is_flag=True, help="Only tell which results are stored (hit), which not (miss), and why."
)
@debug_option
@which_shown_options()
def run(
    paths: tuple[str, ...],
    where: Where,
    keep: bool,
    recompute: bool,
    record: bool | None,
    reason: str | None,
    imports: tuple[str, ...],
    record_store: str | None,
    reverse: bool,
    wait_s: float,
    dry_run: bool,
    debug: bool,
    shown: Shown,
) -> None:
    """Run the tasks that description files hold.

    PATHS are files, and folders that are searched for *.taskdesc.json. Results and
    records are kept as by task.run(); a task that fails does not stop the others. The
    exit status is 0 if all went well, else 1.

    \b
    Example:
      smttask run -n4 tasks/
    """  # noqa: D301 - click looks for the character itself
    check_paths(paths)
    first = os.path.abspath(paths[0])
    instructions = Instructions(
        start=first if os.path.isdir(first) else os.path.dirname(first),
        imports=imports,
        keep=keep or record is False,
        recompute=recompute,
        record=record,
        reason=reason,
        record_store=store_address(record_store),
    )
    wait_until_start(wait_s, quiet=shown.quiet)
    files = iter_files(paths, reverse=reverse)
    nothing = _nothing(paths)
    if dry_run:
        sys.exit(_look_up(files, nothing, instructions))
    if debug:
        from smttask.executors.taskfile import TaskFiles  # brings numpy and pydantic, which workers need

        with TaskFiles(instructions) as task_files:
            works = works_of_files(files)
            sys.exit(run_debugged(works, task_files.run, shown, keeps=instructions.keep, nothing=nothing))
    sys.exit(launch(works_of_files(files), where, shown, instructions, paths=paths, nothing=nothing))


def _nothing(paths: tuple[str, ...]) -> DescriptionError:
    return DescriptionError(
        "There are no description files to run.",
        f"searched: {', '.join(paths)} for *.taskdesc.json",
        "task.save(folder) writes them; those of finished tasks are removed unless --keep is given",
    )


def _look_up(files: Iterator[str], nothing: DescriptionError, instructions: Instructions) -> int:
    """A line for each file: hit or miss, and why unless it is a plain hit."""
    from smttask.executors.taskfile import TaskFiles  # see above

    n_files = n_failed = 0
    with TaskFiles(instructions) as task_files:
        for path in files:
            n_files += 1
            try:
                found = task_files.explain(path, only_sizes=True)
            except SmttaskError as error:
                n_failed += 1
                click.echo(f"error {path}")
                click.echo(str(error), err=True)
                continue
            if found is None:
                click.echo(f"gone  {path}")
                continue
            reason = "" if found.reason == "stored" else f": {found.reason}"
            click.echo(f"{'hit' if found.hit else 'miss':<5} {path}{reason}")
            for line in () if found.hit else found.details:
                click.echo(f"      {line}")
    if not n_files:
        raise nothing
    return 1 if n_failed else 0
