"""The large array that costs a task nothing to make."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["prepare", "prepared"]

_fields: list[np.ndarray[Any, Any]] = []


def prepare(n_bytes: int) -> np.ndarray[Any, Any]:
    """Make a float64 array of about `n_bytes`, given by `prepared` from now on; it cannot be written."""
    field = np.random.default_rng(1).random(n_bytes // 8)
    field.flags.writeable = False
    _fields[:] = [field]
    return field


def prepared() -> np.ndarray[Any, Any]:
    """The array that was prepared last."""
    return _fields[-1]
