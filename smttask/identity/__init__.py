"""What a value and a task are called: canonical bytes, digests, and the defaults that they leave out.

All but `digest` is loaded when it is first used: plain values need neither numpy nor pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from smttask.identity.digest import DIGEST_LENGTH, digest

if TYPE_CHECKING:
    from smttask.identity.canonical import CanonicalForms, canonical_bytes, canonical_forms, named_bytes
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

_HOME = {
    **dict.fromkeys(
        ["CanonicalForms", "canonical_bytes", "canonical_forms", "named_bytes"], "smttask.identity.canonical"
    ),
    **dict.fromkeys(["merged", "standing_defaults", "still_stand"], "smttask.identity.standing"),
}


if not TYPE_CHECKING:  # a type checker that sees it would take any name for an attribute

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module 'smttask.identity' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value
