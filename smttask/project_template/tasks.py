"""Tasks of this project: functions whose results are stored by what went in."""

import numpy as np

from smttask import MemoizedTask, RecordedTask
from smttask.typing import Array


@MemoizedTask
def MakeSignal(n: int, period: float, noise: float, seed: int = 0) -> Array[float]:
    """Sine of `period` samples with noise added; kept in memory only."""
    rng = np.random.default_rng(seed)
    return np.sin(2 * np.pi * np.arange(n) / period) + noise * rng.standard_normal(n)


@RecordedTask
def FindPeriod(signal: Array[float]) -> float:
    """Period of the strongest frequency, in samples; stored on disk and recorded."""
    power = np.abs(np.fft.rfft(signal - signal.mean())) ** 2
    return len(signal) / int(power.argmax())
