"""Taking turns: every contender is measured in each round, and the medians are compared."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count, islice
from time import perf_counter

__all__ = ["FULL", "OURS", "SCALES", "TINY", "Round", "Samples", "Scale", "alternate", "once", "repeated"]

#: Name of our own samples.
OURS = "smttask"

#: One round of a contender: does its work and returns seconds per operation.
Round = Callable[[], float]

#: Seconds per operation, one for each round, by contender.
Samples = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Parameters
    ----------
    rounds
        Turns of each contender of a quick operation; `slow_rounds` of one that takes
        more than 0.1 s, such as a process, and `few_rounds` of one that takes seconds.
    calls
        Operations between two looks at the clock.
    round_s
        Length of a turn of a quick operation.
    array_bytes
        Of the large array.
    n_records
        In the record store that tables are made of.
    n_many
        In the record store that one more record is saved to.
    n_tasks
        That one command runs.
    """

    rounds: int
    slow_rounds: int
    few_rounds: int
    calls: int
    round_s: float
    array_bytes: int
    n_records: int
    n_many: int
    n_tasks: int


FULL = Scale(
    rounds=31,
    slow_rounds=7,
    few_rounds=3,
    calls=10,
    round_s=0.015,
    array_bytes=100_000_000,
    n_records=10_000,
    n_many=100_000,
    n_tasks=200,
)
TINY = Scale(
    rounds=1,
    slow_rounds=1,
    few_rounds=1,
    calls=2,
    round_s=0.0,
    array_bytes=80_000,
    n_records=20,
    n_many=200,
    n_tasks=2,
)
SCALES = (FULL, TINY)


def alternate(rounds: int, contenders: Mapping[str, Round]) -> Samples:
    """Seconds per operation of all `contenders`, who take turns; a first turn of each does not count.

    Examples
    --------
    >>> alternate(2, {"a": lambda: 1.0, "b": lambda: 2.0})
    {'a': [1.0, 1.0], 'b': [2.0, 2.0]}
    """
    samples: Samples = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, contender in contenders.items():
            gc.collect(0)
            taken_s = contender()
            if turn:
                samples[name].append(taken_s)
    return samples


def repeated(scale: Scale, operation: Callable[[int], object], first: int = 0) -> Round:
    """A round of many operations, each called with a number that was never used before.

    All rounds take about as long: on a busy machine a short one would slip through
    between two others, and look faster than it is.
    """
    numbers = count(first)

    def one_round() -> float:
        n_calls, taken_s = 0, 0.0
        while not n_calls or taken_s < scale.round_s:
            mine = list(islice(numbers, scale.calls))
            begin = perf_counter()
            for number in mine:
                operation(number)
            taken_s += perf_counter() - begin
            n_calls += len(mine)
        return taken_s / n_calls

    return one_round


def once(operation: Callable[[], object], after: Callable[[], object] = lambda: None) -> Round:
    """A round of one operation; `after` it, untimed, is put right what it changed."""

    def one_round() -> float:
        begin = perf_counter()
        result = operation()
        taken_s = perf_counter() - begin
        del result
        after()
        return taken_s

    return one_round
