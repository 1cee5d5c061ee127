"""Plain values as JSON text: numbers, strings, containers, dataclasses, small arrays.

What JSON lacks is written with the tags of `smttask.typing.jsonform`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from smttask.formats.rooted import Rooted
from smttask.typing.jsonform import from_json, to_json

__all__ = ["JsonFormat"]


class JsonFormat(Rooted):
    r"""A value in JSON form, in ASCII, on one line.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> JsonFormat().save([1, None], file)
    >>> file.getvalue()
    b'[1, null]\n'
    """

    name = "json"
    suffix = ".json"

    def accepts(self, value: object) -> bool:
        """True for all that has a JSON form; large arrays have one too, but not a good one."""
        try:
            to_json(value)
        except (TypeError, ValueError):
            return False
        return True

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write the JSON form of `value`."""
        file.write(self.text(to_json(value, root=self.root)).encode("ascii") + b"\n")

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read the value; `mmap` makes no difference."""
        return from_json(json.loads(Path(path).read_bytes()), root=self.root)

    def text(self, tree: Any) -> str:
        """The text of a JSON form; strict, so NaN must stand in it by its tag."""
        return json.dumps(tree, allow_nan=False)
