"""Canonical bytes -> digest."""

from __future__ import annotations

from smttask.hashing import new_hasher

__all__ = ["DIGEST_LENGTH", "digest"]

DIGEST_LENGTH = 20
_MAX_LENGTH = 64


def digest(canonical: bytes, *, length: int = DIGEST_LENGTH) -> str:
    """Shorten `canonical` to a name that is the same on every machine.

    Stored results are found by this name: another value orphans every result on
    disk, so golden values in ``tests/identity`` pin it.

    Parameters
    ----------
    canonical
        Type-tagged bytes as `canonical_bytes` makes them.
    length
        Hex digits to keep, 1 to 64; each holds 4 bits.

    Raises
    ------
    ValueError
        If `length` is out of range.

    Examples
    --------
    >>> digest(b"x")
    '3ae7d805f6789a6402ac'
    """
    if not 1 <= length <= _MAX_LENGTH:
        raise ValueError(f"A digest has 1 to {_MAX_LENGTH} hex digits, not {length}.")
    return new_hasher(len(canonical)).update(canonical).hexdigest()[:length]
