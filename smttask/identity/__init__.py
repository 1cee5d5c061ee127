"""What a value and a task are called: canonical bytes, digests, and outlines that tell which part changed."""

from smttask.identity.canonical import CanonicalForms, canonical_bytes, canonical_forms, named_bytes
from smttask.identity.digest import DIGEST_LENGTH, digest
from smttask.identity.outline import fields_outline, is_same, outline, task_table

__all__ = [
    "DIGEST_LENGTH",
    "CanonicalForms",
    "canonical_bytes",
    "canonical_forms",
    "digest",
    "fields_outline",
    "is_same",
    "named_bytes",
    "outline",
    "task_table",
]
