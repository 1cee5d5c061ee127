"""A project: the folder whose results and records belong together.

A project is a folder with ``.smt/project``, the file of Sumatra. What that file
says in absolute paths is made anew when the folder was moved; what the user
chooses stands with relative paths in the settings (see `smttask.settings`).

Each root has one `Project` per process, and a root is always its real path, so
two links to one folder are one project.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from typing import Any

from smttask.code.scope import CodeScope
from smttask.errors import ProjectError, short_repr
from smttask.records.repository import Repository
from smttask.records.schema import write_sumatra_project
from smttask.records.sqlite import SQLiteRecordStore
from smttask.settings import config, read_project_file
from smttask.storage.atomic import write_whole
from smttask.storage.datastore import DataStore

__all__ = [
    "Project",
    "create_project",
    "current_project",
    "find_project",
    "get_current_project",
    "get_project",
    "is_project",
    "project_root",
    "use_project",
]

MARK = os.path.join(".smt", "project")
DEFAULT_STORES = {"input_store": "data", "output_store": "data/run_dump"}
DEFAULT_RECORD_STORE = os.path.join(".smt", "records")

_projects: dict[str, Project] = {}  # by real root
_found: dict[str, Project] = {}  # by the folder that the search started from
_lock = threading.Lock()
_used: ContextVar[Project | None] = ContextVar("smttask project", default=None)


class Project:
    """The stores, the repository and the settings of one project folder.

    Use `get_project`, `find_project` or `current_project` to have one; each part is
    made when it is first asked for, and follows later changes of the settings.

    Attributes
    ----------
    root
        Real path of the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._data: tuple[tuple[Path, Path], DataStore] | None = None
        self._scope: tuple[tuple[str, ...], CodeScope] | None = None
        self._records: dict[Path | None, SQLiteRecordStore] = {}

    @cached_property
    def _sumatra(self) -> Mapping[str, Any]:
        """Sumatra's project file, made anew if its folder was moved."""
        tree = _read_sumatra_project(self.root)
        written_in = tree.get("default_launch_mode", {}).get("working_directory")
        if written_in is not None and os.path.realpath(written_in) != str(self.root):
            tree = _moved(tree, str(written_in), str(self.root))
            try:
                write_whole(str(self.root / MARK), json.dumps(tree, indent=2).encode())
            except OSError:
                pass  # a project that may only be read is used as it is; only `smt` misses the new paths
        return tree

    @property
    def name(self) -> str:
        """Name in the record store."""
        return str(self._sumatra["name"])

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """What the project's file says, read once; see `smttask.settings.read_project_file`."""
        return read_project_file(self.root)

    def setting(self, name: str) -> Any:
        """Value of a setting: from code, the environment, the project's file or its default."""
        return config.get(name, self.settings)

    @property
    def data(self) -> DataStore:
        """The results on disk."""
        dirs = self.setting("input_store"), self.setting("output_store")
        if self._data is None or self._data[0] != dirs:
            self._data = dirs, DataStore(self.root / dirs[0], self.root / dirs[1])
        return self._data[1]

    @property
    def records(self) -> SQLiteRecordStore:
        """The record store that the settings name."""
        return self.records_at(self.setting("record_store"))

    def records_at(self, path: Path | None) -> SQLiteRecordStore:
        """Return the record store in the file `path`, absolute or relative to the root.

        With None it is the one that Sumatra's project file names.
        """
        store = self._records.get(path)
        if store is None:
            store = SQLiteRecordStore(self.root / (path or self._own_record_store()), self.name)
            store = self._records.setdefault(path, store)
        return store

    def _own_record_store(self) -> str:
        told = self._sumatra.get("record_store", {}).get("db_file")
        return told if isinstance(told, str) and "://" not in told else DEFAULT_RECORD_STORE

    @cached_property
    def repository(self) -> Repository:
        """The git working copy that the project stands in."""
        return Repository(self.root)

    @property
    def scope(self) -> CodeScope:
        """Which modules are the project's own code."""
        trusted = self.setting("trusted_packages")
        if self._scope is None or self._scope[0] != trusted:
            self._scope = trusted, CodeScope(self.root, trusted)
        return self._scope[1]

    def __repr__(self) -> str:
        return f"Project({str(self.root)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return get_project, (str(self.root),)


def is_project(root: str | os.PathLike[str]) -> bool:
    """Whether the folder `root` is a project."""
    return os.path.isfile(os.path.join(root, MARK))


def get_project(root: str | os.PathLike[str]) -> Project:
    """Return the project whose folder is `root`.

    Raises
    ------
    ProjectError
        If `root` is no project.
    """
    real = os.path.realpath(root)
    project = _projects.get(real)
    if project is None:
        if not is_project(real):
            raise ProjectError(
                f"{real} is no project.",
                f"looked for: {os.path.join(real, MARK)}",
                f"to make it one: smttask project init {shlex.quote(real)}",
            )
        with _lock:
            project = _projects.setdefault(real, Project(Path(real)))
    return project


def find_project(start: str | os.PathLike[str]) -> Project | None:
    """Return the project that the folder `start` lies in, the innermost one; None if there is none."""
    start = os.fspath(start)
    project = _found.get(start)
    if project is None:
        folder = os.path.realpath(start)
        while not is_project(folder):
            folder, inner = os.path.dirname(folder), folder
            if folder == inner:
                return None
        project = _found[start] = get_project(folder)
    return project


def current_project(module_name: str | None = None) -> Project | None:
    """Return the project in use for a task of the module `module_name`; None if there is none.

    It is the one given to `use_project`, else the one that ``config.project`` or
    ``SMTTASK_PROJECT`` names, else the one around the working directory if it holds
    or trusts the module or the module is in no project, else the one around the module.

    Raises
    ------
    ProjectError
        If the setting names a folder that is no project.
    """
    project = _used.get()
    if project is not None:
        return project
    chosen = config.get("project")
    if chosen is not None:
        return get_project(chosen)
    try:
        here = find_project(os.getcwd())
    except FileNotFoundError:  # the working directory was removed
        here = None
    module = sys.modules.get(module_name) if module_name is not None else None
    file = getattr(module, "__file__", None)
    if module is None or file is None or (here is not None and here.scope.contains(module)):
        return here
    around = find_project(os.path.dirname(os.path.abspath(file)))
    return around if around is not None and around.scope.contains(module) else here


def project_root(module_name: str | None = None) -> Path | None:
    """Root of what `current_project` gives: what paths among the inputs are relative to."""
    project = current_project(module_name)
    return None if project is None else project.root


def get_current_project(module_name: str | None = None) -> Project:
    """Return what `current_project` does, where one is needed.

    Raises
    ------
    ProjectError
        If there is none; the message says where it was searched.
    """
    project = current_project(module_name)
    if project is None:
        file = getattr(sys.modules.get(module_name or ""), "__file__", None)
        places = (
            [_working_dir()] if file is None else [_working_dir(), os.path.dirname(os.path.abspath(file))]
        )
        raise ProjectError(
            "No project found" + (f" for module '{module_name}'." if module_name else "."),
            "\n".join(f"searched: {place} and the folders above it" for place in places),
            "to make one: smttask project init\nor name one: config.project or SMTTASK_PROJECT",
        )
    return project


@contextmanager
def use_project(project: Project | str | os.PathLike[str]) -> Iterator[Project]:
    """Use `project` for the block, in this thread or asyncio task, wherever the work is done.

    Raises
    ------
    ProjectError
        If it is a path and no project.
    """
    project = project if isinstance(project, Project) else get_project(project)
    before = _used.get()
    _used.set(project)
    try:
        yield project
    finally:
        _used.set(before)


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
        If `root` is in no git working copy, or cannot be written to.
    """
    root = Path(os.path.realpath(root))
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
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
                name or root.name,
                input_dir=root / stores["input_store"],
                output_dir=root / stores["output_store"],
                store_path=root / DEFAULT_RECORD_STORE,
            )
        _ignore(root, [".smt", *stores.values()])
    except OSError as error:
        raise ProjectError(
            f"{root} cannot become a project.", f"found: {error}", "give yourself the right to write there"
        ) from error
    return get_project(root)


def _keep_settings(root: Path, stores: Mapping[str, str]) -> None:
    """Write those of `stores` that are not at their default to ``.smt/smttask.json``."""
    path = root / ".smt" / "smttask.json"
    changed = {key: folder for key, folder in stores.items() if folder != DEFAULT_STORES[key]}
    if changed:
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        write_whole(str(path), json.dumps({**before, **changed}, indent=2).encode())


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


def _read_sumatra_project(root: Path) -> dict[str, Any]:
    path = root / MARK
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(tree, dict) or not isinstance(tree.get("name"), str):
        raise _unusable(path, f"{short_repr(tree)}, expected an object with a name")
    return tree


def _unusable(path: Path, found: str) -> ProjectError:
    return ProjectError(
        f"The project in {path.parent.parent} cannot be used.",
        f"file: {path}\nfound: {found}",
        "remove that file and call: smttask project init",
    )


def _moved(tree: Any, old: str, new: str) -> Any:
    """Return `tree` with every path in or under the folder `old` put under `new`."""
    if isinstance(tree, dict):
        return {key: _moved(value, old, new) for key, value in tree.items()}
    if isinstance(tree, str) and (tree == old or tree.startswith(old.rstrip(os.sep) + os.sep)):
        return new + tree[len(old.rstrip(os.sep)) :]
    return tree


def _working_dir() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "the working directory (removed)"


def _current_settings() -> Mapping[str, Any]:
    project = current_project()
    return {} if project is None else project.settings


config.find_project_values_with(_current_settings)
