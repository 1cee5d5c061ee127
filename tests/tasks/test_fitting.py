"""Tasks whose result can never fit are refused at construction, and only those."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, BeforeValidator, Field

from smttask import MemoizedTask, NonMemoizedTask, TaskOutput
from smttask.errors import InputError
from smttask.tasks.kinds import _TAKEN, can_fit
from smttask.typing import Array
from smttask.typing.validation import Validator

SAMPLES: dict[Any, list[Any]] = {
    None: [None],
    bool: [True, False],
    int: [0, 1, -3],
    float: [0.0, 1.0, 2.5],
    complex: [1 + 0j, 2j],
    str: ["", "1", "1.5", "true", "1j", "2026-01-01", "10:00", "P1D"],
    bytes: [b"", b"1", b"true", b"2026-01-01", b"10:00", b"P1D"],
    list: [[], [1.0], [("a", 1)]],
    tuple: [(), (1,), (1.0, 2.0)],
    set: [set(), {1}],
    frozenset: [frozenset(), frozenset({1})],
    dict: [{}, {"a": 1}],
    Iterator: [iter([1])],
    Path: [Path("x")],
    date: [date(2026, 1, 1)],
    datetime: [datetime(2026, 1, 1)],
    timedelta: [timedelta(1)],
    time: [time(1)],
    pd.DataFrame: [pd.DataFrame({"a": [1.0]}), pd.DataFrame()],
}
WANTED = [
    *[kind for kind in SAMPLES if kind in _TAKEN],
    list[float],
    tuple[float, ...],
    set[int],
    dict[str, float],
    Sequence[float],
    Mapping[str, float],
    Iterable[float],
    Iterator[float],
    float | None,
    Annotated[float, Field(gt=-1)],
]


def accepts(wanted: Any, value: Any) -> bool:
    validate = Validator(wanted)
    try:
        validate.stream(value) if isinstance(value, Iterator) else validate(value)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("wanted", [Array, Array[float], Array[complex, 2], np.ndarray], ids=str)
def test_what_never_becomes_an_array_is_refused(wanted: Any) -> None:
    """Paths, dates, dicts and sets; whatever may become one passes, and is looked at on arrival."""
    for returned in (Path, date, datetime, timedelta, time, dict, set, frozenset, None):
        assert not can_fit(returned, wanted), returned
        assert not any(accepts(wanted, value) for value in SAMPLES[returned]), returned
    for returned, samples in SAMPLES.items():
        assert can_fit(returned, wanted) or not any(accepts(wanted, value) for value in samples), returned


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_what_is_refused_is_what_no_value_fits(wanted: Any) -> None:
    """For each kind of result: it is refused if and only if every value of it would be."""
    for returned, samples in SAMPLES.items():
        values = samples + (SAMPLES[bool] if returned is int else SAMPLES[int] if returned is float else [])
        assert can_fit(returned, wanted) == any(accepts(wanted, value) for value in values), returned


class Fit(TaskOutput):
    slope: float
    offset: float


@pytest.mark.parametrize(
    ("returned", "wanted", "fits"),
    [
        (Any, float, True),
        (Array[float], float, True),
        (np.ndarray, list[float], True),
        (int | None, float, True),
        (list[int] | None, float, False),
        (list[str], list[float], True),
        (tuple[int, int], tuple[float, float], True),
        (tuple[int, int, int], tuple[float, float], False),
        (tuple[list[int], int], tuple[float, float], False),
        (tuple[int, ...], tuple[float, float], True),
        (Fit, tuple[float, float], True),
        (Fit, tuple[float, float, float], False),
        (Fit, Fit, True),
        (Fit, float, False),
        (Literal["a"], float, True),
        (Literal[None], float, False),
        (dict[str, int], Annotated[float, BeforeValidator(len)], True),
        (dict[str, int], Annotated[float, Field(gt=0)], False),
        (Iterator[int], list[int], False),
        (list[int], Any, True),
    ],
)
def test_annotations_that_can_fit(returned: Any, wanted: Any, fits: bool) -> None:
    """Unknown types, conversions of one's own and empty containers may fit; the rest is decided by type."""
    assert can_fit(returned, wanted) is fits


@MemoizedTask
def Names(n: int) -> list[str]:
    return ["a"] * n


@MemoizedTask
def Half(x: float) -> float:
    return x / 2


@dataclass
class Setup:
    sigma: float
    others: tuple[float, ...] = ()


class Model(BaseModel):
    rate: float


@NonMemoizedTask
def Use(
    x: float = 0,
    xs: list[float] = [],  # noqa: B006
    by_name: dict[str, float] = {},  # noqa: B006
    pair: tuple[float, list[str]] = (0, []),
    setup: Setup | None = None,
    model: Model | None = None,
    anything: Any = None,
) -> float:
    return x


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"x": Names(1)}, "x"),
        ({"xs": [1.0, Names(1)]}, r"xs\[1\]"),
        ({"by_name": {"a": Names(1)}}, r"by_name\['a'\]"),
        ({"pair": (Names(1), [])}, r"pair\[0\]"),
        ({"pair": (1, Half(1))}, r"pair\[1\]"),
        ({"setup": Setup(1.0, (Names(1),))}, r"setup.others\[0\]"),  # type: ignore[arg-type]
        ({"model": {"rate": Names(1)}}, "model.rate"),
    ],
)
def test_a_task_that_never_fits_is_refused_where_it_stands(given: Any, place: str) -> None:
    """The message names task, argument and place in the data, before anything runs."""
    with pytest.raises(InputError, match=f"Task 'Use': {place} does not take the result of task") as caught:
        Use(**given)
    assert "which never fits" in str(caught.value)


def test_tasks_that_may_fit_are_taken() -> None:
    """At any depth."""
    half = Half(1)
    task = Use(
        x=half,
        xs=[half, 1.0],
        by_name={"a": half},
        pair=(half, Names(2)),
        setup=Setup(half, (half,)),  # type: ignore[arg-type]
        model={"rate": half},
        anything=[Names(1)],
    )
    assert task.run() == 0.5
