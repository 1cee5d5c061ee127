"""Names for what is inside values: classes, fields, and the place where something is wrong."""

from __future__ import annotations

from typing import Any

__all__ = ["BAD_DATA", "UnfitValue", "class_name", "stored_fields"]

# What building a value from damaged or hostile parts may raise.
BAD_DATA = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    OSError,
    SyntaxError,
)


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

    A class of a script has the same name in a process that multiprocessing spawned.

    Examples
    --------
    >>> from fractions import Fraction
    >>> class_name(Fraction)
    'fractions:Fraction'
    """
    module = "__main__" if cls.__module__ == "__mp_main__" else cls.__module__
    return f"{module}:{cls.__qualname__}"


def stored_fields(cls: Any) -> dict[str, Any]:
    """The fields of a dataclass whose values its objects keep, by name."""
    return {
        name: field for name, field in cls.__dataclass_fields__.items() if field._field_type.name == "_FIELD"
    }
