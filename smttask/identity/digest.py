"""Canonical bytes -> digest."""

from __future__ import annotations

from blake3 import blake3

__all__ = ["DIGEST_LENGTH", "digest"]

DIGEST_LENGTH = 20
_MAX_LENGTH = 64
_MANY_BYTES = 1 << 20  # below this, starting threads costs more than it saves


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
    'fc2f6dcd8ed5e4e5e6b7'
    """
    if not 1 <= length <= _MAX_LENGTH:
        raise ValueError(f"A digest has 1 to {_MAX_LENGTH} hex digits, not {length}.")
    if len(canonical) < _MANY_BYTES:
        return blake3(canonical).hexdigest()[:length]
    return blake3(canonical, max_threads=blake3.AUTO).hexdigest()[:length]
