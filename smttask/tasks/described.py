"""The task as its description: a mapping, a file, a pickle, a field of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from smttask.errors import DescriptionError
from smttask.protocols import Runnable
from smttask.tasks.construction import load_task, task_from_pickle
from smttask.tasks.description import describe_task, pickled_task, save_task
from smttask.tasks.parameters import read_parameters

if TYPE_CHECKING:
    from smttask.tasks.task import Task

__all__ = ["Described"]


class Described(Runnable):
    """What a task can do because its description is complete."""

    @property
    def _task(self) -> Task[Any]:
        return cast("Task[Any]", self)

    @property
    def desc(self) -> dict[str, Any]:
        """The JSON form of the task, complete and self-contained."""
        return describe_task(self._task)

    def save(self, path: str | Path) -> Path:
        """Write the description to a folder, which is made, or to a file ending in ``.json``.

        Returns the file: ``<Task>__<digest>.taskdesc.json`` in a folder.

        Raises
        ------
        DescriptionError
            If a task cannot be found again from its name, as those of notebooks.
        """
        return save_task(self._task, Path(path))

    @classmethod
    def from_desc(cls, source: Mapping[str, Any] | str | Path | Any) -> Task[Any]:
        """The task that `source` describes.

        Parameters
        ----------
        source
            What `desc` gave, its JSON text, a path, or an open file.

        Raises
        ------
        DescriptionError
            If it is damaged, edited, of a newer format, or names no task.
        """
        task = load_task(source)
        if not isinstance(task, cls):
            raise DescriptionError(
                f"The description is of task {task.name!r}.",
                f"expected: {cls.__name__!r}",
                "call Task.from_desc, which takes any task",
            )
        return task

    @classmethod
    def from_parameters(cls, source: Mapping[str, Any] | str | Path) -> Self:
        """A task with inputs from a mapping, or from a JSON, TOML or YAML file."""
        return cls(**read_parameters(source))

    def __reduce__(self) -> tuple[Any, ...]:
        return task_from_pickle, (pickled_task(self._task),)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.from_desc(value),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda task: task.desc),
        )
