"""Recorded runs, hits and construction of small tasks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from benchmarks.libraries import diskcache_get, joblib_call
from benchmarks.measure import OURS, SCALES, Round, Samples, Scale, alternate, once, repeated
from benchmarks.raw import RawHit, RawRun
from benchmarks.workbench import Workbench, run_process

__all__ = ["alternate_hits", "construct", "first_hit", "hit", "hit_elsewhere", "record"]

#: Results that are there to be found.
N_STORED = 50


def record(bench: Workbench) -> Samples:
    """A run that nothing is stored of yet: look up, lock, call, store, record."""
    with bench.project() as scratch:
        lab: Any = scratch.load("lab")
        first = lab.Square(0.5)
        first.run()
        store = scratch.root / "raw.sqlite"
        scratch.project.records.close()
        shutil.copyfile(scratch.root / ".smt" / "records", store)
        raw = RawRun(scratch.root / "raw", store, first.resultpaths[0].read_bytes())
        peers = {
            "raw calls": repeated(bench.scale, raw),
            **_rounds(bench.scale, joblib_call(scratch.root / "joblib")),
        }
        ours = repeated(bench.scale, lambda number: lab.Square(number).run(), first=1)
        samples = alternate(bench.scale.rounds, {OURS: ours, **peers})
        raw.connection.close()
        return samples


def hit(bench: Workbench) -> Samples:
    """Construct, look up, compare code, load, check: in the process that ran the tasks."""
    with bench.project() as scratch:
        lab = _with_results(scratch)
        return alternate_hits(lab, bench.scale, scratch.root)


def hit_elsewhere(bench: Workbench) -> Samples:
    """The same in another process, which has had its first hit."""
    with bench.project() as scratch:
        _with_results(scratch)
        samples: Samples = bench.child(scratch, "hits", SCALES.index(bench.scale), scratch.root)
        return samples


def first_hit(bench: Workbench) -> Samples:
    """The first hit of a process, whose imports do not count."""
    with bench.project() as scratch:
        _with_results(scratch)
        folder = scratch.root / "joblib"
        bench.child(scratch, "first-joblib-hit", folder)
        contenders: dict[str, Round] = {
            OURS: lambda: float(bench.child(scratch, "first-hit")[OURS]),
            "python -c pass": once(lambda: run_process(scratch.root, "-c", "pass")),
        }
        for name in joblib_call(folder):
            contenders[name] = lambda name=name: float(  # type: ignore[misc]
                bench.child(scratch, "first-joblib-hit", folder)[name]
            )
        return alternate(bench.scale.slow_rounds, contenders)


def construct(bench: Workbench) -> Samples:
    """A task with three scalars, constructed and not run."""

    class Model(BaseModel):
        x: float
        n: int
        label: str

    with bench.project() as scratch:
        lab: Any = scratch.load("lab")
        return alternate(
            bench.scale.rounds,
            {
                OURS: repeated(bench.scale, lambda number: lab.Scalars(x=1.5, n=number, label="one")),
                "pydantic model": repeated(bench.scale, lambda number: Model(x=1.5, n=number, label="one")),
            },
        )


def alternate_hits(lab: Any, scale: Scale, folder: Path) -> Samples:
    """Samples of hits and their peers.

    Parameters
    ----------
    lab
        The module, with results of `Square` stored.
    folder
        Root of the project.
    """

    def find(number: int) -> None:
        lab.Square(float(number % N_STORED)).run()

    task = lab.Square(0.0)
    task.run()
    if task.last_hit != "disk":
        raise RuntimeError(f"no hit but {task.last_hit}")
    digests = [lab.Square(float(number)).digest for number in range(N_STORED)]
    peers = {
        "raw calls": RawHit(folder / "data" / "Square", digests).__call__,
        **diskcache_get(folder / "diskcache", N_STORED),
        **joblib_call(folder / "joblib", N_STORED),
    }
    return alternate(scale.rounds, {OURS: repeated(scale, find), **_rounds(scale, peers)})


def _with_results(scratch: Any) -> Any:
    lab = scratch.load("lab")
    for number in range(N_STORED):
        lab.Square(float(number)).run()
    return lab


def _rounds(scale: Scale, peers: Mapping[str, Callable[[int], object]]) -> dict[str, Round]:
    return {name: repeated(scale, call) for name, call in peers.items()}
