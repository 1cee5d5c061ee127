"""Hits of tasks that are more than a function of numbers, each beside the hit of one that is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.lookups import N_STORED
from benchmarks.measure import OURS, Round, Samples, alternate, repeated
from benchmarks.workbench import Workbench
from smttask.storage.datastore import DataStore
from smttask.storage.layout import Key

__all__ = ["hit_arrays", "hit_iterative", "hit_upstream", "largest_iteration"]

#: Iterations of one task, stored after each of them.
N_ITERATIONS = 10_000


def hit_iterative(bench: Workbench) -> Samples:
    """Construct and find an iterative task, beside the same for one of a number."""
    with bench.project() as scratch:
        lab, kinds = scratch.load("lab"), scratch.load("composed")
        plain = _hits(lambda number: lab.Square(float(number)))
        ours = _hits(lambda number: kinds.Grow(n=5, x=3 + number / N_STORED))
        return _alternate(bench, ours, {"plain hit": plain})


def hit_arrays(bench: Workbench) -> Samples:
    """Construct and find a task with three arrays of 8 kB, beside a plain hit and reading the files."""
    with bench.project() as scratch:
        lab, kinds = scratch.load("lab"), scratch.load("composed")
        plain = _hits(lambda number: lab.Square(float(number)))
        ours = _hits(lambda number: kinds.Three(float(number)))
        files = [list(kinds.Three(float(number)).outputpaths.values()) for number in range(N_STORED)]

        def read(number: int) -> None:
            for file in files[number % N_STORED]:
                np.load(file)

        def find_and_read(number: int) -> None:
            plain(number)
            read(number)

        return _alternate(bench, ours, {"plain hit, 3 np.load": find_and_read, "3 np.load": read})


def hit_upstream(bench: Workbench) -> Samples:
    """Construct and find a task of three tasks, which are made beforehand, beside one of a number."""
    with bench.project() as scratch:
        lab, kinds = scratch.load("lab"), scratch.load("composed")
        plain = _hits(lambda number: lab.Square(float(number)))
        inputs = [kinds.three_squares(number) for number in range(N_STORED)]
        ours = _hits(lambda number: kinds.Sum(*inputs[number]))
        with_theirs = _hits(lambda number: kinds.Sum(*kinds.three_squares(number)))
        return _alternate(bench, ours, {"plain hit": plain, "with the three made": with_theirs})


def largest_iteration(bench: Workbench) -> Samples:
    """Find the largest stored iteration below another, where each of many is stored."""
    n_stored = bench.scale.calls * N_ITERATIONS // 10
    store = DataStore(bench.folder / "links", bench.folder / "runs")
    folder = bench.folder / "links" / "Grow" / ("0" * 20)
    folder.mkdir(parents=True)
    for n in range(1, n_stored + 1):
        os.symlink(f"../../../runs/Grow/20261122-101500-{n:06d}_000000__n_{n}.json", folder / f"n_{n}.json")
    stored = store.iterations(Key("Grow", folder.name), "n")

    def find(number: int) -> None:
        below = n_stored // 2 + number % 2 * n_stored
        if next(stored.below(below)) != min(below - 1, n_stored):
            raise RuntimeError("another iteration is found")

    return _alternate(bench, find, {"os.listdir": lambda number: len(os.listdir(folder))})


def _hits(make: Callable[[int], Any]) -> Callable[[int], object]:
    """A call that makes one of a few tasks and finds its result, which is stored here."""
    for number in range(N_STORED):
        make(number).run()
    task = make(0)
    task.run()
    if task.last_hit != "disk":
        raise RuntimeError(f"no hit but {task.last_hit}")
    return lambda number: make(number % N_STORED).run()


def _alternate(
    bench: Workbench, ours: Callable[[int], object], peers: dict[str, Callable[[int], object]]
) -> Samples:
    contenders: dict[str, Round] = {
        name: repeated(bench.scale, call) for name, call in {OURS: ours, **peers}.items()
    }
    return alternate(bench.scale.rounds, contenders)
