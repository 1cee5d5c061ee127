"""What other libraries need for the same; those that are not installed are left out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["diskcache_get", "joblib_call", "joblib_hash"]


def square(x: float, n: int = 2) -> float:
    """What the smallest task computes."""
    return x**n


def joblib_call(folder: Path, n_values: int = sys.maxsize) -> dict[str, Callable[[int], object]]:
    """A call through `joblib.Memory`: stored the first time that one of `n_values` is asked for."""
    if find_spec("joblib") is None:
        return {}
    import joblib

    cached: Any = joblib.Memory(folder, verbose=0).cache(square)
    return {"joblib.Memory": lambda number: cached(float(number % n_values))}


def joblib_hash(value: Any) -> dict[str, Callable[[], object]]:
    """What joblib names `value` by."""
    if find_spec("joblib") is None:
        return {}
    import joblib

    return {"joblib.hash": lambda: joblib.hash(value)}


def diskcache_get(folder: Path, n_values: int) -> dict[str, Callable[[int], object]]:
    """A value from diskcache, one of `n_values` that are put there."""
    if find_spec("diskcache") is None:
        return {}
    import diskcache

    cache = diskcache.Cache(folder)
    for number in range(n_values):
        cache[("lab.Square", float(number), 2)] = float(number) ** 2
    return {"diskcache": lambda number: cache[("lab.Square", float(number % n_values), 2)]}
