"""Random generators and seeds as values."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smttask.errors import DigestError, InputError
from smttask.identity import canonical_bytes
from smttask.typing import RandomState, RNGenerator, SeedSequence
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.ownership import owned
from smttask.typing.validation import Validator

KINDS = ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"]


def again(value):
    return from_json(json.loads(json.dumps(to_json(value))))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("copy", [again, owned])
def test_generators_continue_where_they_stood(kind, copy):
    """A copied generator gives the same numbers and the same children, whatever drives it."""
    rng = np.random.Generator(getattr(np.random, kind)(4))
    rng.integers(10, size=3, dtype=np.int32)
    rng.spawn(2)
    twin = copy(rng)
    assert canonical_bytes(twin) == canonical_bytes(rng)
    assert twin.normal(size=3).tolist() == rng.normal(size=3).tolist()
    assert twin.spawn(1)[0].random() == rng.spawn(1)[0].random()
    assert canonical_bytes(np.random.Generator(getattr(np.random, kind)(5))) != canonical_bytes(rng)


DRAWS = [
    lambda rng: rng.random(3),
    lambda rng: rng.random(1, dtype=np.float32),
    lambda rng: rng.integers(7, size=3, dtype=np.int32),
    lambda rng: rng.normal(size=2),
    lambda rng: rng.spawn(1),
]


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**200) | st.lists(st.integers(0, 2**32), min_size=1),
    draws=st.lists(st.sampled_from(range(len(DRAWS))), max_size=6),
    n_jumped=st.integers(0, 700),
)
def test_any_state_is_kept_exactly(kind, seed, draws, n_jumped):
    """After any draws, half-used words and children included, the copy goes on as the original does."""
    rng = np.random.Generator(getattr(np.random, kind)(seed))
    rng.bit_generator.random_raw(n_jumped, output=False)
    for draw in draws:
        DRAWS[draw](rng)
    twins = [again(rng), owned(rng)]
    for twin in twins:
        assert canonical_bytes(twin) == canonical_bytes(rng)
    results = [
        [one.integers(7, size=3, dtype=np.int32).tolist(), one.random(5).tolist(), one.spawn(1)[0].random()]
        for one in (rng, *twins)
    ]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("copy", [again, owned])
def test_random_states_and_seeds_continue_too(copy):
    """RandomState and SeedSequence keep their exact state."""
    state = np.random.RandomState(3)
    state.normal()
    assert copy(state).normal() == state.normal()
    seed = np.random.SeedSequence([1, 2], spawn_key=(3,))
    seed.spawn(2)
    assert copy(seed).state == seed.state
    assert copy(seed).spawn(1)[0].state == seed.spawn(1)[0].state


def test_seeds_make_generators():
    """An integer or a list of integers stands for the generator seeded by it."""
    assert Validator(RNGenerator)(5).random() == np.random.default_rng(5).random()
    assert Validator(RNGenerator)(np.random.SeedSequence(5)).random() == np.random.default_rng(5).random()
    assert Validator(SeedSequence)([1, 2]).entropy == [1, 2]
    assert Validator(RandomState)(5).normal() == np.random.RandomState(5).normal()


@pytest.mark.parametrize("annotation", [RNGenerator, SeedSequence, RandomState, np.random.Generator])
@pytest.mark.parametrize("wrong", [True, -1, "a", 1.5, []])
def test_other_values_are_no_seeds(annotation, wrong):
    """What is no seed is refused, bools among it."""
    with pytest.raises(InputError, match=r"integers >= 0"):
        Validator(annotation)(wrong)


def test_foreign_bit_generators_are_refused():
    """A bit generator whose state nobody knows is named."""

    class Odd(np.random.PCG64):
        pass

    with pytest.raises(DigestError, match="a bit generator of type Odd"):
        canonical_bytes(np.random.Generator(Odd(1)))
