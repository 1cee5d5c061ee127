"""Options that narrow records, the same for every command that takes many of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import click

from smttask.cli.completion import complete_inputs, complete_labels, complete_tags, complete_tasks
from smttask.records.record import STATUSES

if TYPE_CHECKING:
    from smttask.view import RecordStoreView

__all__ = ["filter_options", "narrowed"]

Decorator = Callable[[Any], Any]

WHEN = "2026-11-22, '2026-11-22 10:15', or 202611"
# What stands between path and value -> the argument of RecordFilter.params
OPERATORS = {">=": "ge", "<=": "le", "==": "eq", "~=": "isclose", "=": "eq", ">": "gt", "<": "lt"}
COMPARISON = re.compile(rf"(.+?)({'|'.join(OPERATORS)})(.*)", re.DOTALL)


class _Comparison(click.ParamType[tuple[str, str, Any]]):
    """Path, argument of `RecordFilter.params` and value, from text such as ``model.sigma>=0.1``."""

    name = "comparison"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str, Any]:
        """The three parts; the value is JSON where it can be read so, else text."""
        if isinstance(value, tuple):
            return value
        match = COMPARISON.fullmatch(value)
        if match is None or match[1].rstrip().endswith("!"):
            self.fail(
                f"{value!r} is no comparison: PATH, one of {' '.join(OPERATORS)}, and a value, "
                "such as 'model.sigma>=0.1'",
                param,
                ctx,
            )
        text = match[3].strip()
        try:
            compared = json.loads(text)
        except (ValueError, RecursionError):
            compared = text
        return match[1].strip(), OPERATORS[match[2]], compared


def _repeatable(*names: str, text: str, metavar: str = "TEXT", **more: Any) -> Decorator:
    return click.option(*names, metavar=metavar, multiple=True, help=f"{text}; repeatable.", **more)


FILTERS: dict[str, Decorator] = {
    "--label": click.option(
        "--label",
        metavar="PREFIX",
        help="Only labels that begin so, or fit a pattern with * or ?.",
        shell_complete=complete_labels,
    ),
    "--task": _repeatable(
        *("--task", "tasks"),
        text="Only runs of this task, by name or module.name, or of one of these",
        metavar="NAME",
        shell_complete=complete_tasks,
    ),
    "--status": _repeatable(
        "--status",
        "statuses",
        text="Only runs that came to this, or one of these",
        type=click.Choice(STATUSES),
    ),
    "--tag": _repeatable(
        *("--tag", "--tags", "tags"),
        text="Only records with this tag, and with each of these",
        metavar="TAG",
        shell_complete=complete_tags,
    ),
    "--tag-or": _repeatable(
        *("--tag-or", "--tags-or", "tags_or"),
        text="Only records with one of these tags",
        metavar="TAG",
        shell_complete=complete_tags,
    ),
    "--tag-not": _repeatable(
        *("--tag-not", "--tags-not", "tags_not"),
        text="Only records without this tag",
        metavar="TAG",
        shell_complete=complete_tags,
    ),
    "--since": click.option(
        "--since", "--after", "since", metavar="WHEN", help=f"Only runs that started then or later: {WHEN}."
    ),
    "--before": click.option("--before", metavar="WHEN", help="Only runs that started before then."),
    "--on": click.option("--on", metavar="WHEN", help="Only runs of that year, month, day, hour or minute."),
    "--reason": _repeatable("--reason", "reasons", text="Only runs whose reason contains this"),
    "--outcome": _repeatable("--outcome", "outcomes", text="Only runs whose outcome contains this"),
    "--user": _repeatable("--user", "users", text="Only runs of users whose name or address contains this"),
    "--version": click.option(
        "--version", metavar="COMMIT", help="Only runs of this commit, which may be cut short."
    ),
    "--script": click.option(
        "--script", metavar="TEXT", help="Only runs whose main file, task or description file contains this."
    ),
    "--output": click.option(
        "--output", metavar="TEXT", help="Only runs that wrote a file whose path contains this."
    ),
    "--stdout-stderr": _repeatable("--stdout-stderr", "printed", text="Only runs that printed this"),
    "--param": _repeatable(
        "--param",
        "params",
        text=(
            "Only runs with such an input: 'dt=0.5', 'model.sigma>=0.1', also <= > <, and ~= for nearly "
            "equal. The value is JSON, else text"
        ),
        metavar="COMPARISON",
        type=_Comparison(),
        shell_complete=complete_inputs,
    ),
    "--match": click.option(
        "--match",
        metavar="LABEL",
        help="Only runs of the same task with the same inputs as this record.",
        shell_complete=complete_labels,
    ),
    "--but": _repeatable(
        "--but",
        text="With --match: an input that may differ",
        metavar="PATH",
        shell_complete=complete_inputs,
    ),
}


def filter_options(*, without: Sequence[str] = ()) -> Decorator:
    """What gives a command the options that `narrowed` takes, but for those `without`.

    Parameters
    ----------
    without
        Keys of `FILTERS`, which are the first names of options: ``("--since", "--before")``.

    Examples
    --------
    >>> @click.command()
    ... @filter_options(without=("--match", "--but"))
    ... def count(**filters):
    ...     click.echo(len(narrowed(**filters)))
    """

    def decorate(command: Callable[..., Any]) -> Any:
        options = [option for name, option in FILTERS.items() if name not in without]
        return reduce(lambda decorated, option: option(decorated), reversed(options), command)

    return decorate


def narrowed(
    *,
    label: str | None = None,
    tasks: Sequence[str] = (),
    statuses: Sequence[str] = (),
    tags: Sequence[str] = (),
    tags_or: Sequence[str] = (),
    tags_not: Sequence[str] = (),
    since: str | None = None,
    before: str | None = None,
    on: str | None = None,
    reasons: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    users: Sequence[str] = (),
    version: str | None = None,
    script: str | None = None,
    output: str | None = None,
    printed: Sequence[str] = (),
    params: Sequence[tuple[str, str, Any]] = (),
    match: str | None = None,
    but: Sequence[str] = (),
) -> RecordStoreView:
    """The records of the current project that the options of `filter_options` select.

    Raises
    ------
    InputError
        If a moment or a value has no sense.
    RecordNotFoundError
        If there is no record to match.
    ProjectError
        If there is no project.
    """
    from smttask.project import get_current_project
    from smttask.view import RecordStoreView

    if but and match is None:
        raise click.UsageError("--but needs --match, which names the record that is compared with")
    view = RecordStoreView(get_current_project())
    if tasks:
        view = reduce(or_, (view.filter.task(task) for task in tasks))
    many = {"tags": tags, "tags_or": tags_or, "tags_not": tags_not, "reason": reasons, "outcome": outcomes}
    many |= {"user": users, "stdout_stderr": printed}
    one = {"label": label, "after": since, "before": before, "on": on, "version": version}
    one |= {"script": script, "output": output}
    given = {name: tuple(texts) for name, texts in many.items() if texts}
    given |= {name: (text,) for name, text in one.items() if text is not None}
    for name, texts in given.items():
        view = getattr(view.filter, name)(*texts)
    if statuses:
        view = view.filter.tags_or(*statuses)
    for path, operator, value in params:
        wanted: dict[str, Any] = {operator: {path: value}}
        view = view.filter.params(**wanted)
    return view if match is None else view.filter.match(match, *but)
