"""Checksums of files: while they are written, and when they are read."""

from __future__ import annotations

import io
import os
from threading import Thread
from types import TracebackType
from typing import Any

from blake3 import blake3

__all__ = ["FileHashing", "HashingFile", "PARALLEL_BYTES", "hash_file", "new_hasher"]

# From this size on, hashing beside the writing pays for starting threads (measured: 0.1 ms).
PARALLEL_BYTES = 2_000_000
# Not `blake3.AUTO`: its threads are made once per process, and a forked child waits for them for ever.
N_HASH_THREADS = min(os.cpu_count() or 1, 8)
# Below this size reading a file is faster than mapping it (measured).
MAP_BYTES = 65_536


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
