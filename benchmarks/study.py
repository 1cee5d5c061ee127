"""A study of many runs: two tasks of twenty inputs, sixty dependencies a record, tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from benchmarks.bulk import Model, fill, made_up_dependencies
from benchmarks.workbench import Workbench
from smttask.project import use_project
from smttask.testing import ScratchProject

__all__ = ["TASK", "open_study", "range_of_a_fiftieth"]

#: The task of every second run.
TASK = "Simulate"
N_DEPENDENCIES = 60
#: Scatters values over the runs; it has no divisor in common with the number of them.
STRIDE = 7919


@contextmanager
def open_study(bench: Workbench, n_records: int) -> Iterator[ScratchProject]:
    """A project with so many records, in use for the block; made once."""
    root = bench.folder / f"study-{n_records}"
    if not root.exists():
        files = {}
        if bench.new_database is not None:
            files["pyproject.toml"] = f'[tool.smttask]\nrecord_store = "{bench.new_database()}"\n'
        with bench.project(files, root=root) as scratch:
            _fill(scratch, n_records)
    scratch = ScratchProject(root)
    with use_project(scratch.project):
        yield scratch
        scratch.project.records.close()


def range_of_a_fiftieth(n_records: int) -> tuple[float, float]:
    """Bounds of `coupling`, the second excluded, that one in fifty runs of `TASK` meets."""
    half, width = n_records // 2, n_records // 50
    return half / 1000, (half + width) / 1000


def _fill(scratch: ScratchProject, n_records: int) -> None:
    sweep: Any = scratch.load("sweep")
    sweep.Simulate(0.5, 1.5, sweep.Noise("white", 0.1, 3)).run()
    sweep.Fit(1.0, 0.5, 1.5).run()
    store = scratch.project.records
    dependencies = made_up_dependencies(N_DEPENDENCIES)
    by_task = {record.task: replace(record, dependencies=dependencies) for record in store.records()}

    def simulated(number: int) -> Mapping[str, Any]:
        scattered = number * STRIDE % n_records
        noise = {"$dataclass": "sweep:Noise", "fields": {"kind": "white", "sigma": 0.1, "seed": number}}
        return {"coupling": scattered / 1000, "drive": number % 100 / 10, "noise": noise}

    def fitted(number: int) -> Mapping[str, Any]:
        return {"rate": number * 1.1, "coupling": number % 1000 / 10, "seed": number}

    models = [Model(by_task[TASK], simulated), Model(by_task["Fit"], fitted)]
    fill(store, models, n_records)
