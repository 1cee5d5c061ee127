"""Records of a store as a lazy sequence: narrowed, united, sliced, and found by position or label."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import replace
from itertools import islice
from typing import Any, Self, TypeVar, overload

from smttask.errors import InputError, RecordNotFoundError, short_repr
from smttask.project import Project, get_current_project, get_project
from smttask.records.editing import Edit
from smttask.records.query import Selection
from smttask.view.editing import EditableRecords
from smttask.view.paths import AskedPath, AskedTask, tell_unknown_paths, tell_unknown_task
from smttask.view.progress import watched
from smttask.view.records import LIGHT_COLUMNS, RecordView

__all__ = ["RecordSequence", "Test"]

BATCH = 500  # records read at once while iterating
N_COMPLETED = 1000  # labels that completion offers, the newest
#: A function of a filter: whether to keep a record.
Test = Callable[[RecordView], object]
Found = TypeVar("Found", bound=Sized | int)


class RecordSequence(EditableRecords):
    """Records in order, newest first; nothing is read before it is asked for.

    Attributes
    ----------
    project
        Whose records they are.
    store
        The record store that is asked.
    selection
        What is asked of it, before the functions of filters.
    """

    def __init__(self, project: Project | str | os.PathLike[str] | None = None) -> None:
        if project is None:
            project = get_current_project()
        self.project = project if isinstance(project, Project) else get_project(project)
        self.store = self.project.records
        self.selection = Selection()
        self._tests: tuple[Test, ...] = ()
        self._asked: tuple[AskedPath | AskedTask, ...] = ()

    # -- narrowing

    def narrowed(
        self, selection: Selection, *tests: Test, paths: Sequence[str] = (), task: str | None = None
    ) -> Self:
        """A view of `selection`, with the functions that filter this one and `tests`.

        Where it finds nothing, `paths` of inputs and the name of the `task` that
        `selection` asks for are looked at.
        """
        view = object.__new__(type(self))
        view.project, view.store = self.project, self.store
        view.selection, view._tests = selection, (*self._tests, *tests)
        asked = [AskedPath(self.selection, path) for path in paths]
        view._asked = (*self._asked, *asked, *([AskedTask(self.selection, task)] if task else []))
        return view

    def __or__(self, other: object) -> Self:
        """The records of both views, in the order of this one.

        Functions that filter one of them decide now, not when records are asked for.

        Raises
        ------
        InputError
            If the views are of different record stores.
        """
        if not isinstance(other, RecordSequence):
            return NotImplemented
        if other.store is not self.store:
            raise InputError(
                "Records of different stores cannot stand in one view.",
                f"found: {self.store.address} and {other.store.address}",
                "look at them one after the other",
            )
        return self._only(self.decided().joined(other.decided()))

    def decided(self) -> Selection:
        """What is asked of the store, after the functions of filters have decided."""
        if not self._tests:
            return self.selection
        ids = [record.id for record in self]
        return Selection(is_oldest_first=self.selection.is_oldest_first).with_ids(ids)

    @property
    def is_decided(self) -> bool:
        """Whether no function has to decide any more, so that counting reads no records."""
        return not self._tests

    def _only(self, selection: Selection) -> Self:
        """A view of `selection`, where no function has to decide any more."""
        view = self.narrowed(selection)
        view._tests = ()
        return view

    # -- as a sequence

    def __len__(self) -> int:
        return sum(1 for _ in self) if self._tests else self._told(self.store.count(self.selection))

    def __iter__(self) -> Iterator[RecordView]:
        ids = self._told([row[0] for row in self.store.columns(self.selection, ["id"])])
        for record in watched(self._read(ids), len(ids)):
            if self._passes(record):
                yield record

    def __reversed__(self) -> Iterator[RecordView]:
        return iter(self[::-1])

    def __contains__(self, item: object) -> bool:
        label = item.label if isinstance(item, RecordView) else item
        return isinstance(label, str) and len(self.narrowed(self.selection.with_labels(label))) > 0

    @overload
    def __getitem__(self, key: int | str) -> RecordView: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    def __getitem__(self, key: int | str | slice) -> RecordView | Self:
        """The record at a position or with a label, or a view of a range of positions.

        Parameters
        ----------
        key
            0 is the newest, -1 the oldest. A label may be cut short where it stays unique.

        Raises
        ------
        RecordNotFoundError
            If there is none, or several have a label that begins so.
        """
        if isinstance(key, slice):
            return self._sliced(key)
        return self._by_label(key) if isinstance(key, str) else self._at(key)

    @property
    def latest(self) -> RecordView:
        """The run that started last; `RecordNotFoundError` if there is none."""
        return self._edge(is_oldest_first=False)

    @property
    def earliest(self) -> RecordView:
        """The run that started first; `RecordNotFoundError` if there is none."""
        return self._edge(is_oldest_first=True)

    @property
    def first(self) -> RecordView:
        """The record at position 0."""
        return self[0]

    @property
    def last(self) -> RecordView:
        """The record at position -1."""
        return self[-1]

    def labels(self) -> list[str]:
        """The labels, in the order of the view."""
        if self._tests:
            return [record.label for record in self]
        return self._told(self.store.labels(self.selection))

    def rows(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Values of the columns `names` (see `smttask.records.query.COLUMNS`), a tuple for each record."""
        return self._told(self.store.columns(self.decided(), names))

    def _ipython_key_completions_(self) -> list[str]:
        return self.store.labels(self.selection.sliced(0, N_COMPLETED))

    # -- how

    def _read(self, ids: Sequence[int]) -> Iterator[RecordView]:
        order = self.selection.is_oldest_first
        for start in range(0, len(ids), BATCH):
            selection = Selection(is_oldest_first=order).with_ids(ids[start : start + BATCH])
            for row in self.store.columns(selection, LIGHT_COLUMNS):
                yield RecordView(self.project, row[1], store=self.store, row=row)

    def _edit(self, edit: Edit) -> int:
        n_changed = super()._edit(edit)
        if not n_changed and self._asked:
            self._told(self.store.count(self.selection))
        return n_changed

    def _told(self, found: Found) -> Found:
        """`found`, after a warning where it is nothing and an input or a task was asked for that none has."""
        if not found and self._asked:
            asked, self._asked = self._asked, ()  # once is enough
            tell_unknown_paths(self, [each for each in asked if isinstance(each, AskedPath)])
            for each in asked:
                if isinstance(each, AskedTask):
                    tell_unknown_task(self, each)
        return found

    def _passes(self, record: RecordView) -> bool:
        try:
            return all(test(record) for test in self._tests)
        except Exception as error:
            error.add_note(f"while record {record.label} was looked at by the function of a filter")
            raise

    def _sliced(self, key: slice) -> Self:
        order = self.selection.is_oldest_first
        if (key.step or 1) == 1 and not self._tests:
            start, stop = key.start or 0, key.stop
            if min(start, stop or 0) >= 0:
                return self._only(self.selection.sliced(start, stop))
            if start < 0 and stop is None and self.selection == replace(self.selection, start=0, stop=None):
                ends = self.store.columns(self.selection.oldest_first().sliced(0, -start), ["id"])
                return self._only(Selection(is_oldest_first=order).with_ids([row[0] for row in ends]))
        ids = [record.id for record in self] if self._tests else [row[0] for row in self.rows(["id"])]
        order ^= (key.step or 1) < 0
        return self._only(Selection(is_oldest_first=order).with_ids(ids[key]))

    def _at(self, position: int) -> RecordView:
        at = position if position >= 0 else position + len(self)
        if at >= 0:
            found = islice(self, at, None) if self._tests else self._only(self.selection.sliced(at, at + 1))
            for record in found:
                return record
        raise self._not_found(
            f"There is no record at position {position}.",
            "positions go from 0, the newest, to -1, the oldest",
        )

    def _by_label(self, label: str) -> RecordView:
        exact = list(self.narrowed(self.selection.with_labels(label)))
        found = exact or list(self.narrowed(self.selection.with_label(label))[:3])
        if len(found) == 1:
            return found[0]
        if not found:
            raise self._not_found(
                f"There is no record {short_repr(label)}.", "view.labels() lists what there is"
            )
        raise RecordNotFoundError(
            f"More than one record has a label that begins with {short_repr(label)}.",
            f"found: {', '.join(record.label for record in found[:2])}" + (", …" if len(found) > 2 else ""),
            "give more of the label",
            label=label,
        )

    def _edge(self, *, is_oldest_first: bool) -> RecordView:
        turned = self.selection.is_oldest_first is not is_oldest_first
        return self[-1] if turned else self[0]

    def _not_found(self, what: str, remedy: str) -> RecordNotFoundError:
        n_records = len(self)
        return RecordNotFoundError(
            what,
            f"searched: {n_records} records of {self.store.address}",
            remedy if n_records else "widen the filters, or run a task",
        )
