"""Editing the records of a view: tags, comments and reasons, of all of them at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

from smttask.errors import InputError, short_repr
from smttask.project import Project
from smttask.records.editing import Edit, TagEdit, TextEdit
from smttask.records.query import Selection
from smttask.records.stores import SQLRecordStore

__all__ = ["EditableRecords"]

EDITS_FILE = ".smt/edits.jsonl"
Mode = Literal["prepend", "append", "replace", "substring"]
Change = Callable[[str], str]


class EditableRecords(ABC):
    """Records that are edited together, in one transaction: all of them or none.

    Sumatra's own tools show the edits. Each edit is also noted in ``.smt/edits.jsonl``.
    A `RecordView` that was read before stays as it was.
    """

    project: Project
    store: SQLRecordStore

    @abstractmethod
    def decided(self) -> Selection:
        """Which records these are."""

    def add_tag(self, *tags: str) -> int:
        """Add `tags` to every record and return how many did not have all of them.

        Raises
        ------
        InputError
            If a tag is empty, longer than 50 characters, has a comma or a quote, or is
            a status; or if a record cannot have so many.
        RecordStoreError
            If the record store cannot be written.
        """
        return self._edit(TagEdit(added=tags))

    def remove_tag(self, *tags: str) -> int:
        """Remove `tags` from every record and return how many had one.

        Raises
        ------
        InputError
            If one is none, or a status.
        RecordStoreError
            If the record store cannot be written.
        """
        return self._edit(TagEdit(removed=tags))

    def add_comment(self, comment: str, *, replace: bool = False) -> int:
        """Add a line to the outcome of every record and return how many changed.

        Parameters
        ----------
        replace
            Put `comment` in place of the outcome.

        Raises
        ------
        InputError
            If it is no text.
        RecordStoreError
            If the record store cannot be written.
        """
        text = _text(comment)
        return self._edit(TextEdit("outcome", lambda old: text if replace or not old else f"{old}\n{text}"))

    def update_reason(self, reason: str | Change, *, mode: Mode = "prepend", old: str = "") -> int:
        """Change the reason of every record and return how many changed.

        Parameters
        ----------
        reason
            A text; or a function that makes the new reason of the old one, with which `mode` is of no use.
        mode
            ``"prepend"`` and ``"append"`` put the text on a line before or after the old
            reason, ``"replace"`` in its place, and ``"substring"`` in place of `old`, wherever that stands.

        Raises
        ------
        InputError
            If `mode` is none of these, `old` does not fit it, or a reason is no text.
        RecordStoreError
            If the record store cannot be written.
        """
        return self._edit(TextEdit("reason", reason if callable(reason) else _change(reason, mode, old)))

    def _edit(self, edit: Edit) -> int:
        return self.store.edit(self.decided(), edit, noted_in=self.project.root / EDITS_FILE)


def _change(reason: str, mode: str, old: str) -> Change:
    text = _text(reason)
    changes: dict[str, Change] = {
        "prepend": lambda found: f"{text}\n{found}" if found else text,
        "append": lambda found: f"{found}\n{text}" if found else text,
        "replace": lambda found: text,
        "substring": lambda found: found.replace(_text(old), text),
    }
    if mode in changes and (mode == "substring") == bool(old):
        return changes[mode]
    raise InputError(
        f"Reasons cannot be changed with the mode {short_repr(mode)}"
        + (" and" if old else " without")
        + " old.",
        f"modes: {', '.join(changes)}; old goes with 'substring' alone",
        "for example update_reason('better', mode='substring', old='worse')",
    )


def _text(given: str) -> str:
    if isinstance(given, str):
        return given
    raise InputError(
        f"A record cannot have the text {short_repr(given)}.",
        f"found: {type(given).__name__}\nexpected: str",
        "give text",
    )
