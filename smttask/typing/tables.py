"""pandas' tables and scalars as values: columns, index and dtypes, each by its content.

Imported when a value or an annotation of pandas is first met. How pandas keeps a table
in memory does not matter: blocks, unused levels, and how it holds texts by default,
which depends on its version and on whether Arrow is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from smttask.protocols import Runnable
from smttask.typing.accept import accept_instances
from smttask.typing.registry import TypeEntry, register_acceptor, register_entry
from smttask.typing.scalars import plain_zone, zone_of

__all__ = ["TEXT_IS_OBJECT", "index_from_plain", "plain_index"]

_UNCHANGING = frozenset({bool, int, float, complex, str, bytes, type(None), pd.Timestamp, pd.Timedelta})
# What pandas makes of texts: objects up to version 2, a dtype of their own since.
TEXT_IS_OBJECT = pd.Index(["text"]).dtype == object
_TEXT_KINDS = {"str": np.nan, "string of nan": np.nan, "string of <NA>": pd.NA}
_MASKED = frozenset(
    ["boolean", "Float32", "Float64"] + [f"{kind}{n}" for kind in ("Int", "UInt") for n in (8, 16, 32, 64)]
)


def _plain_array(values: Any) -> Any:
    """The elements of a column or index: an array, or a dict that names what numpy does not have."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        if TEXT_IS_OBJECT and dtype.kind == "O" and all(type(v) is str or _is_nan(v) for v in values):
            return {"dtype": "str", "values": [text if type(text) is str else None for text in values]}
        return values.to_numpy()
    array = values.array
    if isinstance(dtype, pd.CategoricalDtype):
        return {
            "dtype": "category",
            "codes": array.codes.astype(np.int32),
            "categories": plain_index(dtype.categories),
            "ordered": bool(dtype.ordered),
        }
    if isinstance(dtype, pd.DatetimeTZDtype):
        moments = array.tz_convert(None).to_numpy()
        return {"dtype": "datetimetz", "values": moments, "zone": plain_zone(dtype.tz)}
    if isinstance(dtype, pd.PeriodDtype):
        return {"dtype": "period", "values": array.asi8, "freq": array.freqstr}
    if isinstance(dtype, pd.IntervalDtype):
        sides = {"left": plain_index(pd.Index(array.left)), "right": plain_index(pd.Index(array.right))}
        return {"dtype": "interval", "closed": dtype.closed, **sides}
    is_missing = np.asarray(values.isna())
    if isinstance(dtype, pd.StringDtype):
        texts = [
            None if missing else str(text)
            for text, missing in zip(array.astype(object), is_missing, strict=True)
        ]
        is_usual = dtype.na_value is not pd.NA and not TEXT_IS_OBJECT
        return {"dtype": "str" if is_usual else f"string of {dtype.na_value}", "values": texts}
    if dtype.name in _MASKED:
        numbers = array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return {"dtype": dtype.name, "values": numbers, "missing": is_missing}
    raise TypeError(f"a column or index of dtype {dtype}; convert it to one that numpy or pandas itself has")


def _is_nan(value: Any) -> bool:
    return type(value) is float and value != value


def _zone(plain: Any) -> Any:
    """A named zone is given to pandas by its name: which library it takes for it depends on its version."""
    zone = zone_of(plain)
    return plain if isinstance(plain, str) else zone


def _array(plain: Any) -> Any:
    """What `_plain_array` took apart."""
    if isinstance(plain, np.ndarray):
        return plain
    kind = plain["dtype"]
    if kind == "category":
        dtype = pd.CategoricalDtype(index_from_plain(plain["categories"]), bool(plain["ordered"]))
        return pd.Categorical.from_codes(plain["codes"], dtype=dtype)
    if kind == "datetimetz":
        return pd.DatetimeIndex(plain["values"]).tz_localize("UTC").tz_convert(_zone(plain["zone"])).array
    if kind == "period":
        return pd.PeriodIndex.from_ordinals(plain["values"], freq=str(plain["freq"])).array
    if kind == "interval":
        left, right = index_from_plain(plain["left"]), index_from_plain(plain["right"])
        return pd.arrays.IntervalArray.from_arrays(left, right, closed=plain["closed"])
    if kind == "str" and TEXT_IS_OBJECT:
        return np.array([np.nan if text is None else text for text in plain["values"]], dtype=object)
    if kind in _TEXT_KINDS:
        return pd.array(list(plain["values"]), dtype=pd.StringDtype(na_value=_TEXT_KINDS[kind]))
    if kind not in _MASKED:
        raise ValueError(f"no dtype {kind!r}")
    array = pd.array(plain["values"], dtype=kind)
    array[np.asarray(plain["missing"])] = pd.NA
    return array


def plain_index(index: Any) -> dict[str, Any]:
    """An index as plain values, with its names."""
    if isinstance(index, pd.MultiIndex):
        used = index.remove_unused_levels()
        return {
            "levels": [plain_index(level.rename(None)) for level in used.levels],
            "codes": [np.asarray(codes, dtype=np.int64) for codes in used.codes],
            "names": list(index.names),
        }
    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "name": index.name}
    plain = {"values": _plain_array(index), "name": index.name}
    freq = (
        getattr(index, "freqstr", None) if isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex) else None
    )
    return plain if freq is None else {**plain, "freq": freq}


def index_from_plain(plain: Any) -> Any:
    """The index that `plain_index` took apart."""
    if "levels" in plain:
        levels = [index_from_plain(level) for level in plain["levels"]]
        return pd.MultiIndex(levels=levels, codes=plain["codes"], names=plain["names"])
    if "range" in plain:
        return pd.RangeIndex(*plain["range"], name=plain["name"])
    array = _array(plain["values"])
    index = pd.Index(array, dtype=array.dtype, name=plain["name"], copy=True)
    if "freq" in plain:
        index.freq = plain["freq"]
    return index


def _plain_series(series: Any) -> dict[str, Any]:
    plain = {"name": series.name, "index": plain_index(series.index), "values": _plain_array(series)}
    return {**plain, "attrs": dict(series.attrs)} if series.attrs else plain


def _series(plain: Any) -> Any:
    array = _array(plain["values"])
    index = index_from_plain(plain["index"])
    series = pd.Series(array, index=index, name=plain["name"], dtype=array.dtype, copy=True)
    series.attrs.update(plain.get("attrs", {}))
    return series


def _plain_frame(frame: Any) -> dict[str, Any]:
    plain = {
        "columns": plain_index(frame.columns),
        "index": plain_index(frame.index),
        "values": [_plain_array(frame.iloc[:, position]) for position in range(frame.shape[1])],
    }
    return {**plain, "attrs": dict(frame.attrs)} if frame.attrs else plain


def _frame(plain: Any) -> Any:
    index = index_from_plain(plain["index"])
    arrays = [_array(values) for values in plain["values"]]
    columns = {n: pd.Series(array, index=index, dtype=array.dtype) for n, array in enumerate(arrays)}
    frame = pd.DataFrame(columns, index=index)
    frame.columns = index_from_plain(plain["columns"])
    frame.attrs.update(plain.get("attrs", {}))
    return frame


def _copy(table: Any) -> Any:
    """A copy that shares nothing that can change; None if it holds objects that can."""
    columns = [table] if table.ndim == 1 else [table.iloc[:, n] for n in range(table.shape[1])]
    for column in columns:
        if column.dtype == object and not _UNCHANGING.issuperset(map(type, column)):
            return None
    copied = table.copy(deep=True)
    copied.index = table.index.copy(deep=True)
    return copied


def _copy_index(index: Any) -> Any:
    return index.copy(deep=True)


def _plain_interval(interval: Any) -> list[Any]:
    return [interval.left, interval.right, interval.closed]


def _period(plain: Any) -> Any:
    ordinal, freq = plain
    return pd.Period(ordinal=ordinal, freq=freq)


def _plain_timestamp(moment: Any) -> list[Any]:
    zone = None if moment.tz is None else plain_zone(moment.tz)
    return [moment.to_datetime64(), zone, moment.fold if zone is None else 0]


def _timestamp(plain: Any) -> Any:
    value, zone, fold = plain
    moment = pd.Timestamp(value)
    if zone is None:
        return moment.replace(fold=1) if fold else moment
    return moment.tz_localize("UTC").tz_convert(_zone(zone))


def _missing(value: Any) -> Any:
    def make(plain: Any) -> Any:
        if plain is not None:
            raise ValueError("expected null")
        return value

    return make


def _columns(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a DataFrame or a dict of columns, not a {type(value).__name__}")
    if any(isinstance(column, Runnable) for column in value.values()):
        raise ValueError("expected a DataFrame; a task stands for all of it, not for a column")
    return pd.DataFrame(dict(value))


def _one_column(value: Any) -> Any:
    if not isinstance(value, list | tuple | np.ndarray) or any(isinstance(item, Runnable) for item in value):
        raise ValueError(f"expected a Series or a list, not a {type(value).__name__}")
    return pd.Series(value)


def _moment(value: Any) -> Any:
    if isinstance(value, bool | int | float | Runnable):
        raise ValueError(f"expected a date and time, not a {type(value).__name__}")
    return pd.Timestamp(value)


_INDEXES = [pd.Index, pd.RangeIndex, pd.MultiIndex, pd.CategoricalIndex, pd.DatetimeIndex, pd.TimedeltaIndex]
_INDEXES += [pd.PeriodIndex, pd.IntervalIndex]
for _cls in _INDEXES:
    register_entry(
        TypeEntry(f"pandas.{_cls.__name__}", _cls, plain_index, index_from_plain, True, _copy_index)
    )
for _entry in (
    TypeEntry("pandas.DataFrame", pd.DataFrame, _plain_frame, _frame, is_mutable=True, copy=_copy),
    TypeEntry("pandas.Series", pd.Series, _plain_series, _series, is_mutable=True, copy=_copy),
    TypeEntry("pandas.Timestamp", pd.Timestamp, _plain_timestamp, _timestamp),
    TypeEntry("pandas.Timedelta", pd.Timedelta, lambda v: v.to_timedelta64(), pd.Timedelta),
    TypeEntry("pandas.Period", pd.Period, lambda v: [v.ordinal, v.freqstr], _period),
    TypeEntry("pandas.Interval", pd.Interval, _plain_interval, lambda plain: pd.Interval(*plain)),
    TypeEntry("pandas.NaT", type(pd.NaT), lambda v: None, _missing(pd.NaT)),
    TypeEntry("pandas.NA", type(pd.NA), lambda v: None, _missing(pd.NA)),
):
    register_entry(_entry)

register_acceptor(pd.DataFrame, accept_instances(pd.DataFrame, _columns, "a DataFrame"))
register_acceptor(pd.Series, accept_instances(pd.Series, _one_column, "a Series"))
register_acceptor(pd.Timestamp, accept_instances(pd.Timestamp, _moment, "a Timestamp"))
register_acceptor(pd.Timedelta, accept_instances(pd.Timedelta, None, "a Timedelta"))
