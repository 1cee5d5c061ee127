"""Annotations for the classes of pandas and xarray, for fields of pydantic models too.

A plain ``pd.DataFrame`` serves for the arguments of a task. In a model, where pydantic's own
rules hold, it would need ``arbitrary_types_allowed`` and have no JSON; these have one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from smttask.extras import require
from smttask.typing.registry import acceptor_of

if TYPE_CHECKING:
    from pandas import DataFrame as DataFrame
    from pandas import Series as Series
    from xarray import DataArray as DataArray
    from xarray import Dataset as Dataset

__all__ = ["LIBRARY_OF", "library_annotation"]

LIBRARY_OF = {"DataArray": "xarray", "DataFrame": "pandas", "Dataset": "xarray", "Series": "pandas"}


def library_annotation(name: str) -> Any:
    """The annotation for a class of a library, which is imported for it.

    Raises
    ------
    MissingExtraError
        If the library is not installed.

    Examples
    --------
    >>> library_annotation("Series")
    typing.Annotated[pandas.Series, <a Series>]
    """
    cls = getattr(require(LIBRARY_OF[name]), name)
    return Annotated[cls, acceptor_of(cls)]
