"""Whether a taskfile's `use` is being called, so that a task defined twice there is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from smttask.tasker.loading import bring_forward

__all__ = ["Use", "current_use", "using"]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """One call of a taskfile's `use`; equal to itself alone.

    Parameters
    ----------
    folder, taskfile
        Absolute.
    module
        What the taskfile was when it was called.
    """

    folder: Path
    taskfile: Path
    module: ModuleType | None = None

    def bring_forward(self) -> None:
        """Let functions of the taskfile import, pickle and unpickle what belongs to it; costs 0.2 us."""
        if self.module is not None:
            bring_forward(self.module)


_use: ContextVar[Use | None] = ContextVar("smttask_tasker_use", default=None)


def current_use() -> Use | None:
    """The innermost call of a `use` that is going on in this thread or asyncio task; None outside.

    Whoever keeps it with a task knows later whether both were defined by the same call.

    Examples
    --------
    >>> current_use() is None
    True
    """
    return _use.get()


@contextmanager
def using(folder: Path, taskfile: Path, module: ModuleType | None = None) -> Iterator[Use]:
    """Let `current_use` tell during the block that `taskfile`, loaded as `module`, is used for `folder`."""
    use = Use(folder, taskfile, module)
    token = _use.set(use)
    try:
        yield use
    finally:
        _use.reset(token)
