"""Random generators and seeds as values, with their exact state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
from numpy.random import BitGenerator, Generator
from numpy.random import RandomState as _RandomState
from numpy.random import SeedSequence as _SeedSequence

from smttask.typing.accept import Accept
from smttask.typing.registry import TypeEntry, register_acceptor, register_entry

__all__ = ["RNGenerator", "RandomState", "SeedSequence"]

_BIT_GENERATORS: dict[str, type[BitGenerator]] = {
    name: getattr(np.random, name) for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
}
_MAX_POOL = 1 << 16  # numpy's default is 4; a text could ask for all memory


def _plain_seed(seed: _SeedSequence) -> dict[str, Any]:
    return {
        "entropy": seed.entropy,
        "spawn_key": tuple(seed.spawn_key),
        "pool_size": seed.pool_size,
        "n_children_spawned": seed.n_children_spawned,
    }


def _seed(plain: Any) -> _SeedSequence:
    if plain["pool_size"] > _MAX_POOL:
        raise ValueError(f"a pool of more than {_MAX_POOL} words")
    return _SeedSequence(**plain)


def _plain_bits(bits: BitGenerator) -> dict[str, Any]:
    """State, and the seed sequence, which decides what `spawn` gives."""
    if type(bits).__name__ not in _BIT_GENERATORS:
        raise TypeError(f"a bit generator of type {type(bits).__name__}")
    seed: Any = bits.seed_seq
    if seed is not None and not isinstance(seed, _SeedSequence):
        raise TypeError(f"a bit generator seeded by a {type(seed).__name__}")
    return {"state": dict(bits.state), "seed": None if seed is None else _plain_seed(seed)}


def _bits(plain: Any) -> BitGenerator:
    cls = _BIT_GENERATORS[plain["state"]["bit_generator"]]
    bits = cls(0)
    seed = None if plain["seed"] is None else _seed(plain["seed"])
    # What unpickling does: the only way to restore the seed sequence beside the state.
    cast(Any, bits).__setstate__((plain["state"], seed))
    return bits


def _plain_random_state(value: _RandomState) -> dict[str, Any]:
    state = value.get_state(legacy=False)
    if state["bit_generator"] not in _BIT_GENERATORS:
        raise TypeError(f"a bit generator of type {state['bit_generator']}")
    return dict(state)


def _random_state(plain: Any) -> _RandomState:
    state = _RandomState(_BIT_GENERATORS[plain["bit_generator"]](0))
    state.set_state(plain)
    return state


def _is_entropy(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_is_entropy(item) for item in value)
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= 0)


def _entropy(value: Any) -> Any:
    return [_entropy(item) for item in value] if isinstance(value, (list, tuple)) else int(value)


def _to_generator(value: Any) -> Generator:
    if isinstance(value, Generator):
        return value
    if isinstance(value, (BitGenerator, _SeedSequence)):
        return np.random.default_rng(value)
    if _is_entropy(value):
        return np.random.default_rng(_entropy(value))
    raise ValueError("expected a numpy random Generator or a seed (integers >= 0)")


def _to_seed(value: Any) -> _SeedSequence:
    if isinstance(value, _SeedSequence):
        return value
    if _is_entropy(value):
        return _SeedSequence(_entropy(value))
    raise ValueError("expected a numpy SeedSequence or its entropy (integers >= 0)")


def _to_random_state(value: Any) -> _RandomState:
    if isinstance(value, _RandomState):
        return value
    if _is_entropy(value):
        return _RandomState(_entropy(value))
    raise ValueError("expected a numpy RandomState or a seed (integers >= 0)")


register_entry(
    TypeEntry(
        "generator",
        Generator,
        lambda value: _plain_bits(value.bit_generator),
        lambda plain: Generator(_bits(plain)),
        is_mutable=True,
    )
)
register_entry(TypeEntry("randomstate", _RandomState, _plain_random_state, _random_state, is_mutable=True))
register_entry(TypeEntry("seedsequence", _SeedSequence, _plain_seed, _seed, is_mutable=True))

_generator_accept = Accept(_to_generator, "a numpy random Generator or a seed")
_seed_accept = Accept(_to_seed, "a numpy SeedSequence or its entropy")
_state_accept = Accept(_to_random_state, "a numpy RandomState or a seed")
register_acceptor(Generator, _generator_accept)
register_acceptor(_SeedSequence, _seed_accept)
register_acceptor(_RandomState, _state_accept)

if TYPE_CHECKING:
    RNGenerator = Generator
    SeedSequence = _SeedSequence
    RandomState = _RandomState
else:
    RNGenerator = Annotated[Generator, _generator_accept]
    SeedSequence = Annotated[_SeedSequence, _seed_accept]
    RandomState = Annotated[_RandomState, _state_accept]
