"""Works in jobs of Slurm: arrays of jobs, each of which runs several works."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from os import getpid
from pathlib import Path
from typing import Any

from smttask.errors import SettingError, SmttaskError
from smttask.executors.messages import Instructions
from smttask.executors.outcome import Outcome
from smttask.executors.progress import Display
from smttask.executors.settling import chosen_settings, project_of, settle_records
from smttask.executors.slurmcluster import Cluster, DebugCluster, LocalCluster, SlurmCluster
from smttask.executors.slurmflow import Flow
from smttask.executors.work import Work
from smttask.extras import require
from smttask.project import Project
from smttask.settings import JOURNAL, config

__all__ = ["SlurmExecutor"]

CLUSTERS = ("slurm", "local", "debug")
MINUTE_S = 60.0


class SlurmExecutor:
    """Runs works in arrays of Slurm jobs, at most `n` jobs at once.

    Each job runs a chunk of works, in a worker process that a failing task does not take with it. What
    a job that was ended (time limit, preemption, a lost node) did not begin goes into another job; what it
    was at has failed. What happens is told in files in ``.smt/slurm`` of the project, which all
    nodes must see; they stay if something failed. Jobs keep their records in journals, unless the record
    store is a server, and these are taken in at the end.

    Parameters
    ----------
    timeout_s, memory_bytes
        What one task may take; see `smttask.executors.local.ProcessExecutor`.
    retries
        How often a task is tried again that failed, died, or was at work when its job was ended.
    slurm
        Options of sbatch by name, such as ``time``, which is that of a job, and besides:
        ``chunk``, works in a job; ``workers``, how many of them a job runs at once; ``cluster``, ``"local"``
        for processes of this machine instead of Slurm, ``"debug"`` for jobs in the calling process.
    shows_output
        Tell the display what tasks print, too.

    Raises
    ------
    MissingExtraError
        If submitit is not installed.
    SettingError
        If an option is none, or is chosen by smttask itself.
    WorkerError
        From `run`, if there is no Slurm, it does not take the jobs, or none of them starts.
    ProjectError, SettingError, DescriptionError
        From `run`, if the jobs cannot use the project, its settings or a module to be imported.
    """

    name = "slurm"

    def __init__(
        self,
        n: int,
        instructions: Instructions,
        *,
        timeout_s: float | None = None,
        memory_bytes: int | None = None,
        retries: int = 0,
        slurm: Mapping[str, Any] | None = None,
        shows_output: bool = False,
    ) -> None:
        require("submitit")
        options = dict(slurm or {})
        self._cluster_name = options.pop("cluster", "slurm")
        if self._cluster_name not in CLUSTERS:
            raise SettingError(
                f"There is no cluster {self._cluster_name!r}.",
                f"clusters: {', '.join(CLUSTERS)}",
                "leave it out for Slurm",
                name="cluster",
            )
        self._n = n
        self._instructions = instructions
        self._retries = retries
        self._chunk_size = _count(options, "chunk")
        self._n_workers = _count(options, "workers") or 1
        if self._n_workers > 1:
            options.setdefault("cpus_per_task", self._n_workers)
        self._options = options
        self._limits = {
            "timeout_s": timeout_s,
            "memory_bytes": memory_bytes,
            "retries": retries,
            "shows_output": shows_output,
        }
        self._stops = threading.Semaphore(0)

    def run(self, works: Iterator[Work], told: Display) -> Generator[Outcome, None, None]:
        """See `smttask.protocols.Executor`."""
        project = project_of(self._instructions)
        folder = self._folder(project)
        try:
            flow = Flow(
                works,
                told,
                folder,
                self._stops,
                chunk_size=self._chunk_size,
                n=self._n,
                n_workers=self._n_workers,
                instructions=self._job_instructions(project),
                limits=self._limits,
                retries=self._retries,
            )
            flow.cluster = self._cluster(folder / "submitit", flow)
            try:
                yield from flow.outcomes()
            finally:
                flow.end()
                settle_records(project, self._instructions, told, has_journals=True)
                if flow.has_failures:
                    told.tell(f"What the jobs printed is in {folder}")
                else:
                    shutil.rmtree(folder, ignore_errors=True)
        except SmttaskError:
            if not any(folder.glob("submitit/*")):
                shutil.rmtree(folder, ignore_errors=True)
            raise

    def stop(self) -> None:
        """See `smttask.protocols.Executor`."""
        self._stops.release()

    def _cluster(self, folder: Path, flow: Flow) -> Cluster:
        if self._cluster_name == "slurm":
            return SlurmCluster(folder, self._n, self._options)
        if self._cluster_name == "debug":
            return DebugCluster(folder, flow.meanwhile)
        limit = self._options.get("time")
        return LocalCluster(folder, self._n, None if limit is None else _minutes(limit) * MINUTE_S)

    def _folder(self, project: Project | None) -> Path:
        """A folder of this run, which the jobs see too."""
        root = Path.cwd() / ".smttask-slurm" if project is None else project.root / ".smt" / "slurm"
        folder = root / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{getpid()}"
        folder.mkdir(parents=True)
        return folder

    def _job_instructions(self, project: Project | None) -> Instructions:
        """Those for the jobs: other hosts keep journals, for SQLite is for the processes of one host."""
        orders = self._instructions
        if project is None or self._cluster_name != "slurm" or orders.record is False:
            return orders
        with config.use(**chosen_settings(orders)):
            serves_all_hosts = project.records.path is None
        if serves_all_hosts:  # but perhaps not the nodes
            return replace(orders, may_fall_back=True)
        return replace(orders, record_store=JOURNAL)


def _count(options: dict[str, Any], name: str) -> int | None:
    """Take the option `name` out: a number, at least 1; None if it was not given."""
    given = options.pop(name, None)
    try:
        number = None if given is None else int(given)
    except (TypeError, ValueError):
        number = 0
    if number is not None and number < 1:
        raise SettingError(
            f"{name}={given} cannot be.",
            "expected: a number, 1 or more",
            "leave it out for the default",
            name=name,
        )
    return number


def _minutes(limit: Any) -> float:
    try:
        return float(limit)
    except (TypeError, ValueError):
        raise SettingError(
            f"time={limit} is no time limit for cluster=local.",
            "expected: a number of minutes",
            "leave it out for no limit",
            name="time",
        ) from None
