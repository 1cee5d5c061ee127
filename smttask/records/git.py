"""Asking the command ``git``, and what is said where it cannot answer."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from smttask.errors import RepositoryError

__all__ = ["ask_git", "git_environment"]

# Set inside git's hooks, where they would lead to another repository or index
MISLEADING = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
)


def git_environment() -> dict[str, str]:
    """The environment in which git looks at the folder that it is called in, and speaks English."""
    environment = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    return {**environment, "LC_ALL": "C"}


def ask_git(root: Path, folder: str, arguments: Sequence[str], *, refused: str | None = None) -> str:
    """The answer of git, called in `folder`; bytes that are no UTF-8 stand in it as lone surrogates.

    Parameters
    ----------
    root
        The folder that messages name.
    refused
        Given where git ends with status 1 and no message; None makes that an error, too.

    Raises
    ------
    RepositoryError
        If there is no git, or it fails.
    """
    try:
        answer = subprocess.run(
            # without optional locks, or looking would itself change the index
            ["git", "--no-optional-locks", *arguments],
            cwd=folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=git_environment(),
            check=False,
        )
    except FileNotFoundError as error:
        raise _cannot_ask(root, error) from error
    except OSError as error:
        raise _failed(root, arguments, str(error)) from error
    if answer.returncode == 0:
        return answer.stdout.decode("utf-8", "surrogateescape")
    if refused is not None and answer.returncode == 1:
        return refused
    raise _failed(root, arguments, answer.stderr.decode("utf-8", "replace").strip())


def _cannot_ask(root: Path, error: FileNotFoundError) -> RepositoryError:
    if not root.is_dir():
        return RepositoryError(f"There is no folder {root}.", f"found: {error}", "give the root of a project")
    return RepositoryError(
        "The command git is not there, so no commit can be recorded.",
        "searched: the folders named by PATH",
        "install git, or compute without records: set `record = false`",
    )


def _failed(root: Path, arguments: Sequence[str], message: str) -> RepositoryError:
    if "not a git repository" in message or "must be run in a work tree" in message:
        return RepositoryError(
            f"{root} is in no git working copy.",
            f"git says: {message}",
            "make a repository: git init, then commit the code; or set `record = false`",
        )
    return RepositoryError(
        f"git cannot tell the state of {root}.",
        f"command: git {' '.join(arguments[:3])}\ngit says: {message}",
        "make this command work, or set `record = false`",
    )
