"""Nested inputs."""

from __future__ import annotations

from typing import NamedTuple

from smttask.tasker.nesting import leaves, with_leaves


class Pair(NamedTuple):
    left: object
    right: object


def test_every_leaf_has_its_place() -> None:
    """An error can say where in nested inputs something stands."""
    tree = {"a": [1, (2, {"b": 3})], 4: 5}
    assert dict(leaves(tree, "x")) == {"x['a'][0]": 1, "x['a'][1][0]": 2, "x['a'][1][1]['b']": 3, "x[4]": 5}


def test_the_shape_stays_when_leaves_are_replaced() -> None:
    """Lists stay lists, tuples tuples, named tuples named tuples."""
    tree = {"a": [1, (2, Pair(3, []))], "b": {}}
    assert with_leaves(tree, str) == {"a": ["1", ("2", Pair("3", []))], "b": {}}
    assert type(with_leaves(Pair(1, 2), str)) is Pair
