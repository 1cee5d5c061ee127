"""The state of the git working copy that a run's code comes from."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from smttask.errors import RepositoryError, UncommittedChangesError
from smttask.records.git import ask_git
from smttask.records.record import RepositoryAddress

__all__ = ["Repository", "RepositoryState"]

FRESH_S = 2.0  # how long an answer of git holds while nothing that is looked at has moved
KEPT = "refs/smttask"  # where commits of recorded runs are kept from git's garbage collection

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class RepositoryState:
    """What a commit does and does not say about the code.

    Parameters
    ----------
    commit
        Hex name of the commit that is checked out.
    branch
        None when the head is detached.
    changed
        Tracked files that differ from the commit, relative to the working copy's root.
    untracked
        Those of the files asked about that git does not track, likewise.
    diff
        What ``git apply`` takes to make `changed` out of the commit; empty unless asked for.
        Bytes that are no UTF-8 stand in it as lone surrogates.
    """

    commit: str
    branch: str | None = None
    changed: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    diff: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether the commit holds all that was asked about."""
        return not (self.changed or self.untracked)


@dataclass(slots=True)
class _Answer:
    """What git said, when, and the stamps of the files it depends on."""

    state: RepositoryState
    at: float
    stamps: dict[str, Stamp]
    asked: frozenset[str]
    has_diff: bool

    def has_moved(self) -> bool:
        """Whether one of the files is not as it was."""
        for path, stamp in self.stamps.items():  # noqa: SIM110 - a generator costs more than the files
            if _stamp(path) != stamp:
                return True
        return False


class Repository:
    """A git working copy, asked through the command ``git``.

    Parameters
    ----------
    root
        The project's root: the working copy's, or a folder inside it.
    dirty_directories
        Folders, relative to `root`, that git is not asked about.

    Raises
    ------
    RepositoryError
        From every method, if there is no git, or `root` is in no working copy.
    """

    def __init__(self, root: Path | str, *, dirty_directories: Sequence[str] = ()) -> None:
        self.root = Path(root)
        self._dirty_directories = tuple(dirty_directories)
        self._places: tuple[str, str, str] | None = None
        self._answer: _Answer | None = None
        self._address: RepositoryAddress | None = None
        self._user: str | None = None
        self._kept: set[str] = set()

    @property
    def working_copy(self) -> Path:
        """Root of the working copy, absolute, links resolved."""
        return Path(self._find_places()[0])

    @property
    def address(self) -> RepositoryAddress:
        """The working copy's root and the address of its remote ``origin``, without a password."""
        if self._address is None:
            top = self._find_places()[0]
            remote = self._git("config", "--get", "remote.origin.url", refused="").strip()
            self._address = RepositoryAddress(top, _without_password(remote) or None)
        return self._address

    def user(self) -> str:
        """Name and address of the user as git knows them, ``name <address>``; else empty. Asked once."""
        if self._user is None:
            name = self._git("config", "--get", "user.name", refused="").strip()
            email = self._git("config", "--get", "user.email", refused="").strip()
            self._user = f"{name} <{email}>" if name and email else name or email
        return self._user

    def state(
        self, files: Iterable[str | os.PathLike[str]] = (), *, with_diff: bool = False
    ) -> RepositoryState:
        """Return the state of the working copy, of which git was asked at most 2 s ago.

        The head, the index and each of `files` are looked at every time (about 1 us
        each); git is asked again when one has moved.

        Parameters
        ----------
        files
            Source files whose code runs; those outside the working copy do not count.
        with_diff
            Whether to fill in `diff`.

        Raises
        ------
        RepositoryError
            If there is no git, no working copy or no commit yet.
        """
        asked = frozenset(os.fspath(path) for path in files)
        known = self._answer
        if (
            known is not None
            and asked <= known.asked
            and (known.has_diff or not with_diff)
            and time.monotonic() - known.at < FRESH_S
            and not known.has_moved()
        ):
            return known.state
        if known is not None:
            asked |= known.asked
        answer = self._answer = self._ask(asked, with_diff)
        return answer.state

    def require_committed(
        self,
        files: Iterable[str | os.PathLike[str]] = (),
        *,
        apart_from: Iterable[str | os.PathLike[str]] = (),
        allow_changes: bool = False,
        what: str = "The run",
    ) -> RepositoryState:
        """Return the state if a commit, or with `allow_changes` a commit and a diff, describes the code.

        Parameters
        ----------
        files
            As in `state`.
        apart_from
            Files that may be changed: their text is kept elsewhere.
        allow_changes
            Whether uncommitted changes are stored as a diff instead of refused.
            Files that git does not track are refused in any case.
        what
            Who asks, to begin the message: ``"Task 'Analyze' (3f9c1b)"``.

        Raises
        ------
        UncommittedChangesError
            If files are changed or not tracked; `files` names them.
        RepositoryError
            As `state` does.
        """
        state = self.state(files, with_diff=allow_changes)
        if state.untracked:
            raise self._untracked_error(what, state.untracked)
        left_out = {self._name_of(path) for path in apart_from}
        changed = tuple(name for name in state.changed if name not in left_out)
        if changed and not allow_changes:
            raise UncommittedChangesError(
                f"{what} cannot be recorded: there are uncommitted changes.",
                f"working copy: {self.working_copy}\n" + _listed("changed", changed),
                "either commit them: git commit -a\n"
                "or let each record keep the difference: `allow_uncommitted_changes = true` "
                "under [tool.smttask] in pyproject.toml",
                files=changed,
            )
        return state

    def _untracked_error(self, what: str, names: tuple[str, ...]) -> UncommittedChangesError:
        answer = self._git(
            "--literal-pathspecs", "ls-files", "-z", "--others", "--ignored", "--exclude-standard",
            "--", *names,
        )  # fmt: skip
        ignored = answer.split("\0")[:-1]
        found = f"working copy: {self.working_copy}\n" + _listed("not tracked", names)
        if ignored:
            found += "\n" + _listed("ignored by .gitignore", ignored)
        force = "--force " if ignored else ""
        return UncommittedChangesError(
            f"{what} needs code that git does not track.",
            found,
            f"add the files and commit: git add {force}{shlex.join(names[:3])}",
            files=names,
        )

    def _name_of(self, path: str | os.PathLike[str]) -> str:
        """How git names a file of the working copy."""
        return os.path.relpath(os.path.realpath(path), self._find_places()[0]).replace(os.sep, "/")

    def keep(self, commit: str) -> bool:
        """Keep `commit` from being thrown away by git, and return whether that worked.

        A hidden reference ``refs/smttask/<commit>`` is added, once. It fails where
        the repository cannot be written.
        """
        if commit in self._kept:
            return True
        reference = f"{KEPT}/{commit}"
        common = self._find_places()[2]
        if not os.path.exists(os.path.join(common, *reference.split("/"))):
            try:
                self._git("update-ref", reference, commit)
            except RepositoryError:
                return False
        self._kept.add(commit)
        return True

    def read(self, commit: str, path: str) -> str:
        """The text of a file as it stands in a commit.

        Parameters
        ----------
        path
            Relative to the folder of this object.

        Raises
        ------
        RepositoryError
            If there is no such commit or file.
        """
        name = self._name_of(os.path.join(self.root, path))
        try:
            return self._git("show", f"{commit}:{name}")
        except RepositoryError as error:
            raise RepositoryError(
                f"The repository has no {name} of commit {commit or '(none)'}.",
                error.found,
                "the run may be of another project: fetch that project's commits into this repository",
            ) from error

    def _find_places(self) -> tuple[str, str, str]:
        """Return the working copy's root, its git folder, and the one it shares with other worktrees."""
        if self._places is None:
            answer = self._git("rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir")
            top, git_dir, common = answer.rstrip("\n").split("\n")
            self._places = (top, git_dir, os.path.join(os.path.realpath(self.root), common))
        return self._places

    def _ask(self, asked: frozenset[str], with_diff: bool) -> _Answer:
        top, git_dir, common = self._find_places()
        # Looked at before git is asked, so that what moves meanwhile is noticed next time
        stamps = {path: _stamp(path) for path in (*_moving_files(git_dir, common), *sorted(asked))}
        at = time.monotonic()
        state = self._status(top)
        untracked = self._untracked(top, asked)
        diff = self._diff(top, state.changed) if with_diff and state.changed else ""
        return _Answer(replace(state, untracked=untracked, diff=diff), at, stamps, asked, with_diff)

    def _status(self, top: str) -> RepositoryState:
        answer = self._git(
            "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=no",
            "--ignore-submodules=untracked", "--no-renames",
        )  # fmt: skip
        commit, branch, changed = "", None, []
        for entry in answer.split("\0"):
            if entry.startswith("# branch.oid "):
                commit = entry.removeprefix("# branch.oid ")
            elif entry.startswith("# branch.head "):
                branch = entry.removeprefix("# branch.head ")
            elif entry.startswith("1 "):
                changed.append(entry.split(" ", 8)[8])
            elif entry.startswith("u "):
                changed.append(entry.split(" ", 10)[10])
        if commit == "(initial)":
            raise RepositoryError(
                "The repository has no commit yet.",
                f"working copy: {top}",
                "commit the code: git add --all, then git commit -m 'Begin'",
            )
        dirty = self._dirty_folders(top)
        return RepositoryState(
            commit,
            None if branch == "(detached)" else branch,
            tuple(sorted(path for path in changed if not f"{path}/".startswith(dirty))),
        )

    def _untracked(self, top: str, asked: frozenset[str]) -> tuple[str, ...]:
        prefix, dirty = os.path.join(top, ""), self._dirty_folders(top)
        real = {os.path.realpath(path) for path in asked}
        inside = sorted(path[len(prefix) :] for path in real if path.startswith(prefix))
        inside = [path for path in inside if not path.startswith(dirty)]
        if not inside:
            return ()
        answer = self._git("--literal-pathspecs", "ls-files", "-z", "--recurse-submodules", "--", *inside)
        tracked = set(answer.split("\0"))
        return tuple(path for path in inside if path not in tracked)

    def _diff(self, top: str, changed: Sequence[str]) -> str:
        return self._git(
            "--literal-pathspecs", "diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-textconv",
            "--no-renames", "--src-prefix=a/", "--dst-prefix=b/", "--", *changed,
        )  # fmt: skip

    def _dirty_folders(self, top: str) -> tuple[str, ...]:
        """Return the ignored folders relative to the working copy, each with a slash at its end."""
        root = os.path.realpath(self.root)
        paths = (os.path.relpath(os.path.join(root, folder), top) for folder in self._dirty_directories)
        return tuple("" if path == "." else f"{path}/" for path in paths)

    def _git(self, *arguments: str, refused: str | None = None) -> str:
        """The answer of git; `refused` instead when git ends with status 1 and no message."""
        folder = self._places[0] if self._places else os.fspath(self.root)
        return ask_git(self.root, folder, arguments, refused=refused)


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _moving_files(git_dir: str, common: str) -> list[str]:
    """Return the files of which one moves when something is committed, staged or checked out."""
    head = os.path.join(git_dir, "HEAD")
    files = [head, os.path.join(git_dir, "index"), os.path.join(common, "packed-refs")]
    try:
        text = Path(head).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return files
    if text.startswith("ref: "):
        files.append(os.path.join(common, text.removeprefix("ref: ").strip()))
    return files


def _without_password(url: str) -> str:
    """Return the address of a remote without the password that some put into it."""
    parts = urlsplit(url) if "://" in url else None
    if parts is None or not parts.password:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{host}" if parts.username else host))


def _listed(what: str, files: Sequence[str], *, most: int = 20) -> str:
    lines = [f"{what}: {path}" for path in files[:most]]
    return "\n".join([*lines, f"and {len(files) - most} more"] if len(files) > most else lines)
