"""How the description files of a folder stand: which run, which wait, which failed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from smttask.executors.files import iter_files
from smttask.executors.statusfile import RUN_DIRS, read_status, run_dirs_above
from smttask.records.process import Process, is_dead

__all__ = ["FolderStanding", "RunStanding", "folder_standing"]

SILENT_S = 60.0

State = Literal["running", "silent", "dead", "ended"]


@dataclass(frozen=True)
class RunStanding:
    """One ``smttask run``, of this or another host.

    Parameters
    ----------
    state
        ``"running"``; ``"silent"``: on another host, and it told nothing for a minute; ``"dead"``: it was
        killed; ``"ended"``.
    told
        What it told last; see `smttask.executors.statusfile`.
    """

    state: State
    told: dict[str, Any]

    @property
    def is_alive(self) -> bool:
        """Whether it may still be running."""
        return self.state in ("running", "silent")

    @property
    def n_folders_left(self) -> int:
        """Folders that it has not begun, and will; 0 for a run of description files."""
        if self.told["noun"] == "task" or not self.is_alive:
            return 0
        n_begun: int = sum(self.told["counts"].values()) + len(self.told["running"])
        n_planned: int = self.told["n_planned"]
        return max(n_planned - n_begun, 0)

    def lies_in(self, folder: str) -> bool:
        """Whether all that it runs is in `folder`."""
        return all(_is_within(path, folder) for path in self.told["folders"])

    def covers(self, path: str) -> bool:
        """Whether the file or folder `path` lies in what it runs."""
        return any(_is_within(path, folder) for folder in self.told["folders"])


@dataclass
class FolderStanding:
    """How the description files of a folder stand.

    Attributes
    ----------
    runs
        Over this folder, what is above it or below it; those that run first.
    running
        Paths of the files that are run now.
    failed
        What failed or was killed last, whose files are still there: as the runs told it.
    n_waiting
        Files that neither run nor failed, and folders that a run over folders has not begun.
    """

    folder: str
    runs: list[RunStanding] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    failed: list[dict[str, Any]] = field(default_factory=list)
    n_waiting: int = 0

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            "folder": self.folder,
            "n_running": len(self.running),
            "n_waiting": self.n_waiting,
            "n_failed": len(self.failed),
            "failed": self.failed,
            "runs": [{"state": run.state, **run.told} for run in self.runs],
        }


def folder_standing(folder: str) -> FolderStanding:
    """How the description files in `folder`, and below it, stand.

    Runs are found by the files that they keep (see `smttask.executors.statusfile`), so also those of
    other hosts that share the disk.

    Raises
    ------
    DescriptionError
        If the folder cannot be searched.
    """
    standing = FolderStanding(os.path.realpath(folder))
    runs = [run for run in _iter_runs(standing.folder) if _concerns(run, standing.folder)]
    standing.runs = sorted(runs, key=lambda run: (not run.is_alive, run.told["begun"]))
    alive = [run for run in standing.runs if run.is_alive]
    real = _Real()
    files = set(map(real.path, iter_files([standing.folder])))
    of_folders = [run for run in standing.runs if run.told["noun"] != "task"]
    known = files | {path for run in of_folders for path in run.told["folders"]}
    started = {real.path(work["path"]) for run in alive for work in run.told["running"]}
    standing.running = {path for path in started if _is_within(path, standing.folder)}
    failed: dict[str, dict[str, Any]] = {}
    for run in sorted(standing.runs, key=lambda run: run.told["told"]):
        for failure in run.told["failures"]:
            failed[real.path(failure["path"])] = failure
    standing.failed = [
        failure
        for path, failure in sorted(failed.items())
        if path in known
        and path not in standing.running
        and _is_within(path, standing.folder)
        and not any(run.told["begun"] > failure["at"] and run.covers(path) for run in alive)
    ]
    n_failed = sum(real.path(failure["path"]) in files for failure in standing.failed)
    standing.n_waiting = len(files - standing.running) - n_failed
    standing.n_waiting += sum(run.n_folders_left for run in of_folders if run.lies_in(standing.folder))
    return standing


class _Real:
    """Paths of files with links in their folders resolved, each folder once: there may be 100 000 files."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def path(self, path: str) -> str:
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], name)


def _iter_runs(folder: str) -> Iterator[RunStanding]:
    for place in _places(folder):
        try:
            names = sorted(os.listdir(place))
        except OSError:
            continue
        for name in names:
            if name.endswith(".json") and (told := read_status(os.path.join(place, name))) is not None:
                yield RunStanding(_state(told), told)


def _places(folder: str) -> list[str]:
    """Where runs over `folder` are told: around it, and below it outside of projects."""
    places = run_dirs_above(folder)
    for below, folders, _ in os.walk(folder):
        if below != folder:
            places += [os.path.join(below, name) for name in RUN_DIRS]
        folders[:] = [name for name in folders if not name.startswith(".")]
    return places


def _state(told: dict[str, Any]) -> State:
    if told["ended"] is not None:
        return "ended"
    if is_dead(Process(told["host"], told["pid"], told["start"])):
        return "dead"
    age_s = (datetime.now(UTC) - datetime.fromisoformat(told["told"])).total_seconds()
    return "silent" if age_s > SILENT_S else "running"


def _concerns(run: RunStanding, folder: str) -> bool:
    return run.covers(folder) or any(_is_within(each, folder) for each in run.told["folders"])


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
