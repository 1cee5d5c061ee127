"""What a task of a directory knew when it last ran: ``.tasker/<task>.json``.

The file is JSON, replaced at once, and written after everything else, so that a
task that was killed is known as one. It is a promise: later versions read it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

from blake3 import blake3

from smttask.errors import StorageError
from smttask.storage.atomic import reading_error, storage_error, write_whole

__all__ = [
    "ConfRead",
    "FOLDER",
    "FileState",
    "State",
    "file_key",
    "file_path",
    "find_locks",
    "lock_path",
    "read_state",
    "state_path",
    "stored_by",
    "unfinished",
    "write_state",
]

FORMAT = 1
FOLDER = ".tasker"
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)  # what other JSON leads to
MAX_NAME = 150  # file systems allow 255 bytes, and temporary names are longer


class FileState(NamedTuple):
    """What a file was like: while size, time and inode stay, so does the content.

    Parameters
    ----------
    size
        In bytes; of a folder the sum over all files in it.
    mtime_ns
        When it was modified; of a folder the latest of all files in it. -1 where the file
        was so young that a later edit might bear the same time: then it is hashed again.
    inode
        Of the file or folder.
    blake3
        Of the content, 64 hex; of a folder as `smttask.typing.InputDir` says. Empty
        where nobody looked.
    listing
        Of a folder: blake3 over names, sizes, times and inodes of the files in it.
    """

    size: int
    mtime_ns: int
    inode: int
    blake3: str
    listing: str = ""


class ConfRead(NamedTuple):
    """A value of `conf` as a task read it.

    Parameters
    ----------
    digest
        Of its canonical bytes; empty if there was no such name.
    text
        What people see, cut to 200 characters.
    """

    digest: str
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """What a task was made from and what it made.

    Parameters
    ----------
    outputs
        Files and folders by key, see `file_key`.
    inputs
        The same, as they were before the function started; None where there was nothing.
    upstream
        Task, or ``folder:task``, -> key of each of its outputs that were used -> blake3. Recorded
        tasks: ``name(digest)`` -> what names the result.
    conf
        What was read of `conf`, by top-level name.
    code
        Task (itself first, then those without outputs before it) -> parts of its code fingerprint.
    places
        Names what stood where in the arguments; empty where one argument took one task or path.
    formats
        `FormatFile.kind` of the outputs of a format.
    is_finished
        False where a first run began and did not end; of its outputs only the names are known.
    damaged
        Why the file could not be read; then nothing else is known.
    """

    outputs: Mapping[str, FileState] = field(default_factory=dict)
    inputs: Mapping[str, FileState | None] = field(default_factory=dict)
    upstream: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    conf: Mapping[str, ConfRead] = field(default_factory=dict)
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    places: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)
    is_finished: bool = True
    damaged: str = ""


def file_key(folder: str, path: str) -> str:
    """What the absolute `path` is called in the state files of `folder`: relative with ``/`` where inside.

    Examples
    --------
    >>> file_key("/lab/a", "/lab/a/x/y.txt"), file_key("/lab/a", "/data/z.txt")
    ('x/y.txt', '/data/z.txt')
    """
    if path.startswith(folder) and path[len(folder) : len(folder) + 1] == os.sep:
        key = path[len(folder) + 1 :]
        return key if os.sep == "/" else key.replace(os.sep, "/")
    return path


def file_path(folder: str, key: str) -> str:
    """The absolute path that `key` means in `folder`; the inverse of `file_key`."""
    return os.path.join(folder, key)


def state_path(folder: str | os.PathLike[str], task: str) -> str:
    """The file that holds the `State` of `task` of the Tasker in `folder`."""
    return os.path.join(folder, FOLDER, _file_name(task) + ".json")


def lock_path(folder: str | os.PathLike[str], task: str) -> str:
    """The file that is locked while `task` of the Tasker in `folder` runs."""
    return os.path.join(folder, FOLDER, _file_name(task) + ".lock")


def find_locks(folder: str | os.PathLike[str]) -> list[str]:
    """What `lock_path` gives for tasks that are locked, or whose lock is left over; sorted, absolute."""
    place = os.path.join(os.path.abspath(folder), FOLDER)
    names = os.listdir(place) if os.path.isdir(place) else ()
    # An owner file beside it serves where the file system has no locks.
    locks = {name.removesuffix(".owner") for name in names if name.endswith((".lock", ".lock.owner"))}
    return [os.path.join(place, name) for name in sorted(locks)]


def _file_name(task: str) -> str:
    """`task` as a file name of any file system; itself if it is an ordinary name of a function."""
    if task.isidentifier() and len(task) <= MAX_NAME // 3:
        return task
    quoted = quote(task, safe="", errors="surrogatepass").replace(".", "%2E")
    if len(quoted) <= MAX_NAME:
        return quoted
    return f"{quoted[: MAX_NAME - 17]}~{blake3(task.encode('utf-8', 'surrogatepass')).hexdigest(length=8)}"


def read_state(folder: str | os.PathLike[str], task: str) -> State | None:
    """What `task` knew when it last ran; None if it never did.

    A damaged file is a state that says so, and is never fresh.

    Raises
    ------
    StorageError
        If there is a file that the system does not let us read.
    """
    path = state_path(folder, task)
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise reading_error(f"The state of task {task!r} cannot be read.", path, error) from error
    try:
        return _from_json(json.loads(content), task)
    except _DAMAGE as error:
        return State(damaged=f"{path}: {type(error).__name__}: {error}")


def stored_by(folder: str | os.PathLike[str]) -> dict[str, str]:
    """For the key of each output that a state file in `folder` knows the task that it belongs to.

    Also of tasks that are no more. State files that cannot be read know nothing.
    """
    place = os.path.join(folder, FOLDER)
    found = {}
    with suppress(OSError):
        for name in sorted(os.listdir(place)):
            if name.endswith(".json") and not name.startswith("."):
                with suppress(OSError, *_DAMAGE), open(os.path.join(place, name), "rb", buffering=0) as file:
                    tree = json.loads(file.read())
                    task = tree["task"]
                    found.update(dict.fromkeys(_from_json(tree, task).outputs, task))
    return found


def unfinished(outputs: Iterable[str]) -> State:
    """The state of a task whose first run begins, and is to make the outputs with these keys."""
    return State(dict.fromkeys(outputs, FileState(0, -1, 0, "")), is_finished=False)


def write_state(folder: str | os.PathLike[str], task: str, state: State) -> None:
    """Replace the state of `task` at once; its folder is made.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    path = state_path(folder, task)
    text = json.dumps(_to_json(state, task), indent=1).encode("ascii") + b"\n"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_whole(path, lambda file: file.write(text))
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(f"The state of task {task!r} cannot be written.", path, error) from error


def _to_json(state: State, task: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "task": task,
        "is_finished": state.is_finished,
        "outputs": {key: _file_to_json(file) for key, file in state.outputs.items()},
        "inputs": {key: file and _file_to_json(file) for key, file in state.inputs.items()},
        "upstream": {name: dict(used) for name, used in state.upstream.items()},
        "conf": {name: read._asdict() for name, read in state.conf.items()},
        "code": {name: dict(parts) for name, parts in state.code.items()},
        "places": state.places,
        "formats": dict(state.formats),
    }


def _file_to_json(file: FileState) -> dict[str, Any]:
    form = file._asdict()
    if not file.listing:
        del form["listing"]
    return form


def _from_json(tree: dict[str, Any], task: str) -> State:
    if tree["format"] != FORMAT:
        raise ValueError(f"format {tree['format']!r}, and this smttask reads {FORMAT}")
    if tree["task"] != task:
        raise ValueError(f"it belongs to the task {tree['task']!r}")
    return State(
        outputs={key: FileState(**form) for key, form in tree["outputs"].items()},
        inputs={key: form and FileState(**form) for key, form in tree["inputs"].items()},
        upstream={name: dict(used) for name, used in tree["upstream"].items()},
        conf={name: ConfRead(**form) for name, form in tree["conf"].items()},
        code={name: dict(parts) for name, parts in tree["code"].items()},
        places=tree["places"],
        formats=dict(tree["formats"]),
        is_finished=tree["is_finished"] is True,
    )
