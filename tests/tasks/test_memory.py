"""Results stay in memory as long as there is room."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from smttask import config
from smttask.tasks.memory import Memory, size_of


def test_memory_is_bounded_and_drops_the_least_recently_used() -> None:
    """What was used last stays; a result larger than all memory is not kept."""
    memory = Memory()
    with config.use(memo_max_bytes=3500):
        for name in "abc":
            memory.keep(name, np.zeros(100), "code")
        memory.find("a", "code")
        memory.keep("d", np.zeros(250), "code")
        assert [name for name in "abcd" if memory.find(name, "code")[0]] == ["a", "d"]
        memory.keep("e", np.zeros(1000), "code")
        assert not memory.find("e", "code")[0]


def test_the_size_of_a_result_counts_shared_parts_once() -> None:
    """Arrays count by their data, containers by their items."""
    array = np.zeros(1000)
    assert 8000 <= size_of([array, array, {"k": array}]) < 9500


def test_an_object_that_holds_a_module_is_small() -> None:
    """What a result leads to through modules and classes is no part of it."""
    assert size_of(SimpleNamespace(library=np, kind=np.ndarray)) < 2000
