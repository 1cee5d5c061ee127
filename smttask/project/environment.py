"""A virtual environment for a project, with the packages that its lock file or its last run names."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from smttask.errors import ProjectError
from smttask.project.project import Project
from smttask.records.query import Selection

__all__ = ["find_requirements", "make_environment", "recorded_requirements"]

LOCK_FILES = ("requirements.lock", "requirements.txt")
RECORDED = Path(".smt") / "requirements.txt"


def find_requirements(project: Project, recorded_by: Project) -> Path:
    """The file of requirements for `project`.

    It is ``requirements.lock`` or ``requirements.txt`` in its root, else a file that is made
    in ``.smt`` from what the last finished run of `recorded_by` imported.

    Raises
    ------
    ProjectError
        If there is neither.
    """
    for name in LOCK_FILES:
        if (project.root / name).is_file():
            return project.root / name
    lines = recorded_requirements(recorded_by)
    if not lines:
        raise ProjectError(
            f"Nothing says what to install for {project.root}.",
            f"searched: {', '.join(LOCK_FILES)} in the root, and finished runs of {recorded_by.root}",
            "name a file: --requirements FILE",
        )
    path = project.root / RECORDED
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def recorded_requirements(project: Project) -> list[str]:
    """What the last finished run imported, as lines that pip reads; empty if there is no such run.

    What was installed from somewhere else than a package index is named by its address.
    """
    if not project.records.is_made():  # asking would make it
        return []
    latest = Selection().with_tags("_finished_").sliced(0, 1)
    found = next(iter(project.records.records(latest)), None)
    if found is None:
        return []
    return [
        f"{item.name} @ {item.source}" if item.source else f"{item.name}=={item.version}"
        for item in found.dependencies
        if item.source or item.version not in ("", "unknown")
    ]


def make_environment(folder: Path, requirements: Path) -> Path:
    """Make a virtual environment in `folder`, install `requirements` by pip, and return its interpreter.

    Raises
    ------
    ProjectError
        If it cannot be made, or pip fails; what pip said is in the message, and the folder stays.
    """
    _call(f"A virtual environment cannot be made in {folder}.", [sys.executable, "-m", "venv", str(folder)])
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")  # Python before 3.13 makes none
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call(
        f"The packages for {folder} cannot be installed.",
        [*install, "--requirement", str(requirements)],
        folder=requirements.parent,
    )
    return python


def _call(what: str, command: list[str], *, folder: Path | None = None) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-10:]
        raise ProjectError(
            what, "\n".join(["found:", *said]), f"mend it and repeat: {shlex.join(command)}", command=command
        )
