"""Where rows are measured: scratch projects with the tasks of ``benchmarks/lab``, and fresh processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Scale
from smttask.testing import ScratchProject, scratch_project

__all__ = ["PROCESSES", "Workbench", "run_process"]

LAB = Path(__file__).parent / "lab"
ROOT = Path(__file__).parents[1]
#: What each process of ours stands beside: arguments of Python.
PROCESSES = (
    ("import pydantic", ("-c", "from pydantic import BaseModel")),
    ("python -c pass", ("-c", "pass")),
)


@dataclass(frozen=True, slots=True)
class Workbench:
    """What a row may use.

    Parameters
    ----------
    scale
        How much it measures.
    folder
        Where projects are made. They stay until all is measured: after a thousand files were
        removed, ext4 takes up to 0.25 ms instead of 6 us to make one, for minutes (measured).
    new_database
        Gives the URL of an empty PostgreSQL database for the records of a study; None keeps them in SQLite.
    """

    scale: Scale
    folder: Path
    new_database: Callable[[], str] | None = None

    @contextmanager
    def project(
        self, files: Mapping[str, str] | None = None, *, root: Path | None = None
    ) -> Iterator[ScratchProject]:
        """Make a project with the tasks of ``benchmarks/lab`` and further `files`, for the block."""
        lab = {path.name: path.read_text(encoding="utf-8") for path in LAB.glob("*.py")}
        root = root or Path(tempfile.mkdtemp(prefix="project-", dir=self.folder))
        with scratch_project(root, {**lab, **(files or {})}) as scratch:
            yield scratch
            scratch.project.records.close()

    def child(self, scratch: ScratchProject, *args: object) -> Any:
        """What ``python -m benchmarks.child`` prints, called in the root of `scratch`."""
        return json.loads(run_process(scratch.root, "-m", "benchmarks.child", *map(str, args)))


def run_process(folder: Path, *args: str) -> str:
    """What a fresh Python prints that is called with `args` in `folder`.

    Raises
    ------
    RuntimeError
        If it fails; the message ends in the last line of what it printed as error.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMTTASK_")}
    done = subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        last_line = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise RuntimeError(f"python {' '.join(args)}: {last_line}")
    return done.stdout
