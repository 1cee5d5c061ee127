"""Files and folders as they are now, each looked at once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterable
from functools import partial
from stat import S_ISDIR, S_ISREG
from time import time_ns

from blake3 import blake3

from smttask.errors import StorageError
from smttask.hashing import file_digest, iter_files, joined_digest
from smttask.storage.atomic import is_unfinished, reading_error
from smttask.tasker.state import FOLDER, FileState

__all__ = ["Look"]

# How long two edits may bear the same time: where times are whole seconds (FAT has even ones), and elsewhere,
# where kernels keep time in ticks of up to 10 ms.
_COARSE_NS = 2_100_000_000
_FINE_NS = 20_000_000
_AHEAD_NS = 3_600_000_000_000  # how far the clock of a file server may be ahead of ours
MOST_LOOKS = 3
_SKIPPED = frozenset({FOLDER})  # in folders: what Taskers keep there changes with every run


class Look:
    """What stands at each path, found out when first asked and remembered.

    One object serves one bringing up to date; paths are absolute.

    Parameters
    ----------
    stored
        Gives the paths of what tasks store. It does not count in a folder that goes in and holds it, else
        a task that stores beside its input would never be up to date.
    """

    def __init__(self, stored: Callable[[], Collection[str]] = tuple) -> None:
        self._found: dict[str, FileState | None] = {}
        self._stored = stored

    def now(self, path: str, known: FileState | None) -> FileState | None:
        """The file or folder at `path` with the digest of its content; None if nothing is there.

        It is hashed only if size, time or inode differ from those of `known`; where they agree,
        `known` itself is returned.

        Raises
        ------
        StorageError
            If it cannot be read.
        """
        try:
            return self._found[path]
        except KeyError:
            found = self._found[path] = _told(path, partial(_now, known, self._stored))
            return found

    def stat(self, path: str) -> FileState | None:
        """The file or folder at `path` without a digest (never hashed); None if nothing is there.

        Its time is that of the file also where it is young.

        Raises
        ------
        StorageError
            If the system does not let us look.
        """
        return _told(path, partial(_stated, self._stored))

    def aged(self, path: str) -> FileState | None:
        """As `stat`, but None also where it is so young that writing it now might not show."""
        found = self.stat(path)
        return None if found is None or _is_young(found.mtime_ns, time_ns()) else found

    def made(self, path: str, digest: str = "") -> FileState | None:
        """An output that was just written, for the state file; None if nothing is there.

        Parameters
        ----------
        digest
            What `FormatFile.save` returned; if empty, the content is hashed.

        Raises
        ------
        StorageError
            If it cannot be read.
        """
        self._found[path] = found = _told(path, partial(_made, digest))
        return found

    def forget(self, paths: Iterable[str]) -> None:
        """Look again at `paths` when next asked: a task may have changed them."""
        for path in paths:
            self._found.pop(path, None)


def _told(path: str, look: Callable[[str], FileState]) -> FileState | None:
    """What `look` says of `path`; None if nothing is there, StorageError if it cannot be read."""
    for n_left in reversed(range(MOST_LOOKS)):
        try:
            return look(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            if not os.path.exists(path):
                return None
            if not n_left:  # files in a folder come and go
                raise _unreadable(path, error) from error
        except OSError as error:
            raise _unreadable(path, error) from error
    raise AssertionError("the last look returns or raises")


def _now(known: FileState | None, stored: Callable[[], Collection[str]], path: str) -> FileState:
    stat = os.stat(path)
    if not S_ISREG(stat.st_mode):
        return _Folder(path, stat, stored()).now(known)
    size, mtime_ns, inode = stat.st_size, stat.st_mtime_ns, stat.st_ino
    if known is not None and known[:3] == (size, mtime_ns, inode) and not known.listing:
        return known
    looked_ns = time_ns()
    digest = file_digest(path)
    return FileState(size, -1 if _is_young(mtime_ns, looked_ns) else mtime_ns, inode, digest)


def _stated(stored: Callable[[], Collection[str]], path: str) -> FileState:
    stat = os.stat(path)
    if S_ISREG(stat.st_mode):
        return FileState(stat.st_size, stat.st_mtime_ns, stat.st_ino, "")
    return _Folder(path, stat, stored()).state("")


def _made(digest: str, path: str) -> FileState:
    stat = os.stat(path)
    if S_ISREG(stat.st_mode):
        return FileState(stat.st_size, stat.st_mtime_ns, stat.st_ino, digest or file_digest(path))
    folder = _Folder(path, stat)
    return folder.state(folder.digest())


class _Folder:
    """A folder that is an input or output, with the stats of all the files in it."""

    def __init__(self, path: str, stat: os.stat_result, stored: Collection[str] = ()) -> None:
        if not S_ISDIR(stat.st_mode):  # reading it may never end
            raise OSError(errno.EINVAL, "a pipe or a device, no file", path)
        self._inode = stat.st_ino
        self._looked_ns = time_ns()
        files: Iterable[tuple[str, str]] = iter_files(path, skip=_SKIPPED)
        if stored and path not in stored:
            not_counted = _names_within(path, stored)
            files = (each for each in files if not _is_made(each[0], not_counted))
        self._files = sorted((name, file, os.stat(file)) for name, file in files)

    def state(self, digest: str) -> FileState:
        """Sums over the files, with the `digest` of their contents."""
        hasher = blake3()
        for name, _, stat in self._files:
            text = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}\n"
            hasher.update(os.fsencode(name) + b"\0" + text.encode())
        size = sum(stat.st_size for _, _, stat in self._files)
        return FileState(size, self._latest_ns(), self._inode, digest, hasher.hexdigest())

    def digest(self) -> str:
        """As `InputDir` digests folders: names below it, and contents."""
        return joined_digest((name, file_digest(file)) for name, file, _ in self._files)

    def now(self, known: FileState | None) -> FileState:
        """`known` if nothing looks different, else hashed."""
        found = self.state("")
        if known is not None and known.listing == found.listing and known.mtime_ns == found.mtime_ns:
            return known
        is_young = _is_young(found.mtime_ns, self._looked_ns)
        return found._replace(blake3=self.digest(), mtime_ns=-1 if is_young else found.mtime_ns)

    def _latest_ns(self) -> int:
        return max((stat.st_mtime_ns for _, _, stat in self._files), default=0)


def _names_within(folder: str, stored: Collection[str]) -> set[str]:
    """Names of what is stored in `folder`, relative to it."""
    prefix = os.path.join(folder, "")
    return {path[len(prefix) :].replace(os.sep, "/") for path in stored if path.startswith(prefix)}


def _is_made(name: str, stored: set[str]) -> bool:
    """Whether the file `name` is one of `stored`, in a folder that is, or half-written."""
    if name.endswith(".part") and is_unfinished(name.rpartition("/")[2]):
        return True
    while name not in stored:
        name, slash, _ = name.rpartition("/")
        if not slash:
            return False
    return True


def _is_young(mtime_ns: int, looked_ns: int) -> bool:
    """Whether an edit after `looked_ns` might leave the file with the same time."""
    is_coarse = mtime_ns % 1_000_000_000 == 0
    return -_AHEAD_NS < looked_ns - mtime_ns < (_COARSE_NS if is_coarse else _FINE_NS)


def _unreadable(path: str, error: OSError) -> StorageError:
    return reading_error(f"The file {path!r}, an input or output of a task, cannot be read.", path, error)
