"""What became of works."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, Literal

__all__ = ["Here", "Outcome", "Status", "Summary"]

Status = Literal["computed", "found", "gone", "failed", "killed"]


@dataclass(frozen=True, slots=True)
class Here:
    """A value that is handed over within a process."""

    value: Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one `Work`.

    Parameters
    ----------
    name, number
        Those of the work.
    status
        ``"computed"``; ``"found"``: was stored or in memory; ``"gone"``: the file is not there
        any more, another process was faster; ``"failed"``; ``"killed"``.
    duration_s
        From reading the description to the stored result, of the last attempt.
    error
        The error in one line; empty if it went well.
    details
        The rest of our own messages, or the traceback.
    is_ours
        Whether `details` is the rest of a message of smttask.
    is_lost
        Whether it went well and the result ends with the process, as those of memoized tasks do.
    reason
        Why the task is run, as its record has it.
    peak_bytes
        Most memory of the process that ran it, while it ran it; 0 if that is not known, as of short ones.
    value
        The result, if it was wanted and is not stored: a pickle, or `Here` in the same process.
    raised
        The error of a failed work, if its result was wanted, in the same form.
    attempts
        How often it was tried.
    worker
        Number of the worker, from 1 on; 0 if none had it.
    """

    name: str
    status: Status
    duration_s: float = 0.0
    error: str = ""
    details: str = ""
    is_ours: bool = False
    is_lost: bool = False
    number: int = 0
    reason: str = ""
    peak_bytes: int = 0
    value: bytes | Here | None = None
    raised: bytes | Here | None = None
    attempts: int = 1
    worker: int = 0

    @property
    def is_failure(self) -> bool:
        """Whether the task failed or was killed."""
        return self.status in ("failed", "killed")

    def to_message(self) -> dict[str, Any]:
        """Its fields by name, those at their default left out."""
        given = {name: getattr(self, name) for name in _DEFAULTS}
        return {name: value for name, value in given.items() if value != _DEFAULTS[name]}


#: Name and status have none.
_DEFAULTS = {field.name: field.default for field in fields(Outcome)}


@dataclass
class Summary:
    """What became of all that was run together.

    Attributes
    ----------
    counts
        Number of works by `Outcome.status`.
    failures
        Those that failed or were killed; their files are still there.
    n_lost
        Works whose results were not stored; files are still there.
    n_left
        Works that were not begun.
    signal
        Number of the signal that ended the run early; None if none did.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)
    n_lost: int = 0
    n_left: int = 0
    duration_s: float = 0.0
    signal: int | None = None

    def add(self, outcome: Outcome) -> None:
        """Count `outcome`."""
        self.counts[outcome.status] += 1
        self.n_lost += outcome.is_lost
        if outcome.is_failure:
            self.failures.append(outcome)

    @property
    def exit_status(self) -> int:
        """As a command ends: 0 if all went well, 128 and the signal if one came, else 1."""
        if self.signal is not None:
            return 128 + self.signal
        return 1 if self.failures else 0
