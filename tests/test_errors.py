"""Errors: three parts, facts as attributes, whole after a trip to another process."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from smttask import errors
from smttask.errors import SmttaskError, short_repr

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SmttaskError)]


@pytest.mark.parametrize("kind", ALL)
def test_an_error_survives_a_worker_process(kind: type[SmttaskError]) -> None:
    """Message and facts come back from a pickle."""
    error = pickle.loads(
        pickle.dumps(kind("No cake.", "found: crumbs\nexpected: cake", "bake one", place="x"))
    )
    assert str(error) == "No cake.\n  found: crumbs\n  expected: cake\n  bake one"
    assert (type(error), error.place) == (kind, "x")


def test_every_error_stands_in_the_tree_and_in_all() -> None:
    """The docstring of the module names each."""
    for kind in ALL:
        assert kind.__name__ in str(errors.__doc__)
        assert kind.__name__ in errors.__all__


@dataclass
class Node:
    a: Any
    b: Any


class Broken:
    def __repr__(self) -> str:
        raise ValueError("no")


def test_values_in_messages_are_short_and_never_raise() -> None:
    """Deep, large and broken values cost nothing and harm nothing."""
    node = Node(1, "x")
    assert short_repr(node) == "Node(a=1, b='x')"
    for _ in range(60):
        node = Node(node, node)
    values: list[Any] = [node, [node], list(range(10**6)), "x" * 10**6, Broken(), [Broken()]]
    assert all(len(short_repr(value)) <= 200 for value in values)
    assert short_repr([3, 1]) == "[3, 1]"
