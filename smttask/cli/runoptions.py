"""Options of commands that run many works: where these run, and what is shown of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from smttask.cli.displays import Shown
from smttask.cli.quantities import Duration, KeyValue, Size
from smttask.executors.choosing import make_executor
from smttask.executors.messages import Instructions

if TYPE_CHECKING:
    from smttask.protocols import Executor

__all__ = [
    "Where",
    "debug_option",
    "imports_option",
    "record_store_option",
    "reverse_option",
    "wait_option",
    "where_options",
    "which_shown_options",
]

Decorator = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Where:
    """Where works run, and what each may take; fields are those of `where_options`."""

    n: int | None
    executor: str
    scheduler: str | None
    slurm: tuple[tuple[str, str], ...]
    timeout_s: float | None
    memory_bytes: int | None
    retries: int
    start_method: str

    def make(self, instructions: Instructions, *, shows_output: bool) -> Executor:
        """The executor.

        Raises
        ------
        SettingError
            If it does not take one of the options.
        MissingExtraError
            If a library that it needs is not installed.
        """
        return make_executor(
            self.executor,
            n=1 if self.n is None and not self.scheduler else self.n,
            instructions=instructions,
            scheduler=self.scheduler,
            slurm=dict(self.slurm) or None,
            timeout_s=self.timeout_s,
            memory_bytes=self.memory_bytes,
            retries=self.retries or None,
            start_method=None if self.start_method == "spawn" else self.start_method,
            shows_output=(shows_output and self.executor != "thread") or None,
        )


class _Executors(click.Choice[str]):
    """Names of executors; one that is left out is refused with the reason."""

    def __init__(self, names: Sequence[str], why_no_threads: str) -> None:
        super().__init__(names)
        self._why = why_no_threads

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name."""
        if value == "thread" and self._why:
            self.fail(f"not in threads: {self._why}", param, ctx)
        return super().convert(value, param, ctx)


def where_options(noun: str = "task", *, why_no_threads: str = "") -> Decorator:
    """Add the options that say where works run; the command gets them as one argument, `where`.

    Parameters
    ----------
    noun
        What a work is to the user.
    why_no_threads
        If given, threads are refused, with this reason.
    """
    names = ["process", *([] if why_no_threads else ["thread"]), "dask", "slurm"]
    processes = "processes of" if why_no_threads else "processes or threads of"
    options = [
        click.option(
            "-n",
            "n",
            type=click.IntRange(min=1),
            help=f"{noun.capitalize()}s at once.  "
            "[default: 1; with --scheduler as many as it has workers for]",
        ),
        click.option(
            "--executor",
            type=_Executors(names, why_no_threads),
            default="process",
            show_default=True,
            help=f"Where the tasks run: {processes} this machine, a Dask cluster, Slurm.",
        ),
        click.option(
            "--scheduler", metavar="ADDRESS", help="Of a Dask cluster.  [default: one on this machine]"
        ),
        click.option(
            "--slurm",
            type=KeyValue(),
            multiple=True,
            metavar="NAME=VALUE",
            help="Option of sbatch (partition, time, mem, cpus, ...); or chunk, workers, cluster.",
        ),
        click.option(
            "--timeout",
            "timeout_s",
            type=Duration(above_zero=True),
            metavar="1h30m",
            help=f"Stop a {noun} that takes longer.",
        ),
        click.option(
            "--memory",
            "memory_bytes",
            type=Size(above_zero=True),
            metavar="4GB",
            help=f"End a {noun} whose processes together take more.",
        ),
        click.option(
            "--retries",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help=f"Times that a {noun} which fails or dies is tried again.",
        ),
        click.option(
            "--start-method",
            type=click.Choice(["spawn", "fork"]),
            default="spawn",
            show_default=True,
            help="Fresh processes, or copies of one that has imported all: quicker to start.",
        ),
    ]
    return _gathered(Where, "where", options)


def which_shown_options(noun: str = "file") -> Decorator:
    """Add the options that say what is shown of a run; the command gets them as one argument, `shown`."""
    options = [
        click.option(
            "--progress-interval",
            "interval_s",
            type=Duration(),
            metavar="30s",
            help=f"Plain lines that say how far all is, so often; 0: a line for each {noun}.  "
            "[default: a table in a terminal, else 0]",
        ),
        click.option(
            "--report", "report_file", metavar="FILE", help="Write an HTML page on the run at its end."
        ),
        click.option("-v", "--verbose", is_flag=True, help="Show what tasks print, and whole tracebacks."),
        click.option("-q", "--quiet", is_flag=True, help="Show only failures."),
    ]
    return _gathered(Shown, "shown", options)


imports_option: Decorator = click.option(
    "--import", "imports", metavar="MODULE", multiple=True, help="Import a module and trust its package."
)
record_store_option: Decorator = click.option("--record-store", metavar="FILE", help="Another record store.")
wait_option: Decorator = click.option(
    "--wait", "wait_s", type=Duration(), metavar="1h30m", default=0.0, help="Wait before the start."
)
debug_option: Decorator = click.option(
    "--pdb", "debug", is_flag=True, help="Run in one process; a task that fails opens the debugger."
)


def reverse_option(noun: str = "file") -> Decorator:
    """The option to begin at the end."""
    return click.option("-r", "--reverse", is_flag=True, help=f"Take the {noun}s from the end.")


def _gathered(kind: Callable[..., Any], name: str, options: Sequence[Decorator]) -> Decorator:
    """Add `options`, whose values the command gets together, as the argument `name` of this `kind`."""

    def decorate(command: Any) -> Any:
        @wraps(command)
        def gathering(**given: Any) -> Any:
            values = {field.name: given.pop(field.name) for field in fields(kind)}  # type: ignore[arg-type]
            return command(**given, **{name: kind(**values)})

        for option in reversed(options):
            gathering = option(gathering)
        return gathering

    return decorate
