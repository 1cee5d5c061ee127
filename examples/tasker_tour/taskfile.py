"""The tasks of this folder: random numbers, a table of them, its summary, and a report on all."""

from typing import Any

import numpy as np
import pandas as pd

from smttask import tasker


def use(dir: str, n: int = 10_000) -> tasker.Tasker:
    """Tasker of the folder `dir`; `n` random numbers are drawn."""
    t = tasker.Tasker(dir)
    t.conf = {"n": n, "seed": 2014}

    @t.stores(tasker.Npy("raw_random.npy"))
    def raw_random(tsk: Any) -> Any:
        """Random numbers, 0 to 1."""
        print("  running raw_random")
        return np.random.default_rng(tsk.conf.seed).random(tsk.conf.n)

    @t.stores(tasker.Pandas("random.parquet"))
    def random(tsk: Any, raw: Any = raw_random) -> Any:
        """The numbers and their squares as a table."""
        print("  running random")
        return pd.DataFrame({"number": raw, "square": raw**2})

    @t.stores(tasker.JSON("summary.json"))
    def summary(tsk: Any, table: Any = random, factor: Any = "anumber.txt") -> Any:
        """Mean and spread of the numbers, times the number in anumber.txt."""
        print("  running summary")
        scaled = table["number"] * float(factor.read_text())
        return {"count": len(scaled), "mean": scaled.mean(), "std": scaled.std()}

    @t.stores(tasker.JSON("std_err.json"))
    def std_err(tsk: Any, found: Any = summary) -> Any:
        """Standard error of the mean."""
        print("  running std_err")
        return found["std"] / found["count"] ** 0.5

    @t
    def mean_with_error(tsk: Any, found: Any = summary, error: Any = std_err) -> Any:
        """The mean and its standard error, computed each time."""
        return found["mean"], error

    @t.stores("report.txt")
    def report_everything(
        tsk: Any,
        parts: Any = {"table": random, "numbers": [summary, std_err]},  # noqa: B006 - it names what goes in
        mean: Any = mean_with_error,
    ) -> None:
        """All that is known, as a text that this task writes itself."""
        print("  running report_everything")
        found, error = parts["numbers"]
        lines = [
            f"{found['count']} numbers in a table of {parts['table'].shape[1]} columns",
            f"mean {mean[0]:.4f} +- {mean[1]:.4f}, standard deviation {found['std']:.4f}",
            f"largest square {parts['table']['square'].max():.4f}",
        ]
        assert error == mean[1]
        tsk.output_files[0].write_text("\n".join(lines) + "\n", encoding="utf-8")

    return t
