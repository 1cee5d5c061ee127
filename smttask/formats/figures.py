"""Figures as the files that people look at: a PNG, and beside it the same as SVG."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from smttask.typing.figures import Figure

__all__ = ["FigureFormat"]


class FigureFormat:
    """A drawn figure as ``.png``, with the ``.svg`` of the same name beside it.

    Examples
    --------
    >>> FigureFormat().accepts(Figure(b"", ""))
    True
    """

    name = "figure"
    suffix = ".png"
    companions = (".svg",)

    def accepts(self, value: object) -> bool:
        """True for figures."""
        return type(value) is Figure

    def save(self, value: Figure, file: BinaryIO) -> None:
        """Write the PNG."""
        file.write(value.png)

    def save_companion(self, suffix: str, value: Figure, file: BinaryIO) -> None:
        """Write the SVG."""
        file.write(value.svg.encode())

    def load(self, path: Path, *, mmap: bool = False) -> Figure:
        """Read both files; `mmap` makes no difference."""
        return Figure(path.read_bytes(), path.with_suffix(".svg").read_bytes().decode())
