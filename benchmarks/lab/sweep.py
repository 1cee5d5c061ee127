"""Tasks as a study has them: twenty inputs each, most at their default, and a result of one before."""

from dataclasses import dataclass

from smttask import RecordedTask


@dataclass(frozen=True)
class Noise:
    """Random forces."""

    kind: str
    sigma: float
    seed: int


@RecordedTask
def Simulate(
    coupling: float,
    drive: float,
    noise: Noise,
    n_cells: int = 400,
    n_layers: int = 3,
    duration: float = 12.5,
    dt: float = 0.001,
    tau_rise: float = 0.0021,
    tau_decay: float = 0.0184,
    threshold: float = -50.0,
    reset: float = -65.0,
    delays: tuple[float, ...] = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45),
    weights: str = "lognormal",
    topology: str = "small-world, rewired with probability 0.1 from a ring of 24 neighbours",
    boundary: str = "periodic",
    solver: str = "heun",
    tolerance: float = 1e-9,
    adaptive: bool = False,
    checkpoint: int | None = None,
    comment: str = "first grid, after the correction of the units of the drive; the second has the old ones",
) -> float:
    """A network -> its mean rate."""
    return coupling * drive * noise.sigma


@RecordedTask
def Fit(
    rate: float,
    coupling: float,
    drive: float,
    model: str = "gamma",
    n_starts: int = 24,
    lower: float = 0.0,
    upper: float = 120.0,
    prior_mean: float = 4.2,
    prior_width: float = 1.7,
    penalty: float = 0.01,
    folds: int = 5,
    shuffle: bool = True,
    seed: int = 20,
    bins: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    loss: str = "deviance",
    optimizer: str = "l-bfgs-b, with bounds from the second column of the table of priors",
    tolerance: float = 1e-7,
    n_steps: int = 5000,
    start: str | None = None,
    comment: str = "all animals but the third, whose electrode was moved between sessions",
) -> float:
    """A rate -> how badly the model fits it."""
    return rate * penalty
