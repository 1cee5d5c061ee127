"""Results as lines of a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.measure import OURS, Samples
from benchmarks.rows import Peer, Row

__all__ = ["HEADER", "Result"]

LINE = "{:<49} {:>8} {:>8} {:>8} {:>7} {:<5} {:<20} {:>8} {:>8} {:>7}"
HEADER = LINE.format(
    "", "median", "must", "goal", "machine", "holds", "beside", "median", "stated", "ratio"
).rstrip()


@dataclass(frozen=True, slots=True)
class Result:
    """One measured row, or the error that kept it from being measured.

    Parameters
    ----------
    samples
        Seconds, by contender; empty if there is an `error`.
    is_judged
        Whether it was measured at the scale that the bounds are for.
    """

    row: Row
    samples: Samples
    error: str = ""
    is_judged: bool = True

    @property
    def median_s(self) -> float:
        """Our median."""
        return median(self.samples[OURS])

    @property
    def peers(self) -> list[tuple[Peer, float]]:
        """The peers that are installed, with their medians."""
        found = [peer for peer in self.row.peers if peer.name in self.samples]
        return [(peer, median(self.samples[peer.name])) for peer in found]

    @property
    def slowness(self) -> float:
        """How much slower the machine is now than the one of the stated times; never below 1."""
        for peer, median_s in self.peers[:1]:
            if peer.stated_s is not None:
                return max(1.0, median_s / peer.stated_s)
        return 1.0

    def bound_s(self, bound: float) -> float:
        """A bound of the row in seconds, at the present speed of the machine."""
        return bound * (self.peers[0][1] if self.row.is_relative else self.slowness)

    @property
    def holds(self) -> bool:
        """Whether the row keeps what it must."""
        return not self.error and self.median_s <= self.bound_s(self.row.must)

    @property
    def reaches_goal(self) -> bool:
        """Whether it is as fast as wished for, too."""
        goal = self.row.must if self.row.goal is None else self.row.goal
        return not self.error and self.median_s <= self.bound_s(goal)

    def lines(self) -> list[str]:
        """The row as text, one line for each peer."""
        if self.error:
            return [f"{self.row.title:<49} not measured: {self.error}"]
        verdict = "goal" if self.reaches_goal else "yes" if self.holds else "NO"
        verdict = verdict if self.is_judged else "-"
        factor = "" if self.row.is_relative else f"x {self.slowness:.2f}"
        ours = (
            self.row.title,
            self._text(self.median_s),
            self._bound(self.row.must),
            self._bound(self.row.goal),
            factor,
            verdict,
        )
        lines: list[str] = []
        for peer, median_s in self.peers or [(Peer(""), 0.0)]:
            stated = "" if peer.stated_s is None else self._text(peer.stated_s)
            ratio = f"{self.median_s / median_s:.2f}" if median_s else ""
            left = ours if not lines else ("",) * len(ours)
            lines.append(
                LINE.format(
                    *left, peer.name, self._text(median_s) if median_s else "", stated, ratio
                ).rstrip()
            )
        return lines

    def _bound(self, bound: float | None) -> str:
        if bound is None:
            return ""
        return f"{bound:g} x" if self.row.is_relative else self._text(bound)

    def _text(self, amount: float) -> str:
        return _bytes(amount) if self.row.is_bytes else _time(amount)

    def to_json(self) -> dict[str, Any]:
        """All that was measured, in seconds or bytes."""
        facts = {"key": self.row.key, "title": self.row.title, "must": self.row.must, "goal": self.row.goal}
        if self.error:
            return {**facts, "error": self.error}
        return {
            **facts,
            "is_relative": self.row.is_relative,
            "is_bytes": self.row.is_bytes,
            "median_s": self.median_s,
            "must_s": self.bound_s(self.row.must),
            "slowness": self.slowness,
            "holds": self.holds,
            "reaches_goal": self.reaches_goal,
            "peers": [
                {"name": peer.name, "median_s": median_s, "stated_s": peer.stated_s}
                for peer, median_s in self.peers
            ],
            "samples": self.samples,
        }


def _time(seconds: float) -> str:
    """Three digits and a unit."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= 0.9995 * factor or unit == "us":
            return f"{_digits(seconds / factor)} {unit}"
    raise AssertionError


def _bytes(amount: float) -> str:
    """Three digits and a unit."""
    for factor, unit in ((1e6, "MB"), (1e3, "kB")):
        if amount >= 0.9995 * factor:
            return f"{_digits(amount / factor)} {unit}"
    return f"{amount:.0f} B"


def _digits(number: float) -> str:
    return f"{number:.0f}" if number >= 99.95 else f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"
