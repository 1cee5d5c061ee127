"""Arrays as NumPy's own files, without a copy on the way.

The source of the file formats is NumPy's `numpy.lib.format`; any NumPy reads
them. Object arrays, whose files would hold pickles, are neither written nor read.
"""

from __future__ import annotations

import ast
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.lib import format as npy

from smttask.parsing import undisturbed

__all__ = ["NpyFormat", "as_plain_array", "is_plain_array", "read_array", "write_array"]

AnyArray: TypeAlias = np.ndarray[Any, Any]

# Pieces in which an array that is not contiguous is copied and written, in bytes.
PIECE_BYTES = 1 << 24
# Data begin at multiples of this, so that they can be mapped; as NumPy does.
ALIGN_BYTES = 64
MAGIC = b"\x93NUMPY"


def is_plain_array(value: object) -> bool:
    """Whether `value` is an array whose dtype a ``.npy`` file can tell; no subclass, no objects."""
    if type(value) is not np.ndarray or value.dtype.hasobject:
        return False
    try:
        return bool(npy.descr_to_dtype(npy.dtype_to_descr(value.dtype)) == value.dtype)
    except (TypeError, ValueError):
        return False


def as_plain_array(value: Any) -> AnyArray:
    """`value` as an array that a ``.npy`` file can hold: lists and numbers become one.

    Raises
    ------
    TypeError
        If it holds Python objects, or a mask.
    """
    array = np.asarray(value)
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError("a masked array would lose its mask")
    if not is_plain_array(array):
        raise TypeError(f"an array of {array.dtype} holds more than numbers, texts and times")
    return array


def write_array(array: AnyArray, write: Callable[[Any], object]) -> None:
    """Pass a ``.npy`` header and the data of `array` to `write`, contiguous data in one piece."""
    is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    write(_header(array, is_fortran))
    if array.nbytes == 0:
        return
    if array.flags.c_contiguous or is_fortran:
        write((array.T if is_fortran else array).reshape(-1).view(np.uint8))
        return
    n_items = max(PIECE_BYTES // array.itemsize, 1)
    pieces: Any = np.nditer(array, flags=["external_loop", "buffered"], buffersize=n_items, order="C")
    for piece in pieces:
        write(piece.tobytes("C"))


def _header(array: AnyArray, is_fortran: bool) -> bytes:
    """The bytes before the data: the same in every NumPy, since stored values are named by their content."""
    fields = {"descr": npy.dtype_to_descr(array.dtype), "fortran_order": is_fortran, "shape": array.shape}
    text = "{" + "".join(f"{key!r}: {value!r}, " for key, value in fields.items()) + "}"
    version, encoded = (1, text.encode("latin1")) if text.isascii() else (3, text.encode())
    length = "<H"
    if version == 3 or len(encoded) + ALIGN_BYTES > 0xFFFF:
        version, length = max(version, 2), "<I"
    n_before = len(MAGIC) + 2 + struct.calcsize(length)
    n_padding = -(n_before + len(encoded) + 1) % ALIGN_BYTES
    encoded += b" " * n_padding + b"\n"
    return MAGIC + bytes((version, 0)) + struct.pack(length, len(encoded)) + encoded


@lru_cache(maxsize=256)
def _parsed_header(text: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """What a header says; arrays of one kind have the same, and to parse it takes 30 us."""
    fields = undisturbed(lambda: ast.literal_eval(text.strip()))
    return fields["shape"], fields["fortran_order"], npy.descr_to_dtype(fields["descr"])


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, memory order and dtype; ValueError if this is no header."""
    start = file.read(len(MAGIC) + 2)
    version = start[len(MAGIC)] if len(start) == len(MAGIC) + 2 else 0
    if not start.startswith(MAGIC) or version not in (1, 2, 3):
        raise ValueError("it does not begin like a .npy file")
    length = "<H" if version == 1 else "<I"
    try:
        (n_bytes,) = struct.unpack(length, file.read(struct.calcsize(length)))
        text = file.read(n_bytes).decode("utf-8" if version == 3 else "latin1")
        shape, is_fortran, dtype = _parsed_header(text)
    except (struct.error, SyntaxError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"its .npy header cannot be read: {error!r}") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    return shape, is_fortran, dtype


def read_array(file: BinaryIO) -> AnyArray:
    """The array at the current place of `file`, read-only and owning its data.

    Raises
    ------
    ValueError
        If there is no array without Python objects, or not all of it.
    """
    shape, is_fortran, dtype = _read_header(file)
    array = np.empty(shape, dtype, order="F" if is_fortran else "C")
    if array.nbytes:
        flat: Any = (array.T if is_fortran else array).reshape(-1).view(np.uint8)
        n_read = 0
        while n_read < flat.nbytes:
            n_more = file.readinto(flat[n_read:])  # type: ignore[attr-defined]
            if not n_more:
                raise ValueError(f"it ends {flat.nbytes - n_read} bytes too early")
            n_read += n_more
    array.flags.writeable = False
    return array


class NpyFormat:
    """One array as ``.npy``: dtype with byte order, shape and memory order are kept.

    An array that is not contiguous comes back in C order. Loaded arrays are
    read-only.

    Examples
    --------
    >>> NpyFormat().accepts(np.arange(3)), NpyFormat().accepts(np.array([None]))
    (True, False)
    """

    name = "npy"
    suffix = ".npy"

    def accepts(self, value: object) -> bool:
        """True for arrays without Python objects; not for their subclasses."""
        return is_plain_array(value)

    def save(self, value: AnyArray, file: BinaryIO) -> None:
        """Write `value`, contiguous data in one piece."""
        write_array(value, file.write)

    def load(self, path: Path, *, mmap: bool = False) -> AnyArray:
        """Read the array, or with `mmap` map the file: data are then read when looked at."""
        with open(path, "rb", buffering=0) as file:
            if not mmap:
                return read_array(file)
            shape, is_fortran, dtype = _read_header(file)
            offset = file.tell()
        if 0 in shape or dtype.itemsize == 0:  # nothing that could be mapped
            return self.load(path)
        order: Any = "F" if is_fortran else "C"
        mapped = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape, order=order)
        return mapped.view(np.ndarray)
