"""Options that take a duration, a size or a named value, written as people do."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import click

__all__ = ["Duration", "KeyValue", "Size", "size_text"]

TIME = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.ASCII)
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", re.ASCII)
FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Duration(click.ParamType[float]):
    """Seconds, from text such as ``1h30m`` or ``90``.

    Parameters
    ----------
    above_zero
        Refuse what lasts for no time.
    """

    name = "duration"

    def __init__(self, *, above_zero: bool = False) -> None:
        self._above_zero = above_zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, float):
            return value
        match = TIME.fullmatch(value.replace(" ", ""))
        if not value.strip() or match is None:
            self.fail(f"{value!r} is no duration; write it as 45s, 1h30m or 2d", param, ctx)
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        if self._above_zero and not days + hours + minutes + seconds:
            self.fail(f"{value!r} leaves no time; give more, or leave the option out", param, ctx)
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()


class Size(click.ParamType[int]):
    """Bytes, from text such as ``10MB``, ``1.5G`` or ``512``; a kB has 1000.

    Parameters
    ----------
    above_zero
        Refuse less than one byte.
    """

    name = "size"

    def __init__(self, *, above_zero: bool = False) -> None:
        self._above_zero = above_zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes."""
        if isinstance(value, int):
            return value
        match = SIZE.fullmatch(value.strip())
        if match is None:
            self.fail(f"{value!r} is no size; write it as 512, 10kB, 1.5MB or 2GB", param, ctx)
        n_bytes = int(float(match[1]) * FACTORS[match[2]])
        if self._above_zero and not n_bytes:
            self.fail(f"{value!r} leaves no room; give more, or leave the option out", param, ctx)
        return n_bytes


class KeyValue(click.ParamType[tuple[str, str]]):
    """A name and its value, from text such as ``time=60``; a name alone stands for ``name=true``."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Name and value."""
        if isinstance(value, tuple):
            return value
        name, is_given, text = value.partition("=")
        if not name.strip():
            self.fail(f"{value!r} names nothing; write it as name=value", param, ctx)
        return name.strip(), text.strip() if is_given else "true"


def size_text(n_bytes: int) -> str:
    """Bytes as people say them.

    Examples
    --------
    >>> size_text(999), size_text(1_500_000)
    ('999 B', '1.5 MB')
    """
    for unit in reversed(FACTORS):
        if n_bytes >= FACTORS[unit] and unit:
            return f"{n_bytes / FACTORS[unit]:.1f} {unit}B"
    return f"{n_bytes} B"
