"""`smttask project`: make a project, clone one, show its state."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import click

from smttask.errors import RecordStoreError, RepositoryError, SmttaskError
from smttask.process import this_host
from smttask.project import (
    JOURNAL_DIR,
    Project,
    create_project,
    get_current_project,
    get_project,
    is_project,
)
from smttask.project.cloning import CHANGES, Changes, Clone, clone_project, read_origin
from smttask.project.environment import find_requirements, make_environment
from smttask.records.intake import waiting_lines
from smttask.records.query import Selection
from smttask.records.record import STATUSES
from smttask.settings.address import is_url, parse_url

TEMPLATE = resources.files("smttask") / "project_template"


@click.group()
def project() -> None:
    """Make a project, clone one, or show its state."""


@project.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", help="Name in the record store.  [default: the folder's name]")
@click.option("--input-store", metavar="DIR", help="Links to the latest results.  [default: data]")
@click.option("--output-store", metavar="DIR", help="All results.  [default: run_dump in the input store]")
@click.option(
    "--record-store",
    metavar="URL|FILE",
    help="Records of all runs: a postgresql:// URL without password, or an SQLite file; made where there is "
    "none.  [default: .smt/records]",
)
@click.option("--template/--no-template", default=True, help="Copy starter files tasks.py and run.py.")
def init(
    folder: Path,
    name: str | None,
    input_store: str | None,
    output_store: str | None,
    record_store: str | None,
    template: bool,
) -> None:
    """Make DIR, inside a git repository, a project.

    Nothing that is there already is overwritten, so a second call does no harm.
    In a terminal, the name and the folders are asked for if no option tells them. Paths are
    relative to DIR.

    \b
    Example:
      git init lab
      smttask project init lab --name "My lab"
      smttask project init lab --record-store postgresql://db.lab.example/records
    """  # noqa: D301 - click looks for the character itself
    root = Path(os.path.realpath(folder))
    known = is_project(root)
    if not known:
        name = name or _ask("Name of the project", root.name)
        input_store = input_store or _ask("Folder for links to the latest results", "data")
        output_store = output_store or _ask("Folder for all results", f"{input_store.rstrip('/')}/run_dump")
    before = _ignore_text(root)
    stores = {"input_store": input_store, "output_store": output_store, "record_store": record_store}
    made = create_project(root, name=name, **stores)
    added = [".gitignore"] if _ignore_text(root) != before else []
    added += _copy_template(root) if template else []
    click.echo(f"{'Already a project' if known else 'Made a project'}: {root} (name: {made.name})")
    for text, given, stands in (
        ("name", name, made.name),
        ("input store", input_store, str(made.setting("input_store"))),
        ("output store", output_store, str(made.setting("output_store"))),
        ("record store", _address(root, record_store), made.records.address),
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


def _address(root: Path, store: str | None) -> str | None:
    """How a record store on the command line is shown: without a password, the path of a file absolute."""
    if store is None or is_url(store):
        return None if store is None else parse_url(store).text
    return os.path.normpath(root / store)


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
@click.argument("source", type=click.Path(file_okay=False))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--name", help="Name in the record store.  [default: the folder's name]")
@click.option(
    "--changes",
    type=click.Choice(CHANGES),
    default="refuse",
    show_default=True,
    help="What becomes of uncommitted changes: nothing is cloned, they stay behind, or they come along.",
)
@click.option(
    "--venv", is_flag=True, help="Make a virtual environment in TARGET/.venv, with packages by pip."
)
@click.option(
    "--requirements",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --venv: what to install.  [default: requirements.lock or requirements.txt in the clone, "
    "else what the last finished run imported]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def clone(
    source: str,
    target: Path,
    name: str | None,
    changes: Changes,
    venv: bool,
    requirements: Path | None,
    as_json: bool,
) -> None:
    """Make TARGET a second working copy of the project SOURCE, with its results and its own records.

    Both may be worked in at once: they share no branch, no record and no link to a result. Results
    are hard links, so they take no room twice, and deleting them in one project leaves them in
    the other. Other files in the input store become symbolic links.

    \b
    Example:
      smttask project clone ~/lab ~/lab-revision --venv
    """  # noqa: D301 - click looks for the character itself
    if requirements is not None and not venv:
        raise click.UsageError("--requirements says what to install with --venv")
    origin = get_project(source)
    made = clone_project(origin, target, name=name, changes=changes)
    if not as_json:
        click.echo("\n".join(_clone_lines(origin, made)))
    python = None
    if venv:
        chosen = requirements.absolute() if requirements else find_requirements(made.project, origin)
        if not as_json:
            click.echo(f"  installing {chosen} …")
        python = make_environment(made.project.root / ".venv", chosen)
        if not as_json:
            click.echo(f"  python: {python}")
    if as_json:
        facts = {"root": str(made.project.root), "name": made.project.name, "n_results": made.n_results}
        facts |= {"n_files": made.n_files, "changed": made.changed, "took_changes": made.took_changes}
        facts |= {"shared": made.shared, "python": None if python is None else str(python)}
        click.echo(json.dumps(facts, ensure_ascii=False))


def _clone_lines(origin: Project, made: Clone) -> Iterator[str]:
    yield f"Made a clone of {origin.root}: {made.project.root} (name: {made.project.name})"
    yield f"  results: {made.n_results} files; other files in the input store: {made.n_files}"
    if made.changed:
        what = "came along, uncommitted" if made.took_changes else "stayed behind"
        yield f"  {what}: {', '.join(made.changed)}"
    for store in made.shared:
        yield f"  shared: {store.replace('_', ' ')}, by a setting of both projects"


@project.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def status(as_json: bool) -> None:
    """Show the current project: its root, stores, git state and number of records.

    Where several hosts share its files it also shows which of them writes the record store,
    and which journals of others wait to be taken in.

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
    if facts["home"]:
        home = facts["home"]
        click.echo(f"home          {home['host']}, {'this' if home['is_here'] else 'another'} computer")
    if journals := facts["journals"]:
        n_runs = sum(journal["runs"] for journal in journals)
        click.echo(
            f"journals      {len(journals)} with {n_runs} new runs, for the next run on the home host"
            " or: smttask store rebuild"
        )
        for journal in journals:
            click.echo(f"  waiting     {journal['path']}")
    if facts["cloned_from"]:
        click.echo(f"cloned from   {facts['cloned_from']}")
    if "problem" in git:
        _tell_problem("git", git)
    else:
        state = "clean" if git["clean"] else "with changes"
        click.echo(f"git           {git['commit'][:10]} on {git['branch'] or 'no branch'}, {state}")
        for path in git["changed"]:
            click.echo(f"  changed     {path}")
    if "problem" in records:
        _tell_problem("records", records)
        return
    counts = ", ".join(f"{n} {state}" for state, n in records["by_status"].items())
    click.echo(f"records       {records['total']}" + (f" ({counts})" if counts else ""))


def _tell_problem(name: str, facts: dict[str, Any]) -> None:
    click.echo(f"{name:<13} {facts['problem']}")
    for line in facts["details"]:
        click.echo(f"{'':<13} {line}")


def _facts(project: Project) -> dict[str, Any]:
    """Return what `status` shows, as JSON types."""
    origin = read_origin(project.root)
    return {
        "name": project.name,
        "root": str(project.root),
        "input_store": str(project.root / project.setting("input_store")),
        "output_store": str(project.root / project.setting("output_store")),
        "record_store": project.records.address,
        "home": _home_facts(project),
        "journals": [
            {"path": os.path.relpath(path, project.root), "runs": n_runs}
            for path, n_runs in waiting_lines(project.root / JOURNAL_DIR).items()
        ],
        "cloned_from": None if origin is None else origin.source,
        "git": _git_facts(project),
        "records": _record_facts(project),
    }


def _home_facts(project: Project) -> dict[str, Any] | None:
    host = project.home.host()
    return None if host is None else {"host": host.name, "is_here": host.is_same(this_host())}


def _git_facts(project: Project) -> dict[str, Any]:
    try:
        state = project.repository.state()
    except RepositoryError as error:
        return _problem(error)
    changed = list(state.changed)
    return {"commit": state.commit, "branch": state.branch, "clean": not changed, "changed": changed}


def _record_facts(project: Project) -> dict[str, Any]:
    store = project.records
    try:
        if not store.is_made():  # counting would make it
            return {"total": 0, "by_status": {}}
        counts = {status: store.count(Selection().with_tags(f"_{status}_")) for status in STATUSES}
        by_status = {status: count for status, count in counts.items() if count}
        return {"total": store.count(), "by_status": by_status}
    except RecordStoreError as error:
        return _problem(error)


def _problem(error: SmttaskError) -> dict[str, Any]:
    """What stands in place of what cannot be known, as JSON types."""
    what, *details = str(error).splitlines()
    return {"problem": what, "details": [line.strip() for line in details]}
