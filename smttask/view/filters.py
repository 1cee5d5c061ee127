"""Narrowing a view of records: each filter gives a view of fewer, and reads nothing yet."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast

from smttask.errors import FilterError, InputError, short_repr
from smttask.protocols import Runnable
from smttask.records.record import STATUSES
from smttask.tasks import Task
from smttask.typing.jsonform import to_json

if TYPE_CHECKING:
    from smttask.view.records import RecordView
    from smttask.view.store import RecordStoreView

__all__ = ["RecordFilter", "to_moment"]

PATTERN_CHARACTERS = "*?["
# How much of a moment each length of digits tells
DIGIT_FORMATS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


class RecordFilter:
    """The filters of a view: ``view.filter.task("Analyze").filter.after(202611)``.

    Each gives a new view; all that can be decided in the database is decided there.
    Called with a function, it keeps the records for which the function is true::

        view.filter(lambda record: record.duration and record.duration.total_seconds() > 60)
    """

    def __init__(self, view: RecordStoreView) -> None:
        self._view = view

    def __call__(self, function: Callable[[RecordView], object]) -> RecordStoreView:
        """Keep the records for which `function`, given a `RecordView`, is true.

        It is called when records are asked for, newest first, after all other filters.

        Raises
        ------
        InputError
            If it cannot be called.
        """
        if not callable(function):
            raise InputError(
                f"Records cannot be filtered by {short_repr(function)}.",
                "expected: a function of a record, or one of the filters by name",
                f"filters: {', '.join(_names())}",
            )
        return self._view.narrowed(self._view.selection, function)

    def label(self, label: str) -> RecordStoreView:
        """Keep records whose label begins with `label`; with ``*``, ``?`` or ``[`` it is a pattern."""
        if set(label) & set(PATTERN_CHARACTERS):
            return self._view.narrowed(self._view.selection.with_label_like(label))
        return self._view.narrowed(self._view.selection.with_label(label))

    def task(self, task: str | Task[Any] | type[Task[Any]]) -> RecordStoreView:
        """Keep runs of a task.

        Parameters
        ----------
        task
            Its name or ``module.name``; or the task type; or a task object, for the runs
            of equal tasks only.
        """
        if isinstance(task, str):
            return self._view.narrowed(self._view.selection.with_task(task))
        if isinstance(task, type) and issubclass(task, Task):
            selection = self._view.selection.with_task(task.__name__, task.__wrapped__.__module__)
            return self._view.narrowed(selection)
        if isinstance(task, Task):
            return self._view.narrowed(self._view.selection.with_digest(task.digest))
        raise InputError(
            f"{short_repr(task)} is no task.",
            f"found: {type(task).__name__}\nexpected: the name of a task, a task type or a task",
            "give one of these",
        )

    def tags(self, *tags: str) -> RecordStoreView:
        """Keep records that have every one of `tags`; a status, such as ``"finished"``, is one."""
        names = [f"_{tag}_" if tag in STATUSES else tag for tag in tags]
        return self._view.narrowed(self._view.selection.with_tags(*names))

    def before(self, moment: datetime | date | str | int) -> RecordStoreView:
        """Keep runs that started before `moment`, which is told as for `after`."""
        return self._view.narrowed(self._view.selection.before(to_moment(moment)))

    def after(self, moment: datetime | date | str | int) -> RecordStoreView:
        """Keep runs that started at `moment` or later.

        Parameters
        ----------
        moment
            A datetime, a date, ISO text such as ``"2026-11-22 10:15"``, or digits from
            year to second, such as ``202611``, which means the start of that month.
            Local time unless it has a zone.

        Raises
        ------
        InputError
            If it is none of these.
        """
        return self._view.narrowed(self._view.selection.after(to_moment(moment)))

    def params(self, *, eq: Mapping[str, Any]) -> RecordStoreView:
        """Keep runs with these inputs; a record that lacks one is left out.

        Parameters
        ----------
        eq
            Values by name or dotted path, which may lead through dataclasses, models
            and tasks: ``{"dt": 0.5, "model.sigma": 1, "spectrum.window": "hann"}``.
            Numbers are equal by value, and a bool is no number; a list finds arrays
            and tuples too.

        Raises
        ------
        InputError
            If a path is none.
        DescriptionError
            If a value is none that a task could have.
        """
        forms = {path: to_json(_plain(value), on_task=_reference) for path, value in eq.items()}
        return self._view.narrowed(self._view.selection.with_parameters(forms))

    def __getattr__(self, name: str) -> Any:
        near = difflib.get_close_matches(name, _names(), n=1)
        raise FilterError(
            f"There is no filter {name!r}.",
            f"filters: {', '.join(_names())}",
            (f"did you mean {near[0]!r}? " if near else "")
            + "any function filters too: view.filter(function)",
            name=name,
        )


def _names() -> list[str]:
    return sorted(name for name in vars(RecordFilter) if not name.startswith("_"))


def _reference(task: Runnable) -> dict[str, str]:
    return {"$task": cast("Task[Any]", task).record_key}


def _plain(value: Any) -> Any:
    """What is looked for in the form that finds most: a numpy scalar as a number, a tuple as a list."""
    if type(value) is tuple:
        return list(value)
    return value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value


def to_moment(given: datetime | date | str | int) -> datetime:
    """The aware datetime that `given` tells; see `RecordFilter.after`.

    Raises
    ------
    InputError
        If it is no moment.

    Examples
    --------
    >>> to_moment("2026-11-22T10:15+00:00").isoformat()
    '2026-11-22T10:15:00+00:00'
    """
    try:
        return _parsed(given).astimezone()
    except (ValueError, OverflowError, TypeError) as error:
        raise InputError(
            f"{short_repr(given)} is no moment.",
            f"found: {error}",
            "give a datetime, a date, ISO text such as '2026-11-22 10:15', or digits such as 202611",
        ) from error


def _parsed(given: object) -> datetime:
    if isinstance(given, datetime):
        return given
    if isinstance(given, date):
        return datetime(given.year, given.month, given.day)
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise TypeError(f"a {type(given).__name__}")
    text = str(given).strip()
    if re.fullmatch(r"\d{4}-\d{2}", text):
        text = text.replace("-", "")
    if text.isascii() and text.isdigit():
        if len(text) not in DIGIT_FORMATS:
            raise ValueError(f"{len(text)} digits; expected 4, 6, 8, 10, 12 or 14")
        return datetime.strptime(text, DIGIT_FORMATS[len(text)])
    return datetime.fromisoformat(text)
