"""A run as one HTML page that needs nothing else: counts, a timeline, a table of the tasks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib import resources
from time import monotonic
from typing import Any, get_args

from smttask.errors import StorageError
from smttask.executors.course import Course
from smttask.executors.memory import bytes_text
from smttask.executors.outcome import Outcome, Status, Summary
from smttask.executors.progress import counts_text, task_name
from smttask.executors.timeline import Bar, timeline
from smttask.headway.text import duration_text

__all__ = ["Report"]

MOST_ROWS = 20_000  # in the table: failures and the slowest; a browser shows no more with ease
MOST_DETAILS = 500  # tracebacks on the page


@dataclass(slots=True)
class _Row:
    """A task that came to an end; seconds since the begin of the run."""

    name: str
    status: str
    begin_s: float
    duration_s: float
    worker: int
    why: str
    peak_bytes: int
    error: str
    details: str
    attempts: int

    @property
    def is_failure(self) -> bool:
        return self.status in ("failed", "killed")

    @property
    def bar(self) -> Bar:
        return Bar(self.worker, self.begin_s, self.duration_s, self.status, self.name)


class Report(Course):
    """Gathers what became of each file, and writes the page at the end.

    Parameters
    ----------
    path
        Of the page; it is made at once, so that one that cannot be written is told before hours of work.
    noun
        What a work is to the user: a task, which has a file, or a folder.

    Raises
    ------
    StorageError
        If it cannot be written.
    """

    def __init__(self, path: str, *, noun: str = "task") -> None:
        super().__init__()
        self.path = path
        self._noun = noun
        self._begun = datetime.now().astimezone()
        self._rows: list[_Row] = []
        self._parts: list[Bar] = []  # tasks that others need, run by themselves
        self._whys: dict[str, str] = {}  # each text once: thousands of tasks run for the same reason
        self._write(self._page("<p>The run is not over.</p>"))

    def idle(self, worker: int) -> None:
        """See `Display`."""
        at_work = self.underway.get(worker)
        if at_work is not None and at_work.work.part:
            duration_s = monotonic() - at_work.begin
            name = task_name(at_work.work.name)
            self._parts.append(Bar(worker, at_work.begin - self.begin, duration_s, "part", name))
        super().idle(worker)

    def finished(self, outcome: Outcome) -> None:
        """See `Display`."""
        at_work = self.underway.get(outcome.worker)
        super().finished(outcome)
        why = outcome.reason if at_work is None else at_work.told_reason or outcome.reason
        memory_bytes = max(outcome.peak_bytes, 0 if at_work is None else at_work.memory_bytes)
        end_s = monotonic() - self.begin
        begin_s = end_s - outcome.duration_s if at_work is None else at_work.begin - self.begin
        row = _Row(
            task_name(outcome.name),
            outcome.status,
            max(begin_s, 0.0),
            outcome.duration_s,
            outcome.worker,
            self._whys.setdefault(why, why),
            memory_bytes,
            outcome.error,
            outcome.details if self.n_failed <= MOST_DETAILS else "",
            outcome.attempts,
        )
        self._rows.append(row)

    def close(self, summary: Summary) -> None:
        """Write the page.

        Raises
        ------
        StorageError
            If it cannot be written any more.
        """
        rows = sorted(self._rows, key=lambda row: (not row.is_failure, -row.duration_s))
        command = " ".join(["smttask", *sys.argv[1:]])
        parts = [
            f"<p class=command><code>{escape(command)}</code><br>{escape(os.getcwd())}, "
            f"{self._begun:%Y-%m-%d %H:%M:%S %Z}</p>",
            f"<p class=counts>{escape(counts_text(summary, noun=self._noun))}</p>",
            *_notes(summary, "file" if self._noun == "task" else self._noun),
            "<h2>Timeline</h2>",
            timeline([*self._parts, *(row.bar for row in self._rows)], summary.duration_s),
            _legend({bar.status for bar in self._parts} | set(summary.counts)),
            *_failures(rows),
            *_table(rows, self._noun),
        ]
        self._write(self._page("\n".join(parts)))

    def _page(self, body: str) -> str:
        return _page("smttask run" if self._noun == "task" else "smttask tasker run", body)

    def _write(self, page: str) -> None:
        beside = f"{self.path}.new"
        try:
            with open(beside, "w", encoding="utf-8", errors="replace") as file:
                file.write(page)
            os.replace(beside, self.path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(beside)
            raise StorageError(
                f"The report {self.path} cannot be written.",
                f"found: {error.strerror or error}",
                "give --report a file in a folder that is there and that you may write to",
                path=self.path,
            ) from error


def _page(title: str, body: str) -> str:
    style = resources.files("smttask.executors").joinpath("report.css").read_text("utf-8")
    script = resources.files("smttask.executors").joinpath("report.js").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n<script>\n{script}</script>\n</body></html>\n"
    )


def _notes(summary: Summary, noun: str) -> Iterator[str]:
    if summary.signal is not None:
        yield f"<p>It was stopped by signal {summary.signal}; the same command continues.</p>"
    if summary.n_left:
        yield f"<p>{summary.n_left} {noun}s were not begun.</p>"


def _legend(statuses: set[str]) -> str:
    """What the colours of the timeline mean."""
    told = {"part": "an input of others, computed"}
    shown = [status for status in (*get_args(Status), "part") if status in statuses]
    keys = (f"<span class={status}>■</span> {told.get(status, status)}" for status in shown)
    return f"<p class=legend>{' &nbsp; '.join(keys)}</p>"


def _failures(rows: Sequence[_Row]) -> Iterator[str]:
    failed = sorted((row for row in rows if row.is_failure), key=lambda row: row.begin_s)
    if not failed:
        return
    yield f"<h2>Failures ({len(failed)})</h2>\n<div class=failures>"
    for row in failed[:MOST_DETAILS]:
        head = f"<b>{escape(row.name)}</b> <span class={row.status}>{escape(row.error)}</span>"
        if row.details:
            yield f"<details><summary>{head}</summary><pre>{escape(row.details)}</pre></details>"
        else:
            yield f"<p class=failure>{head}</p>"
    if len(failed) > MOST_DETAILS:
        yield f"<p>The other {len(failed) - MOST_DETAILS} stand in the table.</p>"
    yield "</div>"


#: Title of a column after the first -> whether it holds numbers.
COLUMNS = {
    "became": False,
    "took": True,
    "began after": True,
    "worker": True,
    "memory": True,
    "attempts": True,
    "why it ran": False,
    "error": False,
}


def _table(rows: Sequence[_Row], noun: str) -> Iterator[str]:
    """All that ran, or the first `MOST_ROWS`; a click on the head of a column sorts by it."""
    yield f"<h2>{noun.capitalize()}s ({len(rows)})</h2>"
    if len(rows) > MOST_ROWS:
        yield f"<p>These are the failures and the slowest, {MOST_ROWS} in all.</p>"
    shown = rows[:MOST_ROWS]
    filled = [bool(any(values)) for values in zip(*(_values(row) for row in shown), strict=True)]
    heads = [
        f"<th{' class=number' if is_number else ''}><button>{title}</button></th>"
        for (title, is_number), is_filled in zip([(noun, False), *COLUMNS.items()], filled, strict=False)
        if is_filled
    ]
    yield f"<table id=tasks><thead><tr>{''.join(heads)}</tr></thead><tbody>"
    for row in shown:
        cells = [cell for cell, is_filled in zip(_cells(row), filled, strict=True) if is_filled]
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"


def _values(row: _Row) -> tuple[Any, ...]:
    """What decides whether a column is worth its place."""
    return (
        True,
        True,
        True,
        True,
        row.worker,
        row.peak_bytes,
        row.attempts > 1,
        row.why,
        row.error,
    )


def _cells(row: _Row) -> list[str]:
    return [
        f"<td>{escape(row.name)}</td>",
        f"<td class={row.status}>{row.status}</td>",
        _number(row.duration_s, duration_text(row.duration_s)),
        _number(row.begin_s, duration_text(row.begin_s)),
        _number(row.worker, str(row.worker)),
        _number(row.peak_bytes, bytes_text(row.peak_bytes) if row.peak_bytes else ""),
        _number(row.attempts, str(row.attempts)),
        f"<td>{escape(row.why)}</td>",
        f"<td>{escape(row.error)}</td>",
    ]


def _number(value: float, text: str) -> str:
    return f"<td class=number data-v={value:.6g}>{text}</td>"
