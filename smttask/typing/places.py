"""Where in nested data something is wrong, noted while the error travels outwards."""

from __future__ import annotations

__all__ = ["UnfitValue", "class_name"]


class UnfitValue(Exception):
    """A value that has no JSON form or canonical bytes; `place` grows as it leaves each container."""

    def __init__(self, value: object, reason: str = "") -> None:
        super().__init__(reason)
        self.value = value
        self.reason = reason
        self.place = ""

    def within(self, step: str) -> UnfitValue:
        """The same, one container further out; `step` like ``"[3]"`` or ``".sigma"``."""
        self.place = step + self.place
        return self


def class_name(cls: type) -> str:
    """``module:qualname``, which names a class in JSON and canonical bytes.

    Examples
    --------
    >>> from fractions import Fraction
    >>> class_name(Fraction)
    'fractions:Fraction'
    """
    return f"{cls.__module__}:{cls.__qualname__}"
