from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Tuple  # noqa: UP035 - code written for SumatraTask says so

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smttask import MemoizedTask, SeedGenerator, SeedStream
from smttask.errors import InputError, SignatureError

ENTROPY = 123456789


class Seeds(SeedGenerator):
    data: SeedStream[tuple[int, int]]
    noise: SeedStream[int]


class Older(SeedGenerator):
    noise: int
    data: Tuple[int, int]  # noqa: UP006


@MemoizedTask
def Draw(seed: int, pair: tuple[int, int]) -> float:
    return float(np.random.default_rng(seed).normal() + np.random.default_rng(pair).normal())


def test_seeds_are_pinned():
    """Another value here gives other random numbers to everybody's analyses."""
    seeds = Seeds(ENTROPY)
    assert seeds.noise("tom", 6.4) == 3220547714
    assert seeds(4) == ((3018194059, 836280338), 1757354190)
    assert Seeds("text").noise(True, None, (1, 2), b"x") == 648995076


def test_the_same_key_gives_the_same_seed_in_another_process():
    """Hash randomization, order of calls and process play no part."""
    code = (
        "from smttask import SeedGenerator\n"
        "class Seeds(SeedGenerator):\n    noise: int\n"
        f"print(Seeds({ENTROPY}).noise('tom', 6.4))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == Seeds(ENTROPY).noise("tom", 6.4)


keys = st.lists(
    st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.booleans(), st.none()), min_size=1
)


@given(keys, keys)
def test_other_keys_give_other_seeds(one, other):
    """Values, their types and their order all count; a pair is never the same for two keys."""
    seeds = Seeds(ENTROPY)
    same = [(type(x), repr(x)) for x in one] == [(type(x), repr(x)) for x in other]
    assert (seeds.data(*one) == seeds.data(*other)) == same


def test_streams_entropy_and_numpy_numbers():
    """Streams are independent, entropy counts, and numpy's numbers are Python's."""
    seeds = Seeds(ENTROPY)
    assert seeds.data(1)[0] != seeds.noise(1) != Seeds(ENTROPY + 1).noise(1)
    assert seeds.noise(np.int64(1), [np.float64(2)]) == seeds.noise(1, (2.0,))
    assert 0 <= seeds.noise(1) < 2**32
    assert seeds.noise(Draw(1, (2, 3))) != seeds.noise(Draw(1, (2, 4)))


def test_order_and_spelling_of_the_streams_do_not_matter():
    """Streams may be added and reordered, and annotated as plain numbers."""
    assert Older(ENTROPY)(5)._asdict() == {"noise": Seeds(ENTROPY).noise(5), "data": Seeds(ENTROPY).data(5)}

    class More(Seeds):
        extra: int

    assert More(ENTROPY)(5)[:2] == Seeds(ENTROPY)(5)
    assert More(ENTROPY)(5).extra == More(ENTROPY).extra(5)


def test_seeds_are_inputs_of_tasks():
    """A number is an int and a pair a tuple of ints, as annotated."""
    seeds = Seeds(ENTROPY)(1)
    assert Draw(seed=seeds.noise, pair=seeds.data).run() == Draw(*reversed(seeds)).run()


def test_generators_compare_and_pickle():
    """Generator, streams and seeds survive pickling."""
    seeds = Seeds(ENTROPY)
    assert pickle.loads(pickle.dumps(seeds)) == seeds == Seeds(ENTROPY) != Seeds(1)
    assert pickle.loads(pickle.dumps(seeds.noise))(1) == seeds.noise(1)
    assert pickle.loads(pickle.dumps(seeds(1))) == seeds(1)


class TestBadInput:
    def test_no_key(self):
        """A seed without a key would be one for all."""
        with pytest.raises(InputError, match=r"'noise' was asked for without a key"):
            Seeds(ENTROPY).noise()

    def test_a_key_without_a_form(self):
        """The error names the stream and the value."""
        with pytest.raises(InputError, match=r"'noise' has no form for the key \(<object"):
            Seeds(ENTROPY).noise(object())

    def test_no_entropy(self):
        """None would mean other seeds each time."""
        with pytest.raises(InputError, match="Seeds has no entropy"):
            Seeds(None)

    @pytest.mark.parametrize("kind", [float, tuple[int, ...], tuple[int, str], SeedStream[str], list[int]])
    def test_a_stream_of_something_else(self, kind):
        """Seeds are numbers or tuples of a fixed number of them."""
        with pytest.raises(SignatureError, match=r"cannot be used.\n.*x: .*no kind of seed"):
            type("Odd", (SeedGenerator,), {"__annotations__": {"x": kind}, "__module__": __name__})

    def test_a_reserved_name(self):
        """The entropy is no stream."""
        with pytest.raises(SignatureError, match="the name 'entropy'"):

            class Odd(SeedGenerator):
                entropy: int

    def test_an_unknown_annotation(self):
        """An annotation that names nothing is told where the class is defined."""
        with pytest.raises(SignatureError, match="'Nowhere' is not defined"):

            class Odd(SeedGenerator):
                x: Nowhere  # noqa: F821 - the test is about it
