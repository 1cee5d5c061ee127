"""The parts of works, each of which several may need."""

from __future__ import annotations

from collections.abc import Iterable

from smttask.executors.outcome import Outcome

__all__ = ["Parts"]


class Parts:
    """Which parts, by the keys of their tasks, Dask works on, and how the others ended."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}
        self._done: set[str] = set()
        self._failed: dict[str, Outcome] = {}

    def begin(self, key: str, mark: str) -> None:
        """It was handed over under this mark."""
        self._marks[key] = mark

    def end(self, key: str, outcome: Outcome | None) -> None:
        """It came to this end; None: it will be handed over anew, or needs parts itself."""
        self._marks.pop(key, None)
        if outcome is not None and outcome.is_failure:
            self._failed[key] = outcome
        elif outcome is not None:
            self._done.add(key)

    def mark_of(self, key: str) -> str | None:
        """The mark of a part that Dask works on."""
        return self._marks.get(key)

    def is_done(self, key: str) -> bool:
        """Whether its result is stored."""
        return key in self._done

    def failures(self, keys: Iterable[str]) -> list[Outcome]:
        """The outcomes of those among `keys` that failed."""
        return [self._failed[key] for key in keys if key in self._failed]
