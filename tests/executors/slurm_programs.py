"""The commands of Slurm that smttask calls, for hosts without it: jobs are processes of this machine.

Called as ``sbatch``, ``srun``, ``squeue`` or ``scancel``; the state of each job is a file in the
folder `SLURM_STATES`: its state, and the group of its processes.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

STATES = Path(os.environ["SLURM_STATES"])
SIGNS = {
    "%A": "SLURM_ARRAY_JOB_ID",
    "%a": "SLURM_ARRAY_TASK_ID",
    "%j": "SLURM_JOB_ID",
    "%t": "SLURM_PROCID",
}


def put(job, state, group=0):
    beside = STATES / f".{job}.{os.getpid()}"
    beside.write_text(f"{state} {group}")
    beside.replace(STATES / job)


def get(job):
    state, group = (STATES / job).read_text().split()
    return state, int(group)


def sbatch(script):
    text = Path(script).read_text()
    if partition := re.search(r"--partition=(\S+)", text):
        sys.exit(f"sbatch: error: invalid partition specified: {partition[1]}")
    array = str(os.getpid())
    last, limit = re.search(r"--array=0-(\d+)%(\d+)", text).groups() if "--array" in text else (None, "1")
    jobs = [array] if last is None else [f"{array}_{element}" for element in range(int(last) + 1)]
    for job in jobs:
        put(job, "PENDING")
    if os.fork() == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        schedule(script, array, jobs, int(limit))
        os._exit(0)
    sys.stdout.write(f"Submitted batch job {array}\n")


def schedule(script, array, jobs, limit):
    running = {}
    while jobs or running:
        while jobs and len(running) < limit:
            job = jobs.pop(0)
            if get(job)[0] != "PENDING":
                continue
            names = {"SLURM_JOB_ID": job.replace("_", "0"), "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
            if "_" in job:
                names |= {"SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": job.partition("_")[2]}
            options = {"start_new_session": True, "stdout": subprocess.DEVNULL}
            process = subprocess.Popen(["bash", script], env={**os.environ, **names}, **options)
            running[job] = process
            put(job, "RUNNING", process.pid)
        for job, process in list(running.items()):
            if process.poll() is not None:
                del running[job]
                if get(job)[0] == "RUNNING":
                    put(job, "FAILED" if process.returncode else "COMPLETED")
        time.sleep(0.05)


def srun(*words):
    words = list(words)
    files = {}
    while words[0].startswith("-"):
        option = words.pop(0)
        if option in ("--output", "--error"):
            path = words.pop(0)
            for sign, name in SIGNS.items():
                path = path.replace(sign, os.environ.get(name, ""))
            files[option] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(files["--output"], 1)
    os.dup2(files["--error"], 2)
    os.execvp(words[0], words)


def jobs_of(names):
    return [job for name in names for job in STATES.iterdir() if job.name.partition("_")[0] == name]


def squeue(*options):
    names = (
        next(option for option in options if option.startswith("--jobs=")).removeprefix("--jobs=").split(",")
    )
    for job in jobs_of(names):
        sys.stdout.write(f"{job.name}|{get(job.name)[0]}\n")


def scancel(*words):
    number = signal.SIGKILL if "--signal=KILL" in words else signal.SIGTERM
    for job in jobs_of([word for word in words if not word.startswith("-")]):
        state, group = get(job.name)
        if state in ("PENDING", "RUNNING"):
            put(job.name, "CANCELLED", group)
            if group:
                os.killpg(group, number)


if __name__ == "__main__":
    globals()[Path(sys.argv[1]).name](*sys.argv[2:])
