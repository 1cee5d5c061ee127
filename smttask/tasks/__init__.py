"""Typed pure functions as objects: described, hashed, run, recorded."""

from smttask.tasks.decorators import MemoizedTask, NonMemoizedTask, RecordedTask, TaskType
from smttask.tasks.outputs import TaskOutput
from smttask.tasks.task import Failed, Task

__all__ = ["Failed", "MemoizedTask", "NonMemoizedTask", "RecordedTask", "Task", "TaskOutput", "TaskType"]
