"""Values of science inside the user's own pydantic models."""

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from smttask.typing import Array, DType, NPValue, PureFunction, RNGenerator, Slice
from smttask.typing.jsonform import to_json


class Model(BaseModel):
    x: Array[float]
    step: NPValue[np.float32] = np.float32(0.5)
    kind: DType = np.dtype("i4")
    part: Slice = slice(1, None)
    rng: RNGenerator = 3
    fn: PureFunction = PureFunction(np.sin)

    model_config = {"validate_default": True}


def test_models_write_and_read_values_of_science():
    """`model_dump_json` gives text from which `model_validate_json` makes the same model."""
    model = Model(x=[1, 2.5])
    again = Model.model_validate_json(model.model_dump_json())
    assert to_json(dict(again)) == to_json(dict(model))
    assert again.x.dtype == float
    assert again.fn(0.0) == 0.0
    assert again.rng.random() == model.rng.random()


def test_models_keep_objects_when_they_are_dumped_to_python():
    """Without JSON nothing is converted."""
    model = Model(x=np.arange(3.0))
    assert model.model_dump()["x"] is model.x


def test_tagged_values_still_have_to_fit():
    """What stands under a tag is checked like any other value."""
    with pytest.raises(ValidationError, match="expected an array of float"):
        Model(x=to_json(np.array([True])))
    with pytest.raises(ValidationError, match="cannot be read"):
        Model(x={"$array": [1], "dtype": "nonsense"})
