"""The values of science: types for annotations, and how values are checked, held and written as JSON."""

from typing import TYPE_CHECKING, Any

from smttask.typing.arrays import Array, DType, NPValue
from smttask.typing.figures import Figure
from smttask.typing.files import InputDir, InputFile
from smttask.typing.functions import PureFunction
from smttask.typing.libraries import LIBRARY_OF, library_annotation
from smttask.typing.outputs import OutputFile, Pickled, SeparateOutputs, separate_outputs
from smttask.typing.random import RandomState, RNGenerator, SeedSequence
from smttask.typing.registration import register_type
from smttask.typing.scalars import Complex, Range, Slice
from smttask.typing.statistics import Distribution

if TYPE_CHECKING:
    from smttask.typing.libraries import DataArray as DataArray
    from smttask.typing.libraries import DataFrame as DataFrame
    from smttask.typing.libraries import Dataset as Dataset
    from smttask.typing.libraries import Series as Series

#: A class as a value: ``Type``, ``Type[Base]``.
Type = type

__all__ = [
    "Array",
    "Complex",
    "DType",
    "Distribution",
    "Figure",
    "InputDir",
    "InputFile",
    "NPValue",
    "OutputFile",
    "Pickled",
    "PureFunction",
    "RNGenerator",
    "RandomState",
    "Range",
    "SeedSequence",
    "SeparateOutputs",
    "Slice",
    "Type",
    "register_type",
    "separate_outputs",
]


if not TYPE_CHECKING:  # a type checker that sees it would take any name for an attribute

    def __getattr__(name: str) -> Any:
        if name not in LIBRARY_OF:
            raise AttributeError(f"module 'smttask.typing' has no attribute {name!r}")
        value = globals()[name] = library_annotation(name)
        return value


def __dir__() -> list[str]:
    return sorted([*__all__, *LIBRARY_OF])
