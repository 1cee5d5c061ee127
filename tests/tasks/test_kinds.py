"""What one annotation promises and another wants: whatever is refused, no value of it would be taken."""

from __future__ import annotations

import enum
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, final

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from smttask.tasks.kinds import can_fit
from smttask.typing import Array, InputFile
from smttask.typing.validation import Validator


@dataclass
class Data:
    a: int = 1


@final
@dataclass
class Final:
    a: int = 1


@dataclass
class Number:
    a: int = 1

    def __float__(self) -> float:
        return 2.0


@dataclass
class Text(str):
    a: int = 1


@pydantic_dataclass
class Checked:
    a: int = 1


class Model(BaseModel):
    a: int = 1


class Lenient(BaseModel):
    a: int = 1

    @model_validator(mode="before")
    @classmethod
    def _take(cls, value: Any) -> Any:
        return {} if isinstance(value, float) else value


class Attributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    a: int = 1


class Root(RootModel[int]):
    root: int = 1


class Ints(enum.Enum):
    ONE = 1
    TWO = 2


class Texts(enum.Enum):
    A = "a"
    DAY = "2026-01-01"


class Mixed(enum.IntEnum):
    ONE = 1


class Str(enum.StrEnum):
    A = "a"


class Bits(enum.Flag):
    ONE = 1


class Missing(enum.Enum):
    ONE = 1

    @classmethod
    def _missing_(cls, value: object) -> Missing:
        return cls.ONE


class Pairs(enum.Enum):
    A = (1, 2)


SAMPLES: dict[Any, list[Any]] = {
    None: [None],
    bool: [True, False],
    int: [0, 1, -3, True],
    float: [0.0, 1.0, 2.5, 1],
    complex: [1 + 0j, 2j],
    str: ["", "1", "1.5", "true", "1j", "a", "2026-01-01", "10:00", "P1D", "2026-01-01T10:00", Str.A],
    bytes: [b"", b"1", b"a", b"true", b"2026-01-01", b"10:00", b"P1D"],
    list: [[], [1.0], [("a", 1)], [1, 2], ["scityping.pandas.Series", []]],
    tuple: [(), (1,), (1, 2), (1.0, 2.0)],
    set: [set(), {1}],
    frozenset: [frozenset(), frozenset({1})],
    dict: [{}, {"a": 1}, {"a": [1]}],
    Iterator: [iter([1])],
    Path: [Path("x"), Path(__file__)],
    date: [date(2026, 1, 1), datetime(2026, 1, 1)],
    datetime: [datetime(2026, 1, 1), datetime(2026, 1, 1, 3)],
    timedelta: [timedelta(1)],
    time: [time(1)],
    pd.DataFrame: [pd.DataFrame({"a": [1.0]}), pd.DataFrame()],
    pd.Series: [pd.Series([1.0]), pd.Series(["a"]), pd.Series(dtype=float)],
    np.ndarray: [np.zeros(3), np.array(1), np.zeros((2, 2)), np.array(["a"])],
    Data: [Data()],
    Final: [Final()],
    Number: [Number()],
    Text: [Text()],
    Checked: [Checked()],
    Model: [Model()],
    Lenient: [Lenient()],
    Attributes: [Attributes()],
    Root: [Root(1)],
    Ints: [Ints.ONE],
    Texts: [*Texts],
    Mixed: [Mixed.ONE],
    Str: [Str.A],
    Bits: [Bits.ONE],
    Missing: [Missing.ONE],
    Pairs: [Pairs.A],
    Literal[1]: [1],
    Literal["a"]: ["a", Str.A],
    Literal[Ints.ONE]: [Ints.ONE],
    Literal[True, None]: [True, None],
    float | None: [None, 1.0],
    Data | str: [Data(), "a"],
    list[float]: [[], [1.0]],
    tuple[int, int]: [(1, 2)],
    dict[str, float]: [{}, {"a": 1.0}],
}
ONLY_WANTED: list[Any] = [
    Array, Array[float], Array[object], Array[object, 1], Array["datetime64[s]"], np.ndarray,
    np.ndarray[Any, np.dtype[np.object_]], InputFile, typing.Sequence, typing.Iterable,
    Sequence[Any], Sequence[str], Sequence[float], Iterable[Any], Iterable[float], Mapping[str, float],
    set[int], Annotated[int, Field(gt=0)], Annotated[Model, Field(description="a model")],
    Literal["a", 1], list[Model], Model | float, Any,
]  # fmt: skip


def accepts(wanted: Any, value: Any) -> bool:
    validate = Validator(wanted)
    try:
        validate.stream(value) if isinstance(value, Iterator) else validate(value)
    except Exception:  # noqa: BLE001 - what comparing with a member raises can be anything
        return False
    return True


@pytest.mark.parametrize("wanted", [*SAMPLES, *ONLY_WANTED], ids=str)
def test_no_value_of_what_is_refused_would_be_taken(wanted: Any) -> None:
    """Whatever the two types, by the rules that convert values themselves."""
    for returned, samples in SAMPLES.items():
        if not can_fit(returned, wanted):
            assert [value for value in samples if accepts(wanted, value)] == [], returned


@pytest.mark.parametrize(
    ("returned", "wanted"),
    [
        (float, Model), (list[float], Data), (str, Model | None), (Model, float), (Data, float), (Data, list),
        (Data, str), (Data, Array[float]), (Model, Path), (float, Path), (list, date), (Path, datetime),
        (pd.DataFrame, Model), (pd.Series, float), (float, pd.DataFrame), (Data, pd.Series), (Texts, Ints),
        (Data, Ints), (Ints, Data), (str, Ints), (list, Literal["a"]), (Literal["a"], Literal[1]),
        (Model, Literal["a"]), (Final, Data), (Data, dict), (Ints, bytes), (date, Data), (None, Model),
    ],
)  # fmt: skip
def test_what_never_fits_is_refused(returned: Any, wanted: Any) -> None:
    """A number for a model, a model for a number, an enumeration for another."""
    assert not can_fit(returned, wanted)


@pytest.mark.parametrize(
    ("returned", "wanted"),
    [
        (Data, Model), (Data, Number), (Number, float), (dict, Model), (Text, str), (str, Text),
        (Model, list), (float, Lenient), (Data, Attributes), (int, Root), (float, Checked), (Ints, int),
        (int, Ints), (Mixed, float), (Ints, str), (Bits, list), (float, Missing), (tuple, Pairs), (str, Path),
        (str, date), (datetime, date), (InputFile, Path), (dict, pd.DataFrame), (list, pd.Series),
        (Path, Array[object]), (str, Sequence[Any]),
    ],
)  # fmt: skip
def test_what_might_fit_is_taken(returned: Any, wanted: Any) -> None:
    """Conversions of one's own, what a subclass could be, and what is equal to a member."""
    assert can_fit(returned, wanted)


def test_a_subclass_that_is_made_later_counts() -> None:
    """One that is a number makes results of its base possible numbers."""

    @dataclass
    class Base:
        a: int = 1

    assert not can_fit(Base, float)

    class Sum(Base):
        def __float__(self) -> float:
            return 1.0

    assert can_fit(Base, float)
    assert accepts(float, Sum())


def test_a_class_that_was_defined_anew_is_the_same() -> None:
    """As when a cell of a notebook is run again: what is loaded is of the class of today."""

    def define() -> type:
        class Color(enum.Enum):
            RED = 1.5

        return Color

    assert can_fit(define(), define())
    assert not can_fit(define(), Data)
