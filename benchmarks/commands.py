"""Whole commands in fresh processes."""

from __future__ import annotations

import shutil
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.measure import OURS, Round, Samples, alternate, once
from benchmarks.workbench import PROCESSES, ROOT, Workbench, run_process

__all__ = ["import_all", "print_help", "run_many"]

N_WORKERS = 2


def import_all(bench: Workbench) -> Samples:
    """A process that imports smttask and the decorator, which brings everything that tasks need."""
    return _beside_pydantic(bench, "-c", "from smttask import RecordedTask")


def print_help(bench: Workbench) -> Samples:
    """``smttask --help``."""
    return _beside_pydantic(bench, "-m", "smttask", "--help")


def _beside_pydantic(bench: Workbench, *args: str) -> Samples:
    contenders: dict[str, Round] = {
        OURS: once(lambda: run_process(ROOT, *args)),
        **{name: once(partial(run_process, ROOT, *peer)) for name, peer in PROCESSES},
    }
    return alternate(bench.scale.slow_rounds, contenders)


def run_many(bench: Workbench) -> Samples:
    """``smttask run`` on description files of tasks that nothing is stored of, from start to end."""
    n_tasks = bench.scale.n_tasks
    numbers = count(1)
    with bench.project() as scratch:
        lab: Any = scratch.load("lab")
        first = lab.Square(0.5)
        first.run()
        manifest = first.resultpaths[0].read_bytes()
        scratch.project.records.close()
        store = scratch.root / "raw.sqlite"
        shutil.copyfile(scratch.root / ".smt" / "records", store)
        (scratch.root / "manifest").write_bytes(manifest)
        folders: list[Path] = []

        def save_tasks() -> None:
            folder = scratch.root / f"tasks-{len(folders)}"
            for _ in range(n_tasks):
                lab.Square(float(next(numbers))).save(folder)
            folders.append(folder)

        def run() -> None:
            run_process(scratch.root, "-m", "smttask", "run", f"-n{N_WORKERS}", str(folders[-1]))

        def check() -> None:
            if left := list(folders[-1].glob("*.json")):
                raise RuntimeError(f"{len(left)} of {n_tasks} tasks were not run")
            save_tasks()

        def run_raw() -> None:
            begin = n_tasks * len(folders)
            args = [scratch.root / "raw", store, scratch.root / "manifest", N_WORKERS, begin, begin + n_tasks]
            run_process(scratch.root, "-m", "benchmarks.pool", *map(str, args))

        save_tasks()
        contenders = {OURS: once(run, after=check), "ProcessPoolExecutor": once(run_raw)}
        return alternate(bench.scale.slow_rounds // 2 + 1, contenders)
