"""Count particles in 50 movies, two at a time: ``python run.py``."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from make_movies import make_movies

from smttask import tasker

HERE = Path(__file__).parent
MOVIES = HERE / "movies"


def main() -> None:
    """Make the movies and all that follows from them; change one of them; end with 1 if a count is wrong."""
    make_movies(MOVIES)
    folders = sorted(path.relative_to(HERE) for path in MOVIES.glob("movie*"))

    print(f"{len(folders)} folders, on two processes:", flush=True)
    smttask_tasker("run", "-n2", "--progress-interval", "10s", *folders)

    print("\nWhat came out, by group:")
    experiment = tasker.SetTasker(HERE)
    for group in experiment.groups:
        found = [t.summary() for t in experiment.grp(group)]
        mean = sum(each["particles"] for each in found) / len(found)
        print(f"  {group:<7} {len(found)} movies, {mean:.2f} particles on average")
        check(experiment, group, found)

    best = experiment.al("best")
    print(
        f"\nThe best one is {best.parentname}/{best.name}; with another threshold two of its tasks are stale:"
    )
    best.params.save({**best.params(), "threshold": 35.0})
    for each in best.report():
        print(f"  {each.name}: {each.why}")

    print("\nThe same command again does only that:", flush=True)
    smttask_tasker("run", "-n2", "--progress-interval", "10s", *folders)
    best.menu()

    print("\nThe last thing that was done in some of the folders:")
    tasker.Monitor(folders[:3]).show(["dir", "task", "status", "current", "total"])
    stale = [t.name for group in experiment.groups for t in experiment.grp(group) if t.report()]
    if stale:
        sys.exit(f"Still stale: {', '.join(stale)}.")


def smttask_tasker(*arguments: object) -> None:
    """Call ``smttask tasker`` here."""
    command = [sys.executable, "-m", "smttask", "tasker", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=HERE)


def check(experiment: tasker.SetTasker, group: str, found: list[Any]) -> None:
    """Leave if movies were made with quite another number of particles than was counted."""
    for folder, each in zip(experiment.group_paths(group), found, strict=True):
        true = json.loads((folder / "params.json").read_text(encoding="utf-8"))["made_with"]
        if abs(each["particles"] - true) > 1:
            sys.exit(f"{folder}: counted {each['particles']}, made with {true}.")


if __name__ == "__main__":
    main()
