"""Checksums of files: while they are written, and when they are read."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Iterator
from stat import S_ISDIR, S_ISREG
from threading import Thread
from time import time_ns
from types import TracebackType
from typing import Any, NamedTuple

from blake3 import blake3

__all__ = [
    "FileHashing",
    "HashingFile",
    "PARALLEL_BYTES",
    "file_digest",
    "hash_file",
    "iter_files",
    "joined_digest",
    "new_hasher",
]

# From this size on, hashing beside the writing pays for starting threads (measured: 0.1 ms).
PARALLEL_BYTES = 2_000_000
# Not `blake3.AUTO`: its threads are made once per process, and a forked child waits for them for ever.
N_HASH_THREADS = min(os.cpu_count() or 1, 8)
# Below this size reading a file is faster than mapping it (measured).
MAP_BYTES = 65_536
_FILE_MANAGERS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_RACY_NS = 2_000_000_000  # a file younger than this when hashed may change within one tick of its clock


def new_hasher(n_bytes: int) -> blake3:
    """A blake3 hasher with as many threads as `n_bytes` are worth; works in forked children."""
    return blake3(max_threads=N_HASH_THREADS if n_bytes >= PARALLEL_BYTES else 1)


def hash_file(path: str) -> str:
    """The blake3 of the file at `path`, 64 hex; big files on all cores."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size < MAP_BYTES:
            return blake3(file.read()).hexdigest()
    return new_hasher(size).update_mmap(path).hexdigest()


class _Stat(NamedTuple):
    size: int
    mtime_ns: int
    inode: int


_known: dict[str, tuple[_Stat, str]] = {}
_MAX_KNOWN = 100_000  # 30 MB of memory


def _stat(path: str | os.PathLike[str]) -> _Stat:
    found = os.stat(path)
    if not S_ISREG(found.st_mode) and not S_ISDIR(found.st_mode):  # reading it may never end
        raise OSError(errno.EINVAL, "a pipe or a device, no file", os.fspath(path))
    return _Stat(found.st_size, found.st_mtime_ns, found.st_ino)


def file_digest(path: str | os.PathLike[str]) -> str:
    """The blake3 of the file's content, 64 hex digits; remembered while the file looks the same."""
    stat = _stat(path)
    known = _known.get(os.fspath(path))
    if known is not None and known[0] == stat:
        return known[1]
    hasher = new_hasher(stat.size)
    hashed_at_ns = time_ns()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            hasher.update(block)
    digest = hasher.hexdigest()
    if stat == _stat(path) and hashed_at_ns - stat.mtime_ns > _RACY_NS:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[os.fspath(path)] = (stat, digest)
    else:
        _known.pop(os.fspath(path), None)
    return digest


def joined_digest(digests: Iterable[tuple[str, str]]) -> str:
    """The digest of a folder, 64 hex, from the name and digest of each file in it, sorted by name."""
    hasher = new_hasher(0)
    for name, digest in digests:
        encoded = os.fsencode(name)
        hasher.update(len(encoded).to_bytes(8, "little") + encoded + bytes.fromhex(digest))
    return hasher.hexdigest()


def iter_files(
    folder: str | os.PathLike[str], *, skip: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str]]:
    """Name relative to `folder`, with ``/``, and path of each file below it.

    Parameters
    ----------
    skip
        Names of folders that are passed over with all in them.

    Raises
    ------
    OSError
        If something in it cannot be read or is no file, or it contains itself.
    """
    stack = [("", os.fspath(folder), frozenset[str]())]
    while stack:
        prefix, place, around = stack.pop()
        real = os.path.realpath(place)
        if real in around:
            raise OSError(errno.ELOOP, "the folder contains itself by a link", place)
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name in skip:
                        continue
                    stack.append((f"{prefix}{entry.name}/", entry.path, around | {real}))
                elif entry.name in _FILE_MANAGERS:
                    continue
                elif entry.is_file():
                    yield prefix + entry.name, entry.path
                else:
                    reason = (
                        "a link that leads nowhere" if entry.is_symlink() else "neither a file nor a folder"
                    )
                    raise OSError(errno.EINVAL, reason, entry.path)


class FileHashing(Thread):
    """Hashes the file at `path` while the caller does something else; `result` waits for it."""

    def __init__(self, path: str) -> None:
        super().__init__(name="smttask-hashing")
        self._path = path
        self._found: str | OSError = ""
        self.start()

    def run(self) -> None:
        """Hash; what goes wrong is kept for `result`."""
        try:
            self._found = hash_file(self._path)
        except OSError as error:
            self._found = error

    def result(self) -> str:
        """The blake3, 64 hex; raises the OSError that reading met."""
        self.join()
        if isinstance(self._found, OSError):
            raise self._found
        return self._found


class HashingFile(io.RawIOBase):
    """A new file that knows its size and blake3 when it is closed; nothing is copied or read again.

    Big buffers are hashed by another thread while they are written. A writer
    that seeks is allowed; its file is then read once more to be hashed.

    Parameters
    ----------
    path
        Must not exist. None: nothing is written, only size and blake3 are found.
    expected_bytes
        About how much will be written, if known; much is hashed by several threads.

    Examples
    --------
    >>> with HashingFile(None) as file:
    ...     _ = file.write(b"abc")
    >>> file.n_bytes, file.blake3[:8]
    (3, '6437b3ac')
    """

    n_bytes: int
    blake3: str

    def __init__(self, path: str | None, *, expected_bytes: int = 0) -> None:
        self.path = path
        self._hasher = new_hasher(expected_bytes)
        self._n_written = 0
        self._sequential = True
        self._fd = -1  # also if the file cannot be made: Python closes what was never opened
        if path is not None:
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)
            self._fd = os.open(path, flags, 0o666)

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
