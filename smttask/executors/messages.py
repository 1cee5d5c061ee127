"""What the parent of the workers and its workers tell each other: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["Instructions", "decoded", "encoded"]


@dataclass(frozen=True, slots=True)
class Instructions:
    """What every worker is told before its first file; fields are those of the command `smttask run`.

    Parameters
    ----------
    start
        Folder to search for the project from, upwards, where the working directory is in none.
    imports
        Modules that are imported first and whose packages are trusted.
    keep
        Leave the files of finished tasks.
    record
        True: a task that cannot be recorded fails. False: nothing is stored, so files stay. None:
        as the settings say.
    reason
        Replaces the reason in each description.
    record_store
        Absolute path or URL of another record store.
    settings
        Names and values (texts, numbers, tuples of texts) of settings that hold besides.
    only_calls
        No work holds a task, so that workers need not load what tasks need (see `Work.call`).
    may_fall_back
        A worker that cannot use the record store keeps a journal, which is taken in at the end of the run.
    """

    start: str = ""
    imports: tuple[str, ...] = ()
    keep: bool = False
    recompute: bool = False
    record: bool | None = None
    reason: str | None = None
    record_store: str | None = None
    settings: tuple[tuple[str, Any], ...] = ()
    only_calls: bool = False
    may_fall_back: bool = False

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The instructions whose fields came as a message."""
        settings = tuple(
            (name, tuple(value) if isinstance(value, list) else value) for name, value in message["settings"]
        )
        return cls(**{**message, "imports": tuple(message["imports"]), "settings": settings})


def encoded(kind: str, **content: Any) -> bytes:
    r"""One line of the protocol.

    Examples
    --------
    >>> encoded("run", path="a.json")
    b'{"kind": "run", "path": "a.json"}\n'
    """
    return json.dumps({"kind": kind, **content}).encode() + b"\n"


def decoded(line: bytes) -> tuple[str, dict[str, Any]]:
    """Kind and content of a line that `encoded` made."""
    content = json.loads(line.decode())  # who is told bytes looks for their encoding first
    return content.pop("kind"), content
