"""Large inputs and texts are kept once, under the name of their content."""

from __future__ import annotations

import numpy as np
import pytest
from blake3 import blake3

from smttask.errors import DamagedResultError, ResultNotFoundError

BIG = np.arange(20_000.0)


@pytest.mark.parametrize("value", [BIG, {"x": BIG}, "x" * 100_000, b"x" * 100_000, [1.5] * 10_000])
def test_a_value_is_kept_once_and_comes_back(value, scratch):
    """Putting a value twice writes one file, named by its content."""
    name = scratch.store.put_value(value)
    (file,) = scratch.files()
    before = (scratch.store.input_dir / file).stat()
    assert scratch.store.put_value(value) == name
    assert (scratch.store.input_dir / file).stat() == before
    assert file.startswith(f"run_dump/.values/{name}.")
    assert blake3((scratch.store.input_dir / file).read_bytes()).hexdigest() == name
    np.testing.assert_equal(scratch.store.get_value(name), value)


def test_the_name_of_a_golden_array_never_changes(scratch):
    """The name of a stored array is a promise: old records name it."""
    assert scratch.store.put_value(BIG).startswith("ac0f676e6088f7f5")


def test_a_diff_is_kept_as_it_is(scratch):
    """Texts keep their ends of line and bytes that are no UTF-8."""
    text = "+caf\u00e9\r\n-\udcff\n"
    name = scratch.store.put_text(text)
    assert scratch.files() == [f"run_dump/.values/{name}.diff"]
    assert scratch.store.get_text(name) == text


def test_a_damaged_value_is_never_returned(scratch):
    """One flipped byte, and the value is an error and set aside; putting it again repairs it."""
    name, text_name = scratch.store.put_value(BIG), scratch.store.put_text("x")
    for path in list(scratch.store.values.path.iterdir()):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(DamagedResultError, match="another checksum than its name"):
        scratch.store.get_value(name)
    with pytest.raises(DamagedResultError):
        scratch.store.get_text(text_name)
    assert len(list((scratch.store.values.path / ".damaged").iterdir())) == 2
    assert scratch.store.put_value(BIG) == name
    with open(scratch.store.values.path / f"{name}.npy", "r+b") as file:
        file.truncate(1000)
    scratch.store.put_value(BIG)
    assert scratch.store.get_value(name).tolist() == BIG.tolist()


@pytest.mark.parametrize("name", ["ab" * 32, "../x", ""])
def test_a_value_that_is_not_there_is_an_error(name, scratch):
    """Unknown and strange names are not found; no path is made from them."""
    with pytest.raises(ResultNotFoundError, match="No stored value"):
        scratch.store.get_value(name)
    with pytest.raises(ResultNotFoundError, match="No stored value"):
        scratch.store.get_text(name)
