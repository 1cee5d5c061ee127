"""Write once, whole or not at all."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import BinaryIO, cast

from smttask.errors import StorageError
from smttask.hashing import HashingFile

__all__ = [
    "create_link",
    "is_unfinished",
    "read_link",
    "reading_error",
    "remove_unfinished",
    "replace_link",
    "storage_error",
    "sync",
    "unlink_if_there",
    "write_folder_whole",
    "write_whole",
]

_serial = itertools.count()
_UNFINISHED = re.compile(r"\.(.+)\.\d+-\d+-[0-9a-f]{6}\.part", re.DOTALL)


def storage_error(what: str, path: str, error: OSError) -> StorageError:
    """Turn what the system said about writing `path` into an error that says what to do."""
    return _told(what, path, path, error, _TO_WRITE)


def reading_error(what: str, path: str, error: OSError) -> StorageError:
    """Turn what the system said about reading `path` into an error that says what to do."""
    return _told(what, path, error.filename or path, error, _TO_READ)


_TO_WRITE = {
    errno.ENOSPC: "make room on this disk, then run again; nothing half-written was left",
    errno.EDQUOT: "make room in your quota, then run again; nothing half-written was left",
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), then run again",
    errno.EACCES: "ask for write permission there, or choose another data folder",
    errno.EPERM: "ask for write permission there, or choose another data folder",
    errno.EROFS: "mount it writable, or choose another data folder",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away",
    errno.EEXIST: "a file stands where a folder is needed: move it away",
}
_TO_READ = {
    errno.ENOENT: "see whether the name is right, or make the file",
    errno.ENOTDIR: "see whether the name is right, or make the file",
    errno.EACCES: "make it readable for you",
    errno.EPERM: "make it readable for you",
    errno.EISDIR: "a folder stands where a file is needed: name a file",
    errno.ELOOP: "take the link away that leads back",
    errno.EINVAL: "name files and folders only",
}


def _told(what: str, path: str, culprit: str, error: OSError, remedies: Mapping[int, str]) -> StorageError:
    remedy = remedies.get(error.errno or 0, "see whether the disk is mounted and works")
    made = StorageError(what, f"{culprit}: {error.strerror or error}", remedy, path=path)
    made.errno = error.errno
    return made


def write_whole(path: str, save: Callable[[BinaryIO], object]) -> str:
    """Let `save` write the file at `path`; what was there is replaced at once, when all is written.

    Returns the blake3 of the file, 64 hex.
    """
    beside = _beside(path)
    try:
        with HashingFile(beside) as file:
            save(cast(BinaryIO, file))
        os.replace(beside, path)
    except BaseException:
        unlink_if_there(beside)
        raise
    return file.blake3


def write_folder_whole(path: str, save: Callable[[str], object]) -> None:
    """Let `save` make the folder `path` under another name; then it takes the place of what was there.

    Who looks between two renamings finds nothing, and so it stays if this process dies there.
    """
    beside = _beside(path)
    try:
        save(beside)
        if os.path.lexists(path):
            aside = _beside(path)
            os.rename(path, aside)
            os.rename(beside, path)
            _remove(aside)
        else:
            os.rename(beside, path)
    except BaseException:
        _remove(beside)
        raise


def is_unfinished(name: str) -> bool:
    """Whether a file or folder of this name is one that is being written, or was when its process died."""
    return _UNFINISHED.fullmatch(name) is not None


def remove_unfinished(paths: Iterable[str]) -> None:
    """Remove what processes that died had begun to write for `paths`.

    Only for who knows that nobody else writes there now. What cannot be removed stays.
    """
    names: dict[str, set[str]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        names.setdefault(folder, set()).add(name)
    for folder, wanted in names.items():
        with suppress(OSError):
            for name in os.listdir(folder):
                if (found := _UNFINISHED.fullmatch(name)) is not None and found[1] in wanted:
                    with suppress(OSError):
                        _remove(os.path.join(folder, name))


def _remove(path: str) -> None:
    """Remove the file or folder at `path`, if there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        unlink_if_there(path)


def create_link(target: str, path: str) -> bool:
    """Make a link at `path` to `target`, relative to the folder of `path`.

    Returns whether it was made: False if something stands at `path`, or if
    links do not work there (then `replace_link` makes a pointer file).
    """
    try:
        os.symlink(target, path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            os.symlink(target, path)
        except OSError as error:
            return _refused(error)
    except OSError as error:
        return _refused(error)
    return True


def replace_link(target: str, path: str) -> None:
    """Make the link at `path` point to `target`, at once; whoever reads sees the old or the new one.

    Where links do not work, a small file ``{"manifest": target}`` serves.
    """
    beside = _beside(path)
    if not create_link(target, beside):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        pointer = json.dumps({"manifest": target}).encode() + b"\n"
        write_whole(path, lambda file: file.write(pointer))
        return
    try:
        os.replace(beside, path)
    except BaseException:
        unlink_if_there(beside)
        raise


def read_link(path: str) -> str | None:
    """Where the link or pointer file at `path` points, relative to its folder; None if nothing is there.

    Raises
    ------
    ValueError
        If a file stands there that is no pointer.
    """
    try:
        return os.readlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno != errno.EINVAL and os.name != "nt":
            raise
    try:
        with open(path, "rb") as file:
            target = json.loads(file.read())["manifest"]
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, IsADirectoryError) as error:
        raise ValueError(f"no link and no pointer file: {error}") from error
    if not isinstance(target, str):
        raise ValueError("the pointer file names no manifest")
    return target


def sync(path: str) -> None:
    """Return when the file or the names in the folder at `path` have reached the disk."""
    if os.name == "nt" and os.path.isdir(path):  # which cannot be opened there
        return
    fd = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def unlink_if_there(path: str) -> bool:
    """Remove the file at `path`; returns whether there was one."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def _beside(path: str) -> str:
    """A name in the folder of `path` that nobody else uses."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{os.getpid()}-{next(_serial)}-{os.urandom(3).hex()}.part")


def _refused(error: OSError) -> bool:
    """False if links do not work or the name is taken; any other error is raised."""
    if error.errno in (errno.EEXIST, errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL) or (
        getattr(error, "winerror", None) == 1314  # no privilege to make links
    ):
        return False
    raise error
