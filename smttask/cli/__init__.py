"""The command `smttask`.

A subcommand is one line in `COMMANDS`; its module is imported when the command is
called, so that ``smttask --help`` needs little more than click.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import click
from click.shell_completion import CompletionItem

from smttask.errors import SmttaskError, SmttaskWarning

__all__ = ["main"]

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it

#: name -> where the command is, and its line in the help of `smttask`
COMMANDS = {
    "project": ("smttask.cli.project:project", "Make or clone a project, or show its state."),
    "run": ("smttask.cli.run:run", "Run the tasks that description files hold."),
    "tasker": ("smttask.cli.tasker:tasker", "Bring tasks of many folders up to date, and look at them."),
    "snakemake": ("smttask.cli.snakemake:snakemake", "Write a Snakefile that runs description files."),
    "status": ("smttask.cli.status:status", "Show what runs, waits and failed in a folder of tasks."),
    "explain": ("smttask.cli.explain:explain", "Tell why tasks would be found or computed."),
    "store": ("smttask.cli.store:store", "List, check, mend and clean results and records."),
    "debug": ("smttask.cli.debug:debug", "Look into description files, and compare runs."),
    "completion": ("smttask.cli.completion:completion", "Print what lets a shell complete commands."),
    "smt": ("smttask.cli.smt:smt", "Call Sumatra in the current project."),
}


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show our own warnings without the line of our code that they come from."""
    plain = warnings.formatwarning

    def formatted(message: Any, category: type[Warning], *place: Any, **more: Any) -> str:
        is_ours = issubclass(category, SmttaskWarning)
        return f"Warning: {message}\n" if is_ours else plain(message, category, *place, **more)

    warnings.formatwarning = formatted
    try:
        yield
    finally:
        warnings.formatwarning = plain


def _open_missing_streams() -> None:
    """Let streams that were closed for this process (``>&-``, daemons) lead nowhere.

    Else the next file that is opened would get their numbers, and what is printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
        stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)


class _LazyGroup(click.Group):
    """A group that imports a subcommand when it is called and shows our errors as messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return cast("click.Command", getattr(importlib.import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Subcommands by the table, which imports none of them, and options."""
        items = [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items()]
        found = [item for item in items if item.value.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def main(self, *args: Any, **extra: Any) -> Any:
        _open_missing_streams()
        return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _plain_warnings():
                return super().invoke(ctx)
        except SmttaskError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="smttask", message="%(prog)s %(version)s")
def main() -> None:
    """Typed pure functions as tasks: results on disk, runs in a Sumatra record store.

    \b
    Example:
      git init lab && cd lab
      smttask project init
    """  # noqa: D301 - click looks for the character itself
