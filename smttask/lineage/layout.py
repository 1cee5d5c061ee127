"""Where the boxes of a layered drawing stand and how its edges run: numbers only, nothing is drawn.

The method is that of Sugiyama, Tagawa and Toda (IEEE Trans. SMC 11, 1981): layers by
distance from the end, few crossings by barycentres, then places as near as possible to
the neighbours without overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

__all__ = ["Edge", "Layout", "Point", "Size", "lay_out"]

Point = tuple[float, float]
Slot = str | tuple[str, int]  # a box, or the place in a layer where the edges of a box pass

GAP_X = 46.0  # between layers
GAP_Y = 14.0  # between boxes
LANE = 6.0  # height of a place where edges pass
SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of a box, in pixels, and how far below its top its edges begin."""

    width: float
    height: float
    start: float


@dataclass(frozen=True, slots=True)
class Edge:
    """From the right side of one box to the left side of another, `port` pixels below its top."""

    source: str
    target: str
    port: float


@dataclass
class Layout:
    """Left upper corners of the boxes, the points through which each edge runs, and the size of all."""

    corners: dict[str, Point] = field(default_factory=dict)
    routes: dict[Edge, list[Point]] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0


def lay_out(sizes: Mapping[str, Size], edges: Sequence[Edge]) -> Layout:
    """Places for boxes and edges, from left to right, in pixels from the left upper corner.

    A route has pairs of points: an edge is straight within a pair, which crosses a layer, and
    bends between two pairs.

    Parameters
    ----------
    edges
        Of a graph without cycles.

    Examples
    --------
    >>> sizes = {"a": Size(10, 20, 10), "b": Size(10, 20, 10)}
    >>> lay_out(sizes, [Edge("a", "b", 10)]).corners["b"]
    (56.0, 0.0)
    """
    if not sizes:
        return Layout()
    return _Drawing(sizes, edges).layout()


class _Drawing:
    def __init__(self, sizes: Mapping[str, Size], edges: Sequence[Edge]) -> None:
        self.sizes = sizes
        self.edges = edges
        self.layer_of = self._layers()
        self.layers: list[list[Slot]] = [[] for _ in range(1 + max(self.layer_of.values()))]
        # By the slots they join, left then right: where below the top of the right one they end.
        self.left: dict[Slot, list[tuple[Slot, float]]] = {}
        self.right: dict[Slot, list[tuple[Slot, float]]] = {}
        self._join()
        self.top: dict[Slot, float] = {}

    def _layers(self) -> dict[str, int]:
        """The layer of each box, counted from the right: one further than what needs it soonest."""
        targets: dict[str, list[str]] = {name: [] for name in self.sizes}
        for edge in self.edges:
            targets[edge.source].append(edge.target)
        layers: dict[str, int] = {}
        for name in TopologicalSorter(targets).static_order():
            layers[name] = max((layers[target] + 1 for target in targets[name]), default=0)
        return layers

    def _join(self) -> None:
        """Fill the layers, with one lane through each layer for all the edges of a box that cross it."""
        last = {name: self.layer_of[name] for name in self.sizes}
        for edge in self.edges:
            last[edge.source] = min(last[edge.source], self.layer_of[edge.target] + 1)
        for name, layer in self.layer_of.items():
            slot: Slot = name
            self.layers[layer].append(slot)
            for between in range(layer - 1, last[name] - 1, -1):
                lane = (name, between)
                self.layers[between].append(lane)
                self._connect(slot, lane, LANE / 2)
                slot = lane
        for edge in self.edges:
            self._connect(self._before(edge), edge.target, edge.port)

    def _before(self, edge: Edge) -> Slot:
        """The slot from which an edge enters its target."""
        layer = self.layer_of[edge.target] + 1
        return edge.source if layer == self.layer_of[edge.source] else (edge.source, layer)

    def _connect(self, left: Slot, right: Slot, port: float) -> None:
        self.right.setdefault(left, []).append((right, port))
        self.left.setdefault(right, []).append((left, port))

    def _size(self, slot: Slot) -> Size:
        return self.sizes[slot] if isinstance(slot, str) else Size(0.0, LANE, LANE / 2)

    def layout(self) -> Layout:
        for sweep in range(SWEEPS):
            self._order(from_the_right=sweep % 2 == 0)
        self._stack()
        for sweep in range(SWEEPS):
            self._settle(from_the_right=sweep % 2 == 0)
        return self._finished()

    def _order(self, *, from_the_right: bool) -> None:
        """Sort each layer by the mean place of its neighbours on one side."""
        neighbours = self.right if from_the_right else self.left
        rank: dict[Slot, float] = {}
        for layer in self.layers if from_the_right else reversed(self.layers):
            old = {slot: float(index) for index, slot in enumerate(layer)}
            wish = {
                slot: _mean(
                    [
                        rank[other] + (port / max(self._size(other).height, 1.0) if from_the_right else 0.0)
                        for other, port in neighbours.get(slot, ())
                    ],
                    old[slot],
                )
                for slot in layer
            }
            layer.sort(key=wish.__getitem__)
            rank.update({slot: float(index) for index, slot in enumerate(layer)})

    def _stack(self) -> None:
        for layer in self.layers:
            at = 0.0
            for slot in layer:
                self.top[slot] = at
                at += self._size(slot).height + GAP_Y

    def _settle(self, *, from_the_right: bool) -> None:
        """Move each layer as near to its neighbours on one side as its order allows."""
        neighbours = self.right if from_the_right else self.left
        for layer in self.layers if from_the_right else reversed(self.layers):
            wishes = []
            for slot in layer:
                own = self._size(slot)
                wanted = [
                    self.top[other] + port - own.start
                    if from_the_right
                    else self.top[other] + self._size(other).start - port
                    for other, port in neighbours.get(slot, ())
                ]
                wishes.append(_mean(wanted, self.top[slot]))
            tops = _apart(wishes, [self._size(slot).height + GAP_Y for slot in layer])
            self.top.update(zip(layer, tops, strict=True))

    def _finished(self) -> Layout:
        highest = min(self.top.values())
        top = {slot: at - highest for slot, at in self.top.items()}
        layout = Layout(height=max(at + self._size(slot).height for slot, at in top.items()))
        left: dict[int, float] = {}
        right: dict[int, float] = {}
        at = 0.0
        for index in reversed(range(len(self.layers))):
            left[index] = at
            right[index] = at + max(self._size(slot).width for slot in self.layers[index])
            at = right[index] + GAP_X
        layout.width = at - GAP_X
        for name, layer in self.layer_of.items():
            layout.corners[name] = (left[layer], top[name])
        for edge in self.edges:
            first, end = self.layer_of[edge.source], self.layer_of[edge.target]
            start = top[edge.source] + self.sizes[edge.source].start
            points = [(left[first] + self.sizes[edge.source].width, start), (right[first], start)]
            for layer in range(first - 1, end, -1):
                lane = top[(edge.source, layer)] + LANE / 2
                points += [(left[layer], lane), (right[layer], lane)]
            goal = (left[end], top[edge.target] + edge.port)
            layout.routes[edge] = [*points, goal, goal]
        return layout


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _apart(wishes: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Tops nearest to `wishes` in least squares, in this order, each as far from the next as it is high.

    Pool adjacent violators: neighbours that would overlap become one block around their mean wish.
    """
    offsets = list(_sums(heights))
    blocks: list[tuple[float, int]] = []  # mean, number
    for wish, offset in zip(wishes, offsets, strict=True):
        mean, n = wish - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, m = blocks.pop()
            mean, n = (mean * n + other * m) / (n + m), n + m
        blocks.append((mean, n))
    places = [mean for mean, n in blocks for _ in range(n)]
    return [place + offset for place, offset in zip(places, offsets, strict=True)]


def _sums(heights: Iterable[float]) -> Iterable[float]:
    total = 0.0
    for height in heights:
        yield total
        total += height
