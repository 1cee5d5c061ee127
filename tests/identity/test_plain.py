"""Canonical bytes of plain values, without numpy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smttask.identity import canonical_bytes
from smttask.identity.plain import plain_bytes

ROOT = Path("/lab")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.sampled_from([Path("/lab/rats/1"), Path("/data"), Path("beside")])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=20,
)


@given(values)
def test_plain_values_have_the_canonical_bytes_of_all_values(value):
    """Whoever writes them: a digest of one is a digest of the other."""
    assert plain_bytes(value, root=ROOT) == canonical_bytes(value, full=True, root=ROOT)


@pytest.mark.parametrize("value", [[0.5, float("nan")] * 5000, "x" * 100_000, b"\0" * 100_000])
def test_so_have_long_ones(value):
    """Lists of floats that are packed at once, and texts that enter by their blake3."""
    assert plain_bytes(value) == canonical_bytes(value)


def test_what_is_not_plain_has_none():
    """At whatever depth; nor what holds itself, nor lists that numpy packs faster."""
    circle = []
    circle.append(circle)
    for value in (
        {1, 2},
        object(),
        [1, {"a": range(3)}],
        type("Text", (str,), {})("a"),
        circle,
        {"a": [0.5] * 10_001},
    ):
        assert plain_bytes(value) is None
