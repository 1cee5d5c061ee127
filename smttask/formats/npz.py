"""Containers that hold large arrays, and masked arrays, as ``.npz``.

The zip file is not compressed. It holds the JSON form of the value as
``tree.json`` and each large array as a ``.npy`` member, so `numpy.load` shows
them: the arrays of a dict by their keys, others as ``array_0``, ``array_1`` …
The data under a mask, the mask and the fill value of a masked array ``x`` are
``x.npy``, ``x.mask.npy`` and ``x.fill.npy``.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from smttask.formats.numpy import AnyArray, is_plain_array, read_array, write_array
from smttask.typing.jsonform import from_json, to_json

__all__ = ["LARGE_BYTES", "NpzFormat", "is_large_array"]

TREE = "tree.json"
# An array of more bytes than this makes the container that holds it an .npz file.
LARGE_BYTES = 16_384


def is_large_array(value: object) -> bool:
    """Whether `value` is an array, masked or not, that is too large for JSON text."""
    if not isinstance(value, np.ndarray) or value.nbytes <= LARGE_BYTES:
        return False
    return _is_masked_array(value) or is_plain_array(value)


def _is_masked_array(value: object) -> bool:
    return type(value) is np.ma.MaskedArray and is_plain_array(value.data)


class NpzFormat:
    """A value as a zip file of its JSON form and its large arrays.

    Loaded arrays are read-only.

    Examples
    --------
    >>> NpzFormat().accepts({"x": np.zeros(10_000), "unit": "mV"})
    True
    """

    name = "npz"
    suffix = ".npz"

    def accepts(self, value: object) -> bool:
        """True for all that has a JSON form."""
        try:
            to_json(value, on_large=lambda part: "x" if is_large_array(part) else None)
        except (TypeError, ValueError):
            return False
        return True

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write the zip file forwards, never seeking."""
        members = _Members(value)
        tree = to_json(value, on_large=members.add)
        with zipfile.ZipFile(_Forward(file), "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
            archive.writestr(zipfile.ZipInfo(TREE), json.dumps(tree, allow_nan=False) + "\n")
            for name, array in members.arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    write_array(array, member.write)

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read the value with all its arrays; `mmap` makes no difference."""
        with open(path, "rb") as file:
            try:
                archive = zipfile.ZipFile(file)
                tree = json.loads(archive.read(TREE))
                arrays = {
                    info.filename.removesuffix(".npy"): _read_member(file, info)
                    for info in archive.infolist()
                    if info.filename != TREE
                }
            except (zipfile.BadZipFile, struct.error) as error:
                raise ValueError(f"it is no whole .npz file: {error}") from error
        return from_json(tree, get_large=lambda name: _assemble(arrays, name))


class _Members:
    """The arrays found in a value, each once, under the names of their members."""

    def __init__(self, value: object) -> None:
        self.arrays: dict[str, AnyArray] = {}
        self._names: dict[int, str] = {}
        items = value.items() if type(value) is dict else ()
        self._wished = {
            id(item): key for key, item in items if type(key) is str and re.fullmatch(r"\w[\w-]{0,99}", key)
        }

    def add(self, array: object) -> str | None:
        """Note a part of the value; returns what it is called, None if it can stand in the JSON text."""
        if not is_large_array(array):
            return None
        assert isinstance(array, np.ndarray)
        name = self._names.get(id(array)) or self._new_name(id(array))
        self._names[id(array)] = name
        if isinstance(array, np.ma.MaskedArray):
            self.arrays[name] = array.data
            self.arrays[f"{name}.fill"] = np.asarray(array.fill_value)
            if array.mask is not np.ma.nomask:
                self.arrays[f"{name}.mask"] = np.asarray(array.mask)
        else:
            self.arrays[name] = array
        return name

    def _new_name(self, identity: int) -> str:
        name, n = self._wished.get(identity), 0
        while name is None or name in self.arrays:
            name, n = f"array_{n}", n + 1
        return name


class _Forward:
    """All of a file that zipfile may use, so that it never goes back."""

    def __init__(self, file: BinaryIO) -> None:
        self.write: Callable[[Any], int] = file.write

    def flush(self) -> None:
        """Nothing is held back here."""


def _read_member(file: BinaryIO, info: zipfile.ZipInfo) -> AnyArray:
    """The array in a member, straight from the file: checksums are the caller's, not zip's."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"its member {info.filename!r} is compressed")
    file.seek(info.header_offset + 26)
    n_name, n_extra = struct.unpack("<HH", file.read(4))
    file.seek(n_name + n_extra, 1)
    return read_array(file)


def _assemble(arrays: dict[str, AnyArray], name: str) -> AnyArray:
    if f"{name}.fill" not in arrays:
        return arrays[name]
    mask = arrays.get(f"{name}.mask", np.ma.nomask)
    masked: Any = np.ma.MaskedArray
    array: AnyArray = masked(arrays[name], mask=mask, fill_value=arrays[f"{name}.fill"][()])
    return array
