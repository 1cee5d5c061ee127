"""Make a folder a project."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from smttask.errors import ProjectError, short_repr
from smttask.project.project import Project, get_project, open_records
from smttask.project.search import forget_searches
from smttask.project.sumatra import DEFAULT_RECORD_STORE, is_project, write_json, write_sumatra_project
from smttask.settings import JOURNAL, SETTINGS, config, read_project_file
from smttask.settings.address import StoreURL, is_url

__all__ = ["create_project"]

NAME_WIDTH = 50  # of Sumatra's column
DEFAULT_STORES = {"input_store": "data", "output_store": "data/run_dump"}


def create_project(
    root: Path,
    *,
    name: str | None = None,
    input_store: str | None = None,
    output_store: str | None = None,
    record_store: str | os.PathLike[str] | None = None,
) -> Project:
    """Make the folder `root`, inside a git working copy, a project.

    What is there already is kept: an existing ``.smt/project``, settings, lines of ``.gitignore``.

    Parameters
    ----------
    name
        Name in the record store; the folder's name if None.
    input_store, output_store
        Folders for the links to the latest results and for all results, absolute
        or relative to `root`.
    record_store
        File, absolute or relative to `root`, or ``postgresql://`` URL without a password. It is
        made, or shown to be one, before anything else is written; ``.smt/records``, which is made
        by the first run, if None.

    Raises
    ------
    ProjectError
        If `root` is in no git working copy, or cannot be written to, or Sumatra takes no such name.
    SettingError
        If there can be no such record store.
    RecordStoreError
        If the record store cannot be used.
    """
    root = Path(os.path.realpath(root))
    working_copy = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if working_copy is None:
        raise ProjectError(
            f"{root} cannot become a project: it is in no git repository.",
            "smttask records by which commit a result was made",
            f"to make one: git init {shlex.quote(str(root))}",
        )
    chosen = {"input_store": input_store, "output_store": output_store}
    known = read_project_file(root)
    stores = {key: str(known.get(key) or chosen[key] or default) for key, default in DEFAULT_STORES.items()}
    files: list[str] = []
    try:
        if not is_project(root):
            name = _checked_name(name, root)
            records = DEFAULT_RECORD_STORE
            if record_store is not None and "record_store" not in known:
                records = _checked_records(record_store, root, name, stores)
            (root / ".smt").mkdir(parents=True, exist_ok=True)
            kept = {**stores, "record_store": records}
            _keep_settings(root, {key: kept[key] for key in kept if key not in known})
            write_sumatra_project(
                root,
                name,
                working_copy=working_copy,
                input_dir=root / stores["input_store"],
                output_dir=root / stores["output_store"],
                record_store=records,
            )
            files = [] if is_url(records) else [records]
        _ignore(root, [".smt", *stores.values()], files)
    except OSError as error:
        raise ProjectError(
            f"{root} cannot become a project.", f"found: {error}", "give yourself the right to write there"
        ) from error
    forget_searches()
    return get_project(root)


def _checked_name(name: str | None, root: Path) -> str:
    """Return `name`, or one made from the folder's, as Sumatra's web pages take it."""
    if name is None:
        name = re.sub(r"[^\w -]", "_", root.name).lstrip(" -")[:NAME_WIDTH] or "project"
    if not re.fullmatch(r"\w[\w -]*", name) or len(name) > NAME_WIDTH:
        raise ProjectError(
            f"A project cannot be called {short_repr(name)}.",
            f"expected: at most {NAME_WIDTH} letters, digits, _, - and spaces, not beginning with - or space",
            "choose another name",
        )
    return name


def _checked_records(given: object, root: Path, name: str, stores: Mapping[str, str]) -> str:
    """The record store `given` as it stands in a file, after it was opened, or made if it was not there."""
    at = SETTINGS["record_store"].checked(given, "the record store of a new project")
    own = config.get("record_store", {})
    if at == JOURNAL:
        raise ProjectError(
            "A new project needs a record store; journals are brought to one.",
            f"found: the record store {JOURNAL!r}",
            "name a file or a URL",
        )
    if isinstance(at, StoreURL):
        if isinstance(own, StoreURL) and own.text == at.text:
            at = own  # which may have the password
    else:
        at = Path(os.path.normpath(at))
        (root / at).parent.mkdir(parents=True, exist_ok=True)
    roots = {"input_root": root / stores["input_store"], "output_root": root / stores["output_store"]}
    records = open_records(at, root, name, **roots)
    try:
        records.count()
    finally:
        records.close()
    return f"./{at}" if str(at) == JOURNAL else str(at)


def _keep_settings(root: Path, stores: Mapping[str, str]) -> None:
    """Write those of `stores` that are not at their default to ``.smt/smttask.json``."""
    path = root / ".smt" / "smttask.json"
    defaults = {**DEFAULT_STORES, "record_store": DEFAULT_RECORD_STORE}
    changed = {key: folder for key, folder in stores.items() if folder != defaults[key]}
    if changed:
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        write_json(path, {**before, **changed})


def _ignore(root: Path, folders: Sequence[str], files: Sequence[str]) -> None:
    """Add `folders` and databases to ``.gitignore``, those that a line there or another does not cover."""
    path = root / ".gitignore"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    covered = [line.strip().strip("/") for line in text.splitlines()]
    added = []
    for place in (*folders, *files):
        relative = os.path.relpath(root / place, root).replace(os.sep, "/")
        parents = [relative, *map(str, Path(relative).parents)]
        if not relative.startswith("..") and not any(parent in covered for parent in parents):
            covered.append(relative)
            added.append(f"/{relative}{'*' if place in files else '/'}\n")  # SQLite has files beside its own
    if added:
        separator = "" if not text or text.endswith("\n") else "\n"
        path.write_text(text + separator + "".join(added), encoding="utf-8")
