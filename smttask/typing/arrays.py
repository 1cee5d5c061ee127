"""Annotations for arrays, dtypes and numpy scalars: what they take and convert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args, get_origin

import numpy as np

from smttask.errors import SignatureError, short_repr
from smttask.protocols import Runnable
from smttask.typing.accept import Accept
from smttask.typing.registry import register_acceptor

__all__ = ["Array", "DType", "NPValue", "accept_array", "accept_scalar"]

_DEFAULTS: dict[type, type] = {  # what values become that are of no subtype of an abstract type
    np.number: np.float64,
    np.inexact: np.float64,
    np.floating: np.float64,
    np.integer: np.int64,
    np.signedinteger: np.int64,
    np.unsignedinteger: np.uint64,
    np.complexfloating: np.complex128,
    np.character: np.str_,
}
_FLEXIBLE = (np.flexible, np.datetime64, np.timedelta64)  # a bare type of these takes any length or unit


def accept_array(dtype: Any = None, ndim: int | None = None) -> Accept:
    """What ``Array[dtype, ndim]`` takes; None stands for any."""
    expected = "an array"
    if dtype is not None:
        wanted = dtype if isinstance(dtype, type) and issubclass(dtype, np.generic) else np.dtype(dtype)
        expected += f" of {getattr(wanted, '__name__', wanted)}"
    else:
        wanted = None
    if ndim is not None:
        expected = f"{expected} with {ndim} axes" if ndim != 1 else f"{expected} with 1 axis"

    def convert(value: Any) -> Any:
        array = _as_array(value, wanted, expected)
        if array is value and _holds_tasks(value):
            return value
        if wanted is not None:
            array = _cast(array, wanted, expected)
        if ndim is not None and array.ndim != ndim:
            raise ValueError(f"expected {expected}, not of shape {array.shape}")
        return array

    return Accept(convert, expected)


def accept_scalar(dtype: Any = None) -> Accept:
    """What ``NPValue[dtype]`` takes: numpy scalars and what an array of that dtype takes."""
    to_array = accept_array(dtype, 0).convert
    expected = accept_array(dtype).expected.replace("an array", "a numpy scalar")

    def convert(value: Any) -> Any:
        if isinstance(value, np.generic) and dtype is None:
            return value
        if isinstance(value, (list, tuple)) and not getattr(dtype, "names", None):
            raise ValueError(f"expected {expected}, not a {type(value).__name__}")
        return to_array(value)[()]

    return Accept(convert, expected)


def _holds_tasks(value: Any) -> bool:
    """Whether lists or tuples hold a task: then the array is made when the task's value is there."""
    if isinstance(value, (list, tuple)):
        return any(map(_holds_tasks, value))
    return isinstance(value, Runnable)


def _holds_bool(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        kinds = set(map(type, value))
        if not kinds.isdisjoint((bool, np.bool_)):
            return True
        return not kinds.isdisjoint((list, tuple)) and any(map(_holds_bool, value))
    return isinstance(value, (bool, np.bool_))


def _as_array(value: Any, wanted: Any, expected: str) -> Any:
    """`value` as an array of whatever dtype fits it; a list that holds tasks as it is."""
    if isinstance(value, np.ma.MaskedArray) or type(value) is np.ndarray:
        return value
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if isinstance(value, np.dtype | str | bytes | dict | set | frozenset | type(None)) and not (
        isinstance(value, str | bytes) and wanted is not None
    ):
        raise ValueError(f"expected {expected}, not a {type(value).__name__}")
    if _holds_tasks(value):
        return value
    kind = np.dtype(wanted).kind if wanted is not None and wanted not in _DEFAULTS else ""
    try:
        if kind and kind in "OVMmT":  # only with the dtype in hand does numpy read these as meant
            return np.asarray(_records(value) if kind == "V" else value, dtype=wanted)
        array = np.asarray(value)
    except Exception as error:  # foreign __array__ methods may raise anything
        raise ValueError(f"expected {expected}: {error}") from error
    if array.dtype.kind == "O":
        raise ValueError(f"expected {expected}, not a {type(value).__name__} that numpy takes for objects")
    if array.dtype.kind not in "b" and kind not in ("U", "S") and _holds_bool(value):
        raise ValueError(f"expected {expected}; a bool is not a number")
    return array


def _records(value: Any) -> Any:
    """Lists of records as JSON has them, with tuples where numpy wants tuples."""
    if isinstance(value, (list, tuple)) and value and not isinstance(value[0], (list, tuple)):
        return tuple(value)
    return [_records(item) for item in value] if isinstance(value, (list, tuple)) else value


def _cast(array: Any, wanted: Any, expected: str) -> Any:
    """`array` with the dtype asked for, unless that would cut a value."""
    old = array.dtype
    if isinstance(wanted, type) and issubclass(wanted, np.generic):
        if wanted is np.generic or (
            issubclass(old.type, wanted) and (wanted in _DEFAULTS or issubclass(wanted, _FLEXIBLE))
        ):
            return array
        new = np.dtype(_DEFAULTS.get(wanted, wanted))
    else:
        new = wanted
    if old == new:
        return array
    refusal = ValueError(f"expected {expected}, not {old}")
    kinds = old.kind + new.kind
    if ("b" in kinds and new.kind != "O") or (new.kind in "iuf" and old.kind == "c"):
        raise refusal
    if (new.kind in "iufc" and old.kind not in "iufcUS") or (new.kind in "US" and old.kind not in "US"):
        raise refusal
    try:
        with np.errstate(all="ignore"):
            result = array.astype(new)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected {expected}, not {old}: {error}") from error
    if new.kind in "iu" and old.kind in "iuf" and not np.array_equal(_exact(result), _exact(array)):
        raise ValueError(f"expected {expected}; some values are cut when {old} becomes {new}")
    if new.kind in "fc" and old.kind in "iufc" and np.any(np.isinf(result) & np.isfinite(array)):
        raise ValueError(f"expected {expected}; some values are too large for {new}")
    if new.kind in "US" and old.kind in "US" and new.itemsize and not np.array_equal(result, array):
        raise ValueError(f"expected {expected}; some texts are too long for {new}")
    return result


def _exact(array: Any) -> Any:
    """Integers of both signs compare exactly as Python numbers only where they do not share a range."""
    return array.astype(object) if array.dtype.kind == "u" and array.itemsize == 8 else array


def _to_dtype(value: Any) -> np.dtype[Any]:
    if value is None:
        raise ValueError("expected a dtype, not None")
    try:
        dtype: np.dtype[Any] = np.dtype(value)
        return dtype
    except Exception as error:  # numpy raises TypeError, ValueError or SyntaxError, by kind of nonsense
        raise ValueError(f"expected a dtype: {error}") from error


def _unknown_annotation(name: str, given: tuple[Any, ...], found: str) -> SignatureError:
    return SignatureError(
        f"{name}[{', '.join(map(short_repr, given))}] is no annotation.",
        f"found: {found}",
        "write Array[float], Array[np.float32, 2] with the number of axes, or NPValue[np.float32]",
    )


_any_array = accept_array()
_any_scalar = accept_scalar()
_dtype = Accept(_to_dtype, "a dtype")
register_acceptor(np.ndarray, _any_array)
register_acceptor(
    np.ma.MaskedArray, Accept(lambda value: np.ma.asarray(_any_array.convert(value)), "a masked array")
)
register_acceptor(np.dtype, _dtype)
register_acceptor(np.generic, _any_scalar)

MYPY = False  # mypy takes this name for True
if TYPE_CHECKING:
    if MYPY:
        from smttask.typing.checkers import AnyValue as Array
        from smttask.typing.checkers import AnyValue as NPValue
    else:
        from smttask.typing.checkers import ArrayAlias as Array
        from smttask.typing.checkers import ScalarAlias as NPValue
    DType = np.dtype
else:

    class _ArrayType(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, np.ndarray)

    class Array(metaclass=_ArrayType):
        """A numpy array: ``Array``, ``Array[float]``, ``Array[np.float32, 2]`` (dtype, number of axes).

        Lists are converted; a value is never cut: 2.7 does not become 2, True is no number.
        """

        def __class_getitem__(cls, parameters: Any) -> Any:
            given = parameters if isinstance(parameters, tuple) else (parameters,)
            dtype, ndim = (*given, None)[:2] if len(given) in (1, 2) else (None, "too many or none")
            dtype = None if dtype is Any else dtype
            ndim = get_args(ndim)[0] if get_origin(ndim) is Literal else ndim
            is_count = ndim is None or (type(ndim) is int and ndim >= 0)
            try:
                accept = accept_array(dtype, ndim) if is_count else None
            except TypeError as error:
                raise _unknown_annotation("Array", given, str(error)) from error
            if accept is None:
                raise _unknown_annotation("Array", given, "no number of axes, which is an int from 0 on")
            return Annotated[np.ndarray, accept]

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            return _any_array.__get_pydantic_core_schema__(source, handler)

    class NPValue:
        """A numpy scalar that keeps its dtype: ``NPValue``, ``NPValue[np.float32]``."""

        def __class_getitem__(cls, dtype: Any) -> Any:
            try:
                return Annotated[cast(Any, np.dtype(dtype).type), accept_scalar(dtype)]
            except TypeError as error:
                raise _unknown_annotation("NPValue", (dtype,), str(error)) from error

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            return _any_scalar.__get_pydantic_core_schema__(source, handler)

    DType = Annotated[np.dtype, _dtype]
