"""Where loops inside loops are, as one share of the whole and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Level", "Position"]

#: Items done, how many there are (None: unknown), what they are in the plural.
Level = tuple[int, int | None, str]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a piece of work is.

    Parameters
    ----------
    levels
        The outermost loop first; of those inside it the innermost one.
    elapsed_s
        Since the outermost began.

    Examples
    --------
    >>> position = Position(((1, 4, "epochs"), (50, 100, "")), 30.0)
    >>> position.share, position.left_s, position.text()
    (0.375, 50.0, '1 of 4 epochs, 50 of 100')
    """

    levels: tuple[Level, ...]
    elapsed_s: float = 0.0

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where it is not known how much there is."""
        inner = 0.0
        for n, total, _ in reversed(self.levels):
            if total is None:
                inner = 0.0
                continue
            inner = min((n + inner) / total, 1.0) if total else 1.0
        return inner if self.levels and self.levels[0][1] is not None else None

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest will take if it takes as long as what is done; None if that is unknown."""
        share = self.share
        return self.elapsed_s * (1 - share) / share if share else None

    def text(self) -> str:
        """Numbers of what is done, in words."""
        return ", ".join(
            f"{n}{'' if total is None else f' of {total}'}{what and f' {what}'}"
            for n, total, what in self.levels
        )

    def to_message(self) -> dict[str, Any]:
        """Its fields as JSON."""
        return {"levels": [list(level) for level in self.levels], "elapsed_s": round(self.elapsed_s, 3)}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Position:
        """What `to_message` gave."""
        levels: Sequence[Sequence[Any]] = message["levels"]
        return cls(tuple((n, total, what) for n, total, what in levels), message["elapsed_s"])


def _level_text(level: Level) -> str:
    n, total, what = level
    of_all = "" if total is None else f" of {total}"
    return f"{n}{of_all} {what}".rstrip()
