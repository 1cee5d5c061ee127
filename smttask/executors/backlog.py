"""What waits for a worker: works read ahead, those tried again, and those that wait for their parts."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from smttask.executors.outcome import Outcome
from smttask.executors.work import Work

__all__ = ["Backlog", "Item"]

FIRST_PAUSE_S = 0.1
LAST_PAUSE_S = 1.0


@dataclass(eq=False, slots=True)
class Item:
    """A work on its way.

    Attributes
    ----------
    attempts
        How often it was begun, the next time included.
    busy_since
        When it was first found that another process computes its task; 0 if never.
    n_missing
        Parts that it waits for.
    """

    work: Work
    attempts: int = 1
    busy_since: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    n_missing: int = 0
    was_told: bool = False
    dependents: list[Item] = field(default_factory=list)


class Backlog:
    """Works in the order in which workers get them; not safe for threads by itself.

    Parameters
    ----------
    works
        Read by `fill` alone.
    """

    def __init__(self, works: Iterator[Work]) -> None:
        self._works = works
        self._has_more = True
        self._ready: deque[Item] = deque()
        self._later: list[tuple[float, int, Item]] = []
        self._order = count()
        self._parts: dict[str, Item] = {}
        self._failed: dict[str, tuple[Item, Outcome]] = {}
        self._is_cleared = False

    def __len__(self) -> int:
        """How many could be begun by now or soon."""
        return len(self._ready) + len(self._later)

    def n_tasks(self, most: int) -> int:
        """About how many tasks could be begun by now or soon, up to `most`; upstream tasks count, too."""
        n = len(self)
        for item in list(self._ready):
            if n >= most:
                break
            n += item.work.n_upstream()
        return min(n, most)

    def fill(self, n: int) -> list[Item]:
        """The works to be added so that `n` are ready; the caller adds them under its lock."""
        missing = n - len(self._ready)
        read: list[Item] = []
        while self._has_more and len(read) < missing:
            work = next(self._works, None)
            if work is None:
                self._has_more = False
            else:
                read.append(Item(work))
        return read

    def add(self, items: list[Item]) -> None:
        """Let `items` be begun after all that is there."""
        self._ready.extend(items)

    def put_back(self, item: Item) -> None:
        """Let `item`, which was not begun, be the next one."""
        if not self._is_cleared:
            self._ready.appendleft(item)

    def clear(self) -> None:
        """Forget all; nothing is read any more."""
        self._has_more = False
        self._is_cleared = True
        self._ready.clear()
        self._later.clear()
        self._parts.clear()

    @property
    def is_empty(self) -> bool:
        """Whether nothing will come any more from here; what runs may still add something."""
        return not self._ready and not self._later and not self._has_more

    @property
    def n_ready(self) -> int:
        """How many could be begun now."""
        return len(self._ready)

    def take(self, now: float) -> Item | None:
        """The next one to begin; None if there is none now."""
        if self._later and self._later[0][0] <= now:
            return heapq.heappop(self._later)[2]
        return self._ready.popleft() if self._ready else None

    def again(self, item: Item) -> None:
        """Try `item` once more, after the others."""
        item.attempts += 1
        self._ready.append(item)

    def postpone(self, item: Item, now: float) -> None:
        """Come back to `item` later: another process computes its task."""
        item.busy_since = item.busy_since or now
        heapq.heappush(self._later, (now + item.pause_s, next(self._order), item))
        item.pause_s = min(2 * item.pause_s, LAST_PAUSE_S)

    # -- parts

    def split(self, item: Item, parts: list[tuple[str, str]]) -> list[Outcome]:
        """Let `parts`, key and name of each, come first and `item` after them.

        A part that another work waits for already is not added again. If one has failed before, so
        do `item` and what waits for it; the outcomes of these works.
        """
        for key, _ in parts:
            if key in self._failed:
                failed_part, outcome = self._failed[key]
                if not item.work.part:
                    return [_failed_by(item, failed_part, outcome)]
                return self._fail_dependents(item, failed_part, outcome)
        new: list[Item] = []
        for key, name in parts:
            part = self._parts.get(key)
            if part is None:
                work = replace(item.work, name=name, part=key, wants_value=False)
                part = self._parts[key] = Item(work)
                new.append(part)
            part.dependents.append(item)
            item.n_missing += 1
        self._ready.extendleft(reversed(new))
        return []

    def part_done(self, part: Item) -> None:
        """Let those come next that waited for `part` alone."""
        self._parts.pop(part.work.part, None)
        for item in part.dependents:
            item.n_missing -= 1
            if not item.n_missing:
                self._ready.appendleft(item)

    def part_failed(self, part: Item, outcome: Outcome) -> list[Outcome]:
        """The outcomes of the works that cannot be run since `part` ended as `outcome` says."""
        self._failed[part.work.part] = part, outcome
        return self._fail_dependents(part, part, outcome)

    def _fail_dependents(self, first: Item, part: Item, outcome: Outcome) -> list[Outcome]:
        failed = []
        stack = [first]
        while stack:
            current = stack.pop()
            self._parts.pop(current.work.part, None)
            for item in current.dependents:
                if not item.n_missing:  # failed already by another part
                    continue
                item.n_missing = 0
                if item.work.part:
                    stack.append(item)
                else:
                    failed.append(_failed_by(item, part, outcome))
        return failed


def _failed_by(item: Item, part: Item, outcome: Outcome) -> Outcome:
    error = f"{outcome.error} (in {part.work.name}, which it depends on)"
    return replace(
        outcome, name=item.work.name, number=item.work.number, error=error, worker=0, attempts=item.attempts
    )
