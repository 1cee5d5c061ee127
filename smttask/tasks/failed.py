"""A failure as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = ["Failed"]


class Failed:
    """What `run()` gives instead of raising when ``config.on_error`` is ``"return"``; it is falsy."""

    def __init__(self, task: Task[Any], error: BaseException) -> None:
        self.task = task
        self.error = error

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"Failed({self.task!r}, {type(self.error).__name__}: {self.error})"
