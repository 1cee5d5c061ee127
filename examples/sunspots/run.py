"""Run the analysis: ``python run.py``, in a git repository after ``smttask project init``."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

from tasks import Detrend, FindCycle, LoadSunspots, PowerSpectrum, Window

from smttask import RSView
from smttask.typing import InputFile

HERE = Path(__file__).parent


def main() -> None:
    """Find the cycle, sweep over windows and degrees on two processes, show what was recorded."""
    series = LoadSunspots(InputFile(HERE / "sunspots.csv"))

    print("One analysis, in this process:")
    flat = Detrend(series.as_input)
    find = FindCycle(PowerSpectrum(flat.as_input).as_input)
    cycle = find.run(reason="first look at the cycle")
    print(f"  period {cycle.period:.2f} years, {cycle.share:.0%} of the power near it ({find.last_hit})")

    print("\nA sweep of description files, run on two processes:", flush=True)
    sweep = [
        FindCycle(PowerSpectrum(Detrend(series.as_input, degree).as_input, window).as_input)
        for degree in (1, 2, 3)
        for window in get_args(Window)
    ]
    folder = HERE / "sweep"
    shutil.rmtree(folder, ignore_errors=True)
    for task in sweep:
        task.save(folder)
    command = [sys.executable, "-m", "smttask", "run", "-n2", "--reason", "sweep over windows", str(folder)]
    subprocess.run(command, check=True, cwd=HERE)

    print("\nThe periods found, loaded from the store:")
    periods = [task.load().period for task in sweep]
    print(f"  {len(periods)} results from {min(periods):.2f} to {max(periods):.2f} years")

    n_records = len(RSView())
    for task in sweep:
        task.run()
    n_new = len(RSView()) - n_records
    print(f"\nThe same sweep again: {n_new} computed, {len(sweep)} found ({sweep[-1].last_hit}).")

    print(f"\nThe record store: {RSView()}")
    cycles = RSView().filter.task("FindCycle").dframe(outputs=True)
    columns = ["label", "status", "reason", "period", "share"]
    print(f"\nThe cycles in it:\n{cycles[columns].to_string(index=False)}")
    if n_new or not all(10 < period < 12 for period in periods):
        sys.exit("The sweep was computed twice, or its periods are not those of the sunspots.")


if __name__ == "__main__":
    main()
