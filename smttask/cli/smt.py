"""`smttask smt`: Sumatra's own command, in the current project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click

from smttask.project import get_current_project
from smttask.project.sumatra import MARK

if TYPE_CHECKING:
    from smttask.project import Project

__all__ = ["smt"]

# What the script `smt` does, which need not be on the path. Where the settings name another record store than
# Sumatra's own file, that one is opened in its place; Sumatra's way to PostgreSQL needs a Django before 3.
PROGRAM = """
import sys

own, chosen = sys.argv[1:3]
sys.argv[:3] = ["smt"]
if chosen:
    from sumatra.recordstore.django_store import db_config

    read = db_config.uri_to_db

    def uri_to_db(uri):
        if uri != own or "://" not in chosen:
            return read(chosen if uri == own else uri)
        from psycopg.conninfo import conninfo_to_dict

        told = conninfo_to_dict(chosen)
        database = {"ENGINE": "django.db.backends.postgresql", "NAME": told.pop("dbname"), "OPTIONS": told}
        return {**dict.fromkeys(("HOST", "USER", "PASSWORD", "PORT"), ""), **database}

    db_config.uri_to_db = uri_to_db
from sumatra.cli import smt

sys.exit(smt())
"""


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
    project = get_current_project()
    root, here = str(project.root), os.getcwd()
    folder = here if os.path.commonpath([root, os.path.realpath(here)]) == root else root
    own, chosen, environment = _stores(project)
    command = [sys.executable, "-P", "-c", PROGRAM, own, chosen, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, check=False)
    context.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


def _stores(project: Project) -> tuple[str, str, dict[str, str]]:
    """The record store in Sumatra's file; the one in use if it is another; and the child's environment."""
    records = project.records
    tree = json.loads((project.root / MARK).read_text(encoding="utf-8"))
    own = str(tree.get("record_store", {}).get("db_file", ""))
    chosen = "" if os.path.realpath(own) == os.path.realpath(records.address) else records.address
    # the password is no part of the address: libpq finds it where we did, unless it stood in the setting
    password = getattr(getattr(records, "url", None), "password", None)
    return own, chosen, {**os.environ, **({"PGPASSWORD": password} if password else {})}
