"""A picture of which worker ran what when, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from smttask.headway.text import duration_text

__all__ = ["Bar", "timeline"]

WIDTH = 1000  # of the whole time, in units of the picture
LEFT = 40  # for the numbers of the workers
LANE = 16
SMALL_LANE = 4  # where there are many workers
MANY_LANES = 40
AXIS = 22
FINEST = 1.0  # bars that are narrower become one with their neighbours
N_TICKS = 8
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(slots=True)
class Bar:
    """One task in the lane of its worker; seconds since the begin of the run."""

    worker: int
    begin_s: float
    duration_s: float
    status: str
    name: str


def timeline(bars: Sequence[Bar], duration_s: float) -> str:
    """An ``<svg>`` of `bars` over `duration_s` seconds; as small for thousands as for a few."""
    last_s = max((bar.begin_s + bar.duration_s for bar in bars), default=0.0)
    scale = WIDTH / max(duration_s, last_s, 1e-3)
    workers = sorted({bar.worker for bar in bars})
    lane = LANE if len(workers) <= MANY_LANES else SMALL_LANE
    height = lane * len(workers) + AXIS
    parts = [
        f'<svg class=timeline viewBox="0 0 {LEFT + WIDTH + 10} {height}" role="img" '
        f'aria-label="which worker ran what when">'
    ]
    parts += _axis(WIDTH / scale, scale, height)
    for place, worker in enumerate(workers):
        y = place * lane
        if lane == LANE:
            parts.append(f'<text x="{LEFT - 6}" y="{y + 11}" text-anchor="end">{worker}</text>')
        own = sorted((bar for bar in bars if bar.worker == worker), key=lambda bar: bar.begin_s)
        parts += _lane(own, scale, y + 1, lane - 2)
    parts.append("</svg>")
    return "\n".join(parts)


def _lane(bars: Sequence[Bar], scale: float, y: int, height: int) -> Iterator[str]:
    """The bars of one worker; narrow ones of one status that touch are drawn as one."""
    group: list[Bar] = []
    for bar in bars:
        if group and not _may_join(group, bar, scale):
            yield _drawn(group, scale, y, height)
            group = []
        group.append(bar)
    if group:
        yield _drawn(group, scale, y, height)


def _may_join(group: Sequence[Bar], bar: Bar, scale: float) -> bool:
    last = group[-1]
    gap_s = bar.begin_s - last.begin_s - last.duration_s
    return (
        bar.status == last.status
        and gap_s * scale < FINEST
        and max(last.duration_s, bar.duration_s) * scale < 2 * FINEST
    )


def _drawn(group: Sequence[Bar], scale: float, y: int, height: int) -> str:
    first, last = group[0], group[-1]
    x = first.begin_s * scale
    width = max((last.begin_s + last.duration_s) * scale - x, 0.5)
    if len(group) == 1:
        title = f"{first.name}: {first.status}, {duration_text(first.duration_s)}"
    else:
        title = f"{len(group)} tasks: {first.status}, {first.name} … {last.name}"
    return (
        f'<rect class={first.status} x="{LEFT + x:.1f}" y="{y}" width="{width:.1f}" height="{height}">'
        f"<title>{escape(title)}</title></rect>"
    )


def _axis(duration_s: float, scale: float, height: int) -> Iterator[str]:
    step_s = next((step for step in STEPS_S if duration_s / step <= N_TICKS), None)
    if step_s is None:
        step_s = 86400 * (int(duration_s / 86400 / N_TICKS) + 1)
    if duration_s < 1:
        ticks = [0.0, duration_s]
    else:
        ticks = [float(tick) for tick in range(0, int(duration_s) + 1, step_s)]
    for tick in ticks:
        x = LEFT + tick * scale
        text = (
            duration_text(tick).removesuffix(" 0 min").removesuffix(" 0 s").replace(".00", "")
            if tick
            else "0"
        )
        yield f'<line class=tick x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - AXIS + 4}"/>'
        yield f'<text x="{x:.1f}" y="{height - 5}" text-anchor="middle">{text}</text>'
