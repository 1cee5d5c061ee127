"""Hits of tasks that are more than a function of numbers, each beside the hit of one that is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.lookups import N_STORED
from benchmarks.measure import OURS, Round, Samples, alternate, repeated
from benchmarks.workbench import Workbench
from smttask.tasks.evaluation import RunOptions, Session

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
    """Construct a task that is not stored and load what it continues from, of many that are stored."""
    n_stored = bench.scale.calls * N_ITERATIONS // 10
    with bench.project() as scratch:
        kinds = scratch.load("composed")
        last = kinds.Grow(n=n_stored, x=3.5, size=kinds.Given(1.0))
        last.run()
        folder = scratch.project.data.input_dir / "Grow" / last.digest.partition("__")[0]
        for n in range(1, n_stored):
            os.symlink(
                f"../../run_dump/Grow/20261122-101500-{n:06d}_000000__n_{n}.json", folder / f"n_{n}.json"
            )
        upstream = kinds.Given(1.0)

        def find(number: int) -> None:
            task = kinds.Grow(n=n_stored + 1 + number, x=3.5, size=upstream)
            session, options = Session(), RunOptions()
            if task.recall(session, options)[0] or task.needed(session, options):
                raise RuntimeError("it does not continue")

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
