"""The commands of `smttask store` that remove: clean, delete."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import reduce
from typing import TYPE_CHECKING, Any

import click

from smttask.cli.completion import complete_labels
from smttask.cli.filters import filter_options, narrowed
from smttask.cli.quantities import Duration, Size, size_text
from smttask.errors import InputError, LockError
from smttask.project import get_current_project

if TYPE_CHECKING:
    from smttask.care.delete import Deletion
    from smttask.view import RecordStoreView

__all__ = ["clean", "delete", "may_go_on", "with_safety"]

DAY_S = 86_400.0

SAFETY = (
    click.option("--dry-run", is_flag=True, help="Only tell what would be removed."),
    click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    click.option(
        "--json", "as_json", is_flag=True, help="One JSON object, for scripts; with --yes or --dry-run."
    ),
)


def with_safety(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of what removes: --dry-run, --yes, --json."""
    return reduce(lambda decorated, option: option(decorated), reversed(SAFETY), command)


def may_go_on(question: str, yes: bool) -> bool:
    """Whether the user says yes, by option or in a terminal.

    Raises
    ------
    InputError
        If there is no terminal to ask in.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InputError(
            f"{question} Nobody answered, and nothing was removed.",
            "found: no terminal to ask in",
            "give --yes, or --dry-run to see what would be removed",
        )
    return click.confirm(question)


@click.command()
@click.option(
    "--older-than",
    "older_than_s",
    type=Duration(),
    metavar="2d12h",
    default=DAY_S,
    show_default="1d",
    help="Only what has not changed for so long.",
)
@click.option(
    "--larger-than", type=Size(), metavar="10MB", default=0, help="Only what has at least so many bytes."
)
@click.option("--task", "tasks", metavar="NAME", multiple=True, help="Only of this task; repeatable.")
@click.option(
    "--values", is_flag=True, help="Also kept inputs and texts that no result and no record names any more."
)
@click.option("--unfit", is_flag=True, help="Also kept values that did not fit their annotation.")
@click.option("--damaged", is_flag=True, help="Also damaged files that were set aside.")
@with_safety
def clean(
    older_than_s: float,
    larger_than: int,
    tasks: tuple[str, ...],
    values: bool,
    unfit: bool,
    damaged: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove what killed runs and deleted results left.

    That is temporary files, files of outputs without a manifest, and links to results that
    are gone. No result, and nothing of a run that may be going on, is touched.

    \b
    Example:
      smttask store clean --older-than 7d --dry-run
    """  # noqa: D301 - click looks for the character itself
    from smttask.care.clean import KINDS, find_rubbish, remove_rubbish

    chosen = {"value": values, "unfit": unfit, "damaged": damaged}
    kinds = [kind for kind in KINDS if chosen.get(kind, True)]
    found = find_rubbish(
        get_current_project(), kinds=kinds, older_than_s=older_than_s, larger_than=larger_than, tasks=tasks
    )
    n_bytes = sum(item.size for item in found)
    if not as_json:
        for item in found:
            click.echo(f"{item.kind:<9} {size_text(item.size):>9}  {item.path}")
    counts = f"{len(found)} item{'' if len(found) == 1 else 's'}, {size_text(n_bytes)}"
    is_done = bool(found) and not dry_run and may_go_on(f"Remove {counts}?", yes)
    freed = remove_rubbish(found) if is_done else 0
    if as_json:
        click.echo(
            json.dumps({"found": [asdict(item) for item in found], "removed": is_done, "freed": freed})
        )
    elif is_done:
        click.echo(f"removed {counts}")
    else:
        click.echo(
            f"would remove {counts}"
            if found and dry_run
            else "nothing removed"
            if found
            else "nothing to remove"
        )


@click.group()
def delete() -> None:
    """Delete runs: their records, results and links; what another result needs is kept.

    \b
    Example:
      smttask store delete before 2026-01 --status crashed --dry-run
    """  # noqa: D301 - click looks for the character itself


@delete.command()
@click.argument("labels", nargs=-1, required=True, metavar="LABELS...", shell_complete=complete_labels)
@with_safety
def record(labels: tuple[str, ...], **safety: bool) -> None:
    """Delete these runs; a LABEL may be cut short where it stays unique.

    The exit status is 1 if one of them had to be kept.

    \b
    Example:
      smttask store delete record 20261122-101500-123456_3f9c1b --yes
    """  # noqa: D301 - click looks for the character itself
    from smttask.view import RecordStoreView

    view = RecordStoreView(get_current_project())
    _delete([view[label].label for label in labels], must_go=True, **safety)


def _by_time(name: str, which: str, keep: Callable[[RecordStoreView, str], RecordStoreView]) -> None:
    """Add a command that deletes the runs that started at some time."""

    @delete.command(
        name,
        help=(
            f"Delete runs that started {which} WHEN: 2026-11-22, '2026-11-22 10:15', or 202611.\n\n"
            f"\b\nExample:\n  smttask store delete {name} 2026-11 --status crashed --dry-run"
        ),
    )
    @click.argument("when")
    @filter_options(without=("--since", "--before"))
    @with_safety
    def by_time(when: str, dry_run: bool, yes: bool, as_json: bool, **filters: Any) -> None:
        view = keep(narrowed(**filters), when)
        _delete(view.labels(), dry_run=dry_run, yes=yes, as_json=as_json)


def _later(view: RecordStoreView, when: str) -> RecordStoreView:
    from smttask.view.moments import to_moment

    moment = to_moment(when)
    return view.filter.after(moment).filter(lambda record: record.timestamp > moment)


_by_time("since", "at or later than", lambda view, when: view.filter.after(when))
_by_time("before", "earlier than", lambda view, when: view.filter.before(when))
_by_time("after", "later than", _later)


def _delete(labels: list[str], *, dry_run: bool, yes: bool, as_json: bool, must_go: bool = False) -> None:
    """Plan, ask and delete; where they `must_go`, what is kept is an error, at once if it is going on."""
    from smttask.care.delete import delete as delete_runs
    from smttask.care.delete import plan_deletion

    project = get_current_project()
    plan = plan_deletion(project, labels)
    if plan.running and must_go:
        raise LockError(
            f"Run {plan.running[0]} is going on and cannot be deleted; nothing was deleted.",
            f"running: {', '.join(plan.running)}",
            "wait until it has ended, or end it; `smttask store rebuild` closes records of dead processes",
            labels=tuple(plan.running),
        )
    if not as_json:
        for label in plan.labels:
            click.echo(f"delete  {label}")
        for label, why in plan.kept.items():
            click.echo(f"keep    {label}: {why}")
    is_done = bool(plan.labels) and not dry_run and may_go_on(f"Delete {_counts(plan)}?", yes)
    done = delete_runs(project, plan) if is_done else plan
    if as_json:
        facts = {"records": done.labels, "size": done.size, "kept": done.kept, "deleted": is_done}
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        for label, why in done.kept.items():
            if label not in plan.kept:
                click.echo(f"keep    {label}: {why}")
        counts = _counts(done)
        would = f"would delete {counts}" if dry_run else "nothing deleted"
        click.echo(f"deleted {counts}" if is_done else would)
    sys.exit(1 if must_go and done.kept and not dry_run else 0)


def _counts(deletion: Deletion) -> str:
    n, n_results = len(deletion.labels), len(deletion.sizes)
    return f"{n} record{'' if n == 1 else 's'}, {n_results} with results of {size_text(deletion.size)}"
