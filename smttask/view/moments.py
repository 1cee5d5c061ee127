"""Moments in time as people tell them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from smttask.errors import InputError, short_repr

__all__ = ["to_moment", "to_span"]

# How much of a moment each length of digits tells
DIGIT_FORMATS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
EXPECTED = "give a datetime, a date, ISO text such as '2026-11-22 10:15', or digits such as 202611"


def to_moment(given: datetime | date | str | int) -> datetime:
    """The aware datetime that `given` tells; see `RecordFilter.after`.

    Raises
    ------
    InputError
        If it is no moment.

    Examples
    --------
    >>> to_moment("2026-11-22T10:15+00:00").isoformat()
    '2026-11-22T10:15:00+00:00'
    """
    try:
        return _parsed(given).astimezone()
    except (ValueError, OverflowError, TypeError) as error:
        raise InputError(
            f"{short_repr(given)} is no moment.",
            f"found: {error}",
            EXPECTED,
        ) from error


def _parsed(given: object) -> datetime:
    if isinstance(given, datetime):
        return given
    if isinstance(given, date):
        return datetime(given.year, given.month, given.day)
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise TypeError(f"a {type(given).__name__}")
    text = str(given).strip()
    if re.fullmatch(r"\d{4}-\d{2}", text):
        text = text.replace("-", "")
    if text.isascii() and text.isdigit():
        if len(text) not in DIGIT_FORMATS:
            raise ValueError(f"{len(text)} digits; expected 4, 6, 8, 10, 12 or 14")
        return datetime.strptime(text, DIGIT_FORMATS[len(text)])
    return datetime.fromisoformat(text)


def to_span(given: date | str | int) -> tuple[datetime, datetime]:
    """Begin and end of the year, month, day, hour, minute or second that `given` tells.

    Raises
    ------
    InputError
        If it tells none: a datetime is a moment, which lasts for no time.

    Examples
    --------
    >>> [moment.date().isoformat() for moment in to_span(202612)]
    ['2026-12-01', '2027-01-01']
    """
    begin = to_moment(given)
    n_digits = 8 if isinstance(given, date) else len(re.sub(r"\D", "", str(given)))
    if isinstance(given, datetime) or n_digits not in DIGIT_FORMATS or re.search(r"[Z+]", str(given)):
        raise InputError(
            f"{short_repr(given)} is no span of time.",
            "expected: a year, a month, a day, an hour, a minute or a second",
            "give a date, ISO text such as '2026-11-22', or digits such as 202611; "
            "between two moments: after(…).filter.before(…)",
        )
    start = begin.replace(tzinfo=None)
    if n_digits == 4:
        end = start.replace(year=start.year + 1)
    elif n_digits == 6:
        end = (start + timedelta(days=31)).replace(day=1)
    elif n_digits == 8:
        end = start + timedelta(days=1)
    else:
        return begin, begin + timedelta(seconds={10: 3600, 12: 60, 14: 1}[n_digits])
    return begin, end.astimezone()
