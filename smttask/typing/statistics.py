"""The annotation for frozen distributions; scipy is loaded when a value of its comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from smttask.typing.accept import Accept
from smttask.typing.registry import entry_of

__all__ = ["Distribution"]


def _to_distribution(value: Any) -> Any:
    module = type(value).__module__
    entry = entry_of(type(value)) if module.partition(".")[0] == "scipy" else None
    if entry is None or not hasattr(value, "rvs"):
        raise ValueError(
            f"expected a frozen distribution like scipy.stats.norm(0, 1), not a {type(value).__name__}"
        )
    return value


if TYPE_CHECKING:
    Distribution = Any
else:
    Distribution = Annotated[Any, Accept(_to_distribution, "a frozen distribution of scipy.stats")]
