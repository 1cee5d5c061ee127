"""From the JSON forms in records back to values and tasks, and from values to forms.

Brings numpy, pydantic and every kind of task. Whoever lists and narrows records
needs none of them, so this file is imported when it is first asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from smttask.project import Project, use_project
from smttask.tasks import construction, lookup
from smttask.typing.jsonform import from_json, to_json

if TYPE_CHECKING:
    from smttask.protocols import Runnable
    from smttask.tasks import Task

__all__ = ["restored_task", "restored_value", "task_form", "wanted_form"]

JSON = Any


def restored_value(project: Project, form: JSON, get_task: Callable[[str], Task[Any]]) -> Any:
    """The value of a JSON form that stands in the parameters of a record; `get_task` gives tasks by digest.

    Raises
    ------
    DescriptionError
        If a class or a task in it is gone.
    """
    with use_project(project):
        return from_json(
            form,
            get_task=get_task,
            get_large=project.data.get_value,
            get_class=lookup.get_class,
            get_definition=lookup.get_definition,
            root=project.root,
        )


def restored_task(project: Project, tree: JSON) -> Task[Any]:
    """The task of a whole description.

    Raises
    ------
    DescriptionError
        If its module or function is gone.
    """
    with use_project(project):
        return construction.load_task(tree, get_large=project.data.get_value)


def wanted_form(value: Any) -> JSON:
    """The JSON form of a value that is looked for in records, which have tasks by their digests.

    Raises
    ------
    DescriptionError
        If no task could have it.
    """
    return to_json(_plain(value), on_task=task_form)


def task_form(task: Runnable) -> dict[str, str]:
    """How a task stands in what records are compared with: by its digest."""
    return {"$task": cast("Task[Any]", task.stand_in()).record_key}


def _plain(value: Any) -> Any:
    """What is looked for in the form that finds most: a numpy scalar as a number, a tuple as a list."""
    if type(value) is tuple:
        return list(value)
    return value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value
