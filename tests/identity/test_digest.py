"""Digests."""

import pytest

from smttask.identity import DIGEST_LENGTH, digest


def test_a_digest_is_the_beginning_of_blake3():
    """Digests are hex of blake3, of the length asked for, whatever the number of threads."""
    assert digest(b"x") == "3ae7d805f6789a6402ac"
    assert len(digest(b"x")) == DIGEST_LENGTH == 20
    assert digest(b"x", length=64).startswith(digest(b"x"))
    assert digest(bytes(2_000_000)) == "498a8a66092f64770f49"


@pytest.mark.parametrize("length", [0, 65])
def test_impossible_lengths_are_refused(length):
    """A digest has 1 to 64 digits."""
    with pytest.raises(ValueError, match="1 to 64 hex digits"):
        digest(b"x", length=length)
