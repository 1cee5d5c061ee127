"""Runs as a picture: when and how long they ran, or how long for which value of an input."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from smttask.errors import InputError
from smttask.extras import require
from smttask.records.parameters import path_steps
from smttask.records.reading import parse_timestamp, split_status
from smttask.view.html import STATUS_COLOURS
from smttask.view.inputcolumns import InputColumns
from smttask.view.paths import KnownPaths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from smttask.view.store import RecordStoreView

__all__ = ["plot_parameter", "plot_timeline"]

UNKNOWN_COLOUR = "#888888"
NO_TASK = "(no task)"
LOG_FROM = 50  # an axis is logarithmic where its largest value is so many times the smallest
N_LABELLED = 20  # texts on an axis
LABEL_WIDTH = 40  # letters of one, and of all that stand side by side
BAR_HEIGHT = 0.8  # of the place of a run


class Span(NamedTuple):
    """From when to when a run ran, in local time, and its status."""

    begin: datetime
    end: datetime
    status: str


def plot_timeline(view: RecordStoreView, axes: Axes | None) -> Axes:
    """A bar for each run from its start to its end; see `RecordStoreView.plot`."""
    axes = _prepared(axes)
    spans = _spans(view)
    ticks: dict[str, float] = {}
    bottom = 0.0
    for task, runs in spans.items():
        lanes = _lanes(runs)
        n_lanes = max(lanes) + 1
        for status in dict.fromkeys(run.status for run in runs):
            _draw_bars(axes, runs, lanes, status, bottom, 1 / n_lanes)
        ticks[task] = bottom + 0.5
        bottom += 1
    axes.set_yticks(list(ticks.values()), list(ticks))
    axes.set_ylim(bottom or 1, 0)  # the latest task at the top
    axes.set_xlabel("local time")
    _add_legend(axes, "status")
    axes.figure.autofmt_xdate()
    return axes


def _draw_bars(
    axes: Axes, runs: Sequence[Span], lanes: Sequence[int], status: str, bottom: float, height: float
) -> None:
    """The bars of one status: all in one piece, since there may be thousands."""
    dates = require("matplotlib.dates")
    collections = require("matplotlib.collections")
    places = [(run, lane) for run, lane in zip(runs, lanes, strict=True) if run.status == status]
    begins = dates.date2num([run.begin for run, _ in places])
    ends = dates.date2num([run.end for run, _ in places])
    free = (1 - BAR_HEIGHT) / 2
    corners = []
    for begin, end, (_, lane) in zip(begins, ends, places, strict=True):
        low, high = bottom + (lane + free) * height, bottom + (lane + 1 - free) * height
        corners.append([(begin, low), (end, low), (end, high), (begin, high)])
    colour = STATUS_COLOURS.get(status, UNKNOWN_COLOUR)
    # the edge keeps visible what is shorter than a pixel
    axes.add_collection(
        collections.PolyCollection(
            corners, facecolor=colour, edgecolor=colour, linewidth=1, label=status or "unknown"
        )
    )
    axes.xaxis_date()
    axes.autoscale_view(scaley=False)


def _spans(view: RecordStoreView) -> dict[str, list[Span]]:
    """The runs of each task, from first to last; the task that ran last comes first."""
    now = _local(datetime.now(UTC))
    spans: dict[str, list[Span]] = defaultdict(list)
    for text, duration_s, task, tags in view.rows(["timestamp", "duration_s", "task", "tags"]):
        try:
            begin, status = _local(parse_timestamp(text)), split_status(tags)[0]
        except (ValueError, TypeError, AttributeError, OverflowError):  # a damaged row
            continue
        end = begin + timedelta(seconds=duration_s) if isinstance(duration_s, int | float) else begin
        spans[task or NO_TASK].append(Span(begin, max(begin, now) if status == "running" else end, status))
    return {task: sorted(runs) for task, runs in spans.items()}


def _lanes(runs: Sequence[Span]) -> list[int]:
    """For each run, in order, the first lane that is free when it starts."""
    busy: list[tuple[datetime, int]] = []  # heap of ends
    free: list[int] = []
    lanes = []
    for run in runs:
        while busy and busy[0][0] <= run.begin:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (run.end, lane))
        lanes.append(lane)
    return lanes


def plot_parameter(view: RecordStoreView, path: str, axes: Axes | None) -> Axes:
    """A point for each finished run: an input, and how long the run took; see `RecordStoreView.plot`."""
    path_steps(path)
    rows = [row for row in view.rows(["id", "task", "duration_s"]) if isinstance(row[2], Real)]
    inputs = InputColumns(view.project, view.store, [row[0] for row in rows], [path])
    found = [
        (task or NO_TASK, value, duration_s)
        for (_, task, duration_s), value in zip(rows, inputs.columns[path], strict=True)
        if value is not None
    ]
    if not found and (sentences := KnownPaths(view, view.selection).missing(path)) is not None:
        raise InputError(*sentences, place=path)
    axes = _prepared(axes)
    points = _numbers(found)
    for task in dict.fromkeys(task for task, *_ in points):
        mine = [(value, duration_s) for name, value, duration_s in points if name == task]
        values, durations = zip(*mine, strict=True)
        axes.scatter(values, durations, s=16, alpha=0.7, label=task)
    if points and isinstance(points[0][1], Real) and _is_wide([value for _, value, _ in points]):
        axes.set_xscale("log")
    if _is_wide([duration_s for *_, duration_s in points]):
        axes.set_yscale("log")
    axes.set_xlabel(path)
    if texts := {value for _, value, _ in points if isinstance(value, str)}:
        _label_texts(axes, path, texts)
    axes.set_ylabel("duration (s)")
    _add_legend(axes, "task")
    return axes


def _numbers(found: Sequence[tuple[str, Any, float]]) -> list[tuple[str, Any, float]]:
    """Values as numbers where all are, else as texts, since not every value has a place on an axis."""
    if all(isinstance(value, Real) and not isinstance(value, bool) for _, value, _ in found):
        return list(found)
    texts = [(task, str(value), duration_s) for task, value, duration_s in found]
    return sorted(texts, key=lambda point: point[1])


def _label_texts(axes: Axes, path: str, texts: Collection[str]) -> None:
    """Texts under their places, cut where they are long; only how many they are where there is no room."""
    if len(texts) > N_LABELLED:
        axes.set_xticks([])
        axes.set_xlabel(f"{path} ({len(texts)} values)")
        return
    whole = axes.xaxis.get_major_formatter()

    def cut(place: float, position: float) -> str:
        text = whole(place)
        return text if len(text) <= LABEL_WIDTH else text[: LABEL_WIDTH - 1] + "…"

    axes.xaxis.set_major_formatter(cut)
    if sum(map(len, texts)) > LABEL_WIDTH:
        axes.tick_params("x", rotation=30)


def _is_wide(values: Sequence[Any]) -> bool:
    return bool(values) and min(values) > 0 and max(values) >= LOG_FROM * min(values)


def _prepared(axes: Axes | None) -> Axes:
    """The axes to draw into: those given, or those of a new figure, which a notebook shows."""
    if axes is not None:
        return axes
    made: Axes = require("matplotlib.pyplot").subplots(layout="constrained")[1]
    return made


def _add_legend(axes: Axes, title: str) -> None:
    """Say which colour is which, each once; for one colour alone there is no need."""
    handles, labels = axes.get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    if len(named) > 1:
        axes.legend(named.values(), named.keys(), title=title)


def _local(moment: datetime) -> datetime:
    return moment.astimezone().replace(tzinfo=None)
