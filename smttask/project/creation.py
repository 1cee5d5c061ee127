"""Make a folder a project."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from smttask.errors import ProjectError, short_repr
from smttask.project.project import Project, get_project
from smttask.project.search import forget_searches
from smttask.project.sumatra import is_project, write_json, write_sumatra_project
from smttask.settings import read_project_file

__all__ = ["create_project"]

NAME_WIDTH = 50  # of Sumatra's column
DEFAULT_STORES = {"input_store": "data", "output_store": "data/run_dump"}


def create_project(
    root: Path,
    *,
    name: str | None = None,
    input_store: str | None = None,
    output_store: str | None = None,
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

    Raises
    ------
    ProjectError
        If `root` is in no git working copy, or cannot be written to, or Sumatra takes no such name.
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
    try:
        (root / ".smt").mkdir(parents=True, exist_ok=True)
        if not is_project(root):
            _keep_settings(root, {key: stores[key] for key in stores if key not in known})
            write_sumatra_project(
                root,
                _checked_name(name, root),
                working_copy=working_copy,
                input_dir=root / stores["input_store"],
                output_dir=root / stores["output_store"],
            )
        _ignore(root, [".smt", *stores.values()])
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


def _keep_settings(root: Path, stores: Mapping[str, str]) -> None:
    """Write those of `stores` that are not at their default to ``.smt/smttask.json``."""
    path = root / ".smt" / "smttask.json"
    changed = {key: folder for key, folder in stores.items() if folder != DEFAULT_STORES[key]}
    if changed:
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        write_json(path, {**before, **changed})


def _ignore(root: Path, folders: list[str]) -> None:
    """Add `folders` to ``.gitignore``, those that a line there or another of them does not cover."""
    path = root / ".gitignore"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    covered = [line.strip().strip("/") for line in text.splitlines()]
    added = []
    for folder in folders:
        relative = os.path.relpath(root / folder, root).replace(os.sep, "/")
        parents = [relative, *map(str, Path(relative).parents)]
        if not relative.startswith("..") and not any(parent in covered for parent in parents):
            covered.append(relative)
            added.append(f"/{relative}/\n")
    if added:
        separator = "" if not text or text.endswith("\n") else "\n"
        path.write_text(text + separator + "".join(added), encoding="utf-8")
