"""What array annotations take."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import BaseModel

from smttask.errors import InputError, SignatureError
from smttask.typing import Array, DType, NPValue
from smttask.typing.validation import Validator


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        (Array, [1, 2], np.array([1, 2])),
        (Array, (1, (2.5)), np.array([1, 2.5])),
        (Array, [True, False], np.array([True, False])),
        (Array, 3.5, np.array(3.5)),
        (Array, [], np.array([])),
        (Array[float], [1, 2], np.array([1.0, 2.0])),
        (Array[float], np.array([1, 2], ">f8"), np.array([1.0, 2.0])),
        (Array[float], ["1.5"], np.array([1.5])),
        (Array[int], [1.0, 2.0], np.array([1, 2])),
        (Array[np.uint64], [2**64 - 1], np.array([2**64 - 1], np.uint64)),
        (Array[complex], [1, 2.5], np.array([1, 2.5], complex)),
        (Array[np.float32, 2], [[1, 2]], np.array([[1, 2]], np.float32)),
        (Array[np.float32, Literal[1]], [1, 2], np.array([1, 2], np.float32)),
        (Array[Any, 1], ["a"], np.array(["a"])),
        (Array[np.floating], np.zeros(2, np.float16), np.zeros(2, np.float16)),
        (Array[np.floating], [1, 2], np.array([1.0, 2.0])),
        (Array["datetime64[D]"], ["2020-01-01"], np.array(["2020-01-01"], "M8[D]")),
        (Array[np.datetime64], np.array(["2020"], "M8[Y]"), np.array(["2020"], "M8[Y]")),
        (Array[np.str_], ["a", "bcd"], np.array(["a", "bcd"])),
        (Array[object], [1, "a"], np.array([1, "a"], object)),
        (Array[np.dtype([("a", "i4"), ("b", "f8")])], [[1, 2.5]], np.array([(1, 2.5)], "i4,f8")),
        (np.ndarray, [1, 2], np.array([1, 2])),
        (npt.NDArray[np.float64], [1, 2], np.array([1.0, 2.0])),
        (npt.NDArray[Any], [1], np.array([1])),
        (np.ndarray[tuple[int, int], np.dtype[np.int64]], [[1.0]], np.array([[1]])),
    ],
)
def test_lists_and_arrays_become_the_array_asked_for(annotation, given, expected):
    """Arrays have the dtype and number of axes of their annotation."""
    array = Validator(annotation)(given)
    assert array.shape == expected.shape
    assert array.dtype.kind == "V" or array.dtype == expected.dtype
    assert array.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("annotation", "given", "message"),
    [
        (Array, "abc", "not a str"),
        (Array, None, "not a NoneType"),
        (Array, {"a": 1}, "not a dict"),
        (Array, object(), "objects"),
        (Array, [[1], [2, 3]], "inhomogeneous"),
        (Array, [True, 1.5], "a bool is not a number"),
        (Array[float], [True, 1.5], "a bool is not a number"),
        (Array[float], [True], "a bool is not a number|not bool"),
        (Array[float], np.array([True]), "not bool"),
        (Array[float], [1j], "not complex128"),
        (Array[float], ["a"], "could not convert"),
        (Array[int], [1.5], "some values are cut"),
        (Array[int], [np.nan], "some values are cut"),
        (Array[np.int8], [300], "some values are cut"),
        (Array[int], np.array([2**63], np.uint64), "some values are cut"),
        (Array[np.float32], [1e300], "too large"),
        (Array["U2"], ["abc"], "too long"),
        (Array[np.float32, 2], [1.0], r"2 axes, not of shape \(1,\)"),
        (Array[float, 1], 1.0, r"with 1 axis, not of shape \(\)"),
    ],
)
def test_arrays_that_would_be_cut_are_refused(annotation, given, message):
    """Conversion of an array never loses a value, and errors say what would be lost."""
    with pytest.raises(InputError, match=message):
        Validator(annotation, place="x")(given)


def test_an_array_that_fits_is_not_copied():
    """Validation hands a fitting array on, in whatever memory order it is; masked arrays stay masked."""
    array = np.zeros((2, 3), order="F")
    assert Validator(Array[float, 2])(array) is array
    masked = np.ma.array([1.0, 2.0], mask=[True, False])
    assert Validator(Array[float])(masked) is masked
    assert type(Validator(Array)(np.matrix([1]))) is np.ndarray


def test_numpy_scalars_keep_their_dtype():
    """NPValue and scalar classes as annotations give numpy scalars."""
    assert type(Validator(NPValue)(np.int8(3))) is np.int8
    assert type(Validator(NPValue[np.float64])(1)) is np.float64
    assert type(Validator(np.float32)(1.5)) is np.float32
    with pytest.raises(InputError, match="not a list"):
        Validator(NPValue[np.float64])([1])
    with pytest.raises(InputError, match="cut"):
        Validator(NPValue[np.int64])(2.5)


def test_dtypes_are_made_from_what_numpy_takes():
    """DType takes names, types and dtypes, but not None."""
    assert Validator(DType)("f4") == np.float32
    assert Validator(np.dtype)(float) == np.float64
    for wrong in (None, "nonsense"):
        with pytest.raises(InputError, match="a dtype"):
            Validator(DType)(wrong)


def test_array_types_work_in_pydantic_models():
    """Array is a type for the user's own models too."""

    class Signal(BaseModel):
        values: Array[float]
        rate: NPValue[np.float32]

    signal = Signal(values=[1, 2], rate=2)
    assert signal.values.dtype == np.float64
    assert type(signal.rate) is np.float32
    assert isinstance(signal.values, Array)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Array[3],
        lambda: Array["nonsense"],
        lambda: Array[float, "x"],
        lambda: Array[float, -1],
        lambda: Array[float, True],
        lambda: Array[float, 1, 2],
        lambda: Array[()],
        lambda: NPValue["nonsense"],
    ],
)
def test_annotations_that_mean_nothing_are_refused(make):
    """A dtype that numpy does not know, or what is no number of axes, is an error where it is written."""
    with pytest.raises(SignatureError, match=r"(Array|NPValue)\[.*\] is no annotation"):
        make()
