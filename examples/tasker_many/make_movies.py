"""Make 50 folders of small movies: bright particles that wander over an uneven, dusty background.

``python make_movies.py [FOLDER]``; the same movies each time, about 2 MB.
"""

import json
import sys
from pathlib import Path

import numpy as np

N_MOVIES = 50
N_FRAMES = 16
SIDE = 48  # pixels
WIDTH = 1.2  # pixels, standard deviation of the image of a particle
NOISE = 2.0  # grey levels


def make_movies(folder: Path, n_movies: int = N_MOVIES) -> None:
    """Make ``movie00/frames/000.npy`` and so on in `folder`, and the files that name groups beside it."""
    groups: dict[str, list[str]] = {"sparse": [], "dense": []}
    for number in range(n_movies):
        rng = np.random.default_rng(number)
        n_particles = int(rng.integers(2, 13))
        name = f"{folder.name}/movie{number:02}"
        groups["sparse" if n_particles < 7 else "dense"].append(name)
        frames = folder / f"movie{number:02}" / "frames"
        frames.mkdir(parents=True, exist_ok=True)
        for at, image in enumerate(_images(rng, n_particles)):
            np.save(frames / f"{at:03}.npy", image)
        params = {"threshold": 30.0, "frames_per_second": 25.0, "made_with": n_particles}
        (frames.parent / "params.json").write_text(json.dumps(params) + "\n", encoding="utf-8")
    (folder.parent / "groups.json").write_text(json.dumps(groups, indent=1) + "\n", encoding="utf-8")
    best = {"best": groups["dense"][0]}
    (folder.parent / "aliases.json").write_text(json.dumps(best) + "\n", encoding="utf-8")


def _images(rng: np.random.Generator, n_particles: int) -> list[np.ndarray]:
    """Frames of one movie, as 8-bit grey levels."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    background = 60 + 0.5 * columns + 20 * rng.random((SIDE, SIDE)) * (rng.random((SIDE, SIDE)) < 0.05)
    images = []
    for _ in range(N_FRAMES):
        image = background + rng.normal(0, NOISE, background.shape)
        for row, column in _places(rng, n_particles):
            image += 90 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * WIDTH**2))
        images.append(image.clip(0, 255).astype(np.uint8))
    return images


def _places(rng: np.random.Generator, n_particles: int) -> list[np.ndarray]:
    """Where the particles are in one frame: inside, and so far apart that each is seen alone."""
    places: list[np.ndarray] = []
    while len(places) < n_particles:
        place = rng.uniform(3, SIDE - 4, 2)
        if all(np.hypot(*(place - other)) > 6 for other in places):
            places.append(place)
    return places


if __name__ == "__main__":
    make_movies(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "movies"))
