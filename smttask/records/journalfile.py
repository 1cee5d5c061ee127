"""A journal as its readers see it: whole lines, and the process that writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from smttask.jsonlines import json_object
from smttask.records.process import Process
from smttask.records.record import (
    DataKey,
    Dependency,
    Executable,
    Platform,
    Record,
    RepositoryAddress,
)

__all__ = ["FORMAT", "SUFFIX", "JournalFile", "Line", "read_dependencies", "read_keys", "read_record"]

FORMAT = 1
SUFFIX = ".jsonl"

Line = Mapping[str, Any]


class JournalFile:
    """The lines of one journal, each given once.

    Parameters
    ----------
    offset
        Where reading begins, in bytes; what an earlier reader of the file had as `offset`.

    Attributes
    ----------
    offset
        Where reading goes on.
    has_ended
        Whether its writer said that nothing follows.
    n_damaged
        Lines that are no JSON object: their writer found the disk full or was killed.
    """

    def __init__(self, path: str, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        self.has_ended = False
        self.n_damaged = 0

    @cached_property
    def process(self) -> Process | None:
        """Its writer; None if the first line is none of a journal that this smttask reads.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        with open(self.path, "rb") as file:
            line = json_object(file.readline())
        try:
            if line is None or line["journal"] != FORMAT:
                return None
            host, pid, start = line["process"]
            return Process(str(host), int(pid), str(start))
        except (KeyError, ValueError, TypeError):
            return None

    def new_lines(self) -> Iterator[Line]:
        """Yield the lines that were completed since the last call, but for the first and the last one.

        Raises
        ------
        OSError
            If the file cannot be read; one that was removed has no new lines.
        """
        with suppress(FileNotFoundError), open(self.path, "rb") as file:
            file.seek(self.offset)
            for text in file:
                if not text.endswith(b"\n"):
                    return
                line = json_object(text)
                self.has_ended = line is not None and bool(line.get("end"))
                if self.has_ended:  # who reads the file again must meet it again
                    return
                self.offset += len(text)
                if line is None:
                    self.n_damaged += text != b"\n"
                elif "journal" not in line:
                    yield line


def read_record(told: Mapping[str, Any]) -> Record:
    """The record that stands in a line.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    fields = dict(told)
    platform = fields["platform"]
    made = {
        "timestamp": datetime.fromisoformat(fields["timestamp"]),
        "executable": Executable(**fields["executable"]),
        "repository": RepositoryAddress(**fields["repository"]),
        "platform": None if platform is None else Platform(**platform),
        "dependencies": read_dependencies(fields["dependencies"]),
        "input_data": read_keys(fields["input_data"]),
        "output_data": read_keys(fields["output_data"]),
        "tags": frozenset(fields["tags"]),
    }
    return Record(**{**fields, **made})


def read_keys(told: Any) -> tuple[DataKey, ...]:
    """The data keys that stand in a line."""
    return tuple(
        DataKey(key["path"], key["created"] and datetime.fromisoformat(key["created"]), key["metadata"])
        for key in told
    )


def read_dependencies(told: Any) -> tuple[Dependency, ...]:
    """The distributions that stand in a line; one tuple for equal ones, which are then looked up once."""
    return _one(tuple(Dependency(**item) for item in told))


@lru_cache(maxsize=64)
def _one(dependencies: tuple[Dependency, ...]) -> tuple[Dependency, ...]:
    return dependencies
