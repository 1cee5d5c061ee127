"""The records of a project as a sequence, newest first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from smttask.errors import InputError, RecordNotFoundError, short_repr
from smttask.project import Project, get_current_project, get_project
from smttask.records.query import Selection
from smttask.tasks import Task
from smttask.view import html, text
from smttask.view.compare import RecordComparison, compare_records
from smttask.view.editing import EditableRecords
from smttask.view.export import export_records
from smttask.view.filters import RecordFilter
from smttask.view.grouping import group_key
from smttask.view.records import LIGHT_COLUMNS, RecordView

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RecordStoreView"]

BATCH = 500  # records read at once while iterating
Test = Callable[[RecordView], object]


class RecordStoreView(EditableRecords):
    """The records of a project, newest first; nothing is read before it is asked for.

    A view is a sequence: it has a length, is iterated, and gives one record by position
    or label and a view by slice. Each time it looks anew, so it shows runs that came
    since. ``RSView`` is a short name for it.

    Parameters
    ----------
    project
        A project or its folder; the current one if None.

    Attributes
    ----------
    store
        The record store that is asked.
    selection
        What is asked of it, before the functions of filters.

    Raises
    ------
    ProjectError
        If there is none.

    Examples
    --------
    >>> RSView().filter.task("Analyze").filter.after(202611).latest.get_param("dt")  # doctest: +SKIP
    0.5
    """

    def __init__(self, project: Project | str | os.PathLike[str] | None = None) -> None:
        if project is None:
            project = get_current_project()
        self.project = project if isinstance(project, Project) else get_project(project)
        self.store = self.project.records
        self.selection = Selection()
        self._tests: tuple[Test, ...] = ()

    # -- narrowing

    @property
    def filter(self) -> RecordFilter:
        """The filters: ``view.filter.task("Analyze")``, ``view.filter(function)``."""
        return RecordFilter(self)

    def narrowed(self, selection: Selection, *tests: Test) -> RecordStoreView:
        """A view of `selection`, with the functions that filter this one and `tests`."""
        view = object.__new__(type(self))
        view.project, view.store = self.project, self.store
        view.selection, view._tests = selection, (*self._tests, *tests)
        return view

    def __or__(self, other: object) -> RecordStoreView:
        """The records of both views, in the order of this one.

        Functions that filter one of them decide now, not when records are asked for.

        Raises
        ------
        InputError
            If the views are of different record stores.
        """
        if not isinstance(other, RecordStoreView):
            return NotImplemented
        if other.store is not self.store:
            raise InputError(
                "Records of different stores cannot stand in one view.",
                f"found: {self.store.path} and {other.store.path}",
                "look at them one after the other",
            )
        return self._only(self.decided().joined(other.decided()))

    def decided(self) -> Selection:
        """What is asked of the store, after the functions of filters have decided."""
        if not self._tests:
            return self.selection
        ids = [record.id for record in self]
        return Selection(is_oldest_first=self.selection.is_oldest_first).with_ids(ids)

    def get_reference(self, ref: RecordView | str | Task[Any]) -> RecordView:
        """The record that `ref` is, is the label of, or is the task of; filters do not count.

        Raises
        ------
        InputError
            If it is none of these.
        RecordNotFoundError
            If there is no such record.
        """
        if isinstance(ref, RecordView):
            return ref
        everything = self._only(Selection())
        if isinstance(ref, str):
            return everything[ref]
        if isinstance(ref, Task):
            return everything.filter.task(ref).latest
        raise InputError(
            f"{short_repr(ref)} is no record.",
            f"found: {type(ref).__name__}\nexpected: a record, a label or a task",
            "give one of these",
        )

    def _only(self, selection: Selection) -> RecordStoreView:
        """A view of `selection`, where no function has to decide any more."""
        view = self.narrowed(selection)
        view._tests = ()
        return view

    # -- as a sequence

    def __len__(self) -> int:
        return sum(1 for _ in self) if self._tests else self.store.count(self.selection)

    def __iter__(self) -> Iterator[RecordView]:
        ids = [row[0] for row in self.store.columns(self.selection, ["id"])]
        for start in range(0, len(ids), BATCH):
            yield from self._read(ids[start : start + BATCH])

    def __reversed__(self) -> Iterator[RecordView]:
        return iter(self[::-1])

    def __contains__(self, item: object) -> bool:
        label = item.label if isinstance(item, RecordView) else item
        return isinstance(label, str) and len(self.narrowed(self.selection.with_labels(label))) > 0

    @overload
    def __getitem__(self, key: int | str) -> RecordView: ...
    @overload
    def __getitem__(self, key: slice) -> RecordStoreView: ...
    def __getitem__(self, key: int | str | slice) -> RecordView | RecordStoreView:
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
        return [record.label for record in self] if self._tests else self.store.labels(self.selection)

    def compare(
        self, old: RecordView | str | Task[Any], new: RecordView | str | Task[Any]
    ) -> RecordComparison:
        """Inputs, code and packages that differ between two runs; filters do not count.

        Parameters
        ----------
        old, new
            Records, labels, or tasks that were recorded.

        Raises
        ------
        InputError
            If one is none of these.
        RecordNotFoundError
            If there is no such record.
        """
        return compare_records(self.get_reference(old), self.get_reference(new))

    def splitby(self, *names: str) -> dict[Any, RecordStoreView]:
        """A view for each value of a field or an input, by value, in the order in which they first appear.

        Parameters
        ----------
        names
            Fields of a record, such as ``task``, ``status`` or ``reason``, or dotted paths
            of inputs; ``inputs.reason`` is an input with the name of a field. For several
            names the keys are tuples. What is no number or text stands as text, what is
            missing as None.

        Raises
        ------
        InputError
            If a name is none, or no name is given.

        Examples
        --------
        >>> {dt: len(runs) for dt, runs in RSView().splitby("dt").items()}  # doctest: +SKIP
        {0.5: 12, 0.25: 4}
        """
        groups: dict[Any, list[int]] = {}
        for record in self:
            groups.setdefault(group_key(record, names), []).append(record.id)
        order = self.selection.is_oldest_first
        return {
            key: self._only(Selection(is_oldest_first=order).with_ids(ids)) for key, ids in groups.items()
        }

    # -- tables and displays

    def summary(self, *, merge: bool = True) -> pd.DataFrame:
        """What was run: a row for the runs of one task with one reason, in the order of the view.

        Columns are task, reason, n_runs, first and last (start, UTC), duration (of all) and
        status (``"5 finished, 1 crashed"``). `head` and `tail` of the table show its ends.

        Parameters
        ----------
        merge
            False gives a row for every run: see `dframe`.
        """
        from smttask.view.tables import summary_frame

        return summary_frame(self) if merge else self.dframe()

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write the records to a file and return its path.

        Parameters
        ----------
        path
            With the ending ``.json``: a list with every field of each record. With
            ``.csv``: a table as `dframe` gives it, with the inputs.

        Raises
        ------
        InputError
            If the ending is another.
        StorageError
            If the file cannot be written; one that was there stays.
        """
        return export_records(self, path)

    def dframe(
        self, *, parameters: bool | Sequence[str] = False, outputs: bool | Sequence[str] = False
    ) -> pd.DataFrame:
        """The records as a table, a row each, in the order of the view.

        Columns are label, task, timestamp (UTC, aware), duration (timedelta), status,
        tags (text, between commas), reason, outcome, version, main_file, user.

        Parameters
        ----------
        parameters
            True adds a column for every input, a list those of these names or dotted
            paths; see `RecordView.get_param`. Tasks stand as their digest.
        outputs
            True adds a column for every output, a list those of these names; the
            unnamed one is called ``result``. Outputs kept in a file of their own stand as its path.
        """
        from smttask.view.tables import record_frame

        return record_frame(self, parameters=parameters, outputs=outputs)

    def rows(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Values of the columns `names` (see `smttask.records.query.COLUMNS`), a tuple for each record."""
        return self.store.columns(self.decided(), names)

    def __repr__(self) -> str:
        return text.view_text(self)

    def _repr_html_(self) -> str:
        return html.view_html(self)

    # -- how

    def _read(self, ids: Sequence[int]) -> Iterator[RecordView]:
        order = self.selection.is_oldest_first
        selection = Selection(is_oldest_first=order).with_ids(ids)
        for row in self.store.columns(selection, LIGHT_COLUMNS):
            record = RecordView(self.project, row[1], store=self.store, row=row)
            if self._passes(record):
                yield record

    def _passes(self, record: RecordView) -> bool:
        try:
            return all(test(record) for test in self._tests)
        except Exception as error:
            error.add_note(f"while record {record.label} was looked at by the function of a filter")
            raise

    def _sliced(self, key: slice) -> RecordStoreView:
        is_plain = (key.step or 1) == 1 and min(key.start or 0, key.stop or 0) >= 0
        if is_plain and not self._tests:
            return self._only(self.selection.sliced(key.start or 0, key.stop))
        ids = [record.id for record in self] if self._tests else [row[0] for row in self.rows(["id"])]
        order = self.selection.is_oldest_first ^ ((key.step or 1) < 0)
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
            f"searched: {n_records} records of {self.store.path}",
            remedy if n_records else "widen the filters, or run a task",
        )
