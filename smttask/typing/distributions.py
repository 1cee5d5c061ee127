"""Frozen distributions of `scipy.stats` as values: their name and parameters.

Imported when a value of scipy is first met. The random state belongs to the value only
where one was set; else draws come from numpy's global state, as scipy does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy import stats
from scipy.stats import _covariance, _multivariate
from scipy.stats._distn_infrastructure import rv_continuous_frozen, rv_discrete_frozen

from smttask.typing.registry import TypeEntry, register_entry

__all__ = ["DISTRIBUTIONS"]

# Distribution of several variables -> attribute of the frozen object -> argument that makes it, or all
# those that the attribute, a tuple, begins with.
_MULTIVARIATE: dict[str, Mapping[str, str]] = {
    "dirichlet": {"alpha": "alpha"},
    "dirichlet_multinomial": {"alpha": "alpha", "n": "n"},
    "invwishart": {"df": "df", "scale": "scale"},
    "matrix_t": {"mean": "mean", "row_spread": "row_spread", "col_spread": "col_spread", "df": "df"},
    "matrix_normal": {"mean": "mean", "rowcov": "rowcov", "colcov": "colcov"},
    "multinomial": {"n": "n", "p": "p"},
    "multivariate_hypergeom": {"m": "m", "n": "n"},
    "multivariate_normal": {
        "mean": "mean",
        "cov_object": "cov",
        "allow_singular": "allow_singular",
        "maxpts": "maxpts",
        "abseps": "abseps",
        "releps": "releps",
    },
    "multivariate_t": {"loc": "loc", "shape": "shape", "df": "df", "allow_singular": "allow_singular"},
    "normal_inverse_gamma": {"_shapes": "mu lmbda a b"},
    "ortho_group": {"dim": "dim"},
    "random_correlation": {"eigs": "eigs", "tol": "tol", "diag_tol": "diag_tol"},
    "random_table": {"_params": "row col"},
    "special_ortho_group": {"dim": "dim"},
    "uniform_direction": {"dim": "dim"},
    "unitary_group": {"dim": "dim"},
    "vonmises_fisher": {"mu": "mu", "kappa": "kappa"},
    "wishart": {"df": "df", "scale": "scale"},
}
_EXACT_INTEGERS = 2**53  # larger ones are not all floats


def _own_state(state: Any) -> Any:
    """A random state that somebody set; None for the global one."""
    return None if state is np.random.mtrand._rand else state


def _exact_number(value: Any) -> Any:
    """A parameter in one form, whether it was given as a scalar of Python or numpy, or as a list."""
    if isinstance(value, list | tuple | np.ndarray):
        return np.array(value)
    return value.item() if isinstance(value, np.generic) else value


def _number(value: Any) -> Any:
    """The same, integers as floats; draws from discrete distributions need integers where they stood."""
    value = _exact_number(value)
    return float(value) if type(value) is int and abs(value) <= _EXACT_INTEGERS else value


def _plain_frozen(frozen: Any) -> dict[str, Any]:
    dist: Any = frozen.dist
    name = dist.name
    known: Any = getattr(stats, name, None)
    if known is None or known.__class__ is not dist.__class__:
        raise TypeError(f"the distribution {name!r}, which scipy.stats does not have under this name")
    shapes, loc, scale = dist._parse_args(*frozen.args, **frozen.kwds)
    number = _number if isinstance(dist, stats.rv_continuous) else _exact_number
    return {
        "name": name,
        "shapes": [number(shape) for shape in shapes],
        "loc": number(loc),
        "scale": number(scale),
        "state": _own_state(frozen.random_state),
    }


def _frozen(plain: Any) -> Any:
    dist = getattr(stats, plain["name"], None)
    if not isinstance(dist, stats.rv_continuous | stats.rv_discrete):
        raise ValueError(f"scipy.stats has no distribution {plain['name']!r}")
    scale = {} if isinstance(dist, stats.rv_discrete) else {"scale": plain["scale"]}
    frozen = dist(*plain["shapes"], loc=plain["loc"], **scale)
    if plain["state"] is not None:
        frozen.random_state = plain["state"]
    return frozen


def _multivariate_entry(name: str, arguments: Mapping[str, str]) -> TypeEntry:
    def to_plain(frozen: Any) -> dict[str, Any]:
        plain = {
            argument: _exact_number(value)
            for attr, names in arguments.items()
            for argument, value in _named(names, getattr(frozen, attr))
        }
        if type(plain.get("cov")) is _covariance.CovViaPSD:
            plain["cov"] = plain["cov"].covariance
        return {**plain, "state": _own_state(frozen._dist._random_state)}

    def from_plain(plain: Any) -> Any:
        values = {argument: plain[argument] for names in arguments.values() for argument in names.split()}
        return getattr(stats, name)(**values, seed=plain["state"])

    cls = getattr(_multivariate, f"{name}_frozen")
    return TypeEntry(f"scipy.{name}", cls, to_plain, from_plain, is_mutable=True)


def _named(names: str, value: Any) -> Iterable[tuple[str, Any]]:
    """Each of the arguments that an attribute holds, with its value."""
    return zip(names.split(), value if " " in names else (value,), strict=False)


DISTRIBUTIONS = (
    TypeEntry("scipy.continuous", rv_continuous_frozen, _plain_frozen, _frozen, is_mutable=True),
    TypeEntry("scipy.discrete", rv_discrete_frozen, _plain_frozen, _frozen, is_mutable=True),
    *(
        _multivariate_entry(name, arguments)
        for name, arguments in _MULTIVARIATE.items()
        if hasattr(_multivariate, f"{name}_frozen")
    ),
)
for _entry in (
    *DISTRIBUTIONS,
    TypeEntry(
        "scipy.CovViaDiagonal",
        _covariance.CovViaDiagonal,
        lambda cov: np.diag(cov.covariance),
        stats.Covariance.from_diagonal,
    ),
    TypeEntry(
        "scipy.CovViaCholesky",
        _covariance.CovViaCholesky,
        lambda cov: cov._factor,
        stats.Covariance.from_cholesky,
    ),
    TypeEntry(
        "scipy.CovViaPrecision",
        _covariance.CovViaPrecision,
        lambda cov: [cov._precision, cov.covariance],
        lambda plain: stats.Covariance.from_precision(*plain),
    ),
    TypeEntry(
        "scipy.CovViaEigendecomposition",
        _covariance.CovViaEigendecomposition,
        lambda cov: (cov._w, cov._v),
        stats.Covariance.from_eigendecomposition,
    ),
):
    register_entry(_entry)
