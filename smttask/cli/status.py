"""`smttask status`: how the description files of a folder stand."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from smttask.cli.quantities import Duration
from smttask.errors import DescriptionError
from smttask.executors.memory import bytes_text
from smttask.executors.progress import short_name
from smttask.executors.standing import FolderStanding, RunStanding, folder_standing
from smttask.headway.text import bar_text, duration_text, printable

MOST_NAMED = 20
MOST_COMMAND = 160
CLEAR = "\x1b[H\x1b[2J\x1b[3J"


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False))
@click.option("--watch", is_flag=True, help="Show it again and again, until Ctrl-C.")
@click.option(
    "--interval", "interval_s", type=Duration(), default=2.0, metavar="10s", help="Of --watch.  [default: 2s]"
)
@click.option("--all", "shows_all", is_flag=True, help=f"Name all tasks, not only {MOST_NAMED}.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch one object a line.")
def status(folder: str, watch: bool, interval_s: float, shows_all: bool, as_json: bool) -> None:
    """Show what runs, waits and failed of the description files in DIR.

    Who runs them, where, since when, how far each task is, and the time left: told by each
    `smttask run` of this and other hosts that share the disk. What failed in
    the last run stays until it is run again.

    \b
    Example:
      smttask status --watch tasks/
    """  # noqa: D301 - click looks for the character itself
    if not os.path.isdir(folder):
        raise DescriptionError(
            f"There is no folder {folder}.",
            f"searched from: {os.getcwd()}",
            "give the folder that smttask run was given, or one around it",
            source=folder,
        )
    while True:
        standing = folder_standing(folder)
        if as_json:
            click.echo(json.dumps(standing.to_json(), indent=None if watch else 2))
        else:
            text = "\n".join(status_lines(standing, MOST_NAMED if not shows_all else None))
            click.echo(f"{CLEAR if watch and sys.stdout.isatty() else ''}{text}")
        if not watch:
            return
        sys.stdout.flush()
        time.sleep(max(interval_s, 0.1))


def status_lines(standing: FolderStanding, most: int | None) -> Iterator[str]:
    """The folder, its runs with what they run, and what failed; at most so many tasks are named."""
    numbers = [
        f"{len(standing.running)} running" if standing.running else "",
        f"{standing.n_waiting} waiting",
        f"{len(standing.failed)} failed" if standing.failed else "",
    ]
    yield f"{printable(standing.folder)}: {', '.join(filter(None, numbers))}"
    for run in standing.runs:
        yield from _run_lines(run, standing.folder, most)
    if standing.failed:
        yield "failed:"
        for failure in standing.failed[:most]:
            yield f"  {printable(failure['path'])}: {printable(failure['error'])}"
        yield from _others(len(standing.failed), most)


def _run_lines(run: RunStanding, folder: str, most: int | None) -> Iterator[str]:
    told = run.told
    who = f"{printable(told['user'])} on {printable(told['host'])}, process {told['pid']}"
    yield f"{_state_text(run)}: {_command_text(told['command'])}"
    yield f"  by {who}, since {_local(told['begun'])}"
    n_finished = sum(told["counts"].values())
    counts = ", ".join(f"{n} {status}" for status, n in told["counts"].items())
    parts = [f"{n_finished}/{told['n_planned']}{'' if told['is_all'] else '+'}", counts]
    if run.is_alive:
        parts.append(f"{told['rate']:.1f}/s")
        if told["seconds_left"] is not None:
            parts.append(f"{duration_text(told['seconds_left'])} left")
        if told["memory_bytes"]:
            parts.append(bytes_text(told["memory_bytes"]))
    else:
        parts.append(f"in {duration_text(told['elapsed_s'])}")
    yield f"  {'  '.join(filter(None, parts))}"
    if run.state == "dead" and told["running"]:
        n = len(told["running"])
        files = ", whose files are still there" if told["noun"] == "task" else ""
        yield f"  it ran {n} {told['noun']}{'' if n == 1 else 's'}{files}: run it again"
    if run.is_alive:
        for work in told["running"][:most]:
            yield f"  {_work_text(work, folder)}"
        yield from _others(len(told["running"]), most)


def _command_text(words: Sequence[str]) -> str:
    """The command as it was given; of one with many paths the beginning, and the last of them."""
    text = printable(" ".join(words))
    if len(text) <= MOST_COMMAND:
        return text
    last = printable(words[-1])
    n_kept = max(MOST_COMMAND - len(last) - 3, 0)
    kept = text[:n_kept].rpartition(" ")[0]
    return f"{kept} … {last}"


def _others(n: int, most: int | None) -> Iterator[str]:
    if most is not None and n > most:
        yield f"  and {n - most} more; --all names them"


def _state_text(run: RunStanding) -> str:
    told = run.told
    if run.state == "running":
        return f"running for {duration_text(_age_s(told['begun']))}"
    if run.state == "silent":
        return f"running, but not heard of for {duration_text(_age_s(told['told']))}"
    if run.state == "dead":
        return f"killed after {_local(told['told'])}"
    stopped = "" if told.get("signal") is None else f", stopped by signal {told['signal']}"
    return f"ended at {_local(told['ended'])}{stopped}"


def _work_text(work: dict[str, Any], folder: str) -> str:
    name = short_name(work["path"].removeprefix(folder + os.sep))
    if work["task"]:
        name += f" ← {printable(work['task'])}"
    parts = [f"worker {work['worker']}", name, duration_text(_age_s(work["since"]))]
    if (far := work["progress"]) is not None:
        bar = "" if far["share"] is None else f"{bar_text(far['share'], 10)} "
        parts.append(bar + printable(far["text"]))
    if work["memory_bytes"]:
        parts.append(bytes_text(work["memory_bytes"]))
    if work["reason"]:
        parts.append(printable(work["reason"]))
    return "  ".join(parts)


def _age_s(moment: str) -> float:
    """Seconds since `moment`; 0 where the clock of another host is ahead."""
    return max((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds(), 0.0)


def _local(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M:%S}"
