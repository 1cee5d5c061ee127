"""Tasks on a Dask cluster: what recording them costs beside Dask itself."""

from __future__ import annotations

from itertools import count
from typing import Any

from benchmarks.libraries import square
from benchmarks.measure import OURS, Samples, alternate, once
from benchmarks.workbench import Workbench
from smttask.executors.choosing import make_executor
from smttask.executors.messages import Instructions
from smttask.executors.running import run_works
from smttask.executors.work import work_of_task

__all__ = ["dask_overhead"]

N_WORKERS = 2
PLAIN = "plain dask.delayed"


def dask_overhead(bench: Workbench) -> Samples:
    """Seconds per trivial task on two workers, less what `dask.delayed` takes on the same ones."""
    import distributed
    from dask.delayed import delayed

    n_tasks = bench.scale.n_tasks * 5
    numbers = count(1)
    options = {"n_workers": N_WORKERS, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        bench.project() as scratch,
        distributed.LocalCluster(**options) as cluster,  # type: ignore[no-untyped-call]
        distributed.Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        lab: Any = scratch.load("lab")
        instructions = Instructions(start=str(scratch.root), keep=True)

        def run() -> None:
            tasks = (lab.Square(float(next(numbers))) for _ in range(n_tasks))
            works = [work_of_task(task, number).sendable() for number, task in enumerate(tasks)]
            executor = make_executor(
                "dask", n=None, scheduler=cluster.scheduler_address, instructions=instructions
            )
            summary = run_works(works, executor)
            if summary.counts != {"computed": n_tasks}:
                raise RuntimeError(f"{summary.counts} of {n_tasks} tasks, {summary.failures[:1]}")

        def run_plain() -> None:
            calls = [delayed(square)(float(next(numbers))) for _ in range(n_tasks)]
            client.gather(client.compute(calls))

        taken = alternate(bench.scale.few_rounds, {OURS: once(run), PLAIN: once(run_plain)})
    plain = [seconds / n_tasks for seconds in taken[PLAIN]]
    ours = [seconds / n_tasks for seconds in taken[OURS]]
    return {OURS: [max(both - one, 0.0) for both, one in zip(ours, plain, strict=True)], PLAIN: plain}
