"""Numbers for rows of a display."""

from __future__ import annotations

from smttask.executors.slots import Slots


def test_the_least_number_that_is_free_is_given():
    """A table has as many rows as ever were busy at once, whoever comes and goes."""
    slots = Slots()
    assert [slots.take() for _ in range(4)] == [1, 2, 3, 4]
    for slot in (3, 1, 0, 9):  # the last two nobody has
        slots.give_back(slot)
    assert [slots.take() for _ in range(3)] == [1, 3, 5]
