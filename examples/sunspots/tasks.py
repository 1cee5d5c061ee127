"""Find the cycle in yearly sunspot numbers: load, detrend, spectrum, highest peak."""

from typing import Literal

import numpy as np

from smttask import MemoizedTask, RecordedTask, TaskOutput
from smttask.typing import Array, InputFile

Window = Literal["boxcar", "hann", "hamming", "blackman"]
WINDOWS: dict[str, tuple[float, ...]] = {  # coefficients of the cosine sum a0 - a1 cos + a2 cos
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
}


class Cycle(TaskOutput):
    """The strongest cycle in a spectrum."""

    period: float  # years
    share: float  # of the power between the limits of the search, 0 to 1


@MemoizedTask
def LoadSunspots(table: InputFile) -> Array[float]:
    """CSV file with columns year and number -> yearly sunspot numbers, one for each year."""
    years, numbers = np.loadtxt(table, delimiter=",", skiprows=1, unpack=True)
    if np.any(np.diff(years) != 1):
        raise ValueError("the years do not follow each other")
    return np.asarray(numbers)


@RecordedTask
def Detrend(series: Array[float], degree: int = 2) -> Array[float]:
    """Series -> the series less its least-squares polynomial of this degree."""
    at = np.linspace(-1, 1, len(series))
    return np.asarray(series - np.polynomial.Polynomial.fit(at, series, degree)(at))


@RecordedTask
def PowerSpectrum(series: Array[float], window: Window = "hann", padding: int = 8) -> Array[float]:
    """Series -> frequency (first row, per sample) and power (second row), zero-padded `padding` times."""
    phase = 2 * np.pi * np.arange(len(series)) / len(series)
    taper = sum((-1) ** k * a * np.cos(k * phase) for k, a in enumerate(WINDOWS[window]))
    n = padding * len(series)
    power = np.abs(np.fft.rfft(series * taper, n)) ** 2
    return np.stack([np.fft.rfftfreq(n), power])


@RecordedTask
def FindCycle(spectrum: Array[float], shortest: float = 5.0, longest: float = 20.0) -> Cycle:
    """Spectrum -> period of its highest peak between `shortest` and `longest` years, and its share."""
    frequency, power = spectrum
    inside = (frequency >= 1 / longest) & (frequency <= 1 / shortest)
    frequency, power = frequency[inside], power[inside]
    peak = int(power.argmax())
    near = np.abs(frequency - frequency[peak]) < 0.01
    return Cycle(period=float(1 / frequency[peak]), share=float(power[near].sum() / power.sum()))
