"""The flow of works to a Dask cluster, and of their outcomes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import TimeoutError as NoAnswerError
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from smttask.errors import SmttaskError, WorkerError
from smttask.executors.daskbatch import Batches, Item
from smttask.executors.daskline import Event, Line
from smttask.executors.daskparts import Parts
from smttask.executors.daskplaces import Places
from smttask.executors.daskwork import NotBegun, Order
from smttask.executors.division import Division, part_works
from smttask.executors.outcome import Outcome
from smttask.executors.progress import Display
from smttask.executors.work import Work
from smttask.extras import require

__all__ = ["Flow"]

REFRESH_S = 0.2
GRACE_S = 1.0  # for tasks on workers of our own that were asked to stop
AHEAD = 32  # works for each thread of the cluster
MOST_OPEN = 2000
LEFT = "left to its worker, where it ends by itself"


class Flow:
    """Hands works to a cluster, a bounded number ahead of it.

    Parameters
    ----------
    n
        Threads of a cluster of our own; of another one, most works handed over at once. None: as its
        size says.
    keep
        Leave the files of what is done.
    """

    def __init__(
        self,
        works: Iterator[Work],
        told: Display,
        line: Line,
        events: SimpleQueue[Event],
        *,
        n: int | None,
        keep: bool = False,
    ) -> None:
        self._works: Iterator[Work] | None = works
        self._told = told
        self._line = line
        self._is_own = line.cluster.is_own
        self._events = events
        self._n = n
        self._keep = keep
        self._live: dict[str, Item] = {}
        self._batches = Batches()
        self._done: list[Any] = []
        self._pending: list[Event] = []
        self._parts = Parts()
        self._places = Places(told)
        self._suspects: list[Item] = []
        self._counts: Counter[str] = Counter()
        self._n_marks = 0
        self._n_stops = 0
        self._stopped_at = 0.0
        self._has_told_waiting = self._has_told_empty = False

    def outcomes(self) -> Iterator[Outcome]:
        """Run all."""
        self._line.open()
        while self._n_stops < 2:
            self._hand_over()
            if not self._live:
                return
            for event in self._next_events():
                yield from self._handle(*event)
            yield from self._take_done()
            yield from self._insist()

    def end(self) -> None:
        """Let go of all; what still runs is asked to stop."""
        self._line.close([item.future for item in self._live.values()])

    # -- to the cluster

    def _hand_over(self) -> None:
        """Keep the workers busy; what may have killed its worker is run alone, when all else is done."""
        if self._works is not None:
            window = self._window()
            n_ready = sum(not item.waits_for for item in self._live.values())
            if n_ready <= window // 2:
                n = max(min(window - n_ready, MOST_OPEN - len(self._live)), 0)
                batch = list(islice(self._works, n))
                if n and len(batch) < n:
                    self._works = None
                if batch:
                    self._submit_all([work.sendable() for work in batch])
        if self._works is None and not self._live and self._suspects:
            item = min(self._suspects, key=lambda item: not item.work.part)
            self._suspects.remove(item)
            self._submit(item.work, self._parts.failures(item.needs), n_tried=item.n_tried + 1)

    def _window(self) -> int:
        """How many works that wait for no part may be with the cluster."""
        if self._n is not None and not self._is_own:
            return self._n
        return AHEAD * (self._n or self._line.n_threads or 1)

    def _submit_all(self, works: list[Work]) -> None:
        orders = [Order(work, self._new_mark(), may_divide=True) for work in works]
        batches = self._batches.together(orders, self._n if self._is_own else self._line.n_threads)
        for batch, future in zip(batches, self._line.submit_all(batches), strict=True):
            for order in batch.orders:
                self._live[order.mark] = Item(order.work, future)

    def _submit(
        self, work: Work, needs: Sequence[Any], *, need_keys: tuple[str, ...] = (), n_tried: int = 0
    ) -> str:
        """Hand over one work; `needs` are futures, or outcomes, of its parts. Returns its mark."""
        mark = self._new_mark()
        future = self._line.submit(Order(work, mark), needs)
        waits_for = {need.key[-1] for need in needs if not isinstance(need, Outcome)}
        self._live[mark] = Item(work, future, waits_for & self._live.keys(), needs=need_keys, n_tried=n_tried)
        return mark

    def _submit_division(self, work: Work, division: Division) -> None:
        works = part_works(work, division)
        handles: dict[str, Any] = {}
        for part in division.parts:
            if failed := self._parts.failures([part.key]):
                handles[part.key] = failed[0]
            elif (known := self._parts.mark_of(part.key)) is not None:
                handles[part.key] = self._live[known].future
            elif not self._parts.is_done(part.key):
                needs = [handles[key] for key in part.needs if key in handles]
                mark = self._submit(works[part.key], needs, need_keys=part.needs)
                self._parts.begin(part.key, mark)
                handles[part.key] = self._live[mark].future
        needs = [handles[key] for key in division.needs if key in handles]
        self._submit(work, needs, need_keys=division.needs)

    def _new_mark(self) -> str:
        self._n_marks += 1
        return f"{self._n_marks:09d}"  # Dask takes what it is given together in the order of keys

    # -- back from it

    def _next_events(self) -> list[Event]:
        """What happened; nothing if that takes longer than a moment."""
        self._tick()
        events, self._pending = self._pending, []
        if not events:
            with suppress(Empty):
                events.append(self._events.get(timeout=REFRESH_S))
        return events + self._new_events()

    def _new_events(self) -> list[Event]:
        events = []
        with suppress(Empty):
            while True:
                events.append(self._events.get_nowait())
        return events

    def _tick(self) -> None:
        self._told.refresh()
        self._line.check()
        if not self._line.is_open:
            raise self._gone()
        if self._line.n_threads == 0 and not self._has_told_empty:
            self._has_told_empty = True
            address = self._line.cluster.address
            self._told.tell(f"The Dask scheduler at {address} has no workers; waiting for them.")

    def _handle(self, kind: str, content: Any) -> Iterator[Outcome]:
        if kind == "done":
            self._done.append(content)
        elif kind == "output":
            self._told.output(content)
        elif kind == "stop":
            yield from self._stop()
        elif (item := self._live.get(content["mark"])) is not None:
            self._places.watched(item, content["worker"], content["facts"])

    def _take_done(self) -> Iterator[Outcome]:
        """The outcomes of what is done."""
        done, self._done = self._done, []
        finished: list[tuple[str, Any]] = []
        for future in done:
            mark = future.key[-1]
            if not any(each in self._live for each in self._batches.marks(mark)):
                continue
            if future.status == "finished":
                finished.append((mark, future))
            elif future.status == "error":
                yield from self._batch_erred(mark, future.exception())
            elif future.status in ("pending", "lost"):  # its worker died before the result was fetched
                self._line.expect(future)
            else:
                raise self._gone()
        if not finished:
            return
        results = self._gather([future for _, future in finished])
        if results is None:
            self._done.extend(future for _, future in finished)
            return
        for (mark, _), result in zip(finished, results, strict=True):
            marks = self._batches.marks(mark)
            for each, one in zip(marks, result if self._batches.is_batch(mark) else [result], strict=True):
                if each in self._live:
                    yield from self._came(each, one)
            self._batches.forget(mark)

    def _gather(self, futures: list[Any]) -> list[Any] | None:
        """The results; None if they are not to be had now, as where the worker that held them died."""
        answer = self._line.fetch(futures)
        while all(future.status == "finished" for future in futures):
            try:
                results: list[Any] = answer.result(REFRESH_S)
            except NoAnswerError:
                self._tick()
                self._pending += self._new_events()
                if any(kind == "stop" for kind, _ in self._pending):
                    break
            except Exception:  # noqa: BLE001 - whatever became of one of them, it now says so by itself
                break
            else:
                return results
        answer.cancel()
        return None

    def _came(self, mark: str, result: Outcome | Division | NotBegun) -> Iterator[Outcome]:
        item = self._live.pop(mark)
        if isinstance(result, NotBegun) and not self._n_stops:  # the time of its batch was over
            self._submit_all([item.work])
            return
        if not item.n_begun:  # it was too short to be told of
            self._places.begin(item)
        slot = self._places.leave(item)
        if isinstance(result, Division):
            if not self._n_stops:
                self._submit_division(item.work, result)
        elif isinstance(result, Outcome) and not item.work.part:
            self._counts[result.status] += 1
            self._batches.note(item.work, result)
            if not self._keep:
                item.remove_file(result)
            yield replace(result, worker=slot)
            return
        elif item.work.part:
            self._end_part(mark, item.work.part, result if isinstance(result, Outcome) else None)
        self._places.idle(slot)

    def _end_part(self, mark: str, key: str, outcome: Outcome | None) -> None:
        self._parts.end(key, outcome)
        for other in self._live.values():
            other.waits_for.discard(mark)

    # -- what goes wrong

    def _batch_erred(self, mark: str, error: BaseException) -> Iterator[Outcome]:
        """What Dask says of a batch; of several orders each is handed over anew, to see which one it was."""
        marks = self._batches.marks(mark)
        self._batches.forget(mark)
        if len(marks) == 1 or isinstance(error, SmttaskError) or self._n_stops:
            for each in marks:
                if each in self._live:
                    yield from self._erred(each, error)
            return
        for each in marks:
            item = self._live.pop(each)
            self._places.idle(self._places.leave(item))
            self._submit_all([item.work])

    def _erred(self, mark: str, error: BaseException) -> Iterator[Outcome]:
        """What Dask says of an order that no worker completed."""
        if isinstance(error, SmttaskError):
            raise error
        item = self._live.pop(mark)
        slot = self._places.leave(item)
        is_killed = isinstance(error, require("distributed").KilledWorker)
        if not is_killed and not isinstance(error, KeyboardInterrupt):
            raise WorkerError(
                "The workers of the Dask cluster cannot run tasks.",
                f"found: {type(error).__name__}: {error}",
                "install smttask, and what the tasks need, where scheduler and workers run",
            ) from error
        allowed: int = getattr(error, "allowed_failures", 0)
        is_own_death = not is_killed or str(error.task) == str(item.future.key)  # type: ignore[attr-defined]
        if is_own_death and (item.n_begun > allowed or item.n_tried or not is_killed):
            outcome = self._killed(item, slot, *self._end_of_worker(error, allowed + 1))
            if not item.work.part:
                self._counts["killed"] += 1
                yield outcome
                return
            self._end_part(mark, item.work.part, outcome)
        else:
            if item.work.part:
                self._end_part(mark, item.work.part, None)
            self._suspects.append(item)
        self._places.idle(slot)

    def _end_of_worker(self, error: BaseException, n_deaths: int) -> tuple[str, str]:
        worker = getattr(getattr(error, "last_worker", None), "name", "")
        how, printed = self._line.cluster.end_of(str(worker))
        line = f"its worker died {n_deaths} times" if n_deaths > 1 else "its worker died"
        return f"{line}, at last ended by {how}" if how else line, printed

    def _killed(self, item: Item, slot: int, error: str, details: str = "") -> Outcome:
        duration_s = monotonic() - item.since if item.since else 0.0
        return Outcome(
            item.work.name, "killed", duration_s, error, details, number=item.work.number, worker=slot
        )

    def _gone(self) -> WorkerError:
        n_open = sum(not item.work.part for item in self._live.values())
        return self._line.gone(self._counts, n_open)

    # -- being stopped

    def _stop(self) -> Iterator[Outcome]:
        """Let what runs be stopped; the second time, leave it."""
        self._n_stops += 1
        self._works = None
        self._suspects.clear()
        self._stopped_at = monotonic()
        if self._n_stops == 1:
            self._line.interrupt()
        else:
            yield from self._abandon("ended at once" if self._is_own else LEFT)

    def _insist(self) -> Iterator[Outcome]:
        """After a moment, end what does not stop, where it is ours, else ask again."""
        if self._n_stops != 1 or monotonic() - self._stopped_at < GRACE_S:
            return
        if self._is_own:
            yield from self._abandon("stopped with its worker")
            return
        self._stopped_at = monotonic()
        self._line.interrupt()
        at_work = {item.future.key for item in self._live.values() if item.n_begun}
        idle = [mark for mark, item in self._live.items() if item.future.key not in at_work]
        cancelled = [self._live.pop(mark).future for mark in idle]
        if cancelled:
            self._line.cancel(cancelled)
        if self._live and not self._has_told_waiting:
            self._has_told_waiting = True
            self._told.tell(
                "Tasks on workers of Dask stop at their next step in Python; "
                "once more (Ctrl-C) leaves them to their workers."
            )

    def _abandon(self, error: str) -> Iterator[Outcome]:
        """The outcomes of what has begun and is not waited for."""
        self._line.cluster.kill()
        items = list(self._live.values())
        self._live.clear()
        for item in items:
            if item.n_begun and not item.work.part:
                yield self._killed(item, self._places.leave(item), error)
