"""What a run tells other terminals: a small file that it writes anew every second."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Self

from smttask.executors.course import Course, Underway
from smttask.executors.outcome import Outcome, Summary
from smttask.executors.progress import short_name
from smttask.records.process import Process, is_dead, this_process

__all__ = [
    "RUN_DIRS",
    "StatusFile",
    "folders_of",
    "place_around",
    "read_status",
    "run_dir_around",
    "run_dirs_above",
]

FORMAT = 1
INTERVAL_S = 1.0
MOST_OF_TIME = 0.02  # that writing may take: large files are written less often
MOST_FAILURES = 1_000  # in the file of a running run; the last summary has all
PROJECT_MARK = os.path.join(".smt", "project")
IN_PROJECT = os.path.join(".smt", "runs")
ELSEWHERE = os.path.join(".smttask", "runs")
RUN_DIRS = (IN_PROJECT, ELSEWHERE)


def run_dir_around(folder: str) -> str | None:
    """Where the runs over `folder`, an absolute path, are told: in the innermost project; None outside."""
    while not os.path.isfile(os.path.join(folder, PROJECT_MARK)):
        folder, inner = os.path.dirname(folder), folder
        if folder == inner:
            return None
    return os.path.join(folder, IN_PROJECT)


def run_dirs_above(folder: str) -> list[str]:
    """Where runs over `folder`, an absolute path, may be told: in it and in all folders around it."""
    places = []
    while True:
        places += [os.path.join(folder, name) for name in RUN_DIRS]
        folder, inner = os.path.dirname(folder), folder
        if folder == inner:
            return places


def place_around(folders: Sequence[str]) -> list[str]:
    """Where a run over many `folders`, absolute paths, is told: in the innermost folder around all of them.

    Where nobody may write there: in the folders around each.
    """
    around = os.path.commonpath(folders)
    return [around] if os.access(around, os.W_OK) else sorted({os.path.dirname(path) for path in folders})


def folders_of(paths: Iterable[str]) -> list[str]:
    """The folders, absolute and without links, in which the files lie that `paths` stand for."""
    given = {path if os.path.isdir(path) else os.path.dirname(path) or "." for path in paths}
    return sorted({os.path.realpath(folder) for folder in given})


class StatusFile(Course):
    """Keeps ``<host>-<pid>.json`` in ``.smt/runs`` of the projects around the folders that are run.

    Outside of projects it lies in ``.smttask/runs`` of the folder. The file is replaced at once, about
    every second; afterwards it stays as the summary of the last run, until the next one over the same
    folders has ended. Where it cannot be written the run goes on without.

    Parameters
    ----------
    folders
        See `folders_of`.
    executor, n_workers
        As the user gave them.
    noun
        What is run: each ``"task"`` is a description file in one of the folders; else each folder is one
        work, and the file is kept around them, see `place_around`.
    """

    def __init__(
        self, folders: Sequence[str], *, executor: str = "", n_workers: int = 1, noun: str = "task"
    ) -> None:
        super().__init__()
        process = this_process()
        self._failures: list[dict[str, Any]] = []
        self._well: set[str] = set()  # folders; a file of a task that went well is gone
        self._due = 0.0
        self._begun = datetime.now(UTC)
        name = f"{re.sub(r'[^A-Za-z0-9.-]', '_', process.host)}-{process.pid}.json"
        self._folders = list(folders)
        told_in = folders if noun == "task" else place_around(folders)
        homes = {run_dir_around(folder) or os.path.join(folder, ELSEWHERE) for folder in told_in}
        self._paths = [os.path.join(home, name) for home in sorted(homes)]
        self._fixed = {
            "format": FORMAT,
            **asdict(process),
            "user": _user(),
            "command": ["smttask", *sys.argv[1:]],
            "executor": executor,
            "n_workers": n_workers,
            "noun": noun,
            "folders": self._folders,
            "begun": _utc(self._begun),
        }

    def __enter__(self) -> Self:
        for path in self._paths:
            with suppress(OSError):
                os.makedirs(os.path.dirname(path), exist_ok=True)
        self.refresh()
        return self

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        super().finished(outcome)
        if self._fixed["noun"] != "task" and not outcome.is_failure:
            self._well.add(os.path.realpath(outcome.name))
        if outcome.is_failure:
            failure = {"path": os.path.abspath(outcome.name), "status": outcome.status}
            self._failures.append({**failure, "error": outcome.error, "at": _utc(datetime.now(UTC))})

    def refresh(self) -> None:
        """See `Display`."""
        if (now := monotonic()) >= self._due:
            self._write(self._content(now))
            self._due = monotonic() + max(INTERVAL_S, (monotonic() - now) / MOST_OF_TIME)

    def close(self, summary: Summary | None) -> None:
        """Leave the summary of the run; nothing if it could not begin."""
        now = monotonic()
        for at_work in self.oldest_first:  # those that had no time to say what became of them
            self.idle(at_work.worker)
        last: dict[str, Any] = {
            "ended": _utc(datetime.now(UTC)),
            "seconds_left": None,
            "failures": self._failures,
        }
        if summary is not None:
            last |= {"signal": summary.signal, "n_left": summary.n_left}
            self._write({**self._content(now), **last})
        for place in self._earlier_places():
            self._remove_earlier(place)
        for path in self._paths:
            if summary is None or not (self._failures or _is_of_project(path)):
                _remove(path)

    def _content(self, now: float) -> dict[str, Any]:
        return {
            **self._fixed,
            "told": _utc(datetime.now(UTC)),
            "ended": None,
            "elapsed_s": round(now - self.begin, 3),
            "n_planned": self.n_planned,
            "is_all": self.is_all,
            "counts": dict(self.counts),
            "rate": round(self.rate(now), 3),
            "seconds_left": _rounded(self.seconds_left(now)),
            "memory_bytes": self.memory_bytes,
            "running": [_underway(at_work, now) for at_work in self.oldest_first],
            "n_failures": len(self._failures),
            "failures": self._failures[-MOST_FAILURES:],
        }

    def _write(self, content: Mapping[str, Any]) -> None:
        for path in self._paths:
            _replace(path, content)

    def _earlier_places(self) -> set[str]:
        """Where runs over the same folders were told; those over one folder each, or more, elsewhere."""
        places = {os.path.dirname(path) for path in self._paths}
        if self._fixed["noun"] != "task":
            for place in place_around(self._folders):
                places.update(run_dirs_above(place))
            places.update(os.path.join(folder, ELSEWHERE) for folder in self._folders)
        return places

    def _remove_earlier(self, folder: str) -> None:
        """Remove what runs over the same folders left that had ended before this one began."""
        with suppress(OSError):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                told = None if path in self._paths else read_status(path)
                if told is None:
                    continue
                if not set(told["folders"]) <= set(self._folders):
                    self._forget_failures(path, told)
                    continue
                if told["ended"] is None:
                    is_over = is_dead(Process(told["host"], told["pid"], told["start"]))
                else:
                    is_over = told["ended"] < _utc(self._begun)
                if is_over:
                    _remove(path)

    def _forget_failures(self, path: str, told: dict[str, Any]) -> None:
        """Let the run that left `path` tell no failures of folders that went well in this one."""
        left = [
            failure for failure in told["failures"] if os.path.realpath(failure["path"]) not in self._well
        ]
        if told["ended"] is None or len(left) == len(told["failures"]):
            return
        if left or _is_of_project(path):
            _replace(path, {**told, "failures": left})
        else:
            _remove(path)


def read_status(path: str) -> dict[str, Any] | None:
    """What a `StatusFile` wrote; None if it is gone, or something else."""
    try:
        with open(path, encoding="utf-8") as file:
            told = json.load(file)
    except (OSError, ValueError):
        return None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        return None
    return {"noun": "task", **told}  # files of earlier releases are all of tasks


def _replace(path: str, content: Mapping[str, Any]) -> None:
    try:
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(json.dumps(content))
        os.replace(f"{path}.new", path)
    except OSError:  # read-only, full: others learn nothing, and nothing else is lost
        with suppress(OSError):
            os.unlink(f"{path}.new")


def _is_of_project(path: str) -> bool:
    """Whether the status file at `path` lies in a project, where the last one stays."""
    return os.path.dirname(path).endswith(IN_PROJECT)


def _remove(path: str) -> None:
    """Remove a status file; outside of projects with its folders, if they are empty then."""
    with suppress(OSError):
        os.unlink(path)
        if not _is_of_project(path):
            for n in (1, 2):
                os.rmdir(_above(path, n))


def _underway(at_work: Underway, now: float) -> dict[str, Any]:
    """What one worker runs, as JSON."""
    elapsed_s = now - at_work.begin
    work = at_work.work
    position = at_work.position
    return {
        "worker": at_work.worker,
        "path": os.path.abspath(work.name) if work.call else work.path or work.name,
        "task": at_work.task or (short_name(work.name) if work.part else ""),
        "reason": at_work.told_reason,
        "since": _utc(datetime.now(UTC) - timedelta(seconds=elapsed_s)),
        "elapsed_s": round(elapsed_s, 3),
        "memory_bytes": at_work.memory_bytes,
        "progress": None
        if position is None
        else {
            "text": position.text(),
            "share": _rounded(position.share),
            "seconds_left": _rounded(position.left_s),
        },
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _above(path: str, n: int) -> str:
    for _ in range(n):
        path = os.path.dirname(path)
    return path


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return str(os.getuid()) if hasattr(os, "getuid") else ""
