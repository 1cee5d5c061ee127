"""Containers that hold large arrays, and large masked arrays, as ``.npz``.

The zip file is not compressed. It holds the JSON form of the value as
``tree.json`` and each array of more than 64 kB as a ``.npy`` member, so
`numpy.load` shows them: the arrays of a dict by their keys, others as
``array_0``, ``array_1`` … The name of a member stands in the tree in place of its array.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from smttask.formats.numpy import AnyArray, as_plain_array, is_plain_array, read_array, write_array
from smttask.formats.rooted import Rooted
from smttask.parsing import undisturbed
from smttask.typing.jsonform import from_json, to_json

if TYPE_CHECKING:
    import zipfile

__all__ = ["NpzFormat", "PlainNpzFormat"]

TREE = "tree.json"
STORED = 0  # zip's number for a member that is not compressed


class NpzFormat(Rooted):
    """A value as a zip file of its JSON form and its large arrays.

    Loaded arrays are read-only.

    Examples
    --------
    >>> NpzFormat().accepts({"x": 1, "unit": "mV"})
    True
    """

    name = "npz"
    suffix = ".npz"

    def accepts(self, value: object) -> bool:
        """True for all that has a JSON form."""
        try:
            to_json(value, on_large=lambda array: "x" if is_plain_array(array) else None)
        except (TypeError, ValueError):
            return False
        return True

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write the zip file forwards, never seeking."""
        members = _Members(value)
        tree = to_json(value, on_large=members.add, root=self.root)
        _write_archive(file, members.arrays, json.dumps(tree, allow_nan=False) + "\n")

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read the value with all its arrays; `mmap` makes no difference."""
        import zipfile

        with open(path, "rb") as file:
            try:
                archive = zipfile.ZipFile(file)
                tree = json.loads(archive.read(TREE))
                infos = [info for info in archive.infolist() if info.filename != TREE]
                arrays = {info.filename.removesuffix(".npy"): _read_member(file, info) for info in infos}
            except (zipfile.BadZipFile, struct.error) as error:
                raise ValueError(f"it is no whole .npz file: {error}") from error
        return from_json(tree, get_large=arrays.__getitem__, root=self.root)


class PlainNpzFormat:
    """Arrays by name as `numpy.savez` writes them, and any program for such files reads them.

    Loaded arrays may be changed.

    Examples
    --------
    >>> PlainNpzFormat().accepts({"x": [1, 2]}), PlainNpzFormat().accepts([1, 2])
    (True, False)
    """

    name = "plain-npz"
    suffix = ".npz"

    def accepts(self, value: object) -> bool:
        """Whether it is a mapping of names to arrays, or what becomes one."""
        try:
            _named_arrays(value)
        except (TypeError, ValueError):
            return False
        return True

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write the arrays.

        Raises
        ------
        TypeError
            If `value` is no mapping of names to arrays without Python objects.
        """
        _write_archive(file, _named_arrays(value))

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read a dict of the arrays; `mmap` makes no difference.

        Raises
        ------
        ValueError
            If it is no such file, or an array holds Python objects: nothing is unpickled.
        """
        import zipfile  # with its compressors 10 ms, which only these files need

        if not zipfile.is_zipfile(path):
            with open(path, "rb") as file:
                is_array = file.read(6) == b"\x93NUMPY"
            raise ValueError(f"it is {'a single array, ' if is_array else ''}no .npz file")
        return undisturbed(lambda: _read_archive(path))


def _read_archive(path: Path) -> dict[str, AnyArray]:
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def _named_arrays(value: Any) -> dict[str, AnyArray]:
    if not isinstance(value, Mapping):
        raise TypeError("it is no mapping of names to arrays")
    arrays = {name: as_plain_array(item) for name, item in value.items()}
    if unfit := [name for name in arrays if type(name) is not str or not name or "\0" in name]:
        raise TypeError(f"{unfit[0]!r} cannot be the name of an array")
    return arrays


def _write_archive(file: BinaryIO, arrays: Mapping[str, AnyArray], tree: str | None = None) -> None:
    """A zip file of the arrays, not compressed, after the text `tree` if there is one."""
    import zipfile  # with its compressors 10 ms, which only these files need

    with zipfile.ZipFile(_Forward(file), "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        if tree is not None:
            archive.writestr(zipfile.ZipInfo(TREE), tree)
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                write_array(array, member.write)


class _Members:
    """The large arrays found in a value, each once, under the names of their members."""

    def __init__(self, value: object) -> None:
        self.arrays: dict[str, AnyArray] = {}
        self._names: dict[int, str] = {}
        items = value.items() if type(value) is dict else ()
        self._wished = {
            id(item): key for key, item in items if type(key) is str and re.fullmatch(r"\w[\w-]{0,99}", key)
        }

    def add(self, array: AnyArray) -> str | None:
        """Note an array; returns what it is called, None if it must stand in the JSON text."""
        if not is_plain_array(array):
            return None
        name, n = self._names.get(id(array)), 0
        if name is None:
            name = self._wished.get(id(array))
            while name is None or name in self.arrays:
                name, n = f"array_{n}", n + 1
            self._names[id(array)] = name
            self.arrays[name] = array
        return name


class _Forward:
    """All of a file that zipfile may use, so that it never goes back."""

    def __init__(self, file: BinaryIO) -> None:
        self.write: Callable[[Any], int] = file.write

    def flush(self) -> None:
        """Nothing is held back here."""


def _read_member(file: BinaryIO, info: zipfile.ZipInfo) -> AnyArray:
    """The array in a member, straight from the file: checksums are the caller's, not zip's."""
    if info.compress_type != STORED:
        raise ValueError(f"its member {info.filename!r} is compressed")
    file.seek(info.header_offset + 26)
    n_name, n_extra = struct.unpack("<HH", file.read(4))
    file.seek(n_name + n_extra, 1)
    return read_array(file)
