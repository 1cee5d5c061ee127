"""Edits of records by their users: tags, comments and reasons, noted so that they can be made again.

Every edit is also a line of a file beside the record store, from which they are
made again when the store was lost and its records came back from the manifests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from smttask.errors import InputError, RecordStoreError, short_repr
from smttask.jsonlines import append_line
from smttask.records.database import IDS, Transaction
from smttask.records.record import STATUSES, fit
from smttask.records.rows import RecordWriter
from smttask.records.tags import checked_tag

__all__ = ["Edit", "TagEdit", "TextEdit", "note_edit"]

Noted = Mapping[str, Any]


class Edit(Protocol):
    """A change of many records."""

    def make(
        self, transaction: Transaction, writer: RecordWriter, labels: Mapping[int, str]
    ) -> tuple[int, Noted]:
        """Change the records with these keys; return how many changed and what to note."""
        ...


@dataclass(frozen=True, slots=True)
class TagEdit:
    """Tags that all records get, and tags that they lose.

    Raises
    ------
    InputError
        If a tag cannot be kept, or is a status; names of statuses are not added either.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for tag in (*self.added, *self.removed):
            if not isinstance(tag, str):
                raise InputError(
                    f"A record cannot have the tag {short_repr(tag)}.",
                    f"found: {type(tag).__name__}\nexpected: str",
                    "give text",
                )
            checked_tag(tag)
        for tag in self.added:
            if tag in STATUSES:
                raise InputError(
                    f"A record cannot be given the tag {tag!r}.",
                    "it is the name of a status, and filter.tags would find the records of that status",
                    "use another tag",
                )

    def make(
        self, transaction: Transaction, writer: RecordWriter, labels: Mapping[int, str]
    ) -> tuple[int, Noted]:
        """See `Edit`."""
        changed = writer.change_tags(transaction, labels, self.added, self.removed)
        noted = {"labels": [labels[key] for key in changed], "added": self.added, "removed": self.removed}
        return len(changed), {"column": "tags", **noted}


@dataclass(frozen=True, slots=True)
class TextEdit:
    """A new text for each record: what `change` makes of the old one."""

    column: Literal["reason", "outcome"]
    change: Callable[[str], str]

    def make(
        self, transaction: Transaction, writer: RecordWriter, labels: Mapping[int, str]
    ) -> tuple[int, Noted]:
        """See `Edit`."""
        select = f"SELECT db_id, {self.column} FROM django_store_record WHERE db_id IN {IDS}"
        rows = transaction.execute(select, (json.dumps(list(labels)),))
        texts = {key: text for key, old in rows if (text := self._changed(labels[key], old)) != old}
        update = f"UPDATE django_store_record SET {self.column} = ? WHERE db_id = ?"
        transaction.executemany(update, [(text, key) for key, text in texts.items()])
        return len(texts), {
            "column": self.column,
            "texts": {labels[key]: text for key, text in texts.items()},
        }

    def _changed(self, label: str, old: str) -> str:
        try:
            new = self.change(old)
        except Exception as error:
            error.add_note(f"while the {self.column} of record {label} was changed; nothing was")
            raise
        if isinstance(new, str):
            return fit(new)
        raise InputError(
            f"The {self.column} of record {label} cannot become {short_repr(new)}.",
            f"found: {type(new).__name__}\nexpected: str",
            "let the function return text; nothing was changed",
        )


def note_edit(path: Path, noted: Noted, *, durable: bool = False) -> None:
    """Append `noted` to the file at `path`, see `smttask.jsonlines.append_line`; for one writer at a time.

    Raises
    ------
    RecordStoreError
        If the file cannot be written.
    """
    try:
        append_line(path, noted, durable=durable)
    except OSError as error:
        raise RecordStoreError(
            "Records were not edited.",
            f"found: {path} cannot be written: {error.strerror}",
            "make it writable: edits are noted there, for when the record store is lost",
        ) from error
