"""What the tasks of many folders do at the moment, in whatever processes."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smttask.errors import InputError, short_repr
from smttask.headway.line import find_cell, is_dumb_terminal
from smttask.headway.text import duration_text, printable
from smttask.tasker.directory import Tasker
from smttask.tasker.status import WORKING, Status, iter_statuses

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "Monitor", "Standing"]

COLUMNS = (
    "dir",
    "task",
    "since_update",
    "status",
    "elapsed_time",
    "current",
    "total",
    "time_per",
    "time_left",
    "info",
)
DURATIONS = ("since_update", "elapsed_time", "time_per", "time_left")
NUMBERS = ("current", "total")
WIDEST = 60
MOST_ROWS = 50  # in the repr
CLEAR = "\x1b[H\x1b[2J\x1b[3J"

Folder = str | os.PathLike[str] | Tasker


@dataclass(frozen=True, slots=True)
class Standing:
    """How one folder stands: a row of the table.

    Parameters
    ----------
    dir
        As it was given.
    task, status
        Empty if no task of the folder was run.
    since_update, elapsed_time, time_per, time_left
        In seconds; None where unknown. The time since the task last said something, since it began
        (until its end, if it ended), for each item, and for those that are left.
    current, total
        Items that are done, counting from 0 the one that is worked on, and how many there are.
    info
        What the items are; of a run that failed, the error.
    """

    dir: str
    task: str = ""
    since_update: float | None = None
    status: str = ""
    elapsed_time: float | None = None
    current: int | None = None
    total: int | None = None
    time_per: float | None = None
    time_left: float | None = None
    info: str = ""


class Monitor:
    """What the tasks of `dirs` do, whoever runs them, and what became of those that ran last.

    Each folder has a row for each of its tasks that is running, else one for the task that ran last.
    They leave a file in their folder when they begin and end, and when they say how far they are by
    ``tsk.progress`` or `smttask.progress`. A task whose process died while it was working is ``interrupted``.

    Parameters
    ----------
    dirs
        Folders, or Taskers; one or many.

    Raises
    ------
    InputError
        If one of them is no folder.

    Examples
    --------
    >>> import tempfile
    >>> Monitor([tempfile.mkdtemp()]).get_statuses()["status"].tolist()
    ['']
    """

    def __init__(self, dirs: Folder | Iterable[Folder]) -> None:
        many = [dirs] if isinstance(dirs, str | os.PathLike | Tasker) else list(dirs)
        self._folders = [_folder(each) for each in many]

    def __repr__(self) -> str:
        """The table; of many rows those that work and those that failed first."""
        return "\n".join(self._lines(COLUMNS, most=MOST_ROWS))

    def standings(self) -> list[Standing]:
        """The rows of the table, without pandas."""
        now = time.time()
        return [row for given, path in self._folders for row in _standings(given, path, now)]

    def get_statuses(self) -> pd.DataFrame:
        """A table of how the folders stand now.

        Its columns are dir, task, since_update, status, elapsed_time, current, total, time_per, time_left and
        info; see `Standing`. Those of times are Timedelta, NaT where unknown.
        """
        from smttask.view.tables import status_frame  # brings pandas

        return status_frame(self.standings(), COLUMNS, DURATIONS, NUMBERS)

    def show(self, custom_columns: Sequence[str] | None = None) -> None:
        """Print the table, or show it below the cell of a notebook.

        Parameters
        ----------
        custom_columns
            Which columns, in this order; by default all.

        Raises
        ------
        InputError
            If there is no such column.
        """
        text = "\n".join(self._lines(_checked(custom_columns)))
        if (cell := find_cell()) is not None:
            cell(text)
        else:
            print(text)  # noqa: T201 - this is what it is for

    def watch(self, interval: float = 5, custom_columns: Sequence[str] | None = None) -> None:
        """Show the table, and show it again every `interval` seconds, until Ctrl-C.

        In a terminal and in a notebook each table replaces the one before; what works and what failed
        comes first where a terminal has no room for all.

        Raises
        ------
        InputError
            If `interval` is no number of seconds above 0, or there is no such column.
        """
        columns = _checked(custom_columns)
        if not _is_positive(interval):
            raise InputError(
                "watch() cannot look at such times.",
                f"found: interval={short_repr(interval)}\nexpected: seconds above 0",
                "leave it out for every 5 s",
            )
        cell = find_cell()
        try:
            while True:
                if cell is not None:
                    cell("\n".join(self._lines(columns)))
                else:
                    self._show_in_terminal(columns)
                time.sleep(interval)
        except KeyboardInterrupt:
            pass

    def _show_in_terminal(self, columns: Sequence[str]) -> None:
        if not sys.stdout.isatty() or is_dumb_terminal():
            lines = [*self._lines(columns), ""]
        else:
            width, height = shutil.get_terminal_size()
            lines = [line[: width - 1] for line in self._lines(columns, most=max(height - 3, 1))]
            lines[0] = CLEAR + lines[0]
        print("\n".join(lines), flush=True)  # noqa: T201

    def _lines(self, columns: Sequence[str], most: int | None = None) -> list[str]:
        rows = self.standings()
        if most is None or len(rows) <= most:
            return table_lines(rows, columns)
        first = sorted(rows, key=lambda row: ORDER.get(row.status, 2))[:most]
        return [*table_lines(first, columns), f"and {len(rows) - most} more"]


ORDER = {WORKING: 0, "ERROR": 1, "interrupted": 1, "unreadable": 1, "": 3}


def table_lines(rows: Iterable[Standing], columns: Sequence[str] = COLUMNS) -> list[str]:
    """A line of headings, and one for each row."""
    cells = [list(columns), *([_cell(name, getattr(row, name)) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    is_right = [name in DURATIONS or name in NUMBERS for name in columns]
    return [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_right, strict=True)
        ).rstrip()
        for line in cells
    ]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in DURATIONS:
        return duration_text(value)
    text = printable(value)
    if len(text) <= WIDEST:
        return text
    return f"…{text[1 - WIDEST :]}" if name == "dir" else f"{text[: WIDEST - 1]}…"


def _checked(columns: Sequence[str] | None) -> Sequence[str]:
    if columns is None:
        return COLUMNS
    chosen = [columns] if isinstance(columns, str) else list(columns)
    for name in chosen:
        if name not in COLUMNS:
            near = get_close_matches(str(name), COLUMNS, n=1)
            raise InputError(
                f"A monitor has no column {name!r}.",
                f"known: {', '.join(COLUMNS)}",
                f"did you mean {near[0]!r}?" if near else "choose among these",
            )
    return chosen


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and value > 0


def _folder(given: Folder) -> tuple[str, str]:
    """What to show of a folder, and its absolute path."""
    name = str(given.p) if isinstance(given, Tasker) else os.fspath(given)
    path = os.path.abspath(os.path.expanduser(name))
    if not os.path.isdir(path):
        raise InputError(
            f"There is no folder {name} to monitor.",
            f"found: {'a file' if os.path.exists(path) else 'nothing'} at {path}",
            "give folders of Taskers",
            path=Path(path),
        )
    return name, path


def _standings(given: str, path: str, now: float) -> list[Standing]:
    statuses = list(iter_statuses(path))
    if not statuses:
        return [Standing(given)]
    working = sorted((each for each in statuses if each.status == WORKING), key=lambda each: each.begun)
    return [_standing(given, each, now) for each in working or [max(statuses, key=lambda each: each.told)]]


def _standing(given: str, status: Status, now: float) -> Standing:
    since = max(now - status.told, 0.0)  # the clock of another host may be ahead
    is_working = status.status == WORKING
    elapsed = max((now if is_working else status.told) - status.begun, 0.0) if status.begun else None
    current = total = per = left = None
    info = status.error
    if status.position is not None and status.position.levels:
        (current, total, what), share = status.position.levels[0], status.position.share
        n_done = current if share is None or not total else share * total
        per = status.position.elapsed_s / n_done if n_done else None
        left_s = status.position.left_s
        left = max(left_s - since, 0.0) if is_working and left_s is not None else None
        info = info or (what if len(status.position.levels) == 1 else status.position.text())
    return Standing(given, status.task, since, status.status, elapsed, current, total, per, left, info)
