"""What a run tells while it goes on, and in the end."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import indent
from typing import Any, Self, get_args

from smttask.executors.files import SUFFIX
from smttask.executors.outcome import Outcome, Status, Summary
from smttask.executors.work import Work
from smttask.headway.text import duration_text, printable, printable_lines

__all__ = ["Display", "counts_text", "outcome_text", "report", "short_name", "slowest_text", "task_name"]

WORTH_NAMING_S = 1.0
DIGEST = re.compile(r"__((?:u-)?[0-9a-f]{6})[0-9a-f]{14}(?![0-9a-f])")
FRAME = re.compile(r'^ *File "(.+)", line (\d+)', re.MULTILINE)
LIBRARY = re.compile(r"^<|/(site|dist)-packages/|/lib/python\d")


class Display:
    """What a run tells while it goes on; this one shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def planned(self, n: int, *, is_all: bool) -> None:
        """So many files are known by now; `is_all` if that is all of them."""

    def started(self, worker: int, work: Work) -> None:
        """The worker with this number began `work`, which may be a part of another one (`Work.part`)."""

    def watched(self, worker: int, facts: Mapping[str, Any]) -> None:
        """What is known of the task that the worker runs; see `smttask.executors.course.Underway`."""

    def idle(self, worker: int) -> None:
        """The worker left what it began without an outcome: a part is done, or it is tried later."""

    def finished(self, outcome: Outcome) -> None:
        """A work came to an end."""

    def output(self, text: str) -> None:
        """Tasks printed `text`, whole lines."""

    def tell(self, text: str) -> None:
        """Something that the user should know."""

    def refresh(self) -> None:
        """Called again and again, at least five times a second."""


def task_name(path: str) -> str:
    """The name of a description file without what all have; of anything else all of it.

    Examples
    --------
    >>> task_name("tasks/Square__3f9c1b.taskdesc.json"), task_name("data/run1")
    ('Square__3f9c1b', 'data/run1')
    """
    return os.path.basename(path).removesuffix(SUFFIX) if path.endswith(SUFFIX) else path


def short_name(path: str) -> str:
    """The same for a terminal, with so much of the digest as labels of runs have.

    Examples
    --------
    >>> short_name("tasks/Grow__88aa01b1c2d3e4f5a6b7__n_5.taskdesc.json")
    'Grow__88aa01__n_5'
    """
    return printable(DIGEST.sub(r"__\1", task_name(path)))


def outcome_text(outcome: Outcome) -> str:
    """One line on what became of a file."""
    line = f"{outcome.status:<8} {printable(task_name(outcome.name))}"
    if outcome.status == "gone":
        return line
    if outcome.attempts > 1:
        line += f" (attempt {outcome.attempts})"
    if outcome.is_failure:
        return f"{line}: {printable(outcome.error)}"
    return f"{line}  {duration_text(outcome.duration_s)}"


def report(
    summary: Summary, *, verbose: bool = False, keeps: bool = False, noun: str = "task"
) -> Iterator[str]:
    """Lines on the failures and what was not begun: the file, the error, and what to do.

    What follows the first line of our own messages is told once; of other errors the place, once, and the
    whole traceback only if `verbose`.

    Parameters
    ----------
    noun
        What a work is to the user; a ``"task"`` has a file, which stays if it failed.
    """
    if summary.failures:
        n, total = len(summary.failures), summary.counts.total()
        stays = "; its file stays" if n == 1 else "; their files stay"
        what = f"{n} of {total} {noun}{'' if total == 1 else 's'} {_ended(summary)}"
        yield f"{what}{stays if noun == 'task' else ''}:"
    told: set[str] = set()
    has_more = False
    for outcome in summary.failures:
        yield f"  {printable(outcome.name)}: {printable(outcome.error)}"
        is_whole = verbose or outcome.is_ours
        more = outcome.details if is_whole else _place(outcome.details)
        has_more = has_more or bool(more and not is_whole)
        if more and (verbose or more not in told):
            told.add(more)
            yield from indent(printable_lines(more), "    ").splitlines()
    if has_more:
        yield "-v shows the tracebacks."
    if summary.n_lost and not keeps:
        yield f"{_are(summary.n_lost, 'file')} still there: the results were kept in memory only."
    if summary.n_left:
        yield f"{_are(summary.n_left, 'file' if noun == 'task' else noun)} not begun."
    if summary.signal is not None and (summary.failures or summary.n_left):
        yield "What was stopped has no result; what was finished is stored. The same command continues."


def _place(trace: str) -> str:
    """Where an error came up, by its traceback: the innermost line outside of libraries; empty if unknown."""
    places: list[tuple[str, str]] = FRAME.findall(trace)
    own = [place for place in places if not LIBRARY.search(place[0])]
    return "at {}, line {}".format(*(own or places)[-1]) if places else ""


def _ended(summary: Summary) -> str:
    """What happened to the failures, as a verb."""
    if summary.signal is None or any(outcome.status != "killed" for outcome in summary.failures):
        return "failed"
    return "was stopped" if len(summary.failures) == 1 else "were stopped"


def slowest_text(outcomes: Sequence[Outcome]) -> str:
    """A line that names those of `outcomes`, the longest first, that took a second or more; else empty.

    Examples
    --------
    >>> slowest_text([Outcome("A__1", "computed", 75.0), Outcome("A__2", "found", 0.1)])
    'slowest: A__1 1 min 15 s'
    """
    slow = [outcome for outcome in outcomes if outcome.duration_s >= WORTH_NAMING_S]
    named = (f"{short_name(each.name)} {duration_text(each.duration_s)}" for each in slow)
    return f"slowest: {', '.join(named)}" if slow else ""


def _are(n: int, noun: str) -> str:
    return f"1 {noun} is" if n == 1 else f"{n} {noun}s are"


def counts_text(summary: Summary, *, noun: str = "task") -> str:
    """Numbers of works by what became of them, and the time, in one line; to the user each is a `noun`."""
    n = summary.counts.total()
    counts = [f"{summary.counts[status]} {status}" for status in get_args(Status) if summary.counts[status]]
    what = f"{n} {noun}{'' if n == 1 else 's'}: {', '.join(counts) or 'none begun'}"
    return f"{what} in {duration_text(summary.duration_s)}"
