"""Dates, times, exact numbers, slices and ranges as values."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from types import EllipsisType
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from smttask.typing.accept import Accept
from smttask.typing.registry import TypeEntry, register_acceptor, register_entry

__all__ = ["Complex", "Range", "Slice", "plain_zone", "zone_of"]

Complex = complex


def plain_zone(zone: tzinfo) -> list[Any] | str:
    """The name of a zone of the tz database, or the parts of a fixed offset."""
    if isinstance(zone, ZoneInfo):
        if zone.key is None:
            raise TypeError("a time zone without a name")
        return zone.key
    if isinstance(name := getattr(zone, "zone", None), str):  # those of the library pytz
        return name
    offset = zone.utcoffset(None)
    if offset is None:
        raise TypeError(f"a time zone of type {type(zone).__name__}")
    label = zone.tzname(None)
    is_named = type(zone) is timezone and label != timezone(offset).tzname(None)
    return [*_plain_timedelta(offset), label] if is_named else _plain_timedelta(offset)


def zone_of(plain: Any) -> tzinfo:
    """The zone that `plain_zone` took apart; ValueError if there is none of that name."""
    if isinstance(plain, str):
        try:
            return ZoneInfo(plain)
        except Exception as error:  # zoneinfo raises LookupError, OSError or ValueError, by kind of nonsense
            raise ValueError(f"no time zone {plain!r}") from error
    offset = timedelta(*plain[:3])
    return timezone(offset, plain[3]) if len(plain) > 3 else timezone(offset)


def _plain_moment(value: datetime | time) -> Any:
    """An ISO text; with a zone of the tz database or a second fold, its parts."""
    zone = value.tzinfo
    of_zone = None if zone is None else plain_zone(zone)
    is_iso = of_zone is None or (not isinstance(of_zone, str) and len(of_zone) == 3)
    if value.fold == 0 and is_iso:
        return value.isoformat()
    return [value.replace(tzinfo=None, fold=0).isoformat(), of_zone, value.fold]


def _moment(cls: type[Any], plain: Any) -> Any:
    if isinstance(plain, str):
        return cls.fromisoformat(plain)
    text, zone, fold = plain
    return cls.fromisoformat(text).replace(tzinfo=None if zone is None else zone_of(zone), fold=fold)


def _plain_timedelta(value: timedelta) -> list[Any]:
    return [value.days, value.seconds, value.microseconds]


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"expected a text, not {type(value).__name__}")
    return value


def _three(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise ValueError("expected [start, stop, step]")
    return list(value)


def _to_slice(value: Any) -> slice:
    if isinstance(value, slice):
        return value
    return slice(*_three(value))


def _to_range(value: Any) -> range:
    if isinstance(value, range):
        return value
    if any(type(part) is not int for part in _three(value)):
        raise ValueError("expected three integers: [start, stop, step]")
    return range(*value)


def _ellipsis(plain: Any) -> EllipsisType:
    if plain is not None:
        raise ValueError("expected null")
    return ...


def _plain_deque(value: deque[Any]) -> list[Any]:
    return [list(value), value.maxlen]


for _entry in (
    TypeEntry("datetime", datetime, _plain_moment, lambda plain: _moment(datetime, plain)),
    TypeEntry("date", date, date.isoformat, date.fromisoformat),
    TypeEntry("time", time, _plain_moment, lambda plain: _moment(time, plain)),
    TypeEntry("timedelta", timedelta, _plain_timedelta, lambda plain: timedelta(*_three(plain))),
    TypeEntry("timezone", timezone, plain_zone, lambda plain: zone_of(list(plain))),
    TypeEntry("zone", ZoneInfo, plain_zone, lambda plain: zone_of(_text(plain))),
    TypeEntry("decimal", Decimal, str, lambda plain: Decimal(_text(plain))),
    TypeEntry("fraction", Fraction, lambda v: [v.numerator, v.denominator], lambda plain: Fraction(*plain)),
    TypeEntry("uuid", UUID, str, lambda plain: UUID(_text(plain))),
    TypeEntry("slice", slice, lambda v: [v.start, v.stop, v.step], lambda plain: slice(*_three(plain))),
    TypeEntry("range", range, lambda v: [v.start, v.stop, v.step], lambda plain: range(*_three(plain))),
    TypeEntry("ellipsis", EllipsisType, lambda v: None, _ellipsis),
    TypeEntry("bytearray", bytearray, bytes, bytearray, is_mutable=True),
    TypeEntry(
        "ordereddict", OrderedDict, lambda v: [[k, x] for k, x in v.items()], OrderedDict, is_mutable=True
    ),
    TypeEntry("counter", Counter, dict, Counter, is_mutable=True),
    TypeEntry("deque", deque, _plain_deque, lambda plain: deque(*plain), is_mutable=True),
):
    register_entry(_entry)

_slice = Accept(_to_slice, "a slice or [start, stop, step]")
_range = Accept(_to_range, "a range or [start, stop, step]")
register_acceptor(slice, _slice)
register_acceptor(range, _range)

if TYPE_CHECKING:
    Slice = slice
    Range = range
else:
    Slice = Annotated[slice, _slice]
    Range = Annotated[range, _range]
