"""Values checked against annotations and converted, with errors that name the place in the data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import SchemaValidator, ValidationError, core_schema

from smttask.errors import InputError, SignatureError, short_repr
from smttask.protocols import Runnable
from smttask.typing.annotations import prepared
from smttask.typing.schema import inner_validators, is_stream, lenient_schema, strict_schema

__all__ = ["Validator", "annotation_name"]

_AS_IS: tuple[type, ...] = (float, int, str, bool, bytes, type(None))
_NO_TYPES = (str, bytes, int, float, complex, list, tuple, dict, set)
_SHOWN = 3


def annotation_name(annotation: Any) -> str:
    """An annotation as one would write it, without module names where it is a class.

    Examples
    --------
    >>> annotation_name(list[float])
    'list[float]'
    """
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, type) and not getattr(annotation, "__args__", None):
        return annotation.__qualname__
    # Our types are Annotated[numpy.ndarray, <an array of float64>]: what stands in <> says it all.
    return re.sub(r"Annotated\[[^\[\]]*, <([^<>]*)>\]", r"\1", str(annotation).replace("typing.", ""))


class Validator:
    """Converts values to one annotation by pydantic's rules, or refuses them.

    Numpy scalars count as their Python kin, a float is never cut to an integer and a
    bool is never a number, at any depth of the annotation but inside pydantic models,
    which have their own rules. A task passes unchanged wherever its value may stand.

    Parameters
    ----------
    annotation
        Any type that pydantic takes, arrays and plain classes too; no strings in it.
    place
        What error messages call the value, such as ``"x"``.
    iterators
        Whether an iterator or open file may be the value itself.

    Raises
    ------
    SignatureError
        If nothing can be validated by `annotation`.

    Examples
    --------
    >>> Validator(list[float])((1, 2))
    [1.0, 2.0]
    """

    __slots__ = ("_exact", "_lenient", "_schema", "annotation", "iterators", "place", "strict")

    def __init__(self, annotation: object, *, place: str = "value", iterators: bool = False) -> None:
        self.annotation = annotation
        self.place = place
        self.iterators = iterators
        # For these the type alone decides; the schema would only say so again, later.
        self._exact = annotation if annotation in _AS_IS else None
        schema = _core_schema(annotation, place)
        self.strict = _schema_validator(strict_schema(schema)).validate_python
        self._schema = schema
        self._lenient: SchemaValidator | None = None  # made when something does not fit at once

    def __call__(self, value: Any, *, place: str | None = None) -> Any:
        """The converted value.

        Raises
        ------
        InputError
            If `value` does not fit; its `place` names the first spot in the data, like ``"x[3].sigma"``.
        """
        if type(value) is self._exact or isinstance(value, Runnable):
            return value
        if is_stream(value) and not self.iterators:
            place = self.place if place is None else place
            raise InputError(
                f"{place}: {short_repr(value)} can be read only once.",
                f"expected: {annotation_name(self.annotation)}; given: {_kind(value)}",
                "give the values themselves, for instance as list(...)",
                place=place,
            )
        try:
            return self.strict(value)
        except ValidationError:
            pass
        except RecursionError:
            raise self._too_deep(self.place if place is None else place) from None
        place = self.place if place is None else place
        try:
            return self.lenient(value, place)
        except RecursionError:
            raise self._too_deep(place) from None

    def stream(self, value: Any) -> Any:
        """An iterator as it is, where the annotation takes one.

        Raises
        ------
        InputError
            If it does not.
        """
        try:
            return self.strict(value)
        except ValidationError:
            return self(value)

    def lenient(self, value: Any, place: str) -> Any:
        """The converted value, by the slower schema that converts and lets tasks pass."""
        if self._lenient is None:
            self._lenient = _schema_validator(lenient_schema(self._schema))
            self._schema = None
        try:
            return self._lenient.validate_python(value)
        except ValidationError as error:
            failure = error
        raise _input_error(failure, value, self.annotation, place) from failure

    def _too_deep(self, place: str) -> InputError:
        return InputError(
            f"{place} is nested too deeply or contains itself.",
            f"expected: {annotation_name(self.annotation)}",
            "give data that ends, in fewer levels",
            place=place,
        )

    def __repr__(self) -> str:
        return f"Validator({annotation_name(self.annotation)})"


@lru_cache(maxsize=256)
def _inner(cls: type) -> Validator:
    return Validator(cls, place="")


inner_validators["strict"] = lambda cls, value: _inner(cls).strict(value)
inner_validators["lenient"] = lambda cls, value: _inner(cls).lenient(value, "")


def _core_schema(annotation: Any, place: str) -> Any:
    if isinstance(annotation, _NO_TYPES):
        raise _no_annotation(annotation, place, f"a {type(annotation).__name__} is no type")
    try:
        form = prepared(annotation)
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(form, config=ConfigDict(arbitrary_types_allowed=True))
        except PydanticUserError as error:
            if error.code != "type-adapter-config-unused":
                raise
            adapter = TypeAdapter(form)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise _no_annotation(annotation, place, str(error).splitlines()[0]) from error
    if not isinstance(adapter.core_schema, dict):
        raise _no_annotation(annotation, place, "a name in quotes that is not defined where the type is used")
    return adapter.core_schema


def _no_annotation(annotation: Any, place: str, found: str) -> SignatureError:
    return SignatureError(
        f"{place}: nothing can be validated by the annotation {short_repr(annotation)}.",
        f"found: {found}",
        "use a class, or a type from typing or smttask.typing",
    )


def _schema_validator(schema: Any) -> SchemaValidator:
    return SchemaValidator(schema, core_schema.CoreConfig(title="value"))


def _kind(value: object) -> str:
    return type(value).__qualname__


class _Fault(NamedTuple):
    place: str
    expected: list[str]
    given: Any

    def __str__(self) -> str:
        given = f"{short_repr(self.given)} ({_kind(self.given)})"
        return f"{self.place}: expected {' or '.join(self.expected)}; given {given}"


def _input_error(failure: ValidationError, value: Any, annotation: Any, place: str) -> InputError:
    """The first few faults, each with its place in the data, what was expected and what was given."""
    faults: dict[str, _Fault] = {}
    remedy = ""
    for raw in failure.errors(include_url=False):
        where = _place_in(value, raw["loc"])
        cause = raw.get("ctx", {}).get("error")
        found = [_Fault(where, [_expected(raw, cause)], raw["input"])]
        if isinstance(cause, InputError):
            inner = getattr(cause, "faults", ())
            remedy = remedy or ("" if inner else cause.remedy)
            found = [_Fault(where + at, words, given) for at, words, given in inner] or found
        for fault in found:
            known = faults.setdefault(fault.place, fault)
            known.expected.extend(word for word in fault.expected if word not in known.expected)
    all_faults = list(faults.values())
    shown = [fault._replace(place=place + fault.place) for fault in all_faults[:_SHOWN]]
    lines = [*map(str, shown), *([f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else [])]
    first = shown[0]
    return InputError(
        f"{first.place} does not take {short_repr(first.given, length=60)} ({_kind(first.given)}).",
        "\n".join(lines),
        remedy or f"give {place} as {annotation_name(annotation)}",
        place=first.place,
        # Only for the validator around this one: given values may not survive the way to another process.
        **({} if place else {"faults": tuple(map(tuple, all_faults))}),
    )


def _expected(raw: Any, cause: Any) -> str:
    """Pydantic's message as what comes after "expected"."""
    if raw["type"] == "missing":
        return f"a value for {raw['loc'][-1]!r}, which is missing"
    if raw["type"] == "extra_forbidden":
        return "no field of this name"
    if isinstance(cause, InputError):
        return f"a readable file: {cause.found}" if cause.found else cause.what
    if raw["type"] == "path_type":
        return "a path"
    text = str(cause) if isinstance(cause, Exception) else str(raw["msg"])
    return text.removeprefix("Input should be ").removeprefix("expected ")


def _place_in(value: Any, loc: Sequence[Any]) -> str:
    """How one would write the way to the fault: `loc` without the names of union branches."""
    text = ""
    for step in loc:
        if isinstance(value, Mapping):  # where pydantic writes keys that are neither int nor str as text
            step = next((key for key in value if key not in loc and str(key) == step), step)
        if isinstance(value, Mapping) and step in value:
            text, value = f"{text}[{step!r}]", value[step]
        elif isinstance(step, int) and isinstance(value, Sequence) and -len(value) <= step < len(value):
            text, value = f"{text}[{step}]", value[step]
        elif isinstance(step, int):
            text, value = f"{text}[{step}]", None
        elif isinstance(step, str) and hasattr(value, "__dataclass_fields__") and hasattr(value, step):
            text, value = f"{text}.{step}", getattr(value, step)
        elif step == "[key]":
            text += " (key)"
    return text
