"""Paths in stored values: those inside a project are written relative to its root."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Self

from smttask.protocols import Format

__all__ = ["Rooted", "rooted"]


class Rooted:
    """What formats share whose files may hold paths.

    Without a root paths are written as they are, and relative ones are refused on reading.
    """

    root: Path | None = None

    def at(self, root: Path) -> Self:
        """The same format for the values of the project in the folder `root`."""
        placed = copy(self)
        placed.root = root
        return placed


def rooted(format: Format, root: Path | None) -> Format:
    """`format` for the values of the project in `root`, if it is one that writes paths.

    Examples
    --------
    >>> from smttask.formats.registry import get_format
    >>> rooted(get_format("json"), Path("/project")).root == Path("/project")
    True
    """
    at = getattr(format, "at", None)
    return format if at is None or root is None else at(root)
