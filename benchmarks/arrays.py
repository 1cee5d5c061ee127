"""Large arrays as arguments and as results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from benchmarks.field import prepare
from benchmarks.libraries import joblib_hash
from benchmarks.measure import OURS, Round, Samples, alternate, once
from benchmarks.workbench import Workbench

__all__ = ["construct_array", "digest_array", "load_array", "map_array", "store_array"]

#: Threads of the hash beside, as many as the machine that the times were stated for has cores.
N_THREADS = 2


def digest_array(bench: Workbench) -> Samples:
    """Construct a task from an array that cannot be written: nothing is copied, all is hashed."""
    array = prepare(bench.scale.array_bytes)
    with bench.project() as scratch:
        fields: Any = scratch.load("fields")
        contenders = {
            OURS: once(lambda: fields.Mean(arr=array)),
            f"blake3, {N_THREADS} threads": once(lambda: _hash(array)),
            **{name: once(call) for name, call in joblib_hash(array).items()},
        }
        return alternate(bench.scale.slow_rounds, contenders)


def construct_array(bench: Workbench) -> Samples:
    """Construct a task from an array that can be written: it is copied and hashed."""
    array = prepare(bench.scale.array_bytes).copy()
    with bench.project() as scratch:
        fields: Any = scratch.load("fields")
        contenders = {
            OURS: once(lambda: fields.Mean(arr=array)),
            "memcpy, then blake3": once(lambda: _hash(array.copy())),
            "memcpy": once(array.copy),
            **{name: once(call) for name, call in joblib_hash(array).items()},
        }
        return alternate(bench.scale.slow_rounds, contenders)


def store_array(bench: Workbench) -> Samples:
    """A recorded run that returns a large array, which it had at hand."""
    array = prepare(bench.scale.array_bytes)
    numbers = count()
    with bench.project() as scratch:
        fields: Any = scratch.load("fields")
        saved = scratch.root / "saved.npy"

        def remove() -> None:
            for path in (scratch.root / "data" / "run_dump" / "Field").glob("*.npy"):
                path.unlink()

        def save_and_hash() -> None:
            np.save(saved, array)
            _hash(array)

        contenders = {
            OURS: once(lambda: fields.Field(next(numbers)).run(), after=remove),
            "np.save": once(lambda: np.save(saved, array), after=saved.unlink),
            "np.save, then blake3": once(save_and_hash, after=saved.unlink),
        }
        return alternate(bench.scale.slow_rounds, contenders)


def load_array(bench: Workbench) -> Samples:
    """A hit whose result is a large array, checked against its checksum."""
    with _stored(bench) as (fields, saved):
        contenders: dict[str, Round] = {
            OURS: once(lambda: fields.Field(0).run()),
            "np.load": once(lambda: np.load(saved)),
            "np.load, then blake3": once(lambda: _hash(np.load(saved))),
        }
        return alternate(bench.scale.slow_rounds, contenders)


def map_array(bench: Workbench) -> Samples:
    """The same, left on disk."""
    with _stored(bench) as (fields, saved):
        contenders: dict[str, Round] = {
            OURS: once(lambda: fields.Field(0).run(mmap=True)),
            "np.load(mmap)": once(lambda: np.load(saved, mmap_mode="r")),
        }
        return alternate(bench.scale.rounds, contenders)


@contextmanager
def _stored(bench: Workbench) -> Iterator[tuple[Any, Path]]:
    """The module of the tasks, and a file that NumPy saved; ``Field(0)`` has run."""
    array = prepare(bench.scale.array_bytes)
    with bench.project() as scratch:
        fields: Any = scratch.load("fields")
        saved = scratch.root / "saved.npy"
        np.save(saved, array)
        fields.Field(0).run()
        yield fields, saved


def _hash(array: np.ndarray[Any, Any]) -> bytes:
    view: Any = array.reshape(-1).view(np.uint8).data
    return bytes(blake3(view, max_threads=N_THREADS).digest())
