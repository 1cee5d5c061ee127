"""Make a second working copy of a project, with its results and a record store of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from smttask.errors import ProjectError, RepositoryError, UncommittedChangesError
from smttask.project.creation import create_project
from smttask.project.project import Project
from smttask.project.sumatra import is_project, write_json
from smttask.records.git import git_environment
from smttask.settings import read_project_file
from smttask.storage.atomic import create_link, read_link, replace_link
from smttask.storage.layout import OLDER_DIR, VALUES_DIR

__all__ = ["CHANGES", "Changes", "Clone", "Origin", "clone_project", "read_origin"]

Changes = Literal["refuse", "leave", "take"]
CHANGES = get_args(Changes)

# Of the store of one project, not of its clones
OWN_SETTINGS = ("input_store", "output_store", "record_store")
STORES = ("input_store", "output_store")
ORIGIN = os.path.join(".smt", "cloned.json")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a clone came from.

    Parameters
    ----------
    source
        Root of the project that was cloned, absolute, as it was then.
    before
        Labels of results that came along are smaller than this; they have no record here.
    """

    source: str
    before: str


@dataclass(frozen=True, slots=True)
class Clone:
    """What `clone_project` made.

    Parameters
    ----------
    project
        The new project.
    n_results
        Files of results that it now has.
    n_files
        Other files in the input store that it has symbolic links to.
    changed
        Uncommitted changes of the source, relative to its working copy; see `took_changes`.
    took_changes
        Whether the clone has them, uncommitted too.
    shared
        Stores that are the source's own, because a setting of both says where they are.
    """

    project: Project
    n_results: int
    n_files: int
    changed: tuple[str, ...]
    took_changes: bool
    shared: tuple[str, ...]


def clone_project(
    source: Project, target: str | os.PathLike[str], *, name: str | None = None, changes: Changes = "refuse"
) -> Clone:
    """Make a second working copy of `source` in the folder `target`, a project with records of its own.

    Git clones the repository, so both have their own branches and index. The results are
    there as hard links, symbolic ones where these cannot be: what is computed, invalidated
    or deleted in one project changes nothing in the other, and nothing takes room twice.
    Other files in the input store are there as symbolic links. The source is only read.

    Parameters
    ----------
    target
        Not there yet, or an empty folder. Where the source's root lies below that of its
        working copy, the clone's root lies as deep below `target`.
    name
        Name in the record store; the name of the folder if None.
    changes
        What becomes of uncommitted changes of the source: ``"refuse"``, ``"leave"`` them
        there, or ``"take"`` those of tracked files, uncommitted, into the clone.

    Raises
    ------
    UncommittedChangesError
        If there are some and `changes` is ``"refuse"``.
    ProjectError
        If `target` cannot be used, or git keeps the source's ``.smt``.
    RepositoryError
        If there is no git, no commit, or git fails.
    """
    top = source.repository.working_copy
    folder = Path(os.path.realpath(target))
    _check_target(folder, top)
    changed = source.repository.state().changed
    if changed and changes == "refuse":
        raise UncommittedChangesError(
            f"{source.root} is not cloned: it has uncommitted changes.",
            "\n".join(f"changed: {path}" for path in changed[:10]) + ("\n…" if len(changed) > 10 else ""),
            "commit them, or leave them out: --changes leave, or take them along: --changes take",
            files=changed,
        )
    was_there = folder.is_dir()
    origin = Origin(str(source.root), f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
    try:
        _git(top.parent, "clone", "--quiet", str(top), str(folder))
        root = folder / os.path.relpath(source.root, top)
        _check_untracked(source, root)
        _copy_identity(top, folder)
        if changes == "take":
            _apply_changes(top, folder)
        project, shared = _make_project(source, root, name or folder.name)
        write_json(root / ORIGIN, asdict(origin))
        n_results, n_files = _link_data(source, project)
    except BaseException:
        _clear(folder, keep=was_there)
        raise
    return Clone(project, n_results, n_files, changed, changes == "take", shared)


def read_origin(root: Path) -> Origin | None:
    """Where the project in the folder `root` was cloned from; None if it is no clone, or nothing tells."""
    try:
        tree = json.loads((root / ORIGIN).read_text(encoding="utf-8"))
        return Origin(str(tree["source"]), str(tree["before"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _check_target(folder: Path, top: Path) -> None:
    if folder == top or top in folder.parents:
        raise ProjectError(
            f"{folder} cannot become a clone.",
            f"found: it lies in the working copy that is cloned, {top}",
            "give a folder beside it",
        )
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if os.path.lexists(folder):
        raise ProjectError(
            f"{folder} cannot become a clone.",
            "found: a folder that is not empty" if folder.is_dir() else "found: a file",
            "give a folder that is empty or not there yet",
        )


def _check_untracked(source: Project, root: Path) -> None:
    if is_project(root):
        raise ProjectError(
            f"{source.root} cannot be cloned: git keeps its folder .smt.",
            "a clone would have the source's record store and not its own",
            f"take it out: cd {shlex.quote(str(source.root))} && git rm -r --cached .smt && git commit",
        )


def _clear(folder: Path, *, keep: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if keep:
        folder.mkdir(exist_ok=True)


# -- the working copy


def _git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    """Answer of git, called in `folder` with `given` as its input."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            input=given,
            capture_output=True,
            env=git_environment(),
            check=False,
        )
    except OSError as error:
        raise RepositoryError("Git cannot be called.", f"found: {error}", "install git") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise RepositoryError(
            f"git {arguments[0]} failed.", f"in: {folder}\nfound: {said}", "see what git says"
        )
    return done.stdout


def _copy_identity(top: Path, folder: Path) -> None:
    """Let git know the user as it does in the source alone."""
    for entry in (
        _git(top, "config", "--local", "--list", "-z").decode("utf-8", "surrogateescape").split("\0")
    ):
        key, _, value = entry.partition("\n")
        if key in ("user.name", "user.email"):
            _git(folder, "config", key, value)


def _apply_changes(top: Path, folder: Path) -> None:
    diff = _git(top, "diff", "--binary", "--no-color", "--no-ext-diff", "HEAD")
    if diff:
        _git(folder, "apply", "--whitespace=nowarn", given=diff)


# -- the project


def _make_project(source: Project, root: Path, name: str) -> tuple[Project, tuple[str, ...]]:
    """The new project, and which stores it shares with `source`."""
    committed = read_project_file(root)
    own = root / ".smt" / "smttask.json"
    kept = {key: value for key, value in _own_settings(source.root).items() if key not in OWN_SETTINGS}
    stores = {key: _relative(source, key) for key in STORES if key not in committed}
    own.parent.mkdir(parents=True, exist_ok=True)
    if kept and not own.exists():
        write_json(own, kept)
    project = create_project(root, name=name, **stores)
    shared = [key for key in STORES if _place(project, key) == _place(source, key)]
    if project.records.address == source.records.address:
        shared.append("record_store")
        if project.name == source.name:
            raise ProjectError(
                f"{root} cannot have the name of its source, {source.name!r}.",
                f"found: a setting that gives both the record store {source.records.address}",
                "give it another: --name NAME",
            )
    return project, tuple(shared)


def _own_settings(root: Path) -> dict[str, Any]:
    """What the file of settings says that git does not keep."""
    try:
        tree = json.loads((root / ".smt" / "smttask.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return dict(tree)


def _relative(source: Project, key: str) -> str | None:
    """Where a store lies below the root; None, which is the default, if it lies elsewhere."""
    path = os.path.relpath(_place(source, key), source.root)
    return None if path.startswith(os.pardir) or os.path.isabs(path) else path


def _place(project: Project, key: str) -> str:
    return str(os.path.realpath(project.root / project.setting(key)))


# -- the data


def _link_data(source: Project, project: Project) -> tuple[int, int]:
    """Give `project` the results of `source` and the other files of its input store; how many they are."""
    links, results = (_place(source, key) for key in STORES)
    new_links, new_results = (_place(project, key) for key in STORES)
    n_results = n_files = 0
    if new_results != results:
        for path, name in _result_files(results):
            n_results += _link_file(path, f"{new_results}/{name}")
    if new_links == links:
        return n_results, n_files
    for path, name in _files_in(links, "", without=results):
        target = _manifest_of(path, results)
        new = f"{new_links}/{name}"
        if target is None:
            n_files += create_link(path, new)
        elif not os.path.lexists(new):
            os.makedirs(os.path.dirname(new), exist_ok=True)
            replace_link(os.path.relpath(f"{new_results}/{target}", os.path.dirname(new)), new)
    return n_results, n_files


def _result_files(results: str) -> Iterator[tuple[str, str]]:
    """Path of each file of results, and its name relative to the store."""
    for folder in _listed(results):
        if folder.is_dir(follow_symlinks=False) and (folder.name == VALUES_DIR or folder.name[0] != "."):
            for file in _listed(folder.path):
                if file.is_file() and file.name[0] != ".":
                    yield file.path, f"{folder.name}/{file.name}"


def _files_in(folder: str, name: str, *, without: str) -> Iterator[tuple[str, str]]:
    """Path of each file and link below `folder`, and its name relative to the first; no hidden ones."""
    for entry in _listed(folder):
        inner = f"{name}/{entry.name}" if name else entry.name
        if entry.name[0] == "." and entry.name != OLDER_DIR:
            continue
        if entry.is_dir(follow_symlinks=False):
            if os.path.realpath(entry.path) != without:
                yield from _files_in(entry.path, inner, without=without)
        else:
            yield entry.path, inner


def _listed(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def _manifest_of(path: str, results: str) -> str | None:
    """The manifest that a link or pointer file leads to, relative to the store; None for another file."""
    if not path.endswith(".json"):
        return None
    try:
        target = read_link(path)
    except ValueError:
        return None
    place = os.path.relpath(os.path.realpath(os.path.join(os.path.dirname(path), target or "")), results)
    return None if target is None or place.startswith(os.pardir) else place


def _link_file(path: str, new: str) -> bool:
    """Make `new` the file at `path`: by a hard link, else by a symbolic one; False if something is there."""
    if os.path.lexists(new):
        return False
    os.makedirs(os.path.dirname(new), exist_ok=True)
    try:
        os.link(path, new)
    except OSError:  # another disk, another owner, or too many links
        return create_link(path, new)
    return True
