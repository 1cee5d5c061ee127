"""Outcomes in the order of their works."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from smttask.executors.outcome import Outcome

__all__ = ["in_order"]


def in_order(outcomes: Iterator[Outcome], *, first: int = 0) -> Iterator[Outcome]:
    """The outcomes in the order of their numbers, from `first` on; results that come early wait in a file."""
    early: dict[int, tuple[Outcome, int, int]] = {}
    expected = first
    with tempfile.TemporaryFile() as file:
        for outcome in outcomes:
            if outcome.number == expected:
                expected += 1
                yield outcome
            else:
                early[outcome.number] = _put_aside(outcome, file)
            while expected in early:
                waiting, place, size = early.pop(expected)
                expected += 1
                yield _taken_back(waiting, file, place, size)
        for number in sorted(early):  # where a stop left gaps
            yield _taken_back(early[number][0], file, *early[number][1:])


def _put_aside(outcome: Outcome, file: IO[bytes]) -> tuple[Outcome, int, int]:
    if not isinstance(outcome.value, bytes):
        return outcome, 0, 0
    place = file.seek(0, os.SEEK_END)
    file.write(outcome.value)
    return replace(outcome, value=None), place, len(outcome.value)


def _taken_back(outcome: Outcome, file: IO[bytes], place: int, size: int) -> Outcome:
    if not size:
        return outcome
    file.seek(place)
    return replace(outcome, value=file.read(size))
