"""Arrays as canonical bytes: little-endian dtype, shape, and the elements in C order, without padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from smttask.hashing import new_hasher
from smttask.typing.arrayform import zeroed_below
from smttask.typing.places import UnfitValue

__all__ = ["array_content", "joined", "sized"]

_LARGE = 64 * 1024  # buffers of more bytes enter by their blake3
_EXTENDED = 10  # bytes that mean something in the 80-bit floats of x86, stored in 12 or 16

Hashed = dict[int, tuple[Any, bytes]]


def sized(tag: bytes, content: bytes) -> bytes:
    """Tag, number of bytes, content; large content by its blake3, under a tag of its own."""
    if len(content) > _LARGE:
        return b"#" + tag + len(content).to_bytes(8, "little") + _hash(content)
    return tag + len(content).to_bytes(8, "little") + content


def joined(tag: bytes, parts: list[bytes]) -> bytes:
    """Tag, number of parts, and the parts, each of which says where it ends."""
    return b"%b%b%b" % (tag, len(parts).to_bytes(8, "little"), b"".join(parts))


def array_content(array: Any, write: Callable[[Any], bytes], hashed: Hashed) -> bytes:
    """Canonical bytes of an array.

    Parameters
    ----------
    write
        Gives the canonical bytes of the objects in an array of objects.
    hashed
        Digests of large arrays seen before, by id, with the arrays to keep the ids taken.
    """
    if isinstance(array, np.ma.MaskedArray):
        return _masked(array, write, hashed)
    dtype = array.dtype
    shape = joined(b"t", [_number(size) for size in array.shape])
    if dtype.kind in "OT":
        return joined(b"O", [shape, *_objects(array, write)])
    if dtype.names is not None:
        fields = [_text(name) + array_content(array[name], write, hashed) for name in dtype.names]
        return joined(b"R", [shape, *fields])
    if dtype.kind in "fc" and dtype.char in "gG":
        name, content = _long_doubles(array)
    else:
        little = dtype.newbyteorder("<")
        name = little.str
        if array.nbytes > _LARGE and id(array) in hashed:
            return joined(b"A", [_text(name), shape, hashed[id(array)][1]])
        content = np.ascontiguousarray(array, dtype=little)
    data = _buffer(content)
    if array.nbytes > _LARGE:
        hashed[id(array)] = (array, data)
    return joined(b"A", [_text(name), shape, data])


def _hash(content: Any) -> bytes:
    result: bytes = new_hasher(len(content)).update(content).digest()
    return result


def _buffer(content: Any) -> bytes:
    n_bytes: int = content.nbytes
    if n_bytes > _LARGE:
        # Dates, texts and void have no buffer of their own kind; bytes always have.
        return b"#y" + n_bytes.to_bytes(8, "little") + _hash(content.reshape(-1).view(np.uint8).data)
    return sized(b"y", content.tobytes())


def _text(value: str) -> bytes:
    return sized(b"s", value.encode("utf-8", "surrogatepass"))


def _number(value: int) -> bytes:
    return sized(b"i", value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True))


def _objects(array: Any, write: Callable[[Any], bytes]) -> list[bytes]:
    parts: list[bytes] = []
    try:
        parts.extend(map(write, array.reshape(-1).tolist()))
    except UnfitValue as error:
        index = np.unravel_index(len(parts), array.shape)
        raise error.within(f"[{', '.join(str(int(i)) for i in index)}]") from error.__cause__
    return parts


def _long_doubles(array: Any) -> tuple[str, Any]:
    """The name of the format and its bytes: x86 leaves 2 or 6 bytes of each number undefined."""
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    kind = "complex" if array.dtype.kind == "c" else "float"
    size = native.dtype.itemsize // (2 if kind == "complex" else 1)
    n_mantissa = np.finfo(np.longdouble).nmant
    content = native.reshape(-1).view(np.uint8).reshape(-1, size)
    if n_mantissa == 63:
        content = np.ascontiguousarray(content[:, :_EXTENDED])
    return f"{kind} of {n_mantissa + 1} bits", content


def _masked(array: Any, write: Callable[[Any], bytes], hashed: Hashed) -> bytes:
    mask = np.ma.getmaskarray(array)
    data = zeroed_below(np.array(array.data), mask)
    fill = np.asarray(array.fill_value)
    usual = np.asarray(np.ma.MaskedArray(np.empty(0, dtype=array.dtype)).fill_value)
    fill_bytes = array_content(fill, write, {})
    if fill_bytes == array_content(usual, write, {}):
        fill_bytes = sized(b"n", b"")
    # `data` and `mask` live only here: their ids must not stay in `hashed`.
    return joined(b"K", [array_content(data, write, {}), array_content(mask, write, {}), fill_bytes])
