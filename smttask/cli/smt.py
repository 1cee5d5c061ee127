"""`smttask smt`: Sumatra's own command, in the current project."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from smttask.project import get_current_project

__all__ = ["smt"]

# What the script `smt` does; that one need not be on the path
CALL = "import sys; from sumatra.cli import smt; sys.argv[0] = 'smt'; sys.exit(smt())"


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [OPTIONS]...")
@click.pass_context
def smt(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Pass COMMAND and its OPTIONS on to Sumatra, whose record store we share.

    Sumatra runs in the current directory if that is in the project, else in the project's folder.
    Its own help: smttask smt help

    \b
    Example:
      smttask smt list --long
    """  # noqa: D301 - click looks for the character itself
    if not arguments or arguments in (("--help",), ("-h",)):
        click.echo(context.get_help())
        return
    root, here = str(get_current_project().root), os.getcwd()
    folder = here if os.path.commonpath([root, os.path.realpath(here)]) == root else root
    done = subprocess.run([sys.executable, "-P", "-c", CALL, *arguments], cwd=folder, check=False)
    context.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)
