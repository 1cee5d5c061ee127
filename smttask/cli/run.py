"""`smttask run`: run description files."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import click

from smttask.cli.completion import complete_task_files
from smttask.cli.displays import RunDisplays
from smttask.cli.quantities import Duration, KeyValue, Size
from smttask.errors import DescriptionError, SmttaskError
from smttask.executors.choosing import make_executor
from smttask.executors.files import check_paths, iter_files
from smttask.executors.lines import Lines
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome, Summary
from smttask.executors.progress import Display, counts_text, report, slowest_text
from smttask.executors.running import run_works, works_of_files
from smttask.settings import JOURNAL


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", shell_complete=complete_task_files)
@click.option(
    "-n",
    "n",
    type=click.IntRange(min=1),
    help="Tasks at once.  [default: 1; with --scheduler as many as it has workers for]",
)
@click.option(
    "--executor",
    type=click.Choice(["process", "thread", "dask", "slurm"]),
    default="process",
    show_default=True,
    help="Where the tasks run: processes or threads of this machine, a Dask cluster, Slurm.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster.  [default: one on this machine]")
@click.option(
    "--slurm",
    "slurm_options",
    type=KeyValue(),
    multiple=True,
    metavar="NAME=VALUE",
    help="Option of sbatch (partition, time, mem, cpus, ...); or chunk, workers, cluster.",
)
@click.option(
    "--timeout", "timeout_s", type=Duration(), metavar="1h30m", help="Stop a task that takes longer."
)
@click.option(
    "--memory",
    "memory_bytes",
    type=Size(),
    metavar="4GB",
    help="End a task whose processes together take more.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Times that a task which fails or dies is tried again.",
)
@click.option(
    "--start-method",
    type=click.Choice(["spawn", "fork"]),
    default="spawn",
    show_default=True,
    help="Fresh processes, or copies of one that has imported all: quicker to start.",
)
@click.option("--keep", is_flag=True, help="Leave the files of finished tasks; else they are removed.")
@click.option("--recompute", is_flag=True, help="Run tasks although their results are stored.")
@click.option(
    "--record/--no-record",
    default=None,
    help="Fail what cannot be recorded; or compute without storing (files stay).  [default: by the settings]",
)
@click.option("--reason", metavar="TEXT", help="Why the tasks are run, for their records.")
@click.option(
    "--import", "imports", metavar="MODULE", multiple=True, help="Import a module and trust its package."
)
@click.option("--record-store", metavar="FILE", help="Another record store.")
@click.option("-r", "--reverse", is_flag=True, help="Take the files from the end.")
@click.option(
    "--wait", "wait_s", type=Duration(), metavar="1h30m", default=0.0, help="Wait before the start."
)
@click.option(
    "--dry-run", is_flag=True, help="Only tell which results are stored (hit), which not (miss), and why."
)
@click.option(
    "--pdb", "debug", is_flag=True, help="Run in one process; a task that fails opens the debugger."
)
@click.option(
    "--progress-interval",
    "interval_s",
    type=Duration(),
    metavar="30s",
    help="Plain lines that say how far all is, so often; 0: a line for each task.  "
    "[default: a table in a terminal, else 0]",
)
@click.option("--report", "report_file", metavar="FILE", help="Write an HTML page on the run at its end.")
@click.option("-v", "--verbose", is_flag=True, help="Show what tasks print, and whole tracebacks.")
@click.option("-q", "--quiet", is_flag=True, help="Show only failures.")
def run(
    paths: tuple[str, ...],
    n: int | None,
    executor: str,
    scheduler: str | None,
    slurm_options: tuple[tuple[str, str], ...],
    timeout_s: float | None,
    memory_bytes: int | None,
    retries: int,
    start_method: str,
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
    interval_s: float | None,
    report_file: str | None,
    verbose: bool,
    quiet: bool,
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
        record_store=record_store
        if record_store is None or record_store == JOURNAL or "://" in record_store
        else os.path.abspath(record_store),
    )
    _wait(wait_s, quiet)
    files = iter_files(paths, reverse=reverse)
    if dry_run:
        sys.exit(_look_up(files, paths, instructions))
    if debug:
        lines = Lines(quiet=quiet)
        summary = _run_here(files, instructions, lines)
        sys.exit(
            _finish(summary, paths, lines.slowest, verbose=verbose, quiet=quiet, keeps=instructions.keep)
        )
    displays = RunDisplays(paths, executor, n or 1, interval_s, report_file, verbose=verbose, quiet=quiet)
    with displays:
        runs_on = make_executor(
            executor,
            n=1 if n is None and not scheduler else n,
            instructions=instructions,
            scheduler=scheduler,
            slurm=dict(slurm_options) or None,
            timeout_s=timeout_s,
            memory_bytes=memory_bytes,
            retries=retries or None,
            start_method=None if start_method == "spawn" else start_method,
            shows_output=(verbose and executor != "thread") or None,
        )
        displays.summary = summary = run_works(works_of_files(files), runs_on, displays.make)
        status = _finish(
            summary, paths, displays.slowest, verbose=verbose, quiet=quiet, keeps=instructions.keep
        )
    sys.exit(status)


def _wait(wait_s: float, quiet: bool) -> None:
    if wait_s:
        if not quiet:
            start = datetime.now() + timedelta(seconds=wait_s)
            click.echo(f"Starting at {start:%Y-%m-%d %H:%M:%S}.")
        time.sleep(wait_s)


def _finish(
    summary: Summary,
    paths: tuple[str, ...],
    slowest: Sequence[Outcome],
    *,
    verbose: bool,
    quiet: bool,
    keeps: bool,
) -> int:
    """Tell what came of all; the exit status."""
    if not summary.counts and summary.signal is None:
        raise _nothing(paths)
    for line in report(summary, verbose=verbose, keeps=keeps):
        click.echo(line, err=True)
    if not quiet:
        if len(slowest) > 1 and (line := slowest_text(slowest)):
            click.echo(line)
        click.echo(counts_text(summary))
    return summary.exit_status


def _nothing(paths: tuple[str, ...]) -> DescriptionError:
    return DescriptionError(
        "There are no description files to run.",
        f"searched: {', '.join(paths)} for *.taskdesc.json",
        "task.save(folder) writes them; those of finished tasks are removed unless --keep is given",
    )


def _look_up(files: Iterator[str], paths: tuple[str, ...], instructions: Instructions) -> int:
    """A line for each file: hit or miss, and why unless it is a plain hit."""
    from smttask.executors.taskfile import TaskFiles  # brings numpy and pydantic, which workers need, not we

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
        raise _nothing(paths)
    return 1 if n_failed else 0


def _run_here(files: Iterator[str], instructions: Instructions, display: Display) -> Summary:
    """Run the files in this process; each error opens the debugger where it was raised."""
    import pdb

    from smttask.executors.failures import describe_failure
    from smttask.executors.taskfile import TaskFiles

    summary = Summary()
    begin = time.monotonic()
    with TaskFiles(instructions) as task_files:
        for work in works_of_files(files):
            begin_task = time.monotonic()
            try:
                outcome = task_files.run(work)
            except Exception as error:  # noqa: BLE001 - whatever a task raises is what the debugger is for
                outcome = describe_failure(work, error, time.monotonic() - begin_task)
                click.echo(f"{outcome.error}\n{outcome.details}", err=True)
                pdb.post_mortem(error.__traceback__)
            summary.add(outcome)
            display.planned(summary.counts.total(), is_all=False)
            display.finished(outcome)
    summary.duration_s = time.monotonic() - begin
    return summary
