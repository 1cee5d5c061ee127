"""A folder with tasks that store files in it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from smttask.errors import (
    ArgumentError,
    DefinitionError,
    ResultNotFoundError,
    SignatureError,
    StorageError,
    short_repr,
)
from smttask.protocols import Wiring
from smttask.storage.atomic import unlink_if_there
from smttask.storage.locks import find_holder
from smttask.tasker.claims import Claims
from smttask.tasker.conf import Conf
from smttask.tasker.definition import Definition, define, define_with_ins
from smttask.tasker.files import FormatFile
from smttask.tasker.judging import Stale
from smttask.tasker.menu import menu_html, menu_text
from smttask.tasker.place import working_in
from smttask.tasker.reporting import judge
from smttask.tasker.state import find_locks, lock_path
from smttask.tasker.unit import TaskUnit
from smttask.tasker.using import Use, current_use

__all__ = ["Tasker"]


class Tasker(Wiring):
    """The tasks of one folder: functions that store named files there and are redone only when they must.

    ``@t`` above a function makes it a task that stores nothing, ``@t.stores(JSON("a.json"))`` one that
    stores what it returns. The first argument of the function is the task, the defaults of the
    others are what goes in: tasks, file names, files of a format. Each task becomes an attribute. Calling
    it brings all it depends on up to date and gives its value.

    Subclasses may have methods and attributes of their own; no task can have the name of one.
    ``with t:`` makes the folder the working directory during the block; other threads that want theirs
    wait.

    Parameters
    ----------
    dir
        A folder that is there; relative to the working directory, and ``~`` is the home folder.
    record
        Record each run of a task that stores something in the project around the folder, as runs of a
        `RecordedTask` are.

    Attributes
    ----------
    p
        The folder, absolute.
    tasks
        By name, in the order in which they were defined; ``del t.tasks["name"]`` forgets one.

    Raises
    ------
    StorageError
        If there is no such folder.
    ProjectError
        If runs are to be recorded and there is no project around the folder.

    Examples
    --------
    >>> import tempfile
    >>> from smttask.tasker import JSON
    >>> t = Tasker(tempfile.mkdtemp())
    >>> @t.stores(JSON("three.json"))
    ... def three(tsk):
    ...     return 3
    >>> @t
    ... def six(tsk, three=three):
    ...     return 2 * three
    >>> six(), (t.p / "three.json").exists()
    (6, True)
    """

    folder: str
    given: str  # what the folder was called when the Tasker was made
    p: Path
    record: bool
    tasks: dict[str, TaskUnit]
    _conf: Conf
    _claims: Claims
    _entered: list[AbstractContextManager[Path]]

    def __init__(self, dir: str | os.PathLike[str] = ".", *, record: bool = False) -> None:
        folder = os.path.abspath(os.path.expanduser(dir))
        if not os.path.isdir(folder):
            is_file = os.path.exists(folder)
            raise StorageError(
                f"There is no folder {folder}.",
                "found: a file" if is_file else "found: nothing",
                "a Tasker works in a folder that is there: make it, or name another",
                path=folder,
            )
        own = self.__dict__
        own["folder"] = folder
        own["given"] = os.fspath(dir)
        own["p"] = Path(folder)
        own["record"] = bool(record)
        own["tasks"] = {}
        own["_conf"] = Conf(root=own["p"])
        own["_claims"] = Claims(folder, self.tasks)
        own["_entered"] = []
        if record:
            from smttask.tasker.recording import project_of  # with all that records need

            project_of(folder)

    # ------------------------------------------------------------ defining tasks

    def __call__(self, function: Callable[..., Any]) -> TaskUnit:
        """Make `function` a task that stores nothing: its value is computed each time.

        Raises
        ------
        SignatureError
            If it cannot become a task.
        DefinitionError
            If its name is taken.
        """
        return self._add(define(function))

    def computes(self, function: Callable[..., Any]) -> TaskUnit:
        """The same as the Tasker itself as a decorator: a task that stores nothing."""
        return self(function)

    def stores(self, *outputs: Any) -> Callable[[Callable[..., Any]], TaskUnit]:
        """Make a function a task that stores what it returns.

        Parameters
        ----------
        outputs
            Files of a format, such as ``JSON("a.json")``, which take one returned value each; and names of
            plain files, or folders, which the function writes itself. Relative to the folder.

        Raises
        ------
        SignatureError
            If the function cannot become a task, or an output is no file.
        DefinitionError
            If its name is taken, or another task stores one of the files.
        """
        if not outputs or any(callable(output) and not isinstance(output, FormatFile) for output in outputs):
            raise SignatureError(
                "stores() names no outputs.",
                f"found: stores({', '.join(map(short_repr, outputs))})",
                "write @t.stores('a.txt', JSON('b.json')), or @t for a task that stores nothing",
            )
        return lambda function: self._add(define(function, outputs))

    def create_task(self, ins: Any, outs: Any) -> Callable[[Callable[..., Any]], TaskUnit]:
        """Make a function of the task and one second argument, which takes all inputs, a task.

        Parameters
        ----------
        ins
            One input, or lists, tuples and dicts of them.
        outs
            One output or a list of them; None or ``[]``: it stores nothing.

        Raises
        ------
        SignatureError
            If the function cannot become a task, something cannot go in or is no file to store.
        DefinitionError
            If its name is taken, or another task stores one of the files.
        """
        many = [] if outs is None else list(outs) if isinstance(outs, list | tuple) else [outs]
        return lambda function: self._add(define_with_ins(function, ins, many))

    def _add(self, definition: Definition) -> TaskUnit:
        """Take in a task; one that had its name is replaced."""
        name, use = definition.name, current_use()
        known = self.tasks.get(name)
        if hasattr(type(self), name) or name in self.__dict__:
            raise DefinitionError(
                f"No task can be called {name!r}.",
                f"the {type(self).__name__} has a method or an attribute of this name",
                "give the function another name",
                task=name,
            )
        if known is not None and use is not None and known.use is use:
            raise _defined_twice(known, definition, use)
        task = TaskUnit(self, definition, use)
        self._claims.take(task)
        self.tasks[name] = task
        return task

    # ------------------------------------------------------------ attributes

    @property
    def conf(self) -> Conf:
        """Values for tasks, by attribute and item; a task is stale when one that it read changed.

        A plain dict may be assigned.
        """
        return self._conf

    @conf.setter
    def conf(self, values: Mapping[str, Any] | None) -> None:
        if values is not None and not isinstance(values, Mapping):
            raise ArgumentError(
                f"conf of the Tasker of {self.folder} cannot be set.",
                f"found: {short_repr(values)}\nexpected: a dict, by names",
                "write t.conf = {'threshold': 2.0}, or t.conf.threshold = 2.0",
            )
        self.__dict__["_conf"] = Conf(values, root=self.p)

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.p.name

    @property
    def parentname(self) -> str:
        """Name of the folder that the folder is in."""
        return self.p.parent.name

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["tasks"][name]
        except KeyError:
            place = self.__dict__.get("folder", "no folder yet")
            raise AttributeError(
                f"{type(self).__name__} ({place}) has no task and no attribute {name!r}", name=name, obj=self
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.tasks:
            if self.tasks[name] is value:  # as `t.x = t.stores(…)(function)` does
                return
            found = "a task of this Tasker has the name"
        elif isinstance(value, TaskUnit) and value.tasker is self:
            found = f"it is the task {value.name!r}, which is an attribute by its own name"
        elif name in ("p", "folder", "tasks") or callable(getattr(Tasker, name, None)):
            found = "a Tasker has this attribute itself"
        else:
            object.__setattr__(self, name, value.at(self.p) if isinstance(value, FormatFile) else value)
            return
        raise DefinitionError(
            f"The attribute {name!r} of the Tasker of {self.folder} cannot be set.",
            found,
            "choose another name",
        )

    def __dir__(self) -> Iterable[str]:
        return sorted({*super().__dir__(), *self.tasks})

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.folder}"

    def _repr_html_(self) -> str:
        return menu_html(self)

    # ------------------------------------------------------------ working in the folder

    def __enter__(self) -> Self:
        place = working_in(self.folder)
        place.__enter__()
        self._entered.append(place)
        return self

    def __exit__(self, *error: object) -> None:
        self._entered.pop().__exit__(None, None, None)

    # ------------------------------------------------------------ looking and tidying

    def find_owner(self, path: str) -> TaskUnit | None:
        """The task that stores the absolute `path`; None if no task of this Tasker does."""
        return self._claims.find_owner(path)

    def find_output(self, path: str) -> tuple[TaskUnit, str] | None:
        """The task that stores the absolute `path` or a folder around it, with that output; or None."""
        return self._claims.find_output(path)

    def which(self, filename: str | os.PathLike[str]) -> TaskUnit:
        """The task that stores a file, or the folder that it is in.

        Parameters
        ----------
        filename
            Relative to the folder.

        Raises
        ------
        ResultNotFoundError
            If no task of this Tasker stores it.
        """
        path = os.path.normpath(os.path.join(self.folder, filename))
        found = self.find_output(path)
        if found is None:
            stored = [file.name for each in self.tasks.values() for file in each.output_files]
            raise ResultNotFoundError(
                f"No task of {self.folder} stores {os.fspath(filename)!r}.",
                f"stored are: {', '.join(stored) or 'no files'}",
                "see t.menu() for the tasks",
            )
        return found[0]

    def menu(self) -> None:
        """Print the tasks with their descriptions, and ``+`` where a task is done."""
        print(menu_text(self))  # noqa: T201 - this is what it is for

    def report(self) -> list[Stale]:
        """The stale tasks of all, each with the reason as `.why`, in the order in which they would run.

        Raises
        ------
        DefinitionError
            If tasks depend on each other in a circle.
        StorageError
            If a file cannot be read.
        """
        return judge(self.tasks.values()).stale()

    def clear(self) -> None:
        """Delete what all tasks stored, one after the other.

        Raises
        ------
        LockError
            If one of them is running; what was stored by those before it is gone.
        """
        for task in self.tasks.values():
            if task.output_paths:
                task.clear()

    def is_working(self, task: str | TaskUnit | None = None) -> bool:
        """Whether `task`, or any one, runs at the moment, in whatever process, and is to store something."""
        names = self.tasks if task is None else [task.name if isinstance(task, TaskUnit) else task]
        return any(find_holder(lock_path(self.folder, name)) for name in names)

    def reset(self) -> None:
        """Forget what `cached_property` attributes of a subclass hold, so that they are made anew."""
        for name in [
            name for name in self.__dict__ if isinstance(_class_attribute(self, name), cached_property)
        ]:
            del self.__dict__[name]

    def unlock(self) -> None:
        """Break all locks of the folder.

        Never needed after a crash: a lock ends with its owner. A task that is running would go on,
        and could be run a second time beside it.
        """
        for path in find_locks(self.folder):
            unlink_if_there(path)
            unlink_if_there(f"{path}.owner")


def _class_attribute(tasker: Tasker, name: str) -> object:
    return inspect.getattr_static(type(tasker), name, None)


def _defined_twice(known: TaskUnit, definition: Definition, use: Use) -> DefinitionError:
    codes = [getattr(function, "__code__", None) for function in (known.func, definition.function)]
    lines = " and ".join(f"line {code.co_firstlineno}" for code in codes if code is not None)
    return DefinitionError(
        f"Task {definition.name!r} is defined twice.",
        f"found: in {', '.join(filter(None, (str(use.taskfile), lines)))}; used for {use.folder}",
        "give one of the functions another name",
        task=definition.name,
    )
