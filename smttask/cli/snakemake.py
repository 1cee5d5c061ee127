"""`smttask snakemake`: description files as a workflow of Snakemake."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from smttask.cli.completion import complete_task_files
from smttask.errors import DescriptionError
from smttask.executors.files import check_paths, iter_files
from smttask.executors.messages import Instructions


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", shell_complete=complete_task_files)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="Snakefile",
    show_default=True,
    help="The file to write; - for the terminal.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--reason", metavar="TEXT", help="Why the tasks are run, for their records.")
@click.option(
    "--import", "imports", metavar="MODULE", multiple=True, help="Import a module and trust its package."
)
def snakemake(
    paths: tuple[str, ...], output: str, force: bool, reason: str | None, imports: tuple[str, ...]
) -> None:
    """Write a Snakefile that runs the tasks in description files.

    PATHS are files, and folders that are searched for *.taskdesc.json. There is one rule
    for each kind of task, and a target for each task: the link to its stored result.
    Recorded tasks that others depend on have targets too. The descriptions are copied to
    a folder beside the Snakefile. Snakemake runs it; smttask does not need it.

    \b
    Example:
      smttask snakemake tasks/ -o Snakefile && snakemake --cores 2
    """  # noqa: D301 - click looks for the character itself
    check_paths(paths)
    first = os.path.abspath(paths[0])
    start = first if os.path.isdir(first) else os.path.dirname(first)
    # These bring numpy and pydantic, which --help does not need
    from smttask.executors.snakemake import plan_workflow
    from smttask.executors.taskfile import TaskFiles
    from smttask.project import get_current_project

    with TaskFiles(Instructions(start=start, imports=imports)) as task_files:
        tasks = [task for path in iter_files(paths) if (task := task_files.load(path)) is not None]
        if not tasks:
            raise DescriptionError(
                "There are no description files to make a workflow of.",
                f"searched: {', '.join(paths)} for *.taskdesc.json",
                "task.save(folder) writes them",
            )
        workflow = plan_workflow(tasks, get_current_project())
        if output == "-":
            tasks_dir = Path("Snakefile.tasks")
            workflow.write_tasks(tasks_dir)
            click.echo(workflow.text(Path(), tasks_dir, imports=imports, reason=reason), nl=False)
            return
        workflow.write(Path(output), replace=force, imports=imports, reason=reason)
    name = "" if output == "Snakefile" else f"-s {shlex.quote(output)} "
    counts = f"{workflow.n_tasks} tasks by {workflow.n_rules} rules"
    click.echo(f"{output}: {counts}; to run them: snakemake {name}--cores 2")
