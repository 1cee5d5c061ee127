"""What a task returns becomes named outputs."""

from __future__ import annotations

import pickle
from typing import Any, Literal

import numpy as np
import pytest

from smttask import TaskOutput
from smttask.errors import InputError, OutputError, SignatureError
from smttask.tasks.outputs import OutputSpec, fits_type
from smttask.typing.validation import Validator


class Fit(TaskOutput):
    slope: float
    offset: float = 0.5


FIT = OutputSpec(Fit, {"slope": float, "offset": float}, "Line")


def test_named_outputs_are_a_tuple_with_attributes() -> None:
    """The object that run() gives unpacks like a tuple and has the fields as attributes."""
    fit = Fit(slope=2.0)
    slope, offset = fit
    assert (slope, offset) == (fit.slope, fit.offset) == fit == (2.0, 0.5)
    assert repr(fit) == "Fit(slope=2.0, offset=0.5)"


def test_named_outputs_pickle_and_inherit() -> None:
    """They travel to other processes, and a subclass adds fields."""

    class More(Fit):
        error: float

    assert pickle.loads(pickle.dumps(Fit(1.0, 2.0))) == Fit(1.0, 2.0)
    assert More(1.0, 2.0, 3.0).error == 3.0


@pytest.mark.parametrize("arguments", [((), {}), ((1, 2, 3), {}), ((1,), {"slope": 2}), ((), {"slop": 1})])
def test_outputs_that_do_not_fit_the_class_are_refused(arguments: Any) -> None:
    """Missing, surplus, doubled and misspelt outputs raise OutputError with the fields expected."""
    with pytest.raises(OutputError, match="expected: slope, offset"):
        Fit(*arguments[0], **arguments[1])


def test_reserved_output_names_are_refused() -> None:
    """A field called like a method of tuple, or outcome, raises SignatureError."""
    with pytest.raises(SignatureError, match="'count' of .*Bad has a reserved name"):

        class Bad(TaskOutput):
            count: int


@pytest.mark.parametrize("returned", [(1, 2), {"slope": 1, "offset": 2}, Fit(1.0, 2.0)])
def test_a_function_may_return_a_tuple_a_dict_or_the_object(returned: Any) -> None:
    """All three forms give the same outputs, converted."""
    assert FIT.split(returned) == ({"slope": 1.0, "offset": 2.0}, "")


def test_an_outcome_in_the_dict_is_for_the_record() -> None:
    """The entry `outcome` is no output."""
    assert FIT.split({"slope": 1, "offset": 2, "outcome": "good"}) == ({"slope": 1.0, "offset": 2.0}, "good")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (3.0, "returned something else than its outputs"),
        ({"slope": 1}, "returned other outputs than it promised"),
        ((1, "a"), "output 'offset' does not fit"),
    ],
)
def test_returned_values_that_do_not_fit_name_the_output(returned: Any, message: str) -> None:
    """The error says which output, what came and what was expected."""
    with pytest.raises(OutputError, match=message):
        FIT.split(returned)


def test_stored_outputs_of_other_names_are_refused() -> None:
    """A result stored under other annotations is not passed off as one of today."""
    with pytest.raises(OutputError, match="others than it promises"):
        FIT.validated({"slope": 1.0})


def test_a_plain_annotation_is_one_output() -> None:
    """A tuple is one value."""
    spec = OutputSpec(tuple[float, float], {}, "Two")
    assert spec.split((1, 2)) == ({"": (1.0, 2.0)}, "")
    assert spec.join({"": (1.0, 2.0)}) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (list[int], ["a"], "a"),
        (int | None, None, 1.5),
        (float, 3, True),
        (Literal["a"], "a", "b"),
        (np.ndarray, np.zeros(1), [0.0]),
        (None, None, 0),
    ],
)
def test_results_in_memory_are_checked_by_type_alone(annotation: Any, good: Any, bad: Any) -> None:
    """What a list contains is not looked at; another type is refused."""
    assert fits_type(annotation, good)
    assert not fits_type(annotation, bad)
    with pytest.raises(OutputError, match="the returned value does not fit"):
        OutputSpec(annotation, {}, "T").checked(bad)


@pytest.mark.parametrize("given", [Fit(1.0, 2.0), (1, 2), {"slope": 1, "offset": 2.0}])
def test_named_outputs_are_an_input_like_any_value(given: Any) -> None:
    """An argument annotated with the class takes the object, a tuple or a dict, and gives the object."""
    fit = Validator(list[Fit])([given])[0]
    assert type(fit) is Fit
    assert fit == (1.0, 2.0)


@pytest.mark.parametrize("given", [3, (1, 2, 3), {"slop": 1}])
def test_what_are_no_outputs_is_refused_as_an_input(given: Any) -> None:
    """The message names the place and the fields."""
    with pytest.raises(InputError, match=r"x\[0\]: expected a Fit, or a tuple or dict of slope, offset"):
        Validator(list[Fit], place="x")([given])
