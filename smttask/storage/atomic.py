"""Write once, whole or not at all."""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
from collections.abc import Callable
from threading import Thread
from types import TracebackType
from typing import Any, BinaryIO, cast

from blake3 import blake3

from smttask.errors import StorageError

__all__ = [
    "HashingFile",
    "create_link",
    "hash_file",
    "read_link",
    "replace_link",
    "storage_error",
    "sync",
    "unlink_if_there",
    "write_whole",
]

# From this size on, hashing beside the writing pays for starting a thread (measured: 0.1 ms).
PARALLEL_BYTES = 1_000_000
# Below this size reading a file is faster than mapping it (measured).
MAP_BYTES = 65_536

_serial = itertools.count()


def storage_error(what: str, path: str, error: OSError) -> StorageError:
    """Turn what the system said about `path` into an error that says what to do."""
    remedy = {
        errno.ENOSPC: "make room on this disk, then run again; nothing half-written was left",
        errno.EDQUOT: "make room in your quota, then run again; nothing half-written was left",
        errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), then run again",
        errno.EACCES: "ask for write permission there, or choose another data folder",
        errno.EPERM: "ask for write permission there, or choose another data folder",
        errno.EROFS: "mount it writable, or choose another data folder",
        errno.ENOTDIR: "a file stands where a folder is needed: move it away",
        errno.EEXIST: "a file stands where a folder is needed: move it away",
    }.get(error.errno or 0, "see whether the disk is mounted and works")
    found = f"{path}: {error.strerror or error}"
    made = StorageError(what, found, remedy, path=path)
    made.errno = error.errno
    return made


class HashingFile(io.RawIOBase):
    """A new file that knows its size and blake3 when it is closed; nothing is copied or read again.

    Big buffers are hashed by another thread while they are written. A writer
    that seeks is allowed; its file is then read once more to be hashed.

    Parameters
    ----------
    path
        Must not exist. None: nothing is written, only size and blake3 are found.

    Examples
    --------
    >>> with HashingFile(None) as file:
    ...     _ = file.write(b"abc")
    >>> file.n_bytes, file.blake3[:8]
    (3, '6437b3ac')
    """

    n_bytes: int
    blake3: str

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._hasher = blake3()
        self._n_written = 0
        self._sequential = True
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)
        self._fd = -1 if path is None else os.open(path, flags, 0o666)

    def write(self, data: Any) -> int:
        """Write all of `data`, a buffer of any size; returns its number of bytes."""
        view = memoryview(data)
        if view.ndim != 1 or view.itemsize != 1:
            view = view.cast("B")
        if not self._sequential:
            self._write_out(view)
        elif len(view) < PARALLEL_BYTES or self._fd < 0:
            self._hasher.update(view)
            self._write_out(view)
        else:
            hashing = Thread(target=self._hasher.update, args=(view,))
            hashing.start()
            try:
                self._write_out(view)
            finally:
                hashing.join()
        self._n_written += len(view)
        return len(view)

    def _write_out(self, view: memoryview) -> None:
        if self._fd < 0:
            return
        n_done = os.write(self._fd, view)
        while n_done < len(view):
            n_done += os.write(self._fd, view[n_done:])

    def readable(self) -> bool:
        """Say that nothing can be read back."""
        return False

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def seekable(self) -> bool:
        """Whether there is a file to seek in."""
        return self._fd >= 0

    def tell(self) -> int:
        """Offset of the next write, in bytes."""
        return os.lseek(self._fd, 0, os.SEEK_CUR) if self._fd >= 0 else self._n_written

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset; if that is elsewhere, the file is hashed when it is closed."""
        if self._fd < 0:
            raise io.UnsupportedOperation("seek")
        before = self.tell()
        after = os.lseek(self._fd, offset, whence)
        self._sequential = self._sequential and before == after
        return after

    def truncate(self, size: int | None = None) -> int:
        """Cut the file; it is hashed when it is closed."""
        if self._fd < 0:
            raise io.UnsupportedOperation("truncate")
        size = self.tell() if size is None else size
        os.ftruncate(self._fd, size)
        self._sequential = False
        return size

    def fileno(self) -> int:
        """Descriptor, for writers that go past us; the file is hashed when it is closed."""
        if self._fd < 0:
            raise io.UnsupportedOperation("fileno")
        self._sequential = False
        return self._fd

    def close(self) -> None:
        """Close the file and set `n_bytes` and `blake3`."""
        if self.closed:
            return
        super().close()
        try:
            if self._sequential:
                self.n_bytes, self.blake3 = self._n_written, self._hasher.hexdigest()
            elif self.path is not None:
                self.n_bytes = os.fstat(self._fd).st_size
                self.blake3 = hash_file(self.path)
        finally:
            if self._fd >= 0:
                os.close(self._fd)

    def __enter__(self) -> HashingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def hash_file(path: str) -> str:
    """The blake3 of the file at `path`, 64 hex; big files on all cores."""
    with open(path, "rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size < MAP_BYTES:
            return blake3(file.read()).hexdigest()
    return blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest()


def write_whole(path: str, save: Callable[[BinaryIO], object]) -> None:
    """Let `save` write the file at `path`; what was there is replaced at once, when all is written."""
    beside = _beside(path)
    try:
        with HashingFile(beside) as file:
            save(cast(BinaryIO, file))
        os.replace(beside, path)
    except BaseException:
        unlink_if_there(beside)
        raise


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
