"""Long strings and bytes as files that any program reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["BytesFormat", "TextFormat"]


class TextFormat:
    r"""A string as UTF-8, its ends of line as they are.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> TextFormat().save("é\r\n", file)
    >>> file.getvalue()
    b'\xc3\xa9\r\n'
    """

    name = "text"
    suffix = ".txt"

    def accepts(self, value: object) -> bool:
        """True for strings that UTF-8 can hold; lone surrogates it cannot."""
        if type(value) is not str:
            return False
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
        return True

    def save(self, value: str, file: BinaryIO) -> None:
        """Write `value` as UTF-8 without mark at its beginning."""
        file.write(value.encode())

    def load(self, path: Path, *, mmap: bool = False) -> str:
        """Read the whole string; `mmap` makes no difference."""
        return Path(path).read_bytes().decode()


class BytesFormat:
    """Bytes as they are.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> BytesFormat().save(b"abc", file)
    >>> file.getvalue()
    b'abc'
    """

    name = "bytes"
    suffix = ".bin"

    def accepts(self, value: object) -> bool:
        """True for `bytes`; a `bytearray` would come back as something else."""
        return type(value) is bytes

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write `value` as it is."""
        file.write(value)

    def load(self, path: Path, *, mmap: bool = False) -> bytes:
        """Read all the bytes; `mmap` makes no difference."""
        return Path(path).read_bytes()
