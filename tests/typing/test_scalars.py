"""Dates, times, slices and ranges as values."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from smttask.errors import DigestError, InputError
from smttask.identity import canonical_bytes
from smttask.typing import Complex, Range, Slice
from smttask.typing.validation import Validator


def test_slices_and_ranges_are_made_from_three_parts():
    """Slice and Range take [start, stop, step], as JSON has it."""
    assert Validator(Slice)([None, 3, 2]) == slice(None, 3, 2)
    assert Validator(Range)([0, 3, 1]) == range(3)
    assert Validator(Complex)(2) == 2 + 0j
    for annotation, wrong in [(Slice, 3), (Slice, [1]), (Range, [0, 1.5, 1]), (Range, "abc")]:
        with pytest.raises(InputError):
            Validator(annotation)(wrong)


def test_dates_of_numpy_are_their_python_kin():
    """datetime64 and timedelta64 become datetimes where nothing is lost."""
    moment = np.datetime64("2020-01-01T00:00:00.000000000")
    assert Validator(datetime)(moment) == datetime(2020, 1, 1)
    assert Validator(timedelta)(np.timedelta64(1500, "ms")) == timedelta(seconds=1.5)


def test_time_zones_count():
    """One moment in two zones is two values; a fixed offset is one whoever wrote it."""
    utc = datetime(2020, 1, 1, tzinfo=UTC)
    assert canonical_bytes(utc) != canonical_bytes(utc.replace(tzinfo=ZoneInfo("UTC")))
    parsed = Validator(datetime)("2020-01-01T00:00:00+01:00")
    assert canonical_bytes(parsed) == canonical_bytes(
        datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    )


def test_time_zones_without_a_name_are_refused():
    """A time zone that cannot be found by name again has no digest."""

    class Strange(tzinfo):
        def utcoffset(self, moment):
            return None

    with pytest.raises(DigestError, match="a time zone of type Strange"):
        canonical_bytes(datetime(2020, 1, 1, tzinfo=Strange()))
