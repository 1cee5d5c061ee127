"""What a task returns: one unnamed value, or one output for each field."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Collection, Mapping
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, dataclass_transform

from pydantic_core import PydanticCustomError, core_schema

from smttask.errors import OutputError, SignatureError, SmttaskError, short_repr
from smttask.runner import own_file
from smttask.tasks.outputforms import OutputForm, output_form
from smttask.typing.annotations import prepared
from smttask.typing.schema import is_stream
from smttask.typing.validation import Validator

__all__ = ["OutputSpec", "TaskOutput"]

UNNAMED = ""


@dataclass_transform(frozen_default=True)
class TaskOutput(tuple[Any, ...]):
    """Several named outputs of a task: each annotated field is stored on its own.

    The function returns the object, a tuple in the order of the fields, or a dict
    by name, which may have an entry ``outcome``: a text for the record. What `run()`
    gives is this object; it is also a tuple. As an argument of another task it is
    given as the object, a tuple, a dict, or a task that returns it.

    Examples
    --------
    >>> class Fit(TaskOutput):
    ...     slope: float
    ...     offset: float = 0.0
    >>> fit = Fit(slope=2.0)
    >>> fit.slope, fit == (2.0, 0.0)
    (2.0, True)
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = _field_names(cls)
        for name in own:
            if hasattr(tuple, name) or name == "outcome":
                raise SignatureError(
                    f"Output {name!r} of {cls.__qualname__} has a reserved name.",
                    f"reserved: outcome, {', '.join(sorted(n for n in dir(tuple) if n[0] != '_'))}",
                    "give the output another name",
                )
        cls._defaults = {
            **cls._defaults,
            **{name: cls.__dict__[name] for name in own if name in cls.__dict__},
        }
        cls._fields = tuple(dict.fromkeys([*cls._fields, *own]))
        for position, name in enumerate(cls._fields):
            setattr(cls, name, property(itemgetter(position), doc=f"Output {name!r}."))

    def __new__(cls, *args: Any, **kwargs: Any) -> TaskOutput:
        """Take each output once, by position or by name; `OutputError` if they are others."""
        values = {**cls._defaults, **dict(zip(cls._fields, args, strict=False)), **kwargs}
        twice = sorted(set(cls._fields[: len(args)]) & set(kwargs))
        if len(args) > len(cls._fields) or set(values) != set(cls._fields) or twice:
            raise OutputError(
                f"Outputs do not fit {cls.__qualname__}.",
                f"found: {len(args)} by position and {sorted(kwargs)} by name\n"
                f"expected: {', '.join(cls._fields) or 'no fields'}",
                "give each output once",
            )
        return super().__new__(cls, [values[name] for name in cls._fields])

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        def by_position(value: Any) -> Any:
            try:
                return tuple(cls(**value) if isinstance(value, Mapping) else cls(*value))
            except (OutputError, TypeError):
                raise PydanticCustomError(
                    "outputs",
                    "expected a {name}, or a tuple or dict of {fields}",
                    {"name": cls.__qualname__, "fields": ", ".join(cls._fields)},
                ) from None

        hints = typing.get_type_hints(cls, include_extras=True)
        fields = [handler.generate_schema(prepared(hints[name])) for name in cls._fields]
        return core_schema.no_info_after_validator_function(
            lambda items: cls(*items),
            core_schema.no_info_before_validator_function(by_position, core_schema.tuple_schema(fields)),
        )

    def __repr__(self) -> str:
        fields = ", ".join(
            f"{name}={short_repr(value)}" for name, value in zip(self._fields, self, strict=True)
        )
        return f"{type(self).__qualname__}({fields})"


def _field_names(cls: type) -> list[str]:
    """Names annotated in the body of `cls` itself; no annotation is evaluated."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations

        annotations = get_annotations(cls, format=Format.FORWARDREF)
    else:
        annotations = inspect.get_annotations(cls)
    return [
        name for name, kind in annotations.items() if not name.startswith("_") and "ClassVar" not in str(kind)
    ]


class OutputSpec:
    """The outputs that a task's return annotation promises.

    Parameters
    ----------
    annotation
        The return annotation, resolved. A subclass of `TaskOutput` has one output
        for each field; any other type is one output without a name.
    hints
        For a `TaskOutput`: the resolved annotation of each field.
    task_name
        Name of the task, for messages.
    arguments
        Names of the inputs of the task.
    iterators
        Whether what can be read only once may be returned.
    files
        Whether there is a store for files that the task writes.

    Raises
    ------
    SignatureError
        If an output cannot be kept as its annotation says.
    """

    def __init__(
        self,
        annotation: Any,
        hints: Mapping[str, Any],
        task_name: str,
        arguments: Collection[str] = (),
        *,
        iterators: bool = False,
        files: bool = True,
    ) -> None:
        self.task_name = task_name
        self.iterators = iterators
        self.kind: type[TaskOutput] | None = None
        if isinstance(annotation, type) and issubclass(annotation, TaskOutput):
            self.kind = annotation
            self.annotations = {name: hints[name] for name in annotation._fields}
        else:
            self.annotations = {UNNAMED: annotation}
        self.names = tuple(self.annotations)
        self.forms = {
            name: output_form(name, kind, arguments, task_name) for name, kind in self.annotations.items()
        }
        if not files and any(form.is_file for form in self.forms.values()):
            raise SignatureError(
                f"Task {task_name!r} cannot return an OutputFile.",
                "found: a task whose result stays in memory",
                "make it a RecordedTask, so that the file is stored",
            )
        self._is_plain = all(form.is_plain for form in self.forms.values())

    @cached_property
    def validators(self) -> dict[str, Validator]:
        """What converts each output."""
        return {
            name: Validator(annotation, place=name or "the returned value")
            for name, annotation in self.annotations.items()
        }

    def checked(self, returned: Any) -> Any:
        """What a task returned whose result stays in memory: any object of the annotated type, as it is.

        Raises
        ------
        OutputError
            If it is of another type, or can be read only once.
        """
        named = {UNNAMED: returned} if self.kind is None else self._named(returned)[0]
        for name, value in named.items():
            form = self.forms[name]
            if form.separate is not None and isinstance(value, list):
                value = named[name] = tuple(value)
            if is_stream(value) and not self.iterators:
                raise OutputError(
                    f"Task {self.task_name!r}: {form.label} can be read only once.",
                    f"found: {short_repr(value)} of type {type(value).__name__}",
                    "return a list or an array; only a NonMemoizedTask may return an iterator",
                )
            if not fits_type(self.annotations[name], value):
                raise OutputError(
                    f"Task {self.task_name!r}: {form.label} does not fit its annotation.",
                    f"found: {short_repr(value)} of type {type(value).__name__}\n"
                    f"expected: {self.annotations[name]}",
                    "correct the function or its return annotation",
                )
            named[name] = self._own_files(form, value)
        return self.join(named)

    def split(
        self, returned: Any, element_names: Mapping[str, list[str]] | None = None
    ) -> tuple[dict[str, Any], str]:
        """What is stored, by name and validated, and the outcome the function gave for the record.

        Parameters
        ----------
        element_names
            For each output whose elements are stored one by one, their names.

        Raises
        ------
        OutputError
            If the returned value does not fit the annotation.
        """
        named, outcome = ({UNNAMED: returned}, "") if self.kind is None else self._named(returned)
        validated = {name: self._validated(name, named[name]) for name in self.names}
        if self._is_plain:
            return validated, outcome
        stored: dict[str, Any] = {}
        for name, form in self.forms.items():
            value = self._own_files(form, validated[name])
            stored.update(form.taken_apart(value, (element_names or {}).get(name, ()), self.task_name))
        self._check_one_file_each(stored)
        return stored, outcome

    def _check_one_file_each(self, stored: Mapping[str, Any]) -> None:
        """Refuse a file that was returned for two outputs: it can move to one place only."""
        seen: dict[Path, str] = {}
        for name, value in stored.items():
            if not self.form_of(name).is_file or value is None:
                continue
            if (other := seen.setdefault(value, name)) != name:
                raise OutputError(
                    f"Task {self.task_name!r} returned one file for two outputs.",
                    f"found: {value.name} for {other!r} and {name!r}",
                    "write a file for each",
                )

    def _own_files(self, form: OutputForm, value: Any) -> Any:
        """`value` with its files, if they are the output, found in the folder of the run."""
        if not form.is_file or value is None:
            return value
        if form.separate is None:
            return own_file(value, form.label)
        return tuple([own_file(item, form.label) for item in value])

    def form_of(self, stored: str) -> OutputForm:
        """How the output is kept that `stored`, a name in the store, is of."""
        known = self.forms.get(stored)
        return known or next(form for form in self.forms.values() if form.owns(stored))

    def _named(self, returned: Any) -> tuple[dict[str, Any], str]:
        """The outputs by name, as they were returned."""
        outcome = ""
        if isinstance(returned, Mapping):
            named = dict(returned)
            if "outcome" not in self.names:
                outcome = str(named.pop("outcome", ""))
        elif isinstance(returned, tuple) and len(returned) == len(self.names):
            named = dict(zip(self.names, returned, strict=True))
        else:
            raise OutputError(
                f"Task {self.task_name!r} returned something else than its outputs.",
                f"found: {short_repr(returned)}\nexpected: a tuple or dict of {', '.join(self.names)}",
                "correct the function or its return annotation",
            )
        if set(named) != set(self.names):
            raise OutputError(
                f"Task {self.task_name!r} returned other outputs than it promised.",
                f"found: {', '.join(map(str, named))}\nexpected: {', '.join(self.names)}",
                "return each output once",
            )
        return named, outcome

    def _validated(self, name: str, value: Any) -> Any:
        try:
            return self.validators[name](value)
        except SmttaskError as error:
            raise OutputError(
                f"Task {self.task_name!r}: {self.forms[name].label} does not fit its annotation.",
                "\n".join(part for part in (error.what, error.found) if part),
                "correct the function or its return annotation",
            ) from error

    def validated(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs made of what was stored, converted to the annotations of today.

        Raises
        ------
        OutputError
            If they were stored under other annotations and do not fit.
        """
        return self.converted(self.grouped(stored))

    def converted(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs, converted to the annotations of today; `OutputError` if they do not fit."""
        return {name: self._validated(name, value) for name, value in outputs.items()}

    def grouped(self, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """The outputs made of what was stored, elements put together."""
        if self._is_plain and stored.keys() == self.forms.keys():
            return stored
        left = dict(stored)
        try:
            outputs = {name: form.put_together(left) for name, form in self.forms.items()}
        except KeyError:
            outputs = {}
        if left or not outputs:
            raise OutputError(
                f"The stored outputs of task {self.task_name!r} are others than it promises.",
                f"found: {', '.join(stored)}\nexpected: {', '.join(self.names)}",
                "they are computed anew",
            )
        return outputs

    def parts(self, name: str, stored: Collection[str]) -> list[str]:
        """Which of the names in the store make up the output `name`, or the element called so.

        Raises
        ------
        OutputError
            If the task has no such output.
        """
        form = self.forms.get(name)
        if form is not None:
            return form.parts(stored)
        if name in stored:
            return [name]
        raise OutputError(
            f"Task {self.task_name!r} has no output {name!r}.",
            f"expected: {', '.join(name or 'the unnamed one, get_output()' for name in self.names)}",
            "check the spelling",
        )

    def one(self, name: str, loaded: Mapping[str, Any]) -> Any:
        """The output or element `name` as it is handed out, of the parts that were loaded for it."""
        form = self.forms.get(name)
        if form is None:
            return loaded[name]
        if self.kind is None:
            return self.join(self.validated(loaded))
        return self._validated(name, form.put_together(dict(loaded)))

    def join(self, outputs: Mapping[str, Any]) -> Any:
        """What `run()` gives: the unnamed output, or the object with all of them."""
        if self.kind is None:
            return outputs[UNNAMED]
        return self.kind(**outputs)


def fits_type(annotation: Any, value: Any) -> bool:
    """Whether `value` is an instance of the annotated type; what it contains is not looked at.

    Examples
    --------
    >>> fits_type(list[int], ["a"]), fits_type(int | None, 1.5)
    (True, False)
    """
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return fits_type(annotation.__origin__, value)
    if origin in (typing.Union, UnionType):
        return any(fits_type(option, value) for option in typing.get_args(annotation))
    if origin is typing.Literal:
        return value in typing.get_args(annotation)
    kind = origin or annotation
    if kind is None:
        return value is None
    if not isinstance(kind, type):
        return True
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    try:
        return isinstance(value, kind)
    except TypeError:  # a Protocol that is not checked at run time
        return True
