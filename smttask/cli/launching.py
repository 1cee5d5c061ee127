"""What commands that run many works do: wait, run them, show it, and sum it up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from smttask.cli.displays import RunDisplays, Shown
from smttask.cli.runoptions import Where
from smttask.errors import SmttaskError
from smttask.executors.failures import describe_failure
from smttask.executors.lines import Lines
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome, Summary
from smttask.executors.progress import counts_text, report, slowest_text
from smttask.executors.running import run_works
from smttask.executors.work import Work
from smttask.settings import JOURNAL

__all__ = ["launch", "run_debugged", "store_address", "wait_until_start"]


def wait_until_start(wait_s: float, *, quiet: bool) -> None:
    """Return after so many seconds, and say when that is."""
    if wait_s:
        if not quiet:
            start = datetime.now() + timedelta(seconds=wait_s)
            click.echo(f"Starting at {start:%Y-%m-%d %H:%M:%S}.")
        time.sleep(wait_s)


def store_address(given: str | None) -> str | None:
    """The record store that a user named, for processes with other working directories."""
    if given is None or given == JOURNAL or "://" in given:
        return given
    return os.path.abspath(given)


def launch(
    works: Iterable[Work],
    where: Where,
    shown: Shown,
    instructions: Instructions,
    *,
    paths: tuple[str, ...],
    nothing: SmttaskError | None = None,
    noun: str = "task",
) -> int:
    """Run `works` and show it; the exit status.

    Parameters
    ----------
    paths
        As the user gave them.
    nothing
        What is raised if there are no works.
    noun
        What a work is to the user; see `smttask.executors.statusfile`.
    """
    displays = RunDisplays(paths, where.executor, where.n or 1, shown, noun=noun)
    with displays:
        executor = where.make(instructions, shows_output=shown.verbose)
        displays.summary = summary = run_works(works, executor, displays.make)
        return _summed_up(
            summary, displays.slowest, shown, keeps=instructions.keep, nothing=nothing, noun=noun
        )


def run_debugged(works: Iterable[Work], run: Callable[[Work], Outcome], shown: Shown, **how: Any) -> int:
    """Run `works` in this process; each error opens the debugger where it was raised. The exit status.

    Parameters
    ----------
    run
        Lets through what goes wrong.
    **how
        For the summary: `keeps`, `nothing` and `noun`, see `launch`.
    """
    import pdb

    summary, lines = Summary(), Lines(quiet=shown.quiet)
    begin = time.monotonic()
    for work in works:
        begun_s = time.monotonic()
        try:
            outcome = run(work)
        except Exception as error:  # noqa: BLE001 - whatever a task raises is what the debugger is for
            outcome = describe_failure(work, error, time.monotonic() - begun_s)
            click.echo(f"{outcome.error}\n{outcome.details}", err=True)
            pdb.post_mortem(error.__traceback__)
        summary.add(outcome)
        lines.planned(summary.counts.total(), is_all=False)
        lines.finished(outcome)
    summary.duration_s = time.monotonic() - begin
    return _summed_up(summary, lines.slowest, shown, **how)


def _summed_up(
    summary: Summary,
    slowest: Sequence[Outcome],
    shown: Shown,
    *,
    keeps: bool,
    nothing: SmttaskError | None = None,
    noun: str = "task",
) -> int:
    """Tell what came of all; the exit status."""
    if nothing is not None and not summary.counts and summary.signal is None:
        raise nothing
    for line in report(summary, verbose=shown.verbose, keeps=keeps, noun=noun):
        click.echo(line, err=True)
    if not shown.quiet:
        if len(slowest) > 1 and (line := slowest_text(slowest)):
            click.echo(line)
        click.echo(counts_text(summary, noun=noun))
    return summary.exit_status
