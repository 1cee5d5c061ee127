"""What makes two tasks the same, and what never does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from smttask import config
from smttask.errors import ArgumentError, InputError

TASKS = """
from dataclasses import dataclass, field
from enum import Enum
import numpy as np
from pydantic import BaseModel, Field
from smttask import MemoizedTask, RecordedTask
from smttask.testing import count_call
from smttask.typing import Array

@dataclass
class Shape:
    width: float
    sides: list[int] = field(default_factory=list)

class Model(BaseModel):
    rate: float
    names: list[str] = Field(default_factory=list)

@RecordedTask
def Whole(x: int) -> int:
    return x

@RecordedTask
def Real(x: float) -> float:
    return x

@RecordedTask
def Table(x: dict[str, float]) -> float:
    return sum(x.values())

@RecordedTask
def Mean(x: Array) -> float:
    return float(x.mean())

@RecordedTask
def Many(xs: list[int], shape: Shape, model: Model, x: Array) -> list[float]:
    return [float(sum(xs)), shape.width, float(len(shape.sides)), model.rate, float(x.sum())]

@RecordedTask
def Spoil(xs: list[int], x: Array, shape: Shape) -> int:
    xs.append(1)
    shape.sides.append(1)
    try:
        x[0] = 100
    except ValueError:
        pass
    return sum(xs)

@MemoizedTask
def Lists(n: int) -> dict[str, list[int]]:
    return {"a": [n]}

@RecordedTask
def Use(lists: dict[str, list[int]], k: int) -> int:
    lists["a"].append(k)
    return sum(lists["a"])
"""


@pytest.fixture
def lab(scratch: Any) -> Any:
    return scratch({"tasks.py": TASKS})


@pytest.fixture
def tasks(lab: Any) -> Any:
    return lab.load("tasks")


def test_two_tasks_of_one_name_in_two_modules_never_meet(scratch: Any) -> None:
    """Same name, same inputs, another module, even in one package: another task, another result."""
    text = "from smttask import RecordedTask\n@RecordedTask\ndef F(x: int) -> str:\n    return __name__\n"
    lab = scratch({"f.py": text, "pkg/__init__.py": text, "pkg/f.py": text})
    made = [lab.load(name).F(1) for name in ("f", "pkg", "pkg.f")]
    assert [task.run() for task in made] == ["f", "pkg", "pkg.f"]
    assert len({task.digest for task in made}) == 3
    assert [task.run() for task in made] == ["f", "pkg", "pkg.f"]
    assert len(set(made)) == 3


def test_numbers_of_one_value_are_one_task_and_others_are_refused(tasks: Any) -> None:
    """3, 3.0 and numpy's 3 for a float; a cut float or a bool is never a number."""
    floats = (3, 3.0, np.float32(3), np.int64(3), np.array(3.0))
    assert len({tasks.Real(x).digest for x in floats}) == 1
    assert len({tasks.Whole(x).digest for x in (3, 3.0, np.int8(3), np.float64(3))}) == 1
    for task, wrong in [
        (tasks.Whole, 2.7),
        (tasks.Whole, True),
        (tasks.Whole, np.True_),
        (tasks.Real, False),
        (tasks.Whole, np.float64(2.5)),
        (tasks.Table, {"a": True}),
        (tasks.Real, "three"),
        (tasks.Whole, float("nan")),
    ]:
        with pytest.raises(InputError, match=f"Task '{task.__name__}'"):
            task(wrong)
    assert tasks.Real(0.0) != tasks.Real(-0.0)
    assert tasks.Real(float("nan")) == tasks.Real(np.nan) == tasks.Real(-np.float32("nan"))


def test_neither_order_nor_memory_layout_makes_another_task(tasks: Any) -> None:
    """Order of a dict; Fortran, strided, big-endian, read-only, unaligned arrays."""
    assert tasks.Table({"a": 1, "b": 2}).digest == tasks.Table({"b": 2.0, "a": 1.0}).digest
    x = np.arange(24.0).reshape(4, 6)
    frozen = x.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + x.tobytes(), dtype=np.uint8)[1:].view("f8").reshape(4, 6)
    same = [
        x,
        np.asfortranarray(x),
        x.astype(">f8"),
        frozen,
        np.repeat(x, 2, axis=1)[:, ::2],
        unaligned,
        x[::-1][::-1],
    ]
    assert len({tasks.Mean(a).digest for a in same}) == 1
    different = [x.T, x.astype("f4"), x.ravel(), x.astype(int), x + 0j, np.array([x]), -x]
    assert len({tasks.Mean(a).digest for a in [x, *different]}) == len(different) + 1


def test_changing_what_was_handed_in_changes_nothing(tasks: Any) -> None:
    """Lists, dataclasses, models, arrays and views of them are the task's own from its construction on."""
    xs, shape, model, x = [1, 2], tasks.Shape(2.0, [1]), tasks.Model(rate=1.0), np.zeros(5)
    view = x[1:]
    view.flags.writeable = False
    task, viewed = tasks.Many(xs, shape, model, x), tasks.Mean(view)
    digest, desc = task.digest, task.desc
    xs.append(100)
    shape.sides.append(7)
    shape.width = -1.0
    model.rate = 9.0
    model.names.append("x")
    x[:] = 50
    assert (task.digest, task.desc) == (digest, desc)
    assert task.run() == [3.0, 2.0, 1.0, 1.0, 0.0]
    assert viewed.run() == 0.0
    task.taskinputs.xs.append(3)
    task.taskinputs.shape.sides.append(3)
    task.xs.append(3)
    assert task.run(recompute=True) == [3.0, 2.0, 1.0, 1.0, 0.0]
    with pytest.raises((AttributeError, TypeError)):
        task.taskinputs.xs = []
    with pytest.raises(ValueError, match="read-only"):
        task.taskinputs.x[0] = 1


def test_a_function_that_spoils_its_arguments_spoils_only_its_copy(tasks: Any) -> None:
    """Neither the task, nor other tasks that share an upstream result, see it."""
    task = tasks.Spoil([1], np.ones(3), tasks.Shape(1.0))
    assert [task.run(recompute=True) for _ in range(3)] == [2, 2, 2]
    shared = tasks.Lists(10)
    assert [tasks.Use(shared, k).run() for k in (1, 2, 3)] == [11, 12, 13]
    result = shared.run()
    result["a"].append(5)
    assert shared.run() == {"a": [10]}


DEFAULTS = """
from dataclasses import dataclass, field
import dataclasses
from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass
from smttask import MemoizedTask, RecordedTask
from smttask.testing import count_call

@dataclass
class Shape:
    width: float
    #shape

class Model(BaseModel):
    rate: float
    #model

@pydantic_dataclass
class Strict:
    rate: float
    #strict

@MemoizedTask
def Plain(x: float{memo}) -> float:
    return x

@RecordedTask
def Base(x: float{own}) -> float:
    count_call()
    return x

@RecordedTask
def Top(y: float, shape: Shape, models: list[Model], strict: Strict, memo: float) -> float:
    count_call()
    return y
"""


def run_with(
    lab: Any, own: str = "", memo: str = "", shape: str = "", model: str = "", strict: str = ""
) -> tuple[int, int]:
    """How often Base and Top have run, once Top was asked for under these defaults."""
    text = DEFAULTS.replace("{own}", own).replace("{memo}", memo)
    for mark, field in (("#shape", shape), ("#model", model), ("#strict", strict)):
        text = text.replace(mark, field)
    lab.write({"defaults.py": text})
    m = lab.reload("defaults")
    with config.use(on_code_change="ignore"):
        m.Top(m.Base(1.0), m.Shape(2.0), [m.Model(rate=1.0), {"rate": 2.0}], {"rate": 3}, m.Plain(4.0)).run()
    return lab.calls("Base"), lab.calls("Top")


CASES = {
    "of the upstream task": ("own", ", n: int = 0", ", n: int = 1", True),
    "of the memoized task": ("memo", ", n: int = 0", ", n: int = 1", False),
    "of a field of a dataclass": ("shape", "height: float = 1.0", "height: float = 2.0", False),
    "of a field made by a factory": (
        "shape",
        "sides: list[int] = field(default_factory=list)",
        "sides: list[int] = field(default_factory=lambda: [1])",
        False,
    ),
    "of a field of a model": ("model", "names: list[str] = []", "names: list[str] = ['a']", False),
    "of a field of a model by Field": ("model", "k: int = Field(1, gt=0)", "k: int = Field(2, gt=0)", False),
    "of a field of a pydantic dataclass": ("strict", "k: int = 1", "k: int = 2", False),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_default_added_later_keeps_results(scratch: Any, case: str) -> None:
    """A new argument or field with a default, here or upstream, orphans nothing."""
    place, added, _, _ = CASES[case]
    lab = scratch({"other.py": ""})
    assert [run_with(lab), run_with(lab, **{place: added}), run_with(lab)] == [(1, 1)] * 3


@pytest.mark.parametrize("case", CASES)
def test_a_default_changed_later_is_computed_anew(scratch: Any, case: str) -> None:
    """The default of an argument or a field, here or upstream; going back finds the old result."""
    place, old, new, is_base = CASES[case]
    lab = scratch({"other.py": ""})
    counts = [run_with(lab, **{place: default}) for default in (old, new, old, new)]
    again = (2, 2) if is_base else (1, 2)
    assert counts == [(1, 1), again, again, again]


def test_a_default_given_and_a_default_left_out_are_one_task(lab: Any) -> None:
    """Also after conversion, and in fields."""
    lab.write(
        {
            "more.py": "from dataclasses import dataclass\nfrom smttask import RecordedTask\n"
            "@dataclass\nclass P:\n    a: float = 1\n"
            "@RecordedTask\ndef F(x: float = 2, p: P = P(), xs: tuple[float, ...] = (1, 2)) -> float:\n"
            "    return x\n"
        }
    )
    m = lab.load("more")
    same = [m.F(), m.F(2), m.F(2.0), m.F(p=m.P(1.0)), m.F(p={"a": 1}), m.F(xs=[1.0, 2.0])]
    assert len({task.digest for task in same}) == 1
    assert len({task.full_digest for task in same}) == 1


def test_a_reason_is_no_part_of_a_task(tasks: Any) -> None:
    """Neither are the settings."""
    assert tasks.Real(1.0, reason="a") == tasks.Real(1.0)
    with pytest.raises(ArgumentError):
        tasks.Real(1.0, label="a")
