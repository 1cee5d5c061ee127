"""Works on a Dask cluster, of its own or one that is there."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator, Iterator
from dataclasses import replace
from queue import SimpleQueue

from smttask.executors.daskcluster import Cluster, JoinedCluster, OwnCluster, quiet_dask
from smttask.executors.daskflow import Flow
from smttask.executors.daskline import Event, Line
from smttask.executors.daskwork import Orders
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome
from smttask.executors.progress import Display
from smttask.executors.settling import project_of, settle_records
from smttask.executors.work import Work
from smttask.extras import require
from smttask.project import Project
from smttask.settings import config

__all__ = ["DaskExecutor"]


class DaskExecutor:
    """Runs works on the workers of a Dask scheduler.

    Recorded tasks that a task needs are keys of one Dask graph, so that those that several need are
    run once, and independent ones side by side; results stay in the project's folder, which all workers
    must see. Works are handed over as workers get free. What workers of other hosts, or those that
    cannot use the record store, keep in journals is taken in at the end.

    Parameters
    ----------
    n
        Without `scheduler`: worker processes, at least 1, not more than the settings of the project
        allow. With it: most works handed over at once; None: as many as keep all its workers busy.
    retries
        How often a task that failed is tried again. One whose worker died is tried again by Dask.
    scheduler
        Address of a scheduler, or the file that it wrote; empty: one in this process.
    shows_output
        Tell the display what tasks print, where the workers are our own.

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    WorkerError
        From `run`, if no scheduler answers, if it is gone, or if its workers cannot run tasks at all.
    ProjectError, SettingError, DescriptionError
        From `run`, if the workers cannot use the project, its settings or a module to be imported.
    """

    name = "dask"

    def __init__(
        self,
        n: int | None,
        instructions: Instructions,
        *,
        retries: int = 0,
        scheduler: str = "",
        shows_output: bool = False,
    ) -> None:
        require("distributed")
        self._n = n
        self._instructions = instructions
        self._retries = retries
        self._scheduler = scheduler
        self._shows_output = shows_output
        self._events: SimpleQueue[Event] = SimpleQueue()

    def run(self, works: Iterator[Work], told: Display) -> Generator[Outcome, None, None]:
        """See `smttask.protocols.Executor`."""
        project = project_of(self._instructions)
        orders = Orders(
            run=uuid.uuid4().hex,
            root="" if project is None else str(project.root),
            folder=os.getcwd() if project is None else str(project.root),
            instructions=replace(self._instructions, keep=True, may_fall_back=bool(self._scheduler)),
            retries=self._retries,
        )
        cluster, n = self._cluster(project)
        flow = Flow(
            works, told, Line(cluster, orders, self._events), self._events, n=n, keep=self._instructions.keep
        )
        with quiet_dask():
            try:
                yield from flow.outcomes()
            finally:
                flow.end()
                cluster.close()
                settle_records(project, self._instructions, told, has_journals=True)

    def stop(self) -> None:
        """See `smttask.protocols.Executor`."""
        self._events.put(("stop", None))

    def _cluster(self, project: Project | None) -> tuple[Cluster, int | None]:
        """Where to run, and how much at once."""
        if self._scheduler:
            return JoinedCluster(self._scheduler), self._n
        n = self._n or 1
        most = config.get("max_processes", {} if project is None else project.settings)
        n = min(n, most or n)
        output = (lambda text: self._events.put(("output", text))) if self._shows_output else None
        return OwnCluster(n, output), n
