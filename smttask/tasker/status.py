"""The status file of a task: whether it works, how far it is, and what became of its last run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from smttask.errors import short_repr
from smttask.headway import Position
from smttask.records.process import Process, is_dead
from smttask.storage.atomic import write_whole
from smttask.tasker.state import FOLDER, state_path

__all__ = ["Status", "iter_statuses", "status_path", "write_status"]

FORMAT = 1
LARGEST = 2**62  # of a number that tables take
ENDING = ".status.json"
WORKING, DONE, ERROR, INTERRUPTED, UNREADABLE = "working", "done", "ERROR", "interrupted", "unreadable"


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of the last run of one task in one folder.

    Parameters
    ----------
    status
        ``"working"``, ``"done"``, ``"ERROR"``, ``"interrupted"`` (by the user, or its process is dead), or
        ``"unreadable"``, of which nothing else is known.
    process
        That which runs, or ran, the task.
    begun, told
        Begin of the run, and when this was written: seconds since the epoch, by the clock of its host.
    position
        How far its loops said that they are; None if it did not.
    error
        One line of what was raised, or why the file cannot be read.
    """

    task: str
    status: str
    process: Process
    begun: float
    told: float
    position: Position | None = None
    error: str = ""


def status_path(folder: Path, task: str) -> Path:
    """Where the status of `task` stands."""
    return Path(state_path(folder, task).removesuffix(".json") + ENDING)


def write_status(folder: Path, status: Status) -> None:
    """Replace the status file of a task, at once.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    content = {
        "format": FORMAT,
        "task": status.task,
        "status": status.status,
        "process": asdict(status.process),
        "begun": status.begun,
        "told": status.told,
        "position": None if status.position is None else status.position.to_message(),
        "error": status.error,
    }
    text = json.dumps(content).encode()
    path = status_path(folder, status.task)
    try:
        write_whole(str(path), lambda file: file.write(text))
    except FileNotFoundError:
        path.parent.mkdir(exist_ok=True)
        write_whole(str(path), lambda file: file.write(text))


def iter_statuses(folder: str) -> Iterator[Status]:
    """The statuses of the tasks in `folder` that were run, in no order; none if there are none."""
    try:
        names = os.listdir(os.path.join(folder, FOLDER))
    except OSError:  # nothing was run here, or the folder is gone
        return
    for name in names:
        if name.endswith(ENDING) and not name.startswith("."):
            with suppress(FileNotFoundError):  # cleared meanwhile
                yield _read(os.path.join(folder, FOLDER, name), name.removesuffix(ENDING))


def _read(path: str, task: str) -> Status:
    try:
        with open(path, "rb") as file:
            status = _from_json(json.loads(file.read()))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        return Status(task, UNREADABLE, Process("", 0, ""), 0.0, _modified(path), error=f"{path}: {error}")
    if status.status == WORKING and is_dead(status.process):
        return replace(status, status=INTERRUPTED, error="its process ended without a word")
    return status


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _from_json(content: Any) -> Status:
    if content["format"] != FORMAT:
        raise ValueError(f"written in format {content['format']!r}; this version of smttask reads {FORMAT}")
    told = content["process"]
    return Status(
        str(content["task"]),
        str(content["status"]),
        Process(str(told["host"]), _integer(told["pid"]), str(told["start"])),
        _seconds(content["begun"]),
        _seconds(content["told"]),
        None if content["position"] is None else _position(content["position"]),
        str(content["error"]),
    )


def _position(content: Any) -> Position:
    levels = [
        (_integer(n), None if total is None else _integer(total), str(what))
        for n, total, what in content["levels"]
    ]
    return Position(tuple(levels), _seconds(content["elapsed_s"]))


def _seconds(number: Any) -> float:
    if not isinstance(number, int | float) or not abs(number) < LARGEST:  # nor NaN
        raise ValueError(f"{short_repr(number)} is no time")
    return float(number)


def _integer(number: Any) -> int:
    if not isinstance(number, int) or abs(number) >= LARGEST:
        raise ValueError(f"{short_repr(number)} is no count")
    return number
