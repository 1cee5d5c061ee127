"""Records of runs whose process must not write the record store: lines in a file of its own.

Each process appends to one file that nobody else writes, ``<host>-<pid>-<random>.jsonl``, a line of
JSON for each thing that happens::

    {"journal": 1, "host": {…}, "process": [host, pid, start]}     first, with the file
    {"open": {…}}                                                  a record, whole
    {"close": label, "status": …, "outcome": …, …}                 what its run brought
    {"killed": label, "outcome": …}                                a run that another process left open
    {"end": true}                                                  last, unless the process was killed

A line without its end is being written, or its writer was killed. `smttask.records.intake` brings
the lines into the record store.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from smttask.errors import RecordStoreError
from smttask.process import this_host
from smttask.records.journalfile import FORMAT, SUFFIX, JournalFile, Line
from smttask.records.process import this_process
from smttask.records.record import DataKey, Dependency, Record, check_widths
from smttask.records.runs import OpenRun
from smttask.records.tags import checked_tag, status_tag

__all__ = ["BEAT_S", "JournalRecordStore", "journal_paths"]

BEAT_S = 60.0
"""Seconds between two signs of life of a process with a journal: the time of its file."""

_stores: weakref.WeakSet[JournalRecordStore] = weakref.WeakSet()


class JournalRecordStore:
    """Takes what a run has to record, and keeps it for the record store.

    It answers only what a run asks: which runs of this host were left open. Threads and
    forks may use it together.

    Parameters
    ----------
    folder
        Where the files are, made at the first record.
    durable
        Whether lines survive a power cut, which costs an fsync each.

    Examples
    --------
    >>> JournalRecordStore(Path(".smt/journal")).open_runs()
    []
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self._durable = durable
        self._lock = threading.RLock()
        self._writer: _Writer | None = None
        self._dependencies: dict[str, Sequence[Dependency]] = {}
        self._seen: dict[str, JournalFile] = {}
        self._open: dict[str, OpenRun] = {}
        _follow_process()
        _stores.add(self)

    def open_record(self, record: Record) -> None:
        """Keep `record` for the record store.

        Raises
        ------
        RecordStoreError
            If the journal cannot be written, or the label, main file or path of a data
            key is too long for any record.
        InputError
            If a tag or the status cannot be kept.
        """
        paths = [key.path for key in (*record.input_data, *record.output_data)]
        check_widths(label=record.label, main_file=record.main_file, key_paths=paths)
        status_tag(record.status)
        for tag in record.tags:
            checked_tag(tag)
        self._write({"open": record})
        self._dependencies[record.label] = record.dependencies

    def close_record(
        self,
        label: str,
        *,
        status: str,
        outcome: str = "",
        duration_s: float | None = None,
        output_data: Sequence[DataKey] = (),
        dependencies: Sequence[Dependency] = (),
        stdout_stderr: str = "",
        ended: datetime | None = None,
        parameters: str | None = None,
    ) -> None:
        """Keep what the run `label` brought; parameters as `SQLiteRecordStore.close_record` has them.

        Raises
        ------
        RecordStoreError
            If the journal cannot be written, or the path of a data key is too long.
        """
        check_widths(key_paths=[key.path for key in output_data])
        status_tag(status)
        known = self._dependencies.pop(label, ())
        line = {
            "close": label,
            "status": status,
            "outcome": outcome,
            "duration_s": duration_s,
            "output_data": output_data,
            "dependencies": () if dependencies is known else dependencies,
            "stdout_stderr": stdout_stderr,
            "ended": ended,
            **({} if parameters is None else {"parameters": parameters}),
        }
        self._write(line)

    def mark_killed(self, label: str, *, outcome: str = "") -> bool:
        """Keep that the run `label` was killed, if it is open as far as this host knows; whether it is."""
        with self._lock:
            is_open = any(run.label == label for run in self.open_runs())
            if is_open:
                self._write({"killed": label, "outcome": outcome})
        return is_open

    def open_runs(self, *, digest: str | None = None) -> list[OpenRun]:
        """Runs in the journals of this host that nobody closed; of the task `digest` if given.

        Only of processes of this host can be known whether they are dead.

        Raises
        ------
        RecordStoreError
            If a journal cannot be read.
        """
        with self._lock, self._told("read"):
            for path in journal_paths(self.folder, f"{_host_part()}-"):
                file = self._seen.setdefault(path, JournalFile(path))
                for line in file.new_lines():
                    self._follow(file, line)
            runs = list(self._open.values())
        return runs if digest is None else [run for run in runs if run.digest == digest]

    def _follow(self, file: JournalFile, line: Line) -> None:
        told = line.get("open")
        if told is None:
            self._open.pop(line.get("close", line.get("killed", "")), None)
        elif file.process is not None:
            self._open[told["label"]] = OpenRun(
                told["label"], told["task"], told["digest"], told["manifest"], file.process
            )

    def close(self) -> None:
        """Write that no more lines follow; the next record begins another file."""
        with self._lock:
            if self._writer is not None:
                try:
                    self._writer.end()
                finally:
                    self._writer = None

    def _write(self, line: Mapping[str, Any]) -> None:
        data = json.dumps(line, default=_plain, separators=(",", ":")).encode("ascii") + b"\n"
        with self._lock, self._told("written"):
            if self._writer is None or not self._writer.is_there():
                self._writer = _Writer(self.folder)
            self._writer.write(data, durable=self._durable)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RecordStoreError(
                f"The journal of records cannot be {what}.",
                f"folder: {self.folder}\nfound: {error}",
                "give yourself the right to read and write that folder, and make room on the disk",
                path=self.folder,
            ) from error

    def forget_parent(self) -> None:
        """In a forked child: the file is the parent's, and a thread that held the lock is not here."""
        self._lock = threading.RLock()
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None


class _Writer:
    """The journal of this process: the one who appends to it."""

    def __init__(self, folder: Path) -> None:
        process = this_process()
        host = {**asdict(this_host()), "addresses": sorted(this_host().addresses)}
        first = {"journal": FORMAT, "host": host, "process": [process.host, process.pid, process.start]}
        name = f"{_host_part()}-{process.pid}-{os.urandom(4).hex()}"
        beside = str(folder / f".{name}.part")
        self.path = str(folder / f"{name}{SUFFIX}")
        self.fd = _made(folder, beside)
        self._is_whole = True
        self._ended = threading.Event()
        try:
            self.write(json.dumps(first).encode("ascii") + b"\n")
            os.rename(beside, self.path)  # never seen without its first line, so nobody takes it for rubbish
        except BaseException:
            os.close(self.fd)
            os.unlink(beside)
            raise
        threading.Thread(target=self._beat, daemon=True, name="smttask-journal").start()

    def is_there(self) -> bool:
        """Whether what is written will be found: after days without a sign of life the file is removed."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self.fd))
        except OSError:
            return False

    def write(self, data: bytes, *, durable: bool = False) -> None:
        """Append a line; after one that a full disk cut, a new one is begun."""
        rest = memoryview(data if self._is_whole else b"\n" + data)
        self._is_whole = False
        while rest:
            rest = rest[os.write(self.fd, rest) :]
        self._is_whole = True
        if durable:
            os.fsync(self.fd)

    def end(self) -> None:
        """Write the last line."""
        self._ended.set()
        try:
            self.write(b'{"end":true}\n')
        finally:
            os.close(self.fd)

    def abandon(self) -> None:
        """Leave the file to the process that made it."""
        self._ended.set()
        os.close(self.fd)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                os.utime(self.path)
            except OSError:
                return


def _made(folder: Path, path: str) -> int:
    """A new file at `path`, open for appending; who takes journals in may remove the empty folder."""
    while True:
        with suppress(FileExistsError):  # `exist_ok` looks again, and the folder may be gone by then
            folder.mkdir(parents=True)
        with suppress(FileNotFoundError):
            return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)


def journal_paths(folder: Path, prefix: str = "") -> list[str]:
    """Paths of the journals in `folder` whose names begin with `prefix`, sorted; none without the folder.

    Raises
    ------
    OSError
        If the folder cannot be listed.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(
        f"{folder}/{name}"
        for name in names
        if name.startswith(prefix) and name.endswith(SUFFIX) and not name.startswith(".")
    )


def _host_part() -> str:
    return re.sub(r"[^\w.]", "_", this_process().host)[:64] or "host"


def _plain(value: Any) -> Any:
    """What a record is made of, as JSON types."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"no record holds a {type(value).__name__}")


@functools.cache
def _follow_process() -> None:
    """End the journals of this process when it ends; once a process, when the first one is made."""

    def end_all() -> None:
        for store in list(_stores):
            try:
                store.close()
            except OSError:  # its silence tells the same, later
                continue

    def forget_parents() -> None:
        for store in list(_stores):
            store.forget_parent()

    atexit.register(end_all)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget_parents)
