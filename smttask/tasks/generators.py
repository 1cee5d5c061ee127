"""Tasks made from classes and from other tasks: `Create` and `Join`."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar, cast, overload

from smttask.code.fingerprint import CodeFingerprint
from smttask.code.source import MAIN_NAMES, remember_sources
from smttask.errors import ArgumentError, OutputError, SignatureError, SmttaskError, short_repr
from smttask.protocols import Runnable
from smttask.tasks import naming
from smttask.tasks.arguments import Default, Parameter
from smttask.tasks.memoized import Memoized
from smttask.tasks.outputs import OutputSpec
from smttask.tasks.recorded import Recorded
from smttask.tasks.remembered import Remembered
from smttask.tasks.signature import RESERVED, Signature
from smttask.tasks.task import Task
from smttask.tasks.watching import is_watched
from smttask.typing.validation import Validator

if TYPE_CHECKING:
    from smttask.tasks.decorators import TaskType

__all__ = ["Create", "Join"]

P = ParamSpec("P")
R = TypeVar("R")
Item = TypeVar("Item", covariant=True)

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class _Constructor(Signature):
    """The arguments of a class as those of a task; they need no annotations."""

    def __init__(self, definition: type) -> None:
        self.definition = self._class = definition
        self.name = f"Create{definition.__name__}"
        self.function = definition
        self.iterators = self.files = False
        self._inputs_class = self._outputs_class = None
        try:
            self.inspected = inspect.signature(definition)
        except (ValueError, TypeError):  # a class written in C that does not tell
            self.inspected = inspect.Signature(
                [inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)]
            )
        if taken := RESERVED.intersection(self.inspected.parameters):
            raise SignatureError(
                f"Create({definition.__name__}): the argument name {sorted(taken)[0]!r} is reserved.",
                f"reserved: {', '.join(sorted(RESERVED))}",
                "write a MemoizedTask that makes the object",
            )

    @property
    def takes_self(self) -> bool:
        return False

    @property
    def plain_function(self) -> Any:
        return self.definition

    @cached_property
    def hints(self) -> dict[str, Any]:
        hints = {p.name: p.annotation for p in self._parameters()}
        try:
            made_by: Any = self._class.__init__  # type: ignore[misc]
            hints.update(typing.get_type_hints(made_by, include_extras=True))
        except (NameError, TypeError, AttributeError):  # foreign code may name types that are not there
            pass
        return {**hints, "return": self.definition}

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The arguments by name; one whose default cannot be an input is there only if it is given."""
        made = {p.name: self._known(p) for p in self._parameters() if p.kind not in _VARIADIC}
        return {name: parameter for name, parameter in made.items() if parameter is not None}

    @property
    def text(self) -> str:
        """The signature as it is written in the class."""
        return f"{self.name}{self.inspected.replace(return_annotation=inspect.Signature.empty)}"

    def _known(self, parameter: inspect.Parameter) -> Parameter | None:
        default = None if parameter.default is parameter.empty else Default(parameter.default)
        try:
            return Parameter.of(
                parameter.name,
                self._validator(parameter),
                default,
                positional=parameter.kind is not parameter.KEYWORD_ONLY,
                by_name=parameter.kind is not parameter.POSITIONAL_ONLY,
            )
        except SmttaskError:  # no value that could be an input; the class knows it itself
            return None

    def _validator(self, parameter: inspect.Parameter) -> Validator:
        """By the annotation, where there is one and the default fits it."""
        hint = self.hints.get(parameter.name, parameter.empty)
        if hint is not parameter.empty and not isinstance(hint, str):
            try:
                validate = Validator(hint, place=parameter.name)
                if parameter.default is not parameter.empty:
                    validate(parameter.default)
                return validate
            except SmttaskError:
                pass
        return Validator(Any, place=parameter.name)

    def with_names(self, names: Iterable[str]) -> _Constructor:
        """The same with the arguments `names` too, as far as the class may take them."""
        declared = self.inspected.parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in declared.values())
        added = {}
        for name in names:
            if name in self.parameters:
                continue
            parameter = declared.get(name)
            if parameter is not None and parameter.kind not in _VARIADIC:
                validate = self._validator(parameter)
            elif takes_any:
                validate = Validator(Any, place=name)
            else:
                continue
            added[name] = Parameter(name, validate, positional=False, by_name=True)
        if not added:
            return self
        wider = _Constructor(self._class)
        wider.__dict__["parameters"] = {**self.parameters, **added}
        return wider


class _Created(Memoized[R]):
    """A task whose result is an object of one class."""

    made_by: ClassVar[str] = "Create"

    def __init__(self, *args: Any, reason: str | None = None, **kwargs: Any) -> None:
        # an instance has a signature of its own where its class takes arguments of any name
        self.__dict__["_signature"] = self._signature.with_names(kwargs)
        super().__init__(*args, reason=reason, **kwargs)

    @property
    def _memory_key(self) -> Hashable:
        return (
            self._identity,
            self.full_digest,
            self.__wrapped__,
        )  # not an object of the class before a reload

    @classmethod
    def own_fingerprint(cls) -> CodeFingerprint:
        """The code of the class if it is of the project; that of packages is not watched."""
        if is_watched(cls.__wrapped__.__module__):
            return super().own_fingerprint()
        return CodeFingerprint("", {}, (), ())

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name}={short_repr(value, length=40)}" for name, value in self._values.items())
        return f"Create({self.__wrapped__.__name__})({inputs})"


def Create(cls: Callable[P, R]) -> TaskType[P, R]:
    """Make tasks of a class: each builds one object, which stays in memory and need not be storable.

    The task takes the arguments of the class, among them other tasks, and stands
    wherever the object may. Annotations of the class are used where it has them.

    Parameters
    ----------
    cls
        A class at the top of a module. A description that names it is read only if it
        is of the project or a trusted package.

    Raises
    ------
    SignatureError
        If it is no class, or has an argument called ``reason``.

    Examples
    --------
    >>> from fractions import Fraction
    >>> Create(Fraction)(numerator=1, denominator=2).run()
    Fraction(1, 2)
    """
    if not isinstance(cls, type) or issubclass(cls, Task):
        raise SignatureError(
            f"Create does not take {short_repr(cls)}.",
            f"found: {type(cls).__name__}\nexpected: a class",
            "give the class itself; a function becomes a task by @MemoizedTask",
        )
    made: Any = _created_type(cast("Any", cls))
    return cast("TaskType[P, R]", made)


@lru_cache(maxsize=1024)
def _created_type(cls: type) -> type[_Created[Any]]:
    signature = _Constructor(cls)
    module, name = naming.identity(cls, None, is_recorded=False)
    remember_sources(cls.__module__)
    return type(
        signature.name,
        (_Created,),
        {
            "__module__": cls.__module__,
            "__doc__": f"{signature.text}\n\nA task that builds a {cls.__qualname__}.",
            "__wrapped__": cls,
            "__signature__": signature.inspected,
            "_signature": signature,
            "_identity": (f"Create:{module}", name),
            "full_name": f"Create:{module}:{name}",
            "_options": {},
        },
    )


naming.register_maker("Create", lambda cls: cast("type[Task[Any]]", Create(cls)))


class _JoinedOutputs(OutputSpec):
    """The results of several tasks, each checked as its own task promises."""

    def __init__(self, tasks: Iterable[Task[Any]]) -> None:
        super().__init__(list[Any], {}, "Join")
        self._items = [task.output_spec for task in tasks]

    def _validated(self, name: str, value: Any) -> Any:
        """The results as they are stored: named outputs as a dict."""
        if not isinstance(value, list) or len(value) != len(self._items):
            raise OutputError(
                "A stored result of Join does not fit its tasks.",
                f"found: {short_repr(value)}\nexpected: {len(self._items)} results",
                "it is computed anew",
            )
        return [_stored(outputs, item) for outputs, item in zip(self._items, value, strict=True)]

    def join(self, outputs: Mapping[str, Any]) -> Any:
        """The list of results as the tasks give them."""
        return [
            item if spec.kind is None else spec.kind(**item)
            for spec, item in zip(self._items, outputs[""], strict=True)
        ]


def _stored(outputs: OutputSpec, item: Any) -> Any:
    if outputs.kind is None:
        return _with_files(outputs, {"": item})[""]
    named = item if isinstance(item, Mapping) else dict(zip(outputs.names, item, strict=True))
    if named.keys() != set(outputs.names):
        raise OutputError(
            f"A stored result of Join does not fit task {outputs.task_name!r}.",
            f"found: {', '.join(map(str, named))}\nexpected: {', '.join(outputs.names)}",
            "it is computed anew",
        )
    return _with_files(outputs, named)


def _with_files(outputs: OutputSpec, named: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of one task; a file among them stands in its own result and may be gone from there."""
    converted = outputs.converted(named)
    for name, form in outputs.forms.items():
        if not form.is_file or converted[name] is None:
            continue
        files = [converted[name]] if form.separate is None else converted[name]
        if gone := [file for file in files if not file.exists()]:
            raise OutputError(
                f"A file that Join got from task {outputs.task_name!r} is gone.",
                f"found: {gone[0]} does not exist",
                "it is computed anew",
            )
    return converted


def _join(tasks: list[Any]) -> list[Any]:
    return tasks


_join.__name__ = _join.__qualname__ = "Join"
_join.__module__ = "smttask"  # where descriptions find it, whatever the files here are called


class Join(Recorded[list[Item]]):
    """A task whose result is the list of the results of `tasks`; stored and recorded as one.

    Parameters
    ----------
    *tasks
        Like or unlike tasks, one by one or as one list; their order counts. Where the
        first of them that is recorded keeps its results, this one is kept too.

    Raises
    ------
    ArgumentError
        If there is no task, or something else than a task.

    Examples
    --------
    >>> from smttask import MemoizedTask, config
    >>> @MemoizedTask
    ... def Half(x: float) -> float:
    ...     return x / 2
    >>> with config.use(record=False):
    ...     Join(Half(1), Half(2)).run()
    [0.5, 1.0]
    """

    _signature = Signature(_join)
    _identity = ("smttask", "Join")
    full_name = "smttask:Join"
    _options: ClassVar[Mapping[str, Any]] = {"cache": None, "on_code_change": None}
    __wrapped__ = _join
    __signature__ = inspect.Signature([inspect.Parameter("tasks", inspect.Parameter.VAR_POSITIONAL)])

    @overload
    def __init__(self, *tasks: Task[Item], reason: str | None = None) -> None: ...
    @overload
    def __init__(self, tasks: Iterable[Task[Item]], *, reason: str | None = None) -> None: ...
    def __init__(self, *given: Any, tasks: Iterable[Any] = (), reason: str | None = None) -> None:
        joined: list[Any] = [*given, *tasks]
        if len(joined) == 1 and not isinstance(joined[0], Runnable) and isinstance(joined[0], Iterable):
            joined = list(joined[0])
        joined = [item.stand_in() if isinstance(item, Runnable) else item for item in joined]
        strangers = [item for item in joined if not isinstance(item, Task)]
        if strangers or not joined:
            raise ArgumentError(
                "Join takes tasks.",
                f"found: {short_repr(strangers[0]) if strangers else 'nothing'}",
                "give tasks one by one, or as one list",
            )
        super().__init__(tasks=joined, reason=reason)

    @classmethod
    def own_fingerprint(cls) -> CodeFingerprint:
        """Nothing: it has no code that could change a result."""
        return CodeFingerprint("", {}, (), ())

    @Remembered
    def output_spec(self) -> OutputSpec:
        """What each task promises."""
        return _JoinedOutputs(self._values["tasks"])

    @property
    def main_definition(self) -> Callable[..., Any]:
        """The function or class of the first task of ``__main__``."""
        mains = (type(task).__wrapped__ for task in self.upstream if task.home_module in MAIN_NAMES)
        return next(mains, type(self).__wrapped__)

    @Remembered
    def home_module(self) -> str:
        """The module of the first recorded task, else of the first; ``__main__`` if one is from there."""
        modules = [task.home_module for task in self.upstream]
        if main := next((module for module in modules if module in MAIN_NAMES), None):
            return main
        recorded = (task.home_module for task in self.upstream if task.is_recorded)
        return next(recorded, modules[0])


naming.remember(Join)
