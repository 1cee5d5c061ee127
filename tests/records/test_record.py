from __future__ import annotations

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from smttask.errors import RecordStoreError
from smttask.records.record import DataKey, check_widths, fit


@given(st.text(), st.integers(20, 300))
def test_a_text_that_fits_and_can_be_stored_is_left_alone(text: str, width: int) -> None:
    fitted = fit(text, width)
    assert len(fitted) <= width
    assert "\0" not in fitted
    if len(text) <= width and "\0" not in text:
        assert fitted == text


def test_a_text_that_is_cut_ends_in_the_digest_of_the_whole() -> None:
    fitted = fit("a" * 60, 50)
    assert fitted == "a" * 37 + "~" + blake3(b"a" * 60).hexdigest()[:12]


def test_different_long_texts_stay_different() -> None:
    assert fit("a" * 60 + "b", 50) != fit("a" * 60 + "c", 50)


def test_what_no_database_stores_is_replaced() -> None:
    assert fit("a\0b\udcffc") == "a\ufffdb\ufffdc"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"label": "x" * 101}, "label 'xxx"),
        ({"main_file": "x" * 101}, "main file 'xxx"),
        ({"key_paths": ["fine", "x" * 201]}, "path of the data key 'xxx"),
        ({"label": "a\0b"}, "contains NUL"),
    ],
)
def test_a_name_that_no_record_holds_is_refused(fields: dict[str, str], words: str) -> None:
    with pytest.raises(RecordStoreError, match=words) as caught:
        check_widths(**fields)  # type: ignore[arg-type]
    assert "use a shorter name" in str(caught.value)


def test_names_as_long_as_the_columns_are_accepted() -> None:
    check_widths(label="x" * 100, main_file="x" * 100, key_paths=["x" * 200])


def test_the_key_of_a_file_is_relative_to_its_store_or_absolute() -> None:
    from datetime import UTC, datetime

    about = {"size": 3, "blake3": "ab", "created": datetime.now(UTC)}
    assert DataKey.of_file("/p/data/ü 1.csv", "/p", **about).path == "data/ü 1.csv"  # type: ignore[arg-type]
    assert DataKey.of_file("/project/x.csv", "/p", **about).path == "/project/x.csv"  # type: ignore[arg-type]
