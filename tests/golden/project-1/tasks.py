"""Tasks of the golden project: their digests, code fingerprints and stored results are promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from smttask import MemoizedTask, RecordedTask, TaskOutput
from smttask.typing import Array, InputFile

HERE = Path(__file__).parent
FACTOR = 2.0


class Color(Enum):
    RED = 1
    BLUE = "blue"


@dataclass
class Shape:
    width: float
    sides: list[int] = field(default_factory=list)


class Model(BaseModel):
    rate: float
    names: dict[str, int] = {}


class Fit(TaskOutput):
    slope: float
    residuals: Array[float]
    table: dict[str, Array[float]]


def scaled(x: float, by: float = FACTOR) -> float:
    return x * by


@RecordedTask
def Scalars(a: int, b: float, c: str, d: bool, e: None, f: bytes, g: complex, h: int = 3) -> list[float]:
    return [scaled(a), scaled(b)]


@RecordedTask
def Text(n: int) -> str:
    return "0123456789" * n


@RecordedTask
def Bytes(n: int) -> bytes:
    return b"0123456789" * n


@RecordedTask
def Numbers(n: int) -> list[int]:
    return list(range(n))


@RecordedTask
def Ramp(n: int) -> Array[float]:
    return np.arange(n) / 8


@RecordedTask
def Line(x: Array[float], weights: list[Array] | None = None) -> Fit:
    return Fit(slope=2.0, residuals=x - x.mean(), table={"large": np.arange(8_200.0), "small": x[:3]})


@RecordedTask
def Anything(x: Any) -> str:
    return type(x).__name__


@RecordedTask
def Values(shape: Shape, shapes: list[Shape], model: Model, color: Color, when: datetime) -> float:
    return shape.width * model.rate


@RecordedTask
def Files(path: Path, file: InputFile) -> str:
    return Path(file).read_text(encoding="utf-8")


@MemoizedTask
def Offset(x: float) -> float:
    return x + 1


@RecordedTask
def Total(parts: list[float], ramp: Array[float], by: dict[str, float]) -> float:
    return sum(parts) + float(ramp.sum()) + sum(by.values())


@RecordedTask(name="golden.fixed")
class Fixed:
    def double(self, x: float) -> float:
        return 2 * x

    def __call__(self, x: float) -> float:
        return self.double(x)


def golden_tasks() -> dict[str, Any]:
    """Every golden task by a name of its own."""
    structured = np.array([(1, 2.5), (3, 4.5)], dtype=[("a", "<i4"), ("b", "<f8")])
    nested = {"k": [1, 2.5, None, {"deep": (1, "two", b"three")}], 3: {4, 5}, "nan": float("nan")}
    moment = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
    return {
        "scalars": Scalars(1, 2, "é", True, None, b"\0\1", 1 - 2j),
        "scalars, default given": Scalars(1, 2, "é", True, None, b"\0\1", 1 - 2j, 3),
        "scalars, other default": Scalars(-(2**70), -0.0, "", False, None, b"", 0j, h=4),
        "text": Text(2000),
        "bytes": Bytes(2000),
        "numbers": Numbers(5000),
        "array": Ramp(3000),
        "named outputs": Line([1.0, 2.0, 4.0]),
        "large input": Line(np.arange(8_200.0), [np.ones((2, 3), order="F"), np.arange(4, dtype=">i2")]),
        "nested": Anything(nested),
        "structured array": Anything(structured),
        "masked array": Anything(np.ma.MaskedArray([1.0, 2.0], mask=[False, True])),
        "dates": Anything([date(2026, 11, 22), timedelta(days=1, microseconds=5), moment]),
        "values": Values(Shape(2.0), [Shape(1, [3])], Model(rate=0.5, names={"a": 1}), Color.BLUE, moment),
        "files": Files(HERE / "input.txt", HERE / "input.txt"),
        "upstream": Total([Offset(1.0), Offset(2.0), 3.0], Ramp(3000), {"x": Fixed(1.5)}),
        "fixed name": Fixed(1.5),
    }
