"""The values of science: types for annotations, and how values are checked, held and written as JSON."""

from smttask.typing.arrays import Array, DType, NPValue
from smttask.typing.figures import Figure
from smttask.typing.files import InputDir, InputFile
from smttask.typing.functions import PureFunction
from smttask.typing.outputs import OutputFile, Pickled, SeparateOutputs, separate_outputs
from smttask.typing.random import RandomState, RNGenerator, SeedSequence
from smttask.typing.registration import register_type
from smttask.typing.scalars import Complex, Range, Slice
from smttask.typing.statistics import Distribution

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
