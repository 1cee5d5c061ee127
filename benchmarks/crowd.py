"""Many tasks at once: how fast they are handed out, and what the parent of the workers takes for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.gate import open_gate
from benchmarks.measure import OURS, Round, Samples, alternate
from benchmarks.workbench import ROOT, Workbench, run_process
from smttask import run_tasks
from smttask.testing import ScratchProject

__all__ = ["first_task", "naps", "parent_memory", "throughput"]

N_WORKERS = 2
N_NAPPERS = 4
N_NAPS = 16
#: A file can have that many names on ext4.
MOST_LINKS = 60_000


def throughput(bench: Workbench) -> Samples:
    """Seconds per task of ``smttask run -n2`` over a folder of description files, start and end included."""
    n_tasks = 50 * bench.scale.n_tasks
    numbers = count(1)
    with bench.project() as scratch:
        lab: Any = scratch.load("lab")
        lab.Square(0.5).run()
        manifest = lab.Square(0.5).resultpaths[0].read_bytes()
        scratch.project.records.close()
        store, kept = scratch.root / "raw.sqlite", scratch.root / "manifest"
        shutil.copyfile(scratch.root / ".smt" / "records", store)
        kept.write_bytes(manifest)
        begins = count(0, n_tasks)

        def run() -> float:
            folder = scratch.root / "tasks"
            for _ in range(n_tasks):
                lab.Square(float(next(numbers))).save(folder)
            begin = perf_counter()
            run_process(scratch.root, "-m", "smttask", "run", "-q", f"-n{N_WORKERS}", str(folder))
            taken_s = perf_counter() - begin
            if any(folder.iterdir()):
                raise RuntimeError("some tasks were not run")
            return taken_s / n_tasks

        def run_raw() -> float:
            first = next(begins)
            args = [scratch.root / "raw", store, kept, N_WORKERS, first, first + n_tasks]
            begin = perf_counter()
            run_process(scratch.root, "-m", "benchmarks.pool", *map(str, args))
            return (perf_counter() - begin) / n_tasks

        return alternate(bench.scale.few_rounds, {OURS: run, "raw calls, 2 processes": run_raw})


def naps(bench: Workbench) -> Samples:
    """Sixteen tasks of half a second on four workers, from the moment when all four are there."""
    nap_s = 0.5 if bench.scale.few_rounds > 1 else 0.05
    with bench.project() as scratch:
        crowd: Any = scratch.load("crowd")
        rounds = count()

        def ours() -> float:
            folder, number = tempfile.mkdtemp(), next(rounds)
            tasks = [
                *(crowd.Gate(folder, str(n), N_NAPPERS) for n in range(N_NAPPERS)),
                *(crowd.Nap(N_NAPS * number + n, nap_s) for n in range(N_NAPS)),
            ]
            opened = ended = 0.0
            for task, result in run_tasks(tasks, n=N_NAPPERS, progress=False):
                ended = time.time()
                if isinstance(task, crowd.Gate):
                    opened = max(opened, result)
            return ended - opened

        contenders: dict[str, Round] = {
            OURS: ours,
            "ProcessPoolExecutor": lambda: _naps_of_pool(nap_s),
        }
        if find_spec("joblib") is not None:
            contenders["joblib"] = lambda: _naps_of_joblib(nap_s)
        return alternate(bench.scale.few_rounds, contenders)


def _naps_of_pool(nap_s: float) -> float:
    folder = tempfile.mkdtemp()
    with ProcessPoolExecutor(N_NAPPERS) as pool:
        gates = [pool.submit(open_gate, folder, str(n), N_NAPPERS) for n in range(N_NAPPERS)]
        list(pool.map(time.sleep, [nap_s] * N_NAPS))
        return time.time() - max(gate.result() for gate in gates)


def _naps_of_joblib(nap_s: float) -> float:
    import joblib

    folder = tempfile.mkdtemp()
    calls = [
        *(joblib.delayed(open_gate)(folder, str(n), N_NAPPERS) for n in range(N_NAPPERS)),
        *(joblib.delayed(time.sleep)(nap_s) for _ in range(N_NAPS)),
    ]
    results = joblib.Parallel(N_NAPPERS, batch_size=1)(calls)
    return float(time.time() - max(results[:N_NAPPERS]))


def first_task(bench: Workbench) -> Samples:
    """From the command to the start of its first task, at so many description files."""
    return _with_crowd(bench, lambda start, begun, process: _wait_for(begun) - start)


def parent_memory(bench: Workbench) -> Samples:
    """Most memory of the parent of the workers when it knows all of so many description files."""

    def measure(start: float, begun: Path, process: subprocess.Popen[bytes]) -> float:
        _wait_for(begun)
        before, now = -1, _peak_bytes(process.pid)
        while now != before:
            time.sleep(1.0)
            before, now = now, _peak_bytes(process.pid)
        return float(now)

    return _with_crowd(bench, measure)


def _with_crowd(
    bench: Workbench, measure: Callable[[float, Path, subprocess.Popen[bytes]], float]
) -> Samples:
    """What `measure` gives beside many and beside few files."""
    with bench.project() as scratch:
        crowd: Any = scratch.load("crowd")
        many = _folder_of(scratch, crowd, bench.scale.n_many)
        few = _folder_of(scratch, crowd, 10)
        numbers = count()

        def started(folder: Path) -> float:
            hold = scratch.root / f"hold{next(numbers)}"
            hold.touch()
            crowd.Hold(str(hold)).save(folder / "0")
            start = time.time()
            command = [sys.executable, "-m", "smttask", "run", "-q", "-n1", str(folder)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            process = subprocess.Popen(
                command,
                cwd=scratch.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                return measure(start, Path(f"{hold}.begun"), process)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait()
                shutil.rmtree(folder / "0")

        rounds = bench.scale.few_rounds
        return alternate(rounds, {OURS: lambda: started(many), "10 files": lambda: started(few)})


def _folder_of(scratch: ScratchProject, crowd: Any, n_files: int) -> Path:
    """A folder with so many description files, which share their content."""
    folder = scratch.root / f"crowd{n_files}" / "1"
    folder.mkdir(parents=True)
    for number, original in zip(range(n_files), _originals(scratch, crowd), strict=False):
        os.link(original, folder / f"Nap__{number:020d}.taskdesc.json")
    return folder.parent


def _originals(scratch: ScratchProject, crowd: Any) -> Iterator[Path]:
    for number in count():
        original = crowd.Nap(number, 60.0).save(scratch.root / "originals")
        yield from [original] * MOST_LINKS


def _wait_for(path: Path) -> float:
    """When `path` was there."""
    deadline = time.time() + 120
    while not path.exists():
        if time.time() > deadline:
            raise RuntimeError("no task was begun")
        time.sleep(0.005)
    return path.stat().st_mtime


def _peak_bytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024
