"""Annotations of what a task returns that say how it is kept: file per element, file itself, pickle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

__all__ = ["OutputFile", "OutputFileMark", "Pickled", "PickledMark", "SeparateOutputs", "separate_outputs"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SeparateOutputs:
    """Mark of a tuple whose elements are stored in files of their own; see `separate_outputs`."""

    get_names: Callable[..., Iterable[str]]


def separate_outputs(item_type: Any, get_names: Callable[..., Iterable[str]]) -> Any:
    """The type ``tuple[item_type, ...]``, each element stored in a file of its own.

    For results that are many or large: each can be loaded alone.

    Parameters
    ----------
    item_type
        Type of each element.
    get_names
        Gives the names of the elements, as many as there are. Called before the task's
        function, with those of its inputs that are named like the arguments of `get_names`.

    Notes
    -----
    A type checker takes no call for a type; write the same as
    ``Annotated[tuple[float, ...], SeparateOutputs(get_names)]`` where one is used.

    Examples
    --------
    >>> Powers = separate_outputs(float, lambda n: [f"p{k}" for k in range(n)])
    >>> Powers.__origin__
    tuple[float, ...]
    """
    return Annotated[tuple[item_type, ...], SeparateOutputs(get_names)]


@dataclass(frozen=True, slots=True)
class OutputFileMark:
    """Mark of a path whose file is the output; see `OutputFile`."""


#: A file that the task, or a program it calls, wrote in `smttask.output_dir()`. The task returns its
#: path; the file moves into the store, and `run()` gives its path there.
OutputFile = Annotated[Path, OutputFileMark()]


@dataclass(frozen=True, slots=True)
class PickledMark:
    """Mark of an output that is stored as a pickle; see `Pickled`."""


#: ``Pickled[Model]``: a `Model`, whatever class that is, stored as a pickle. To load it is to trust whoever
#: can write to the store; an output without this mark is never unpickled.
Pickled = Annotated[T, PickledMark()]
