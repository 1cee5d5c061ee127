from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from smttask.errors import InputError
from smttask.workflows import ExpandableDistribution, ExpandableSequence, expand


@pytest.mark.parametrize(
    ("values", "length"),
    [([1, 2], 2), ((), 0), (range(5), 5), (np.zeros((3, 2)), 3), (np.array(["a"]), 1)],
    ids=["list", "tuple", "range", "rows", "array of text"],
)
def test_sequences_and_arrays_are_expanded_along_their_first_axis(values, length):
    """What is expanded is itself a sequence of the values."""
    expanded = expand(values)
    assert isinstance(expanded, ExpandableSequence)
    assert len(expanded) == expanded.length == length
    assert all(np.array_equal(a, b) for a, b in zip(expanded, values, strict=True))
    assert expand(expanded) is expanded


@pytest.mark.parametrize("frozen", [stats.norm(1, 2), stats.poisson(3), stats.multivariate_normal([0, 1])])
def test_frozen_distributions_are_expanded(frozen):
    """Continuous, discrete and multivariate ones."""
    expanded = expand(frozen)
    assert isinstance(expanded, ExpandableDistribution)
    assert expanded.distribution is frozen
    assert expanded.draws("key")(70).shape == frozen.rvs().shape if hasattr(frozen.rvs(), "shape") else True


@pytest.mark.parametrize(
    "value",
    ["text", b"bytes", {1, 2}, {"a": 1}, iter([1]), np.array(1.0), 3, None, stats.norm],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_values_in_an_order_is_refused(value):
    """Text, sets, mappings, iterators, scalars and distributions that are not frozen get a clear error."""
    with pytest.raises(InputError, match=r"cannot be expanded.\n.*\n.*expected: a sequence, an array"):
        expand(value)


def test_values_cannot_be_changed_afterwards():
    """The list that was handed in is copied."""
    values = [1, 2]
    expanded = expand(values)
    values.append(3)
    assert list(expanded) == [1, 2]


def test_scipy_is_not_imported_for_sequences():
    """Collections need scipy only when a distribution comes from there."""
    code = "import sys; from smttask import expand; expand([1]); print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
