"""What the display is told of the works that Dask's workers are at."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

from smttask.executors.daskbatch import Item
from smttask.executors.progress import Display
from smttask.executors.slots import Slots

__all__ = ["Places"]


class Places:
    """Gives each work that runs a place in the display, from its begin to its end."""

    def __init__(self, told: Display) -> None:
        self._told = told
        self._slots = Slots()

    def watched(self, item: Item, worker: str, facts: Mapping[str, Any]) -> None:
        """The `worker` of this address tells of `item`; another one than before has begun it anew."""
        if item.worker != worker:
            item.worker = worker
            self.begin(item)
        self._told.watched(item.slot, facts)

    def begin(self, item: Item) -> None:
        """A worker is at `item` now."""
        item.n_begun += 1
        item.since = monotonic()
        item.slot = item.slot or self._slots.take()
        self._told.started(item.slot, item.work)

    def leave(self, item: Item) -> int:
        """Let others have the place of `item`; its number, for the outcome, or 0 if it had none."""
        slot, item.slot = item.slot, 0
        self._slots.give_back(slot)
        return slot

    def idle(self, slot: int) -> None:
        """Tell that who was in a place, if it is one, left it without an outcome."""
        if slot:
            self._told.idle(slot)
