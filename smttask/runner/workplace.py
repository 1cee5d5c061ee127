"""The folder in which the function of a running task writes files that are its outputs."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from smttask.errors import OutputError

__all__ = ["output_dir", "own_file", "temporary_dir", "working_in"]

_current: ContextVar[Callable[[], Path] | None] = ContextVar("smttask_output_dir", default=None)
_temporary: list[tuple[int, str]] = []


def output_dir() -> Path:
    """The folder for files that the task returns as `OutputFile`; an absolute path, made when asked for.

    Each run has its own. What is returned moves from there into the store, on the same
    disk, and the rest is removed when the run ends.

    Raises
    ------
    OutputError
        If no recorded task is running in this thread.
    """
    make = _current.get()
    if make is None:
        raise OutputError(
            "output_dir() is called outside a run.",
            "found: no recorded task is running in this thread",
            "call it in the function of a RecordedTask, and pass the folder to threads that it starts",
        )
    return make()


@contextmanager
def working_in(make: Callable[[], Path]) -> Iterator[None]:
    """Let `output_dir` give what `make` returns, in this thread or asyncio task, during the block."""
    token = _current.set(make)
    try:
        yield
    finally:
        _current.reset(token)


def temporary_dir() -> Callable[[], Path]:
    """What makes one folder, when it is first asked, that is removed when this process ends."""
    made: list[Path] = []

    def make() -> Path:
        if not made:
            made.append(Path(os.path.realpath(tempfile.mkdtemp(prefix="smttask-"))))
            _temporary.append((os.getpid(), str(made[0])))
        return made[0]

    return make


@atexit.register
def _remove_temporary_dirs() -> None:
    for pid, folder in _temporary:
        if pid == os.getpid():  # a forked child leaves those of its parent alone
            shutil.rmtree(folder, ignore_errors=True)


def own_file(path: Path, name: str) -> Path:
    """The file that `path` names in the folder of the run, absolute and without links.

    Parameters
    ----------
    path
        Absolute, or relative to the folder.
    name
        What messages call the output.

    Raises
    ------
    OutputError
        If it lies elsewhere, does not exist, or is no file.
    """
    folder = os.path.realpath(output_dir())
    file = os.path.realpath(os.path.join(folder, path))
    if os.path.commonpath([folder, file]) != folder or file == folder:
        found = "it is not in the folder of the run"
    elif not os.path.exists(file):
        found = "there is no such file"
    elif not os.path.isfile(file):
        found = "it is no file"
    else:
        return Path(file)
    raise OutputError(
        f"The file returned for {name} cannot be stored.",
        f"found: {path}; {found}\nexpected: a file in {folder}",
        "write it in smttask.output_dir() and return its path",
    )
