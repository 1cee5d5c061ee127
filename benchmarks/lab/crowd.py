"""Tasks that wait for each other: what is measured is how they are shared out."""

import time
from pathlib import Path

from benchmarks.gate import open_gate
from smttask import RecordedTask


@RecordedTask
def Gate(folder: str, name: str, n: int) -> float:
    """A folder and a name in it -> when `n` tasks had come there, each in a worker of its own."""
    return open_gate(folder, name, n)


@RecordedTask
def Nap(number: int, duration_s: float) -> int:
    """A number -> the same, after a while."""
    time.sleep(duration_s)
    return number


@RecordedTask
def Hold(name: str) -> float:
    """A path -> when somebody removed what is there."""
    Path(f"{name}.begun").touch()
    while Path(name).exists():
        time.sleep(0.01)
    return time.time()
