"""Arrays as canonical bytes: little-endian dtype, shape, and the elements in C order, without padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from smttask.identity.plain import LARGE, content_hash, int_bytes, joined, sized, text_bytes
from smttask.typing.arrayform import zeroed_below
from smttask.typing.places import UnfitValue

__all__ = ["array_content"]

_EXTENDED = 10  # bytes that mean something in the 80-bit floats of x86, stored in 12 or 16

Hashed = dict[int, tuple[Any, bytes]]


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
    shape = joined(b"t", [int_bytes(size) for size in array.shape])
    if dtype.kind in "OT":
        return joined(b"O", [shape, *_objects(array, write)])
    if dtype.names is not None:
        fields = [text_bytes(name) + array_content(array[name], write, hashed) for name in dtype.names]
        return joined(b"R", [shape, *fields])
    if dtype.kind in "fc" and dtype.char in "gG":
        name, content = _long_doubles(array)
    else:
        little = dtype.newbyteorder("<")
        name = little.str
        if array.nbytes > LARGE and id(array) in hashed:
            return joined(b"A", [text_bytes(name), shape, hashed[id(array)][1]])
        content = np.ascontiguousarray(array, dtype=little)
    data = _buffer(content)
    if array.nbytes > LARGE:
        hashed[id(array)] = (array, data)
    return joined(b"A", [text_bytes(name), shape, data])


def _buffer(content: Any) -> bytes:
    n_bytes: int = content.nbytes
    if n_bytes > LARGE:
        # Dates, texts and void have no buffer of their own kind; bytes always have.
        return b"#y" + n_bytes.to_bytes(8, "little") + content_hash(content.reshape(-1).view(np.uint8).data)
    return sized(b"y", content.tobytes())


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
