"""Where jobs are submitted: Slurm, or processes of this machine that stand for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from smttask.errors import SettingError, WorkerError
from smttask.executors.memory import children_by_parent, family, kill_family, memory_of
from smttask.executors.slurmjob import Chunk, run_chunk
from smttask.extras import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smttask.executors.running import Running

__all__ = ["CANCELLED", "Cluster", "DebugCluster", "LocalCluster", "SlurmCluster"]

ASK_EVERY_S = 5.0
CANCELLED = "CANCELLED"
#: States of jobs that have not come to their end, as squeue names them.
_ALIVE = (
    "CONFIGURING",
    "COMPLETING",
    "PENDING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "RESIZING",
    "RUNNING",
    "SIGNALING",
    "SPECIAL_EXIT",
    "STAGE_OUT",
    "STOPPED",
    "SUSPENDED",
)
#: Options of sbatch that would break what is done here.
_OURS = frozenset({"array", "chdir", "error", "nodes", "ntasks", "ntasks_per_node", "output", "wait", "wrap"})
LET_DIE_S = 0.5
LOOK_EVERY_S = 0.01
#: The last of what a job printed.
LOG_BYTES = 2000


class Cluster(ABC):
    """Takes jobs, tells how they are, and cancels them."""

    #: Most jobs handed over at once; how many of them run is another matter.
    most_jobs: int
    #: Whether new ones are handed over only when all are done, which keeps the number of those at work.
    is_batch: bool
    #: How long what a job told may take to be seen here.
    lag_s: float

    @abstractmethod
    def submit(self, chunks: Sequence[Chunk]) -> list[str]:
        """Hand over a job for each of `chunks`; their names."""

    @abstractmethod
    def ended(self, job: str) -> str | None:
        """How the job ended, in a word; None while it waits or runs, or if that is not known now."""

    @abstractmethod
    def cancel(self, jobs: Sequence[str], *, at_once: bool = False) -> None:
        """Ask the jobs to stop; or end them, without asking."""

    def begun(self, job: str, pid: int) -> None:  # noqa: B027 - most need not know
        """The job told the number of its process."""


class SlurmCluster(Cluster):
    """The Slurm of this host, through submitit.

    Parameters
    ----------
    folder
        For what submitit writes; all nodes must see it.
    n
        Most jobs that run at once.
    options
        For sbatch; names with or without dashes.

    Raises
    ------
    WorkerError
        If there is no Slurm.
    SettingError
        If an option is one that must be left to smttask.
    """

    most_jobs = 1000  # of one array; MaxArraySize of Slurm is 1001 unless set otherwise
    is_batch = True
    lag_s = 10.0

    def __init__(self, folder: Path, n: int, options: Mapping[str, Any]) -> None:
        submitit = require("submitit")
        missing = [program for program in ("sbatch", "squeue", "srun") if shutil.which(program) is None]
        if missing:
            raise WorkerError(
                "There is no Slurm on this host.",
                f"looked for: {', '.join(missing)} in {os.environ.get('PATH', '')}",
                "run it on a login node of the cluster; or try it here: --slurm cluster=local",
            )
        self._executor = submitit.SlurmExecutor(str(folder))
        self._executor.update_parameters(**_submitit_parameters(options, n))
        self._asked_at = -ASK_EVERY_S
        self._arrays: set[str] = set()
        self._states: dict[str, str] = {}

    def submit(self, chunks: Sequence[Chunk]) -> list[str]:
        """See `Cluster`."""
        try:
            jobs = self._executor.map_array(run_chunk, chunks)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            raise WorkerError(
                "Slurm did not take the jobs.",
                f"found: {str(error).strip()}",
                "correct what was given to --slurm, or ask those who keep the cluster",
            ) from error
        names = [str(job.job_id) for job in jobs]
        self._arrays.update(name.partition("_")[0] for name in names)
        self._states.update(dict.fromkeys(names, "PENDING"))
        return names

    def ended(self, job: str) -> str | None:
        """See `Cluster`; Slurm is asked for all jobs every few seconds."""
        if monotonic() - self._asked_at >= ASK_EVERY_S:
            self._ask()
            self._asked_at = monotonic()
        state = self._states.get(job)
        return None if state is None or state in _ALIVE else state

    def _ask(self) -> None:
        command = ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T"]
        done = subprocess.run(
            [*command, f"--jobs={','.join(sorted(self._arrays))}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode and "Invalid job id" not in done.stderr:
            return  # Slurm does not answer now; it is asked again
        told = dict(line.split("|", 1) for line in done.stdout.splitlines() if "|" in line)
        forgotten = {job: "ended" for job in self._states if job not in told}
        self._states.update(forgotten | told)

    def cancel(self, jobs: Sequence[str], *, at_once: bool = False) -> None:
        """See `Cluster`."""
        arrays = sorted({job.partition("_")[0] for job in jobs})
        for options in (["--signal=KILL"], []) if at_once else ([],):
            with suppress(OSError):
                subprocess.Popen(
                    ["scancel", "--quiet", *options, *arrays],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )


def _submitit_parameters(options: Mapping[str, Any], n: int) -> dict[str, Any]:
    """What submitit takes: its own parameters, and whatever else sbatch knows."""
    known = require("submitit.slurm.slurm")._get_default_parameters()
    chosen: dict[str, Any] = {"time": None, "job_name": "smttask", "array_parallelism": n}
    # Slurm asks a job at its limit to terminate, KillWait before it kills it, and that is the sign to
    # stop; the signal that submitit wants before would end worker processes, and this one does nothing.
    others: dict[str, Any] = {"signal": "CONT@1"}
    for name, value in options.items():
        plain = {"cpus": "cpus_per_task"}.get(name, name.replace("-", "_"))
        if plain in _OURS:
            raise SettingError(
                f"The option {name!r} of sbatch cannot be chosen.",
                "found: smttask sets it itself",
                "leave it out; -n says how many jobs run at once",
                name=name,
            )
        value = True if value in (True, "true", "") else value
        if plain in known:
            chosen[plain] = [value] if plain in ("setup", "teardown") and isinstance(value, str) else value
        else:
            others[plain.replace("_", "-")] = value
    return {**chosen, "additional_parameters": others}


class LocalCluster(Cluster):
    """Processes of this machine, by submitit's executor for trying things out.

    Parameters
    ----------
    n
        Most jobs at once.
    time_s
        Time limit of a job; None: none.
    """

    is_batch = False
    lag_s = 0.0

    def __init__(self, folder: Path, n: int, time_s: float | None) -> None:
        submitit = require("submitit")
        self.most_jobs = n
        self._executor = submitit.LocalExecutor(str(folder))
        minutes = 10 * 365 * 24 * 60 if time_s is None else time_s / 60
        self._executor.update_parameters(timeout_min=minutes, signal_delay_s=1, job_name="smttask")
        self._jobs: dict[str, Any] = {}
        self._pids: dict[str, int] = {}

    def submit(self, chunks: Sequence[Chunk]) -> list[str]:
        """See `Cluster`."""
        with _no_interrupts():
            jobs = [self._executor.submit(run_chunk, chunk) for chunk in chunks]
        self._jobs.update((str(job.job_id), job) for job in jobs)
        return [str(job.job_id) for job in jobs]

    def ended(self, job: str) -> str | None:
        """See `Cluster`; a job may outlive the process that watches over it."""
        if job not in self._jobs or not self._jobs[job].done():
            return None
        return None if job in self._pids and memory_of(self._pids[job]) else "ended"

    def begun(self, job: str, pid: int) -> None:
        """See `Cluster`."""
        self._pids[job] = pid

    def cancel(self, jobs: Sequence[str], *, at_once: bool = False) -> None:
        """See `Cluster`; the name of a job is the number of the process that watches over it."""
        left = [job for job in jobs if not self.ended(job)]
        if at_once:
            self._end_at_once(left)
            return
        for job in left:
            is_watched = memory_of(int(job)) > 0
            with suppress(ProcessLookupError):
                os.kill(int(job) if is_watched else self._pids.get(job, int(job)), signal.SIGTERM)

    def _end_at_once(self, jobs: Sequence[str]) -> None:
        """Kill the jobs with their workers, whose tasks may take no notice that the job is gone."""
        children = children_by_parent()
        # Who watches over a job may have ended before it
        pids = [pid for job in jobs for pid in (int(job), self._pids.get(job)) if pid is not None]
        members = {member for pid in pids for member in family(pid, children)}
        for pid in pids:
            kill_family(pid, children)
        deadline = monotonic() + LET_DIE_S
        while any(map(memory_of, members)) and monotonic() < deadline:  # records are closed of what is dead
            sleep(LOOK_EVERY_S)


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Let the processes that start in the block ignore Ctrl-C, which a terminal sends to all."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # only the main thread can; others are rarely in a terminal
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class DebugCluster(Cluster):
    """The calling process, one job after the other, by submitit's executor for debugging.

    Parameters
    ----------
    meanwhile
        Called again and again while a job runs.
    """

    most_jobs = 1
    is_batch = False
    lag_s = 0.0

    def __init__(self, folder: Path, meanwhile: Callable[[Running], None]) -> None:
        self._executor = require("submitit.local.debug").DebugExecutor(str(folder))
        self._run = partial(run_chunk, meanwhile=meanwhile)
        self._jobs: dict[str, Any] = {}

    def submit(self, chunks: Sequence[Chunk]) -> list[str]:
        """See `Cluster`."""
        jobs = [self._executor.submit(self._run, chunk) for chunk in chunks]
        self._jobs.update((job.job_id, job) for job in jobs)
        return [job.job_id for job in jobs]

    def ended(self, job: str) -> str | None:
        """See `Cluster`; the job runs now."""
        self._jobs[job].wait()
        return "ended"

    def cancel(self, jobs: Sequence[str], *, at_once: bool = False) -> None:
        """See `Cluster`; what runs is stopped by what is called meanwhile."""
