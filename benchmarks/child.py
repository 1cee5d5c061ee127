"""What is measured in a process of its own: ``python -m benchmarks.child WHAT …`` prints JSON.

Little is imported here, so that the first use of smttask is really the first.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

__all__ = ["look"]


def first_hit() -> dict[str, float]:
    """Seconds for importing the tasks, and for their first hit; then the same with joblib."""
    begin = perf_counter()
    lab: Any = importlib.import_module("lab")
    imported = perf_counter()
    task = lab.Square(0.0)
    task.run()
    hit = perf_counter()
    if task.last_hit != "disk":
        raise RuntimeError(f"no hit but {task.last_hit}")
    return {"import": imported - begin, "smttask": hit - imported}


def first_joblib_hit(folder: str) -> dict[str, float]:
    """Seconds for the first hit of `joblib.Memory` in a process, imports aside."""
    from benchmarks.libraries import joblib_call

    calls = joblib_call(Path(folder))
    begin = perf_counter()
    for call in calls.values():
        call(0)
    return {name: perf_counter() - begin for name in calls}


def hits(scale: str, root: str) -> dict[str, list[float]]:
    """Samples of a hit and its peers in a process that has had its first hit."""
    from benchmarks import lookups
    from benchmarks.measure import SCALES

    lab: Any = importlib.import_module("lab")
    return lookups.alternate_hits(lab, SCALES[int(scale)], Path(root))


def code(module: str, function: str) -> dict[str, float]:
    """Seconds for the first fingerprint of a task, and for parsing the files it reaches."""
    task: Any = getattr(importlib.import_module(module), function)
    begin = perf_counter()
    files = task.own_fingerprint().files
    made = perf_counter()
    for file in files:
        ast.parse(Path(file).read_text(encoding="utf-8"))
    return {"smttask": made - begin, "ast.parse": perf_counter() - made}


def memory(what: str) -> int:
    """The most memory of this process in bytes, after it made the table of all records with their inputs."""
    if what == "frame":
        from smttask import RSView

        RSView().dframe(parameters=True)
    elif what == "raw frame":
        from benchmarks.exploring import raw_frame

        raw_frame(Path.cwd())
    else:
        importlib.import_module("pandas")
    status = Path("/proc/self/status")
    if status.exists():  # elsewhere a process begins with the peak of its parent
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="ascii"))
        return 1024 * int(found[1]) if found else 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes


def look(*folders: str) -> None:
    """What whoever keeps a file for each task has to do: read it, and look at what the task stored."""
    for folder in folders:
        for name in os.listdir(f"{folder}/.tasker"):
            if name.endswith(".json") and name.count(".") == 1:
                with open(f"{folder}/.tasker/{name}", "rb") as file:
                    json.loads(file.read())
                os.stat(f"{folder}/{name}")


if __name__ == "__main__":
    what: dict[str, Callable[..., object]] = {
        "first-hit": first_hit,
        "first-joblib-hit": first_joblib_hit,
        "hits": hits,
        "code": code,
        "look": look,
        "memory": memory,
    }
    print(json.dumps(what[sys.argv[1]](*sys.argv[2:])))
