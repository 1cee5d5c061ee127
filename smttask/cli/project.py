"""`smttask project`: make a project, show its state."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smttask.errors import RepositoryError
from smttask.project import Project, create_project, get_current_project, is_project
from smttask.records.query import Selection
from smttask.records.record import STATUSES

if TYPE_CHECKING:
    from smttask.records.sqlite import SQLiteRecordStore

TEMPLATE = resources.files("smttask") / "project_template"


@click.group()
def project() -> None:
    """Make a project, or show its state."""


@project.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", help="Name in the record store.  [default: the folder's name]")
@click.option("--input-store", metavar="DIR", help="Links to the latest results.  [default: data]")
@click.option("--output-store", metavar="DIR", help="All results.  [default: run_dump in the input store]")
@click.option("--template/--no-template", default=True, help="Copy starter files tasks.py and run.py.")
def init(
    folder: Path, name: str | None, input_store: str | None, output_store: str | None, template: bool
) -> None:
    """Make DIR, inside a git repository, a project.

    Nothing that is there already is overwritten, so a second call does no harm.
    In a terminal, options that are not given are asked for.

    \b
    Example:
      git init lab
      smttask project init lab --name "My lab"
    """  # noqa: D301 - click looks for the character itself
    root = Path(os.path.realpath(folder))
    known = is_project(root)
    if not known:
        name = name or _ask("Name of the project", root.name)
        input_store = input_store or _ask("Folder for links to the latest results", "data")
        output_store = output_store or _ask("Folder for all results", f"{input_store.rstrip('/')}/run_dump")
    before = _ignore_text(root)
    made = create_project(root, name=name, input_store=input_store, output_store=output_store)
    added = [".gitignore"] if _ignore_text(root) != before else []
    added += _copy_template(root) if template else []
    click.echo(f"{'Already a project' if known else 'Made a project'}: {root} (name: {made.name})")
    for text, given, stands in (
        ("name", name, made.name),
        ("input store", input_store, str(made.setting("input_store"))),
        ("output store", output_store, str(made.setting("output_store"))),
    ):
        if given is not None and given != stands:
            click.echo(f"  kept: {text} {stands} (not {given})")
    if added:
        place = "" if root == Path.cwd() else f"cd {shlex.quote(str(root))} && "
        click.echo(f"  added: {', '.join(added)}")
        click.echo(f'next: {place}git add {" ".join(added)} && git commit -m "Begin a smttask project"')
    else:
        click.echo("  nothing to add")


def _ask(text: str, default: str) -> str:
    if not sys.stdin.isatty():
        return default
    return str(click.prompt(text, default=default))


def _ignore_text(root: Path) -> bytes:
    path = root / ".gitignore"
    return path.read_bytes() if path.is_file() else b""


def _copy_template(root: Path) -> list[str]:
    """Copy the starter files unless one of them is there; give the names of those copied."""
    with resources.as_file(TEMPLATE) as folder:
        sources = sorted(folder.glob("*.py"))
        if any((root / source.name).exists() for source in sources):
            return []
        for source in sources:
            shutil.copyfile(source, root / source.name)
    return [source.name for source in sources]


@project.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def status(as_json: bool) -> None:
    """Show the current project: its root, stores, git state and number of records.

    \b
    Example:
      smttask project status --json
    """  # noqa: D301 - click looks for the character itself
    facts = _facts(get_current_project())
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    git, records = facts["git"], facts["records"]
    click.echo(f"project       {facts['name']}")
    for key in ("root", "input_store", "output_store", "record_store"):
        click.echo(f"{key.replace('_', ' '):<13} {facts[key]}")
    if "problem" in git:
        click.echo(f"git           {git['problem']}")
    else:
        state = "clean" if git["clean"] else "with changes"
        click.echo(f"git           {git['commit'][:10]} on {git['branch'] or 'no branch'}, {state}")
        for path in git["changed"]:
            click.echo(f"  changed     {path}")
    counts = ", ".join(f"{n} {state}" for state, n in records["by_status"].items())
    click.echo(f"records       {records['total']}" + (f" ({counts})" if counts else ""))


def _facts(project: Project) -> dict[str, Any]:
    """Return what `status` shows, as JSON types."""
    store = project.records
    return {
        "name": project.name,
        "root": str(project.root),
        "input_store": str(project.root / project.setting("input_store")),
        "output_store": str(project.root / project.setting("output_store")),
        "record_store": str(store.path),
        "git": _git_facts(project),
        "records": _record_facts(store),
    }


def _git_facts(project: Project) -> dict[str, Any]:
    try:
        state = project.repository.state()
    except RepositoryError as error:
        return {"problem": error.what}
    changed = list(state.changed)
    return {"commit": state.commit, "branch": state.branch, "clean": not changed, "changed": changed}


def _record_facts(store: SQLiteRecordStore) -> dict[str, Any]:
    if not store.path.exists():  # counting would make it
        return {"total": 0, "by_status": {}}
    counts = {status: store.count(Selection().with_tags(f"_{status}_")) for status in STATUSES}
    by_status = {status: count for status, count in counts.items() if count}
    return {"total": store.count(), "by_status": by_status}
