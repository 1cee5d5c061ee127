"""What journals hold, brought into the record store: each line once, whenever this is done and cut short.

Which lines were taken is known by the records in the store; how far a journal was read stands beside
it, ``<name>.taken``, and only saves time. What a process wrote counts more than that others took it for dead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from smttask.errors import InputError, RecordNotFoundError, RecordStoreError
from smttask.records.journal import journal_paths
from smttask.records.journalfile import (
    JournalFile,
    Line,
    read_dependencies,
    read_keys,
    read_record,
)
from smttask.records.process import is_dead
from smttask.records.query import Selection
from smttask.records.reading import split_status
from smttask.records.runs import OpenRun
from smttask.records.stores import SQLRecordStore

__all__ = ["DEAD_AFTER_S", "REMOVED_AFTER_S", "Intake", "take_in", "waiting_lines"]

DEAD_AFTER_S = 900.0
"""A process of another host that gives no sign of life for so long is taken for dead; what it may write
later still counts."""

REMOVED_AFTER_S = 7 * 86_400.0
"""So long after its last sign of life the journal of a process of another host is removed."""


@dataclass(slots=True)
class Intake:
    """What was taken in.

    Parameters
    ----------
    opened, closed
        Labels of records that were added and completed.
    settled
        Labels of open records that were closed because their process is dead.
    damaged
        Journals with lines that could not be used, and why.
    """

    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)


def take_in(folder: Path, store: SQLRecordStore, settle: Callable[[OpenRun], None]) -> Intake:
    """Bring what the journals in `folder` hold into `store`; for one process at a time.

    Journals whose processes are gone are removed, others read on the next time.

    Parameters
    ----------
    settle
        Closes the record of a run whose process is dead.

    Raises
    ------
    RecordStoreError
        If a journal cannot be read, or the store read or written; what was taken in stays.
    """
    try:
        paths = journal_paths(folder)
        intake = _Taking(store, settle)
        files = [_Taken(path) for path in paths]
        for taken in files:
            intake.take(taken)
        intake.take_postponed()
        now_s = _time_of(folder) if files else 0.0
        for taken in files:
            intake.finish(taken, now_s)
        with suppress(OSError):  # it is not empty
            folder.rmdir()
        store.survey(len(intake.done.opened))
    except OSError as error:
        raise _unreadable(folder, error) from error
    return intake.done


def waiting_lines(folder: Path) -> dict[str, int]:
    """Path of each journal in `folder` that has lines not taken in -> how many runs begin in these.

    Raises
    ------
    RecordStoreError
        If a journal cannot be read.
    """
    try:
        waiting = {path: list(_Taken(path).file.new_lines()) for path in journal_paths(folder)}
    except OSError as error:
        raise _unreadable(folder, error) from error
    return {path: sum("open" in line for line in lines) for path, lines in waiting.items() if lines}


def _unreadable(folder: Path, error: OSError) -> RecordStoreError:
    return RecordStoreError(
        "The journals of records cannot be taken in.",
        f"folder: {folder}\nfound: {error}",
        "give yourself the right to read and write that folder",
        path=folder,
    )


class _Taken:
    """A journal, and how far it was taken in."""

    def __init__(self, path: str) -> None:
        self.state_path = f"{path}.taken"
        self.saved_offset = self._read()
        self.file = JournalFile(path, self.saved_offset)
        self.is_dead = False

    def _read(self) -> int:
        try:
            return int(json.loads(Path(self.state_path).read_bytes())["offset"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # never taken, or killed while noting it
            return 0

    def save(self) -> None:
        """Note how far it was read."""
        Path(self.state_path).write_text(json.dumps({"offset": self.file.offset}))
        self.saved_offset = self.file.offset

    def remove(self) -> None:
        """Remove it, and what was noted."""
        for path in (self.file.path, self.state_path):
            with suppress(FileNotFoundError):
                os.unlink(path)


class _Taking:
    """One intake of all journals of a project."""

    def __init__(self, store: SQLRecordStore, settle: Callable[[OpenRun], None]) -> None:
        self.done = Intake()
        self._store = store
        self._settle = settle
        self._open = {run.label for run in store.open_runs()}
        self._postponed: list[Line] = []

    def take(self, taken: _Taken) -> None:
        """Take the new lines of a journal."""
        try:
            process = taken.file.process
        except FileNotFoundError:
            return
        if process is None:
            self.done.damaged.append((taken.file.path, "its first line is none of a journal of format 1"))
            return
        taken.is_dead = is_dead(process)  # asked first: what it wrote until then is read now
        n_damaged = 0
        for line in taken.file.new_lines():
            try:
                if "open" in line:
                    self._take_open(taken, line)
                elif not self._take_end(line):
                    self._postponed.append(line)
            except (KeyError, ValueError, TypeError, AttributeError, InputError):
                n_damaged += 1
        if n_damaged := n_damaged + taken.file.n_damaged:
            lines = "1 line" if n_damaged == 1 else f"{n_damaged} lines"
            self.done.damaged.append((taken.file.path, f"{lines} could not be read"))

    def take_postponed(self) -> None:
        """Take the ends of runs that stand in another journal than their beginnings."""
        for line in self._postponed:
            with suppress(KeyError, ValueError, TypeError, AttributeError, InputError):
                self._take_end(line)

    def finish(self, taken: _Taken, now_s: float) -> None:
        """Settle what a dead process left open, and remove its journal or note how far it was read."""
        process = taken.file.process if os.path.exists(taken.file.path) else None
        if process is None:
            return
        silent_s = now_s - os.stat(taken.file.path).st_mtime
        is_over = taken.is_dead or taken.file.has_ended
        if is_over or silent_s > DEAD_AFTER_S:
            for run in self._store.open_runs():
                if run.process == process:
                    with suppress(LookupError):  # deleted meanwhile
                        self._settle(run)
                        self.done.settled.append(run.label)
        if is_over or silent_s > REMOVED_AFTER_S:
            taken.remove()
        elif taken.file.offset != taken.saved_offset:
            taken.save()

    def _take_open(self, taken: _Taken, line: Line) -> None:
        record = read_record(line["open"])
        if self._store.has(record.label):
            return
        self._store.open_record(record, process=taken.file.process)
        self._open.add(record.label)
        self.done.opened.append(record.label)

    def _take_end(self, line: Line) -> bool:
        """Whether the record was found that `line` completes, now or earlier."""
        label = line["close"] if "close" in line else line["killed"]
        if label not in self._open:
            status = self._status(label)
            if status != "killed" or line.get("status", "killed") == "killed":
                return status is not None
        try:
            if "killed" in line:
                self._store.mark_killed(label, outcome=line["outcome"])
            else:
                self._close(label, line)
        except RecordNotFoundError:  # deleted meanwhile
            return True
        self._open.discard(label)
        self.done.closed.append(label)
        return True

    def _status(self, label: str) -> str | None:
        rows = self._store.columns(Selection().with_labels(label), ["tags"])
        return split_status(rows[0][0])[0] if rows else None

    def _close(self, label: str, line: Line) -> None:
        self._store.close_record(
            label,
            status=line["status"],
            outcome=line["outcome"],
            duration_s=line["duration_s"],
            output_data=read_keys(line["output_data"]),
            dependencies=read_dependencies(line["dependencies"]),
            stdout_stderr=line["stdout_stderr"],
            ended=line["ended"] and datetime.fromisoformat(line["ended"]),
            parameters=line.get("parameters"),
        )


def _time_of(folder: Path) -> float:
    """The time as the host of the files has it, whose clock their times come from."""
    path = folder / f".clock-{os.getpid()}"
    try:
        path.touch()
        return path.stat().st_mtime
    finally:
        path.unlink(missing_ok=True)
