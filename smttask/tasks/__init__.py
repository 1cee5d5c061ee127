"""Typed pure functions as objects: described, hashed, run, recorded."""

from smttask.tasks.decorators import (
    MemoizedTask,
    NonMemoizedTask,
    RecordedIterativeTask,
    RecordedTask,
    TaskType,
    UnpureMemoizedTask,
)
from smttask.tasks.failed import Failed
from smttask.tasks.generators import Create, Join
from smttask.tasks.outputs import TaskOutput
from smttask.tasks.selection import clear_task_cache, find_tasks, task_from_record, tasks_have_run
from smttask.tasks.task import Task

__all__ = [
    "Create",
    "Failed",
    "Join",
    "MemoizedTask",
    "NonMemoizedTask",
    "RecordedIterativeTask",
    "RecordedTask",
    "Task",
    "TaskOutput",
    "TaskType",
    "UnpureMemoizedTask",
    "clear_task_cache",
    "find_tasks",
    "task_from_record",
    "tasks_have_run",
]
