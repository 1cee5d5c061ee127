"""The raw calls of many recorded runs in worker processes, as a command of its own.

Called as ``python -m benchmarks.pool FOLDER STORE MANIFEST N_WORKERS FIRST STOP``.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.raw import RawRun

_runs: list[RawRun] = []


def start(*args: str) -> None:
    """Get one worker ready."""
    folder, store, manifest = args
    _runs.append(RawRun(Path(folder), Path(store), Path(manifest).read_bytes()))


def call(number: int) -> float:
    """One raw run in a worker."""
    return _runs[0](number)


if __name__ == "__main__":
    n_workers, first, stop = map(int, sys.argv[4:])
    initialize = partial(start, *sys.argv[1:4])
    with ProcessPoolExecutor(n_workers, initializer=initialize) as pool:
        for _ in pool.map(call, range(first, stop)):
            pass
