"""A file of Python objects that one process appends to while another, perhaps on another host, reads it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["FrameReader", "FrameWriter"]

LENGTH_BYTES = 8


class FrameWriter:
    """Appends objects to the file at `path`, which is made; each at once and whole; `with` it.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "frames"
    >>> with FrameWriter(path) as writer:
    ...     writer.write("outcome", 3)
    >>> list(FrameReader(path).new())
    [('outcome', 3)]
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - `with` the writer closes it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, *items: Any) -> None:
        """Append the tuple of `items`, which are pickled, so that any reader sees it now."""
        data = pickle.dumps(items, protocol=pickle.HIGHEST_PROTOCOL)
        whole = memoryview(len(data).to_bytes(LENGTH_BYTES, "big") + data)
        while whole:
            whole = whole[self._file.write(whole) :]


class FrameReader:
    """Reads on in a file that a `FrameWriter` of our own writes; it need not be there yet.

    Attributes
    ----------
    damage
        Why nothing more can be read, as where the disk lost a part of the file; empty while all is well.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage = ""
        self._offset = 0

    def new(self) -> Iterator[tuple[Any, ...]]:
        """What was written since it was last asked; what is not whole yet comes later."""
        try:
            if self.damage or os.stat(self.path).st_size <= self._offset:
                return
            # Opened anew each time: only then a network file system shows what others wrote
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        begin = 0
        while len(data) >= begin + LENGTH_BYTES:
            end = begin + LENGTH_BYTES + int.from_bytes(data[begin : begin + LENGTH_BYTES], "big")
            if end > len(data):
                return
            try:
                items = pickle.loads(data[begin + LENGTH_BYTES : end])  # noqa: S301 - written by our own job
                if not isinstance(items, tuple):
                    raise TypeError(f"no tuple, but {type(items).__name__}")
            except Exception as error:  # noqa: BLE001 - pickles that are none raise anything
                self.damage = f"{type(error).__name__}: {error}"
                return
            self._offset += end - begin
            yield items
            begin = end
