"""Optional libraries: imported when they are needed, with an error that says how to install them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from smttask.errors import MissingExtraError

__all__ = ["is_installed", "require"]

#: Library -> the extra of smttask that brings it.
_EXTRA_OF = {
    "dask": "dask",
    "distributed": "dask",
    "h5netcdf": "xarray",
    "h5py": "hdf5",
    "matplotlib": "viz",
    "psycopg": "postgres",
    "pyarrow": "parquet",
    "submitit": "slurm",
    "tables": "hdf5",
    "xarray": "xarray",
    "zarr": "zarr",
}


def require(name: str) -> ModuleType:
    """The module `name` of an optional library.

    Raises
    ------
    MissingExtraError
        If the library is not installed.

    Examples
    --------
    >>> require("json").__name__
    'json'
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        library = name.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        extra = _EXTRA_OF.get(library)
        raise MissingExtraError(
            f"The library {library!r} is not installed.",
            f"found: {error}",
            f'pip install "smttask[{extra}]"' if extra else f"pip install {library}",
            library=library,
        ) from error


def is_installed(name: str) -> bool:
    """Whether the library `name` can be imported; it is not.

    Examples
    --------
    >>> is_installed("json"), is_installed("no_such_library")
    (True, False)
    """
    return find_spec(name) is not None
