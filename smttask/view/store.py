"""The records of a project: filtered, split, compared, and shown as text, tables and pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from smttask.errors import InputError, short_repr
from smttask.extras import require
from smttask.protocols import Runnable
from smttask.records.query import Selection
from smttask.view import html, text
from smttask.view.export import export_records
from smttask.view.filters import RecordFilter
from smttask.view.grouping import RecordGroups, group_key, input_paths
from smttask.view.paths import AskedPath, KnownPaths, ParameterPaths, computed, tell_unknown_paths
from smttask.view.records import RecordView
from smttask.view.sequence import RecordSequence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from rich.console import RenderableType

    from smttask.tasks import Task
    from smttask.view.compare import RecordComparison

__all__ = ["RecordStoreView"]


class RecordStoreView(RecordSequence):
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

    @computed
    def filter(self) -> RecordFilter:
        """The filters: ``view.filter.task("Analyze")``, ``view.filter(function)``."""
        return RecordFilter(self)

    @computed
    def params(self) -> ParameterPaths:
        """The paths of the inputs, which completion shows: ``view.params.model.sigma``."""
        return ParameterPaths(KnownPaths(self, self.selection))

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
        if isinstance(ref, Runnable):
            return everything.filter.task(ref).latest
        raise InputError(
            f"{short_repr(ref)} is no record.",
            f"found: {type(ref).__name__}\nexpected: a record, a label or a task",
            "give one of these",
        )

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
        from smttask.view.compare import compare_records

        return compare_records(self.get_reference(old), self.get_reference(new))

    def splitby(self, *names: str) -> dict[Any, RecordStoreView]:
        """A view for each value of a field or an input, by value, in the order in which they first appear.

        Parameters
        ----------
        names
            Fields of a record, such as ``task``, ``status`` or ``reason``, or dotted paths
            of inputs; ``inputs.reason`` is an input with the name of a field. For several
            names the keys are tuples. What is no number or text stands as text, with the first
            digits of its hash where it is not shown whole, what is missing as None.

        Raises
        ------
        InputError
            If a name is none, or no name is given.

        Examples
        --------
        >>> RSView().splitby("dt")  # doctest: +SKIP
        0.5: 12 records
        0.25: 4 records
        """
        groups: dict[Any, list[int]] = {}
        for record in self:
            groups.setdefault(group_key(record, names), []).append(record.id)
        if len(groups) == 1 and None in groups:
            tell_unknown_paths(self, [AskedPath(self.selection, name) for name in input_paths(names)])
        order = self.selection.is_oldest_first
        return RecordGroups(
            (key, self._only(Selection(is_oldest_first=order).with_ids(ids))) for key, ids in groups.items()
        )

    # -- tables and displays

    def head(self, n: int = 5) -> Self:
        """The first `n` records of the view, the newest unless it is turned around."""
        return self[: max(n, 0)]

    def tail(self, n: int = 5) -> Self:
        """The last `n` records of the view."""
        return self[-n:] if n > 0 else self[:0]

    def summary(
        self, *, merge: bool = True, head: int | None = None, tail: int | None = None
    ) -> pd.DataFrame:
        """What was run: a row for the runs of one task with one reason, in the order of the view.

        Columns are task, reason, n_runs, first and last (start, UTC), duration (of all) and
        status (``"5 finished, 1 crashed"``).

        Parameters
        ----------
        merge
            False gives a row for every run: see `dframe`.
        head, tail
            How many rows to give, from the beginning, the end, or both; all if neither is said.
        """
        from smttask.view.tables import summary_frame

        if merge:
            table = summary_frame(self)
            return table.iloc[_ends(len(table), head, tail)].reset_index(drop=True)
        if head is None and tail is None:
            return self.dframe()
        ids = [row[0] for row in self.rows(["id"])]
        kept = [ids[position] for position in _ends(len(ids), head, tail)]
        order = self.selection.is_oldest_first
        return self._only(Selection(is_oldest_first=order).with_ids(kept)).dframe()

    def export(self, path: str | os.PathLike[str], *, parameters: bool | Iterable[str] = True) -> Path:
        """Write the records to a file and return its path.

        Parameters
        ----------
        path
            With the ending ``.json``: a list with every field of each record. With
            ``.csv``: a table as `dframe` gives it, with the inputs.
        parameters
            Which inputs the table has, as for `dframe`: ``["dt", "series.degree"]``.

        Raises
        ------
        InputError
            If the ending is another, or inputs are chosen for JSON, which has all.
        StorageError
            If the file cannot be written; one that was there stays.
        """
        return export_records(self, path, parameters=parameters)

    def dframe(
        self, *, parameters: bool | Iterable[str] = False, outputs: bool | Iterable[str] = False
    ) -> pd.DataFrame:
        """The records as a table, a row each, in the order of the view.

        Columns are label, task, timestamp (UTC, aware), duration (timedelta), status,
        tags (text, between commas), reason, outcome, version, main_file, user.

        Parameters
        ----------
        parameters
            True adds a column for every input, a list those of these names or dotted
            paths; see `RecordView.get_param`. Tasks stand as their digest.
            ``ParameterComparison(view).differences`` names all in which the records differ.
        outputs
            True adds a column for every output, a list those of these names; the
            unnamed one is called ``result``. Outputs kept in a file of their own stand as its path.

        Warns
        -----
        UnknownParameterWarning, UnknownOutputWarning
            If no record has an input or an output of this name.
        """
        from smttask.view.tables import record_frame, tell_unknown_outputs

        inputs, results = _names(parameters), _names(outputs)
        table = record_frame(self, parameters=inputs, outputs=results)
        if not isinstance(inputs, bool):
            absent = [path for path in inputs if path in table and table[path].isna().all()]
            tell_unknown_paths(self, [AskedPath(self.selection, path) for path in absent])
        if not isinstance(results, bool):
            tell_unknown_outputs(self, table, results)
        return table

    def plot(self, parameter: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw when and how long the runs ran, or how long they took for which value of an input.

        Without `parameter` each task has a row, the one that ran last at the top, with a
        bar for each run in the colour of its status; runs at the same time stand below each
        other. With one, each run is a point in the colour of its task; runs without a
        duration or without such an input are left out. Axes are logarithmic where values are wide apart.

        Parameters
        ----------
        parameter
            Dotted path of an input; see `RecordView.get_param`.
        ax
            Where to draw; a new figure if None.

        Returns
        -------
        Axes
            Of matplotlib, to be changed at will. Durations are in seconds, times are local.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed; it comes with the extra ``viz``.
        InputError
            If the path is none, or no record has such an input.

        Examples
        --------
        >>> RSView().filter.task("Analyze").plot("model.sigma")  # doctest: +SKIP
        """
        require("matplotlib")
        from smttask.view.plot import plot_parameter, plot_timeline

        return plot_timeline(self, ax) if parameter is None else plot_parameter(self, str(parameter), ax)

    def __repr__(self) -> str:
        return text.view_text(self)

    def _repr_html_(self) -> str:
        return html.view_html(self)

    def __rich__(self) -> RenderableType:
        from smttask.view import terminal

        return terminal.view_table(self)


def _names(given: bool | Iterable[str]) -> bool | list[str]:
    """What `dframe` was asked for; one name may stand for a list of one."""
    if isinstance(given, bool):
        return given
    return [str(given)] if isinstance(given, str) else [str(name) for name in given]


def _ends(n: int, head: int | None, tail: int | None) -> list[int]:
    """Positions of the first `head` and the last `tail` of `n`; of all if neither is said."""
    if head is None and tail is None:
        return list(range(n))
    n_head = min(max(head or 0, 0), n)
    return [*range(n_head), *range(max(n - max(tail or 0, 0), n_head), n)]
