"""A function or class as a task sees it: its arguments and what it promises to return."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from functools import cached_property
from types import FunctionType
from typing import Any

from smttask.errors import ArgumentError, SignatureError, SmttaskError, short_repr
from smttask.tasks.arguments import Default, Parameter, class_defaults
from smttask.tasks.outputs import OutputSpec, TaskOutput
from smttask.typing.validation import Validator

__all__ = ["RESERVED", "Signature"]

RESERVED = frozenset({"reason", "self"})
_ITERATORS = (Iterator, Generator, AsyncIterator)


class Signature:
    """Arguments and outputs of a task, from the function or class it was made of.

    Parameters
    ----------
    definition
        A function; a class with ``__call__``; or a class with nested ``Inputs``
        and ``Outputs`` and a ``__call__`` or ``_run`` that takes the inputs.
    namespace
        Names besides those of the module in which string annotations may be found.
    iterators
        Whether it may return what can be read only once, and be a generator function.
    files
        Whether it may return files that it wrote.

    Raises
    ------
    SignatureError
        If an annotation is missing, or a name reserved.
    """

    argument_names: tuple[str, ...] = ()

    def __init__(
        self,
        definition: Callable[..., Any],
        namespace: Mapping[str, Any] | None = None,
        *,
        iterators: bool = False,
        files: bool = True,
    ) -> None:
        if not isinstance(definition, FunctionType | type):
            raise SignatureError(
                f"{short_repr(definition)} cannot become a task.",
                f"found: {type(definition).__name__}\nexpected: a function or a class with __call__",
                "wrap it in a function with annotations",
            )
        self.definition = definition
        self.iterators = iterators
        self.files = files
        self.name = definition.__name__
        self._namespace = dict(namespace or {})
        self._inputs_class = getattr(definition, "Inputs", None) if isinstance(definition, type) else None
        self._outputs_class = getattr(definition, "Outputs", None) if isinstance(definition, type) else None
        self.function = self._find_function(definition)
        self.inspected = inspect.signature(self.plain_function)
        self._check_names()

    def _find_function(self, definition: Callable[..., Any]) -> Callable[..., Any]:
        if isinstance(definition, type):
            if "__init__" in definition.__dict__ and self._inputs_class is None:
                raise SignatureError(
                    f"Class {self.name!r} cannot become a task.",
                    "found: an __init__ method; a task's inputs are the arguments of __call__",
                    "move the arguments to __call__, or make the class a dataclass and pass it as an input",
                )
            for method in ("__call__", "_run"):
                for base in definition.__mro__[:-1]:
                    if method in base.__dict__:
                        return typing.cast("Callable[..., Any]", base.__dict__[method])
            raise SignatureError(
                f"Class {self.name!r} cannot become a task.",
                "found: no __call__ method",
                "define __call__(self, …) with annotated arguments",
            )
        return definition

    @property
    def takes_self(self) -> bool:
        """Whether the function is a method, called with the task as first argument."""
        return isinstance(self.definition, type) and not isinstance(self.function, staticmethod)

    @property
    def plain_function(self) -> FunctionType:
        """The function itself, without static method around it."""
        return typing.cast("FunctionType", getattr(self.function, "__func__", self.function))

    def _check_names(self) -> None:
        function = self.plain_function
        is_generator = inspect.isgeneratorfunction(function) and not self.iterators
        if is_generator or inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise SignatureError(
                f"Function {self.name!r} cannot become a task.",
                "found: a generator or coroutine; its result cannot be kept",
                "return a list or an array; a NonMemoizedTask may yield",
            )
        if self._inputs_class is not None:
            names = list(_annotations_of(self._inputs_class))
            missing: list[str] = []
        else:
            parameters = self._parameters()
            for parameter in parameters:
                if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                    raise SignatureError(
                        f"Function {self.name!r} cannot become a task.",
                        f"found: the argument {parameter}\nexpected: each argument by its own name",
                        "take a list or a dict as one argument",
                    )
            names = [parameter.name for parameter in parameters]
            missing = [p.name for p in parameters if p.annotation is p.empty]
        self.argument_names = tuple(names)
        if self._outputs_class is None and self.inspected.return_annotation is inspect.Signature.empty:
            missing.append("return")
        if missing:
            first = "the return value" if missing[0] == "return" else f"argument {missing[0]!r}"
            raise SignatureError(
                f"Task {self.name!r}: {first} has no annotation.",
                f"without annotation: {', '.join(missing)}",
                "annotate every argument and the return value (Any is an annotation too)",
                argument=missing[0],
            )
        if reserved := RESERVED.intersection(names):
            name = sorted(reserved)[0]
            raise SignatureError(
                f"Task {self.name!r}: the argument name {name!r} is reserved.",
                f"reserved: {', '.join(sorted(RESERVED))}",
                "give the argument another name",
                argument=name,
            )

    def _parameters(self) -> list[inspect.Parameter]:
        return list(self.inspected.parameters.values())[self.takes_self :]

    @cached_property
    def hints(self) -> dict[str, Any]:
        """Resolved annotations of arguments and, under ``return``, of the result."""
        hints: dict[str, Any] = {}
        try:
            if self._inputs_class is not None:
                hints.update(self._resolve(self._inputs_class))
            else:
                hints.update(self._resolve(self.plain_function))
            if self._outputs_class is not None:
                hints["return"] = self._outputs_class
        except NameError as error:
            raise SignatureError(
                f"Task {self.name!r}: an annotation cannot be resolved.",
                f"found: {error}",
                "define or import the name in the task's module, not only under TYPE_CHECKING",
            ) from error
        if isinstance(hints["return"], str):
            raise SignatureError(f"Task {self.name!r}: the return annotation is text.", repr(hints["return"]))
        origin = typing.get_origin(hints["return"]) or hints["return"]
        if isinstance(origin, type) and issubclass(origin, _ITERATORS) and not self.iterators:
            raise SignatureError(
                f"Task {self.name!r} cannot return an iterator.",
                f"found: -> {hints['return']}; it can be read only once",
                "return a list or an array; a NonMemoizedTask may yield",
            )
        return hints

    def _resolve(self, annotated: Any) -> dict[str, Any]:
        # a decorator that keeps the annotations has globals of its own, where their names are not
        names = None if isinstance(annotated, type) else inspect.unwrap(annotated).__globals__
        return typing.get_type_hints(annotated, names, dict(self._namespace), include_extras=True)

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The arguments by name, in the order of the function."""
        if self._inputs_class is not None:
            names = dict.fromkeys(_annotations_of(self._inputs_class), (True, True))
            declared = class_defaults(self._inputs_class, names)
        else:
            declared = {p.name: Default(p.default) for p in self._parameters() if p.default is not p.empty}
            names = {
                p.name: (p.kind is not p.KEYWORD_ONLY, p.kind is not p.POSITIONAL_ONLY)
                for p in self._parameters()
            }
        self.outputs  # noqa: B018 - what is wrong with them is told now, not after the first run
        return {name: self._parameter(name, *how, declared.get(name)) for name, how in names.items()}

    def _parameter(self, name: str, positional: bool, by_name: bool, default: Default | None) -> Parameter:
        validate = Validator(self.hints[name], place=name)
        try:
            return Parameter.of(name, validate, default, positional=positional, by_name=by_name)
        except SmttaskError as error:
            raise SignatureError(
                f"Task {self.name!r}: the default of argument {name!r} does not fit its annotation.",
                "\n".join(part for part in (error.what, error.found) if part),
                "correct the default or the annotation",
                argument=name,
            ) from error

    @cached_property
    def outputs(self) -> OutputSpec:
        """What the task returns."""
        annotation = self.hints["return"]
        hints: Mapping[str, Any] = {}
        if isinstance(annotation, type) and issubclass(annotation, TaskOutput):
            hints = self._resolve(annotation)
        return OutputSpec(
            annotation, hints, self.name, self.argument_names, iterators=self.iterators, files=self.files
        )

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments given, by name; those left out are not in it.

        Raises
        ------
        ArgumentError
            If one is missing, unknown or given twice.
        """
        given = self.by_name(args, kwargs)
        parameters = self.parameters
        if len(given) < len(parameters):
            missing = [name for name, p in parameters.items() if p.required and name not in given]
            if missing:
                raise ArgumentError(
                    f"Task {self.name!r}: argument {missing[0]!r} is missing.",
                    f"missing: {', '.join(missing)}\nexpected: {self.text}",
                    "give every argument that has no default\n"
                    f"to fix some now and give the others later: {self.name}.bind(**some)",
                    missing=tuple(missing),
                )
        return given

    def with_names(self, names: Iterable[str]) -> Signature:
        """The signature for a call with arguments of these names; another one where it takes any name."""
        return self

    def by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments given, by name; any may be missing.

        Raises
        ------
        ArgumentError
            If one is unknown or given twice.
        """
        parameters = self.parameters
        given = kwargs
        if args:
            positional = [parameter.name for parameter in parameters.values() if parameter.positional]
            if len(args) > len(positional):
                raise ArgumentError(
                    f"Task {self.name!r} takes {len(positional)} arguments by position.",
                    f"found: {len(args)}\nexpected: {self.text}",
                    "give the others by name",
                )
            given = dict(zip(positional, args, strict=False))
            if twice := sorted(given.keys() & kwargs.keys()):
                raise ArgumentError(
                    f"Task {self.name!r}: argument {twice[0]!r} is given twice.",
                    f"expected: {self.text}",
                    "give it by position or by name",
                )
            given.update(kwargs)
        if not given.keys() <= parameters.keys():
            self._refuse_unknown(sorted(given.keys() - parameters.keys()))
        return given

    def _refuse_unknown(self, unknown: list[str]) -> None:
        from difflib import get_close_matches

        close = get_close_matches(unknown[0], self.parameters, n=1)
        raise ArgumentError(
            f"Task {self.name!r} has no argument {unknown[0]!r}.",
            f"unknown: {', '.join(unknown)}\nexpected: {self.text}",
            f"did you mean {close[0]!r}?" if close else "check the spelling",
            unknown=tuple(unknown),
        )

    @property
    def text(self) -> str:
        """The signature as it is written in the function: ``Analyze(arr: Array, dt: float)``."""
        if self._inputs_class is not None:
            return f"{self.name}({', '.join(_annotations_of(self._inputs_class))})"
        signature = self.inspected.replace(parameters=self._parameters())
        text = f"{self.name}{signature}"
        return re.sub(r"(?:typing\.)?Annotated\[numpy\.ndarray, (<[^>]*>)\]", r"\1", text)


def _annotations_of(cls: type) -> list[str]:
    """Names annotated in a class and its bases, bases first."""
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] != "pydantic":
            names.update(dict.fromkeys(n for n in inspect.get_annotations(base) if not n.startswith("_")))
    return list(names)
