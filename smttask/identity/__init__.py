"""What a value and a task are called: canonical bytes, digests, and the defaults that they leave out."""

from smttask.identity.canonical import CanonicalForms, canonical_bytes, canonical_forms, named_bytes
from smttask.identity.digest import DIGEST_LENGTH, digest
from smttask.identity.standing import merged, standing_defaults, still_stand

__all__ = [
    "DIGEST_LENGTH",
    "CanonicalForms",
    "canonical_bytes",
    "canonical_forms",
    "digest",
    "merged",
    "named_bytes",
    "standing_defaults",
    "still_stand",
]
