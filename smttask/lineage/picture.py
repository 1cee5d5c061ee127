"""Pictures of graphs of tasks: SVG and DOT as text, other files through matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, BinaryIO

from smttask.errors import StorageError
from smttask.extras import require
from smttask.lineage.layout import Edge, Layout, Point, Size, lay_out
from smttask.storage.atomic import storage_error, write_whole

__all__ = ["Picture", "draw"]

FONT_PX = 12.0
CHAR_PX = 0.602 * FONT_PX  # width of a character in DejaVu Sans Mono, Menlo and most monospaced fonts
HEAD_PX = 22.0
ROW_PX = 17.0
PAD_PX = 8.0
MARGIN_PX = 10.0
FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
INK, FAINT, LINE, PAPER = "#1f2933", "#8a94a0", "#8096ad", "#ffffff"
FILLED, EMPTY = "#cfe0f1", "#eceff2"
BY_MATPLOTLIB = frozenset({".eps", ".jpeg", ".jpg", ".pdf", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True)
class _Box:
    title: str
    rows: tuple[tuple[str, str, bool], ...]  # argument, value (empty where an edge ends), is default
    is_filled: bool

    @property
    def size(self) -> Size:
        texts = [self.title, *map(_row_text, self.rows)]
        width = CHAR_PX * max(map(len, texts)) + 2 * PAD_PX
        height = HEAD_PX + (ROW_PX * len(self.rows) + 4 if self.rows else 0)
        return Size(width, height, HEAD_PX / 2)

    def port(self, argument: str) -> float:
        """How far below the top an edge into `argument` ends."""
        names = [name for name, _, _ in self.rows]
        return HEAD_PX + ROW_PX * (names.index(argument) + 0.5) + 1


def _row_text(row: tuple[str, str, bool]) -> str:
    name, value, _ = row
    return f"{name} = {value}" if value else name


class Picture:
    """Boxes with rows, joined by edges that end at rows."""

    def __init__(self) -> None:
        self._boxes: dict[str, _Box] = {}
        self._joined: list[tuple[str, str, str]] = []

    def add_box(
        self, name: str, title: str, rows: Sequence[tuple[str, str, bool]], *, is_filled: bool
    ) -> None:
        """Add a box under `name`; a row is an argument, its value or "", and whether that is the default."""
        self._boxes[name] = _Box(title, tuple(rows), is_filled)

    def add_edge(self, source: str, target: str, argument: str) -> None:
        """Join a box to the row `argument` of another; left out if one of them has no box."""
        self._joined.append((source, target, argument))

    def _edges(self) -> list[Edge]:
        boxes = self._boxes
        return [
            Edge(source, target, boxes[target].port(argument))
            for source, target, argument in self._joined
            if source in boxes and target in boxes
        ]

    def layout(self) -> Layout:
        """Where everything stands, in pixels."""
        return lay_out({name: box.size for name, box in self._boxes.items()}, self._edges())

    def to_svg(self) -> str:
        """The picture as SVG; it looks the same on every machine but for the font."""
        layout = self.layout()
        width, height = layout.width + 2 * MARGIN_PX, layout.height + 2 * MARGIN_PX
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="{-MARGIN_PX:.0f} {-MARGIN_PX:.0f} {width:.0f} {height:.0f}" '
            f'font-family="{FONTS}" font-size="{FONT_PX:g}">'
        ]
        parts += [
            f'<path d="{_svg_path(route)}" fill="none" stroke="{LINE}" stroke-width="1.3"/>'
            for route in layout.routes.values()
        ]
        for name, box in self._boxes.items():
            parts += _svg_box(name, box, layout.corners[name])
        for route in layout.routes.values():
            x, y = route[-1]
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{LINE}"/>')
        return "\n".join([*parts, "</svg>", ""])

    def to_dot(self) -> str:
        """The graph in graphviz's language, with the same boxes."""
        lines = [
            "digraph {",
            "rankdir=LR;",
            f'node [shape=plain fontname="monospace" fontsize={FONT_PX:g}];',
            f'edge [color="{LINE}"];',
        ]
        for name, box in self._boxes.items():
            fill = FILLED if box.is_filled else EMPTY
            cells = [f'<tr><td port="head" bgcolor="{fill}"><b>{escape(box.title)}</b></td></tr>']
            for index, row in enumerate(box.rows):
                text = escape(_row_text(row)) or " "
                color = FAINT if row[2] else INK
                cells.append(
                    f'<tr><td port="row{index}" align="left"><font color="{color}">{text}</font></td></tr>'
                )
            table = f'<table border="0" cellborder="1" cellspacing="0">{"".join(cells)}</table>'
            lines.append(f'"{name}" [label=<{table}>];')
        for source, target, argument in self._joined:
            if source in self._boxes and target in self._boxes:
                number = [name for name, _, _ in self._boxes[target].rows].index(argument)
                lines.append(f'"{source}":head:e -> "{target}":row{number}:w;')
        return "\n".join([*lines, "}", ""])

    def to_figure(self) -> Any:
        """The picture as a matplotlib figure, 100 pixels to the inch.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        patches = require("matplotlib.patches")
        curve = require("matplotlib.path").Path
        layout = self.layout()
        width, height = layout.width + 2 * MARGIN_PX, layout.height + 2 * MARGIN_PX
        figure = require("matplotlib.figure").Figure(figsize=(width / 100, height / 100), dpi=100)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(-MARGIN_PX, width - MARGIN_PX)
        axes.set_ylim(height - MARGIN_PX, -MARGIN_PX)
        font = {"family": "monospace", "size": FONT_PX * 0.72, "va": "center_baseline", "parse_math": False}
        for route in layout.routes.values():
            points, codes = [route[0]], [curve.MOVETO]
            for line_to, bend in _steps(route):
                points += [line_to, *bend]
                codes += [curve.LINETO, *[curve.CURVE4] * 3]
            axes.add_patch(patches.PathPatch(curve(points, codes), fill=False, edgecolor=LINE, linewidth=1))
        for name, box in self._boxes.items():
            x, y = layout.corners[name]
            size = box.size
            fill = FILLED if box.is_filled else EMPTY
            for height, look in (
                (size.height, {"facecolor": PAPER, "edgecolor": "none"}),
                (HEAD_PX, {"facecolor": fill, "edgecolor": "none"}),
                (size.height, {"fill": False, "edgecolor": LINE}),
            ):
                axes.add_patch(patches.Rectangle((x, y), size.width, height, linewidth=1, **look))
            axes.text(x + PAD_PX, y + HEAD_PX / 2, box.title, color=INK, weight="bold", **font)
            for row in box.rows:
                color = FAINT if row[2] else INK
                axes.text(x + PAD_PX, y + box.port(row[0]), _row_text(row), color=color, **font)
        for route in layout.routes.values():
            axes.add_patch(patches.Circle(route[-1], 2.6, facecolor=LINE, edgecolor="none", zorder=3))
        return figure


AS_TEXT: dict[str, Callable[[Picture], str]] = {
    ".svg": Picture.to_svg,
    ".dot": Picture.to_dot,
    ".gv": Picture.to_dot,
}


def _svg_box(name: str, box: _Box, corner: Point) -> list[str]:
    x, y = corner
    size = box.size
    fill = FILLED if box.is_filled else EMPTY
    frame = f'x="{x:.1f}" y="{y:.1f}" width="{size.width:.1f}"'
    parts = [
        f"<g><title>{escape(box.title)} {escape(name)}</title>",
        f'<rect {frame} height="{size.height:.1f}" fill="{PAPER}"/>',
        f'<rect {frame} height="{HEAD_PX:g}" fill="{fill}"/>',
        f'<rect {frame} height="{size.height:.1f}" fill="none" stroke="{LINE}"/>',
        _svg_text(x + PAD_PX, y + HEAD_PX / 2, box.title, INK, ' font-weight="bold"'),
    ]
    for row in box.rows:
        parts.append(_svg_text(x + PAD_PX, y + box.port(row[0]), _row_text(row), FAINT if row[2] else INK))
    return [*parts, "</g>"]


def _svg_text(x: float, y: float, text: str, color: str, more: str = "") -> str:
    baseline = y + 0.34 * FONT_PX
    return f'<text x="{x:.1f}" y="{baseline:.1f}" fill="{color}"{more}>{escape(text)}</text>'


def _steps(route: Sequence[Point]) -> list[tuple[Point, tuple[Point, Point, Point]]]:
    """For each bend of a route: the point up to which it is straight, and the three points of the curve."""
    steps = []
    for end, start in zip(route[1:-1:2], route[2::2], strict=True):
        middle = (end[0] + start[0]) / 2
        steps.append((end, ((middle, end[1]), (middle, start[1]), start)))
    return steps


def _svg_path(route: Sequence[Point]) -> str:
    x, y = route[0]
    parts = [f"M{x:.1f} {y:.1f}"]
    for (x, y), curve in _steps(route):
        parts.append(f"L{x:.1f} {y:.1f} C" + " ".join(f"{a:.1f} {b:.1f}" for a, b in curve))
    return " ".join(parts)


def draw(picture: Picture, path: Path) -> Path:
    """Write `picture` to the file at `path`, as its suffix says; the folder is made."""
    suffix = path.suffix.lower()
    what = f"The picture {path.name!r} cannot be drawn."
    save = _saver(picture, suffix)
    if save is None:
        raise StorageError(
            what,
            f"found: the suffix {suffix!r}\nexpected: {', '.join(sorted({*AS_TEXT, *BY_MATPLOTLIB}))}",
            "give the file one of these suffixes",
            path=str(path),
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(str(path), save)
    except OSError as error:
        raise storage_error(what, str(path), error) from error
    return path


def _saver(picture: Picture, suffix: str) -> Callable[[BinaryIO], object] | None:
    """What writes the picture to a file with this suffix; None if nothing does."""
    if suffix in AS_TEXT:
        data = AS_TEXT[suffix](picture).encode()
        return lambda file: file.write(data)
    if suffix in BY_MATPLOTLIB:
        figure = picture.to_figure()
        return lambda file: figure.savefig(file, format=suffix[1:], dpi=200)
    return None
