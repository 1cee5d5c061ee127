"""Narrowing a view of records: each filter gives a view of fewer, and reads nothing yet."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar

from smttask.errors import FilterError, InputError, short_repr
from smttask.protocols import Runnable
from smttask.records.parameters import Step, path_steps
from smttask.records.query import Selection
from smttask.records.record import STATUSES
from smttask.view.moments import to_moment, to_span
from smttask.view.paths import listed, paths_of, suggestion

if TYPE_CHECKING:
    from smttask.tasks import Task
    from smttask.view.records import RecordView
    from smttask.view.store import RecordStoreView

__all__ = ["RecordFilter", "record_filter"]

Function = TypeVar("Function", bound=Callable[..., object])

PATTERN_CHARACTERS = "*?["
# A number counts as close when it differs by no more than this part of what is looked for
RELATIVE_TOLERANCE = 1e-5
EXACT = 2**53  # integers up to here are the same number in every JSON

_own_filters: dict[str, Callable[..., object]] = {}


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
            Its name, ``module.name``, or what ``name=`` fixed; or the task type; or a task object,
            for the runs of equal tasks only. Where nothing is found, an `UnknownTaskWarning` tells
            a name that is near.
        """
        if isinstance(task, str):
            return self._view.narrowed(self._view.selection.with_task(task), task=task)
        if isinstance(task, type) and issubclass(task, Runnable):
            module, name = getattr(task, "_identity", ("", ""))
            folder = "" if module else name  # what `name=` fixed; the function may have stood elsewhere
            selection = self._view.selection
            return self._view.narrowed(
                selection.with_task(task.__name__, task.__wrapped__.__module__, folder=folder)
            )
        if isinstance(task, Runnable):
            return self._view.narrowed(self._view.selection.with_digest(task.digest))
        raise InputError(
            f"{short_repr(task)} is no task.",
            f"found: {type(task).__name__}\nexpected: the name of a task, a task type or a task",
            "give one of these",
        )

    def tags(self, *tags: str) -> RecordStoreView:
        """Keep records that have every one of `tags`; a status, such as ``"finished"``, is one."""
        return self._view.narrowed(self._view.selection.with_tags(*_tag_names(tags)))

    def tags_or(self, *tags: str) -> RecordStoreView:
        """Keep records that have one of `tags` at least; a status is one."""
        return self._view.narrowed(self._view.selection.with_any_tag(*_tag_names(tags)))

    def tags_not(self, *tags: str) -> RecordStoreView:
        """Keep records that have none of `tags`; a status is one."""
        return self._view.narrowed(self._view.selection.without_tags(*_tag_names(tags)))

    def reason(self, *texts: str) -> RecordStoreView:
        """Keep records whose reason contains every one of `texts`, letter by letter."""
        return self._with_texts("reason", texts)

    def outcome(self, *texts: str) -> RecordStoreView:
        """Keep records whose outcome, comments included, contains every one of `texts`."""
        return self._with_texts("outcome", texts)

    def user(self, *texts: str) -> RecordStoreView:
        """Keep runs of users whose name and address contain every one of `texts`."""
        return self._with_texts("user", texts)

    def stdout_stderr(self, *texts: str) -> RecordStoreView:
        """Keep runs that printed every one of `texts`."""
        return self._with_texts("stdout_stderr", texts)

    def version(self, commit: str) -> RecordStoreView:
        """Keep runs of code whose commit, in hex, begins with `commit`."""
        return self._view.narrowed(self._view.selection.with_version(_text(commit)))

    def script(self, text: str) -> RecordStoreView:
        """Keep runs whose main file, task name or description file contains `text`."""
        return self._view.narrowed(self._view.selection.with_script(_text(text)))

    def output(self, text: str) -> RecordStoreView:
        """Keep runs that wrote a file whose path in the output store contains `text`."""
        return self._view.narrowed(self._view.selection.with_output(_text(text)))

    def _with_texts(self, column: str, texts: Sequence[str]) -> RecordStoreView:
        selection = self._view.selection
        for text in texts:
            selection = selection.with_text(column, _text(text))
        return self._view.narrowed(selection)

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

    def on(self, span: date | str | int) -> RecordStoreView:
        """Keep runs that started in the year, month, day, hour, minute or second `span`.

        Parameters
        ----------
        span
            A date, ISO text such as ``"2026-11-22"`` or ``"2026-11"``, or digits from year
            to second, such as ``20261122``; local time.

        Raises
        ------
        InputError
            If it is none of these.
        """
        begin, end = to_span(span)
        return self._view.narrowed(self._view.selection.after(begin).before(end))

    def params(
        self,
        *,
        eq: Mapping[str, Any] | None = None,
        ge: Mapping[str, Any] | None = None,
        le: Mapping[str, Any] | None = None,
        gt: Mapping[str, Any] | None = None,
        lt: Mapping[str, Any] | None = None,
        isclose: Mapping[str, Any] | None = None,
        rtol: float = RELATIVE_TOLERANCE,
        atol: float = 0.0,
    ) -> RecordStoreView:
        """Keep runs whose inputs compare so; a record that lacks one is left out.

        Where the view stays empty and no record has an input of this name, an
        `UnknownParameterWarning` names the nearest one when records are asked for.

        Parameters
        ----------
        eq, ge, le, gt, lt
            Values by name or dotted path, which may lead through dataclasses, models
            and tasks: ``{"dt": 0.5, "model.sigma": 1, "spectrum.window": "hann"}``.
            Numbers compare by value, and a bool is no number; a list finds arrays and
            tuples too. What has no order with the value, such as text with a number, is left out.
        isclose
            Numbers by path: kept are those that differ by at most ``atol + rtol * |number|``.
        rtol, atol
            How close; by default one part in 10^5, however small the number is.

        Raises
        ------
        InputError
            If a path is none, or a value has no order.
        DescriptionError
            If a value is none that a task could have.
        """
        selection = self._view.selection
        paths = [str(path) for values in (eq, ge, le, gt, lt, isclose) for path in values or {}]
        for operator, values in (("==", eq), (">=", ge), ("<=", le), (">", gt), ("<", lt)):
            for path, value in (values or {}).items():
                if operator != "==":
                    _check_order(path, value)
                selection = selection.with_parameters({str(path): _wanted(value)}, operator)
        for path, value in (isclose or {}).items():
            if isinstance(value, bool) or not isinstance(value, Real):
                raise _no_order(path, value, "a number")
            number, width = float(value), atol + rtol * abs(float(value))
            selection = selection.with_parameters({str(path): _wanted(number - width)}, ">=")
            selection = selection.with_parameters({str(path): _wanted(number + width)}, "<=")
        return self._view.narrowed(selection, paths=paths)

    def match(self, ref: RecordView | str | Task[Any], *but: str) -> RecordStoreView:
        """Keep runs of the same task as `ref` with the same inputs, but for those named in `but`.

        Parameters
        ----------
        ref
            A record, its label, or a task that was recorded.
        but
            Names or dotted paths of the inputs that may differ: ``match(ref, "dt", "model.sigma")``.

        Raises
        ------
        InputError
            If `ref` has none of the inputs in `but`.
        RecordNotFoundError
            If there is no such record.
        """
        record = self._view.get_reference(ref)
        forms = record.forms
        selection = self._view.selection.with_task(record.task_name, record.module, folder=forms.fixed_name)
        excepted = [path_steps(str(path)) for path in but]
        for path, steps in zip(but, excepted, strict=True):
            if not forms.has(steps):
                inputs = paths_of(forms)
                raise InputError(
                    f"The run {record.label} has no input {short_repr(str(path))}.",
                    f"inputs: {listed(inputs)}",
                    suggestion(path, inputs) + "correct the name",
                    place=path,
                )
        return self._view.narrowed(_matching(selection, record, [], excepted))

    def __getattr__(self, name: str) -> Any:
        if (function := _own_filters.get(name)) is not None:
            return lambda *args, **kwargs: self(lambda record: function(record, *args, **kwargs))
        near = difflib.get_close_matches(name, _names(), n=1)
        raise FilterError(
            f"There is no filter {name!r}.",
            f"filters: {', '.join(_names())}",
            (f"did you mean {near[0]!r}? " if near else "")
            + "any function filters too: view.filter(function)",
            name=name,
        )

    def __dir__(self) -> list[str]:
        return _names()


def record_filter(function: Function) -> Function:
    """Make `function` a filter of every view, under its own name; for use as a decorator.

    Parameters
    ----------
    function
        Given a `RecordView` and what the filter is called with, it tells whether to keep the record.

    Raises
    ------
    InputError
        If it has no name of its own, or that of a filter of smttask.

    Examples
    --------
    >>> @record_filter
    ... def slow(record, seconds=60):
    ...     return record.duration and record.duration.total_seconds() > seconds
    >>> RSView().filter.slow(seconds=10)  # doctest: +SKIP
    """
    name = getattr(function, "__name__", "")
    if not name.isidentifier() or name.startswith("_") or name in vars(RecordFilter):
        raise InputError(
            f"{short_repr(function)} cannot become a filter.",
            f"found: the name {name!r}\ntaken: {', '.join(_names())}",
            "define it with def, under a name of its own without an underscore in front",
        )
    _own_filters[name] = function
    return function


def _wanted(value: Any) -> Any:
    """The JSON form of what is looked for; what stands for itself needs no library of values."""
    is_number = type(value) in (int, float) and -EXACT < value < EXACT
    if value is None or isinstance(value, bool) or is_number or (type(value) is str and value.isprintable()):
        return value
    from smttask.view.restoring import wanted_form

    return wanted_form(value)


def _names() -> list[str]:
    return sorted([name for name in vars(RecordFilter) if not name.startswith("_")] + list(_own_filters))


def _tag_names(tags: Sequence[str]) -> list[str]:
    return [f"_{tag}_" if tag in STATUSES else _text(tag) for tag in tags]


def _text(given: str) -> str:
    if isinstance(given, str):
        return given
    raise InputError(
        f"Records cannot be filtered by the text {short_repr(given)}.",
        f"found: {type(given).__name__}\nexpected: str",
        "give text; for several filters, call one after the other",
    )


def _check_order(path: str, value: Any) -> None:
    if (
        value is None
        or isinstance(value, bool | list | tuple | set | dict | complex)
        or hasattr(value, "ndim")
    ):
        value = value.item() if getattr(value, "shape", None) == () else value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _no_order(path, value, "a number, text, or a date")


def _no_order(path: str, value: Any, expected: str) -> InputError:
    return InputError(
        f"Inputs {path!r} cannot be ordered by {short_repr(value)}.",
        f"found: {type(value).__name__}\nexpected: {expected}",
        "look for equal ones with eq=, or filter by a function",
        place=path,
    )


def _matching(
    selection: Selection, record: RecordView, steps: Sequence[Step], excepted: Sequence[Sequence[Step]]
) -> Selection:
    """Ask for all that stands below `steps` in `record`, but for what stands at `excepted`."""
    for step, form in record.forms.parts(steps).items():
        place = [*steps, step]
        if place in excepted:
            continue
        if any(list(other[: len(place)]) == place for other in excepted):
            selection = _matching(selection, record, place, excepted)
        else:
            selection = selection.with_parameter(place, form)
    return selection
