"""Numbers by which the display knows who is at work, where many come and go."""

from __future__ import annotations

__all__ = ["Slots"]


class Slots:
    """Numbers from 1 on, each of which one at a time has, so that a table of few rows is enough.

    Examples
    --------
    >>> slots = Slots()
    >>> slots.take(), slots.take(), slots.give_back(1), slots.take()
    (1, 2, None, 1)
    """

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self) -> int:
        """The least number that nobody has."""
        slot = next(number for number in range(1, len(self._taken) + 2) if number not in self._taken)
        self._taken.add(slot)
        return slot

    def give_back(self, slot: int) -> None:
        """Let another one have it."""
        self._taken.discard(slot)
