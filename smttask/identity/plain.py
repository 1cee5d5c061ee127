"""Plain values -> canonical bytes, without numpy: what `canonical` writes of them too.

Any change here is a change of the format: results stored under the old digests are orphaned.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PosixPath, WindowsPath
from struct import Struct
from typing import Any

from smttask.hashing import new_hasher

__all__ = [
    "CONSTANTS",
    "LARGE",
    "SCALAR_WRITERS",
    "content_hash",
    "float_bytes",
    "int_bytes",
    "joined",
    "path_bytes",
    "plain_bytes",
    "sized",
    "text_bytes",
]

LARGE = 64 * 1024  # texts and buffers of more bytes enter by their blake3
_FLOAT = Struct("<cQd").pack
_LONG = 10_000
_NAN = _FLOAT(b"f", 8, float("nan"))


def sized(tag: bytes, content: bytes) -> bytes:
    """Tag, number of bytes, content; large content by its blake3, under a tag of its own."""
    if len(content) > LARGE:
        return b"#" + tag + len(content).to_bytes(8, "little") + content_hash(content)
    return tag + len(content).to_bytes(8, "little") + content


def joined(tag: bytes, parts: list[bytes]) -> bytes:
    """Tag, number of parts, and the parts, each of which says where it ends."""
    return b"%b%b%b" % (tag, len(parts).to_bytes(8, "little"), b"".join(parts))


def content_hash(content: Any) -> bytes:
    """The blake3 of a buffer, 32 bytes."""
    result: bytes = new_hasher(len(content)).update(content).digest()
    return result


CONSTANTS = {None: sized(b"n", b""), True: sized(b"b", b"\1"), False: sized(b"b", b"\0")}
"""Canonical bytes of the values of which there is one each."""


def int_bytes(value: int, one: Any = None) -> bytes:
    """Canonical bytes of a whole number: little-endian, two's complement, in as few bytes as hold it."""
    return sized(b"i", value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True))


def float_bytes(value: float, one: Any = None) -> bytes:
    """Canonical bytes of a float: IEEE 754 binary64, little-endian; NaN is one value."""
    return _FLOAT(b"f", 8, value) if value == value else _NAN


def text_bytes(value: str, one: Any = None) -> bytes:
    """Canonical bytes of a text: UTF-8, lone surrogates as they are."""
    return sized(b"s", value.encode("utf-8", "surrogatepass"))


#: What writes a value that is no container and no path, by its type; the second argument is passed over.
SCALAR_WRITERS: dict[type, Callable[[Any, Any], bytes]] = {
    float: float_bytes,
    int: int_bytes,
    str: text_bytes,
    bool: lambda value, one: CONSTANTS[value],
    type(None): lambda value, one: CONSTANTS[None],
    bytes: lambda value, one: sized(b"y", value),
    complex: lambda value, one: joined(b"j", [float_bytes(value.real), float_bytes(value.imag)]),
}


def path_bytes(value: Path, root: Path | None) -> bytes:
    """Canonical bytes of a path: relative to `root` if inside, else absolute; links are not resolved."""
    absolute = value.absolute()
    if root is not None and absolute.is_relative_to(root):
        return joined(b"p", [text_bytes("project"), text_bytes(absolute.relative_to(root).as_posix())])
    return joined(b"p", [text_bytes("absolute"), text_bytes(absolute.as_posix())])


class _NotPlain(Exception):
    """Something is not plain; caught in this file."""


def plain_bytes(value: Any, *, root: Path | None = None) -> bytes | None:
    """What `canonical_bytes` gives for `value`; None if not all of it is plain.

    Plain are None, bools, numbers, texts, bytes, paths, and lists, tuples and dicts of these; lists of
    more than 10 000 are not, which `canonical_bytes` packs several times as fast.

    Parameters
    ----------
    root
        Folder of the project: paths inside count relative to it.

    Examples
    --------
    >>> plain_bytes({"fps": 50}) is None, plain_bytes(object()) is None
    (False, True)
    """
    try:
        return _plain(value, root)
    except (_NotPlain, RecursionError):  # what it is, or that it holds itself, is told elsewhere
        return None


def _plain(value: Any, root: Path | None) -> bytes:
    writer = _WRITERS.get(type(value))
    if writer is None:
        raise _NotPlain
    return writer(value, root)


def _items(value: Any, root: Path | None) -> list[bytes]:
    if len(value) > _LONG:
        raise _NotPlain
    return [_plain(item, root) for item in value]


def _dict(value: dict[Any, Any], root: Path | None) -> bytes:
    entries = sorted((_plain(key, root), _plain(item, root)) for key, item in value.items())
    return joined(b"d", [key + item for key, item in entries])


_WRITERS: dict[type, Callable[[Any, Path | None], bytes]] = {
    **SCALAR_WRITERS,
    list: lambda value, root: joined(b"l", _items(value, root)),
    tuple: lambda value, root: joined(b"t", _items(value, root)),
    dict: _dict,
    PosixPath: path_bytes,
    WindowsPath: path_bytes,
}
