"""Frozen scipy distributions as values."""

import json

import numpy as np
import pytest
from scipy import stats

from smttask.errors import DescriptionError, DigestError, InputError
from smttask.identity import canonical_bytes
from smttask.typing import Distribution
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.ownership import owned
from smttask.typing.validation import Validator

EYE = np.eye(2)
COV = stats.Covariance
FROZEN = [
    stats.norm(0, 1), stats.gamma(2, loc=1, scale=3), stats.binom(10, 0.3), stats.poisson(3), stats.uniform(),
    stats.multivariate_normal([0, 1], [[1, 0.5], [0.5, 2]]), stats.multivariate_normal(0.5, 2.0),
    stats.multivariate_normal([0, 0], COV.from_diagonal([1, 2])),
    stats.multivariate_normal([0, 0], COV.from_cholesky([[1, 0], [0.5, 2]])),
    stats.multivariate_normal([0, 0], COV.from_precision([[1, 0], [0, 2]])),
    stats.multivariate_normal([0, 0], COV.from_eigendecomposition(([1.0, 2.0], EYE))),
    stats.dirichlet([1, 2.5]), stats.multinomial(5, [0.25, 0.75]), stats.wishart(3, EYE),
    stats.invwishart(3, EYE), stats.multivariate_t([0, 1], EYE, 3), stats.matrix_normal(EYE, EYE, 2 * EYE),
    stats.uniform_direction(3), stats.vonmises_fisher([0, 1.0], 2), stats.multivariate_hypergeom([3, 4], 2),
    stats.ortho_group(3), stats.random_table([1, 2], [2, 1]), stats.normal_inverse_gamma(1, 2, 3, 4),
    stats.random_correlation([0.5, 1.5], tol=1e-10),
    stats.matrix_t(mean=EYE, row_spread=EYE, col_spread=2 * EYE, df=3),
]  # fmt: skip


def again(value):
    return from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))


@pytest.mark.parametrize("copy", [again, owned])
@pytest.mark.parametrize("number", range(len(FROZEN)))
def test_distributions_come_back_with_the_same_draws(number, copy):
    """From one seed, the distribution that comes back draws the same numbers."""
    frozen = FROZEN[number]
    twin = copy(frozen)
    assert type(twin) is type(frozen)
    assert canonical_bytes(twin) == canonical_bytes(frozen)
    size = {} if "correlation" in type(frozen).__name__ else {"size": 3}
    draws = [one.rvs(**size, random_state=5) for one in (frozen, twin)]
    np.testing.assert_array_equal(*draws)


@pytest.mark.parametrize("state", [7, np.random.default_rng(7)])
def test_a_random_state_that_was_set_comes_along(state):
    """A distribution with a state of its own continues where it stood; without one none is added."""
    for frozen in (stats.norm(0, 1), stats.wishart(3, EYE)):
        free = canonical_bytes(frozen)
        frozen.random_state = state
        frozen.rvs()
        assert again(frozen).rvs() == pytest.approx(owned(frozen).rvs(), abs=0)
        assert canonical_bytes(frozen) != free


def test_one_distribution_has_one_digest():
    """However its parameters were given."""
    ways = [stats.norm(1, 2), stats.norm(loc=1.0, scale=2), stats.norm(np.int64(1), scale=np.float32(2))]
    assert len({canonical_bytes(way) for way in ways}) == 1
    assert canonical_bytes(stats.norm([1, 2])) == canonical_bytes(stats.norm(np.array([1, 2])))
    assert (
        canonical_bytes(stats.norm(1, 3)) != canonical_bytes(ways[0]) != canonical_bytes(stats.cauchy(1, 2))
    )


def test_only_frozen_distributions_are_taken():
    """The annotation refuses what has no parameters yet, and anything else."""
    frozen = stats.norm(0, 1)
    assert Validator(Distribution)(frozen) is frozen
    for wrong in (stats.norm, 3, COV.from_diagonal([1, 2])):
        with pytest.raises(InputError, match="expected a frozen distribution"):
            Validator(Distribution)(wrong)


def test_distributions_of_ones_own_are_named():
    """One that scipy.stats does not have cannot be looked up again."""

    class Mine(stats.rv_continuous):
        pass

    with pytest.raises(DigestError, match="which scipy.stats does not have"):
        canonical_bytes(Mine(name="mine")())
    with pytest.raises(DigestError, match="cannot be digested"):
        canonical_bytes(stats.rv_discrete(values=([1, 2], [0.5, 0.5]))())


def test_a_text_can_name_distributions_only():
    """A name of scipy.stats that is no distribution is refused."""
    form = to_json(stats.norm(0, 1))
    form["$scipy.continuous"]["name"] = "describe"
    with pytest.raises(DescriptionError, match="cannot be read"):
        from_json(form)
