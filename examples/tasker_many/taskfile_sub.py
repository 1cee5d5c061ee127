"""The tasks of each folder of a movie below this one: background, particles in each frame, summary."""

from pathlib import Path
from typing import Any

import numpy as np

from smttask import tasker


def use(dir: str) -> tasker.Tasker:
    """Tasker of the folder `dir`, which holds ``frames/`` and ``params.json``."""
    t = tasker.Tasker(dir)
    t.params = tasker.JSON(t.p / "params.json")

    @t.stores(tasker.Npy("background.npy"))
    def background(tsk: Any, frames: Any = "frames") -> Any:
        """Median of the frames: what does not move."""
        return np.median(load_frames(frames), axis=0)

    @t.stores(tasker.JSON("counts.json"))
    def counts(tsk: Any, frames: Any = "frames", still: Any = background, params: Any = t.params) -> Any:
        """Number of particles in each frame."""
        images = load_frames(frames)
        return [
            count_peaks(image - still, params["threshold"])
            for image in tsk.progress.tally(images, info="frames")
        ]

    @t.stores(tasker.JSON("summary.json"))
    def summary(tsk: Any, found: Any = counts, params: Any = t.params) -> Any:
        """Mean number of particles, its spread over frames, and the length of the movie."""
        return {
            "movie": tsk.tasker.name,
            "particles": float(np.mean(found)),
            "spread": float(np.std(found)),
            "seconds": len(found) / params["frames_per_second"],
        }

    return t


def load_frames(folder: Path) -> np.ndarray:
    """All frames of a movie: frame, row, column; grey levels."""
    return np.array([np.load(file) for file in sorted(folder.glob("*.npy"))], dtype=float)


def count_peaks(image: np.ndarray, threshold: float) -> int:
    """Number of pixels above `threshold` that no neighbour outshines."""
    inner = image[1:-1, 1:-1]
    is_peak = inner > threshold
    for row in (0, 1, 2):
        for column in (0, 1, 2):
            if (row, column) != (1, 1):
                other = image[row : row + inner.shape[0], column : column + inner.shape[1]]
                # Of two equal neighbours the first counts.
                is_peak &= inner > other if (row, column) < (1, 1) else inner >= other
    return int(is_peak.sum())
