"""Short works that go to a Dask cluster together, under one key: Dask takes 2 ms for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from smttask.executors.daskwork import BATCH_S, Batch, Order
from smttask.executors.outcome import Outcome
from smttask.executors.work import Work

__all__ = ["Batches", "Item"]

MOST_TOGETHER = 8
#: Batches for each thread out of the works that are handed over at a time.
ROUNDS = 2
SHARE_OF_LAST = 0.2


@dataclass(slots=True)
class Item:
    """One work that Dask has, under a key of its own or in a batch."""

    work: Work
    future: Any = None
    waits_for: set[str] = field(default_factory=set)  # marks of its parts that are not done
    needs: tuple[str, ...] = ()  # keys of its parts
    n_tried: int = 0  # how often it was run alone
    n_begun: int = 0
    since: float = 0.0
    slot: int = 0
    worker: str = ""

    def remove_file(self, outcome: Outcome) -> None:
        """Remove its file if result and record are safe; until the outcome is here Dask may redo it."""
        if self.work.path and not self.work.part and not outcome.is_failure and not outcome.is_lost:
            with suppress(OSError):
                os.unlink(self.work.path)


class Batches:
    """Which orders go together: those of tasks that were short so far."""

    def __init__(self) -> None:
        self._marks: dict[str, tuple[str, ...]] = {}
        self._durations_s: dict[str, float] = {}  # of the latest works, by kind

    def note(self, work: Work, outcome: Outcome) -> None:
        """Learn from `outcome` how long works of its kind take; a long one counts at once."""
        kind, duration_s = work.kind, outcome.duration_s
        before = self._durations_s.get(kind, duration_s)
        smooth = before + SHARE_OF_LAST * (duration_s - before)
        self._durations_s[kind] = max(smooth, duration_s)

    def together(self, orders: Sequence[Order], n_threads: int | None) -> list[Batch]:
        """The `orders`, in batches; each for itself where nothing is known.

        Parameters
        ----------
        n_threads
            Of the cluster, all of which are to be busy; None: that is not known.
        """
        most = min(MOST_TOGETHER, len(orders) // (ROUNDS * n_threads)) if n_threads else 1
        batches: list[Batch] = []
        group: list[Order] = []
        total_s = 0.0
        for order in orders:
            duration_s = self._durations_s.get(order.work.kind, BATCH_S)
            if group and (len(group) >= most or total_s + duration_s > BATCH_S):
                batches.append(Batch(tuple(group)))
                group, total_s = [], 0.0
            group.append(order)
            total_s += duration_s
        if group:
            batches.append(Batch(tuple(group)))
        self._marks.update((batch.mark, tuple(order.mark for order in batch.orders)) for batch in batches)
        return batches

    def marks(self, mark: str) -> tuple[str, ...]:
        """Those of the orders in the batch of this mark; itself if it is that of an order alone."""
        return self._marks.get(mark, (mark,))

    def is_batch(self, mark: str) -> bool:
        """Whether it is the mark of a batch, be it of one order."""
        return mark in self._marks

    def forget(self, mark: str) -> None:
        """The batch is done."""
        self._marks.pop(mark, None)
