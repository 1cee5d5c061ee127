"""What stands at a default is known beside each digest, which leaves it out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from smttask.identity.standing import merged, standing_defaults, still_stand
from smttask.typing.places import class_name


@dataclass
class Inner:
    rate: float = 1.0


@dataclass
class Setup:
    sigma: float
    kind: str = "plain"
    inner: Inner = field(default_factory=Inner)


class Model(BaseModel):
    x: int = 3
    y: int


@pytest.mark.parametrize("value", [1.5, "text", [1.0] * 100, {"a": np.zeros(3)}, None, Model(x=1, y=2)])
def test_values_without_fields_at_default_have_an_empty_table(value: Any) -> None:
    """Plain data has no defaults."""
    assert standing_defaults(value) == {}


@pytest.mark.parametrize(
    "wrap", [lambda v: v, lambda v: [1, v], lambda v: {"k": (v,)}, lambda v: {1: {"a": v}}]
)
def test_fields_at_default_are_found_at_any_depth(wrap: Any) -> None:
    """By class and field; fields that were chosen are not in it."""
    table = standing_defaults(wrap(Setup(0.5, inner=Inner(2.0))))
    assert {name: set(fields) for name, fields in table.items()} == {class_name(Setup): {"kind"}}
    assert set(standing_defaults(wrap(Setup(0.5)))) == {class_name(Setup), class_name(Inner)}


def test_models_count_too() -> None:
    """Fields of pydantic models stand at defaults like those of dataclasses."""
    assert set(standing_defaults(Model(y=2))[class_name(Model)]) == {"x"}


def test_a_new_field_is_no_difference_and_a_changed_default_is() -> None:
    """That is what decides whether a result of an equal digest still serves."""
    old = {"lab:f": {"n": "3f"}}
    assert still_stand(old, {"lab:f": {"n": "3f", "k": "77"}, "lab:g": {"m": "1"}})
    assert still_stand({}, old)
    for new in ({"lab:f": {"n": "00"}}, {"lab:f": {}}, {}):
        assert not still_stand(old, new)
    assert not still_stand({"lab:f": "damaged"}, old)


def test_tables_that_differ_are_both_kept() -> None:
    """After a reload two versions of a class can meet in one graph."""
    assert merged([{"f": {"n": "2"}}, {"f": {"n": "1"}}, {"f": {"n": "2"}}]) == {"f": {"n": "1,2"}}
