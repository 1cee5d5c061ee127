"""The decorators: a typed function or class becomes a type of tasks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, Never, ParamSpec, Protocol, TypeVar, overload

from smttask.code.source import remember_sources
from smttask.errors import SettingError, SignatureError, short_repr
from smttask.tasks import naming
from smttask.tasks.inputs import InputAttribute
from smttask.tasks.iterative import Iterative
from smttask.tasks.memoized import Memoized, NonMemoized
from smttask.tasks.recorded import Recorded
from smttask.tasks.signature import Signature
from smttask.tasks.task import Task
from smttask.tasks.unpure import Unpure

__all__ = [
    "MemoizedTask",
    "NonMemoizedTask",
    "RecordedIterativeTask",
    "RecordedTask",
    "TaskType",
    "UnpureMemoizedTask",
]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
CODE_POLICIES = ("warn", "recompute", "ignore", "error")


class TaskType(Protocol[P, R]):
    """A type of tasks, as a type checker sees it: called with the function's arguments, gives a task."""

    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Task[R]:
        """Construct a task; the arguments are those of the function."""

    def bind(self, *args: Any, **some: Any) -> TaskType[..., R]:
        """A type with these arguments as defaults; see `Task.bind`."""

    def partial(self, *args: Any, **some: Any) -> TaskType[..., R]:
        """The same as `bind`."""

    def map(self, *, reason: str | None = None, **arguments: Any) -> list[Task[R]]:
        """One task for each item of the lists given; see `Task.map`."""

    def from_desc(self, source: Any) -> Task[R]:
        """The task that `source` describes; see `Task.from_desc`."""

    def from_parameters(self, source: Any) -> Task[R]:
        """A task with inputs from a mapping or file; see `Task.from_parameters`."""


class _CallableInstance(Protocol[P, R_co]):
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


@overload
def RecordedTask(definition: type[_CallableInstance[P, R]], /) -> TaskType[P, R]: ...
@overload
def RecordedTask(definition: Callable[P, R], /) -> TaskType[P, R]: ...
@overload
def RecordedTask(
    *, cache: bool | None = None, on_code_change: str | None = None, name: str | None = None
) -> Callable[[Callable[P, R]], TaskType[P, R]]: ...
def RecordedTask(
    definition: Callable[..., Any] | None = None,
    /,
    *,
    cache: bool | None = None,
    on_code_change: str | None = None,
    name: str | None = None,
) -> Any:
    """Make tasks of a function: results stored on disk, every run recorded.

    Parameters
    ----------
    definition
        A function with annotated arguments and return value, or a class with
        ``__call__``, or a class with nested ``Inputs`` and ``Outputs``.
    cache
        Keep results in memory too; default: ``config.cache_runs``.
    on_code_change
        What becomes of a result that other code made: ``"warn"`` (load it and say
        so), ``"recompute"``, ``"ignore"`` or ``"error"``; default: ``config.on_code_change``.
    name
        Fixes the identity of the task, so that its code can move to another module
        without orphaning results. Letters, digits, ``_``, ``.`` and ``-``.

    Raises
    ------
    SignatureError
        If an annotation is missing or an argument's name is reserved.

    Examples
    --------
    >>> @RecordedTask(name="docs.square")
    ... def Square(x: float) -> float:
    ...     return x**2
    >>> Square(3)
    Square(x=3.0)
    """
    options = _recording_options("RecordedTask", cache, on_code_change)
    return _decorator(Recorded, definition, options, name)


@overload
def RecordedIterativeTask(
    iteration_parameter: str,
    *,
    map: Mapping[str, str],
    cache: bool | None = None,
    on_code_change: str | None = None,
    name: str | None = None,
) -> Callable[[Callable[P, R]], TaskType[P, R]]: ...
@overload
def RecordedIterativeTask(iteration_parameter: Callable[..., Any], /) -> Never: ...
def RecordedIterativeTask(
    iteration_parameter: Any = None,
    *,
    map: Mapping[str, str] | None = None,
    cache: bool | None = None,
    on_code_change: str | None = None,
    name: str | None = None,
) -> Any:
    """Make recorded tasks of a function that iterates: more iterations continue from fewer.

    The number of iterations is not hashed: it is the suffix of the digest, ``__n_5``. When
    a result is not stored, the best one after fewer iterations of the same inputs is
    taken, and its outputs take the places of the inputs that `map` names. The function
    must give exactly what it would give if it had begun from the first iteration.

    Parameters
    ----------
    iteration_parameter
        Name of an argument annotated ``int``, from 0 on, and of an output.
    map
        Which output takes the place of which input. The function returns a `TaskOutput`.
        An entry for the iteration parameter, as in ``{"n": "start"}``, tells the function
        how far the earlier run came.
    cache, on_code_change, name
        As for `RecordedTask`. A run by other code is continued only if its result
        would be loaded too; ``run(recompute=True)`` begins from the first iteration.

    Raises
    ------
    SignatureError
        If there is no such argument or output, or an output never fits the input it is mapped to.

    Examples
    --------
    >>> from smttask import TaskOutput
    >>> class Grown(TaskOutput):
    ...     n: int
    ...     size: float
    >>> @RecordedIterativeTask("n", map={"n": "start", "size": "size"}, name="docs.grow")
    ... def Grow(n: int, rate: float, size: float = 1.0, start: int = 0) -> Grown:
    ...     for _ in range(start, n):
    ...         size *= rate
    ...     return Grown(n, size)
    >>> Grow(n=5, rate=2.0).digest == Grow(n=3, rate=2.0).digest.replace("n_3", "n_5")
    True
    """
    if not isinstance(iteration_parameter, str) or map is None:
        is_bare = callable(iteration_parameter)
        missing = "map" if isinstance(iteration_parameter, str) else "the name of the iteration parameter"
        raise SignatureError(
            "RecordedIterativeTask must be told how one run continues another.",
            "found: @RecordedIterativeTask without arguments" if is_bare else f"missing: {missing}",
            'write @RecordedIterativeTask("n", map={"x": "x0"}): the argument and output that counts '
            "iterations, and each output needed to continue with the input whose place it takes",
        )
    options = _recording_options("RecordedIterativeTask", cache, on_code_change)
    own = {"iteration_parameter": iteration_parameter, "map": map}
    return _decorator(Iterative, None, {**options, **own}, name)


@overload
def MemoizedTask(definition: type[_CallableInstance[P, R]], /) -> TaskType[P, R]: ...
@overload
def MemoizedTask(definition: Callable[P, R], /) -> TaskType[P, R]: ...
@overload
def MemoizedTask(*, name: str | None = None) -> Callable[[Callable[P, R]], TaskType[P, R]]: ...
def MemoizedTask(definition: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Make tasks of a function: results stay in memory, shared by equal tasks; nothing is recorded.

    The result may be any object; it needs neither git nor a project. Parameters as
    for `RecordedTask`.

    Examples
    --------
    >>> @MemoizedTask
    ... def Grid(n: int) -> list[float]:
    ...     return [i / n for i in range(n)]
    >>> Grid(2).run()
    [0.0, 0.5]
    """
    return _decorator(Memoized, definition, {}, name)


@overload
def NonMemoizedTask(definition: type[_CallableInstance[P, R]], /) -> TaskType[P, R]: ...
@overload
def NonMemoizedTask(definition: Callable[P, R], /) -> TaskType[P, R]: ...
@overload
def NonMemoizedTask(*, name: str | None = None) -> Callable[[Callable[P, R]], TaskType[P, R]]: ...
def NonMemoizedTask(definition: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Make tasks of a function: results are not kept, but computed once for each outermost `run()`.

    Parameters as for `RecordedTask`.

    Examples
    --------
    >>> @NonMemoizedTask
    ... def Double(x: float) -> float:
    ...     return 2 * x
    >>> Double(2).run()
    4.0
    """
    return _decorator(NonMemoized, definition, {}, name)


@overload
def UnpureMemoizedTask(definition: type[_CallableInstance[P, R]], /) -> TaskType[P, R]: ...
@overload
def UnpureMemoizedTask(definition: Callable[P, R], /) -> TaskType[P, R]: ...
@overload
def UnpureMemoizedTask(*, name: str | None = None) -> Callable[[Callable[P, R]], TaskType[P, R]]: ...
def UnpureMemoizedTask(definition: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Make tasks of a function that the inputs do not determine, such as one that reads a clock or a server.

    The result stays in memory, as that of `MemoizedTask`. The digest of the task is that
    of its *result*, so tasks that depend on it are found stored exactly if it gave the
    same as then. The digest is found by running the task when something first asks for
    it, and holds for this object from then on. No reason is taken. Other parameters as
    for `RecordedTask`.

    Examples
    --------
    >>> @UnpureMemoizedTask
    ... def ReadSensor(channel: int) -> float:
    ...     return 20.5
    >>> ReadSensor(1).digest == ReadSensor(2).digest
    True
    """
    return _decorator(Unpure, definition, {}, name)


def _recording_options(
    decorator: str, cache: bool | None, on_code_change: str | None
) -> dict[str, bool | str | None]:
    if cache not in (None, True, False):
        raise SettingError(
            f"{decorator} does not take cache={short_repr(cache)}.",
            "expected: True, False or None",
            "leave it out to have it as the settings say",
        )
    if on_code_change is not None and on_code_change not in CODE_POLICIES:
        raise SettingError(
            f"{decorator} does not take on_code_change={on_code_change!r}.",
            f"expected: one of {', '.join(CODE_POLICIES)}",
            "leave it out to have it as the settings say",
        )
    return {"cache": cache, "on_code_change": on_code_change}


def _decorator(kind: type[Task[Any]], definition: Any, options: Mapping[str, Any], name: str | None) -> Any:
    if definition is None:
        return lambda definition: _make_type(kind, definition, options, name)
    return _make_type(kind, definition, options, name)


def _make_type(
    kind: type[Task[Any]], definition: Any, options: Mapping[str, Any], name: str | None
) -> type[Task[Any]]:
    namespace = _local_names(definition)
    signature = Signature(definition, namespace, iterators=kind.may_yield, files=kind.is_recorded)
    kind.check_definition(signature, options)
    _check_members(definition, kind)
    module = definition.__module__
    naming.check_one_module(module)
    identity = naming.identity(definition, name, is_recorded=kind.is_recorded)
    remember_sources(module)
    bases = (kind, definition) if isinstance(definition, type) else (kind,)
    doc = definition.__doc__
    task_type = type(
        definition.__name__,
        bases,
        {
            **{name: InputAttribute(name) for name in signature.argument_names if not _is_taken(name, bases)},
            "__module__": module,
            "__qualname__": definition.__qualname__,
            "__doc__": f"{signature.text}\n\n{doc}" if doc else signature.text,
            "__wrapped__": definition,
            "__signature__": signature.inspected,
            "_signature": signature,
            "_identity": identity,
            "full_name": ":".join(identity),
            "_options": dict(options),
        },
    )
    naming.remember(task_type)
    return task_type


def _is_taken(name: str, bases: Sequence[type]) -> bool:
    return any(hasattr(base, name) for base in bases)


def _check_members(definition: Any, kind: type[Task[Any]]) -> None:
    """Refuse methods and attributes that a task of `kind` has already: it would use its own."""
    if not isinstance(definition, type):
        return
    own = {name for base in definition.__mro__[:-1] for name in vars(base)}
    if taken := sorted(name for name in own if not name.startswith("__") and hasattr(kind, name)):
        raise SignatureError(
            f"Class {definition.__name__!r} cannot become a task.",
            f"found: {', '.join(taken)}, which every task has",
            "give the methods and attributes of the class other names",
        )


def _local_names(definition: Any) -> dict[str, Any]:
    """Names of the function around `definition`, where its annotations may stand."""
    qualname = getattr(definition, "__qualname__", "")
    names: dict[str, Any] = {}
    if "<locals>" not in qualname:
        return names
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    for _ in range(qualname.count(".")):
        if frame is None or frame.f_code.co_name == "<module>":
            break
        names = {**frame.f_locals, **names}
        frame = frame.f_back
    return names
