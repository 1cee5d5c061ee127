"""Names of files are promises: stored results are found by them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from smttask.storage.layout import (
    Key,
    iteration_suffix,
    iterations_below,
    label_for,
    link_name,
    older_name,
    output_file_name,
    temporary_name,
)

KEY = Key("Analyze", "3f9c1b00112233445566", "", "f" * 40)


def test_golden_names():
    """The names of links, labels and files never change."""
    local = timezone(timedelta(hours=2))
    started = datetime(2026, 11, 22, 12, 15, 0, 123456, tzinfo=local)
    assert link_name(KEY) == "3f9c1b00112233445566.json"
    assert older_name(KEY, "f" * 40, "c" * 40) == "3f9c1b00112233445566.2386fe47d664.json"
    assert label_for(KEY, started) == "20261122-101500-123456_3f9c1b"
    assert output_file_name("L", "field", ".npy") == "L_field.npy"
    assert output_file_name("L", "", ".npy") == "L_result.npy"


def test_a_suffix_stands_in_every_name():
    """The part of a digest that is not hashed can be read in label and links."""
    key = Key("Grow", "88aa01", "__n_5", "f" * 40)
    started = datetime(2026, 11, 22, tzinfo=timezone.utc)  # noqa: UP017 - the two are one
    assert key.name == "88aa01__n_5"
    assert (key.link_folder, link_name(key)) == ("Grow/88aa01", "n_5.json")
    assert older_name(key, "f" * 40, "c" * 40) == "n_5.2386fe47d664.json"
    assert iteration_suffix("n", 5) == key.suffix
    assert label_for(key, started) == "20261122-000000-000000_88aa01__n_5"


def test_names_of_outputs_suit_every_file_system():
    """Strange, long and equal names of outputs become files that differ where case does not count."""
    assert output_file_name("L", "a/b:c\u00e9", ".npy") == "L_a-b-c\u00e9.npy"
    assert output_file_name("L", "A", ".npy", {"l_a.npy", "l_a-2.npy"}) == "L_A-3.npy"
    assert len(output_file_name("L", "\u6f22" * 500, ".npy").encode()) < 150


def test_temporary_names_are_hidden():
    """A file that is not whole yet is neither listed nor taken for a result."""
    assert temporary_name("x.json") == ".x.json.part"


def test_fewer_iterations_come_most_first():
    """Numbers count as numbers, whatever their number of digits, and other files are passed over."""
    names = [f"n_{n}.json" for n in (0, 7, 99, 100, 10, 8, 1000)]
    strange = [".older", "n_.json", "n_07.json", "m_9.json", "n_x.json", ".n_9.json.part", "n_\u0663.json"]
    assert list(iterations_below([*names, *strange], "n", 1000)) == [100, 99, 10, 8, 7, 0]
    assert list(iterations_below(names, "n", 99)) == [10, 8, 7, 0]
    assert list(iterations_below(names, "n", 8)) == [7, 0]
    assert list(iterations_below(names, "n", 0)) == []
