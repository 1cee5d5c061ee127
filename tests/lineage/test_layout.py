from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from smttask.lineage.layout import Edge, Size, lay_out

EPS = 1e-6


@st.composite
def drawings(draw):
    """Boxes of any sizes, joined without cycles."""
    n = draw(st.integers(1, 12))
    number = st.floats(1, 100)
    sizes = {f"b{i}": Size(draw(number), height := draw(number), height / 2) for i in range(n)}
    pairs = [(f"b{i}", f"b{j}") for i, j in combinations(range(n), 2)]
    joined = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return sizes, [Edge(a, b, draw(st.floats(0, 1)) * sizes[b].height) for a, b in joined]


@settings(max_examples=60, deadline=None)
@given(drawings())
def test_boxes_never_overlap_and_edges_run_from_left_to_right(drawing):
    """Whatever the graph, boxes keep apart and inside the picture, and each edge ends where it should."""
    sizes, edges = drawing
    layout = lay_out(sizes, edges)
    for a, b in combinations(sizes, 2):
        (ax, ay), (bx, by) = layout.corners[a], layout.corners[b]
        apart_x = ax + sizes[a].width <= bx + EPS or bx + sizes[b].width <= ax + EPS
        assert apart_x or ay + sizes[a].height <= by + EPS or by + sizes[b].height <= ay + EPS
    for name, (x, y) in layout.corners.items():
        assert -EPS <= x <= layout.width - sizes[name].width + EPS
        assert -EPS <= y <= layout.height - sizes[name].height + EPS
    for edge in edges:
        route = layout.routes[edge]
        x, y = layout.corners[edge.target]
        assert route[-1] == (x, y + edge.port)
        assert all(a[0] <= b[0] + EPS for a, b in pairwise(route))


def test_a_chain_is_straight():
    """Boxes in a row are joined by straight edges."""
    sizes = {name: Size(10, 40, 10) for name in "abc"}
    edges = [Edge("a", "b", 30), Edge("b", "c", 30)]
    layout = lay_out(sizes, edges)
    assert all(len({y for _, y in layout.routes[edge]}) == 1 for edge in edges)


def test_a_fan_is_drawn_without_crossings():
    """Boxes that feed the rows of another from top to bottom stand from top to bottom."""
    sizes = {**{name: Size(10, 20, 10) for name in "dcab"}, "end": Size(10, 100, 10)}
    edges = [Edge(name, "end", 20 * (1 + "abcd".index(name))) for name in "cadb"]
    corners = lay_out(sizes, edges).corners
    assert sorted("abcd", key=lambda name: corners[name][1]) == list("abcd")


def test_nothing_has_no_size():
    """An empty graph is an empty drawing."""
    assert lay_out({}, []).height == 0
