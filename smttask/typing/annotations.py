"""Annotations in the form that pydantic understands: arrays, dtypes and dataclasses at any depth."""

from __future__ import annotations

import copy
import dataclasses
import types
import typing
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import numpy as np
from pydantic import InstanceOf
from pydantic.dataclasses import is_pydantic_dataclass
from pydantic_core import PydanticCustomError, core_schema
from typing_extensions import TypeAliasType

from smttask.errors import SignatureError
from smttask.typing.accept import Accept
from smttask.typing.arrays import accept_array, accept_scalar
from smttask.typing.registry import acceptor_of

__all__ = ["INNER", "DataclassNode", "prepared"]

INNER = "smttask_inner"  # metadata of a schema: the dataclass that stands here, inside itself

_ALIAS_TYPES = tuple({TypeAliasType, getattr(typing, "TypeAliasType", TypeAliasType)})
_UNTOUCHED = (typing.Literal, type, Callable)
_ONCE = (Iterator, Generator)  # pydantic would give an iterator of its own


def prepared(annotation: Any, typevars: Mapping[Any, Any] | None = None, inside: tuple[Any, ...] = ()) -> Any:
    """`annotation` with what pydantic does not know replaced by what it can ask.

    Parameters
    ----------
    typevars
        What the type variables of a generic dataclass stand for.
    inside
        The dataclasses and aliases around this place; one that contains itself is left for later.
    """
    if isinstance(annotation, TypeVar):
        return (typevars or {}).get(annotation, annotation)
    if isinstance(annotation, _ALIAS_TYPES):
        if annotation in inside:
            return annotation
        aliased = annotation.__value__
        return annotation if isinstance(aliased, str) else prepared(aliased, typevars, (*inside, annotation))
    if isinstance(annotation, typing.NewType):
        return prepared(annotation.__supertype__, typevars, inside)
    origin = get_origin(annotation)
    if origin is None:
        return _prepared_class(annotation, inside)
    args = get_args(annotation)
    if isinstance(origin, _ALIAS_TYPES):  # NDArray is one in newer numpy
        if annotation in inside or not getattr(origin.__value__, "__parameters__", ()):
            return annotation
        return prepared(origin.__value__[args], typevars, (*inside, annotation))
    if origin is Annotated:
        if any(isinstance(item, Accept) for item in args[1:]):
            return annotation
        inner = prepared(args[0], typevars, inside)
        return annotation if inner is args[0] else Annotated[(inner, *args[1:])]
    if isinstance(origin, type) and issubclass(origin, np.ndarray):
        return Annotated[origin, accept_array(*_dtype_and_ndim(args))]
    if isinstance(origin, type) and (accept := acceptor_of(origin)) is not None:
        return Annotated[origin, accept]
    if origin is np.dtype:
        return Annotated[np.dtype, acceptor_of(np.dtype)]
    if origin in _UNTOUCHED:
        return annotation
    if origin in _ONCE:
        return _instance_of(origin)
    if origin is Iterable:
        return Annotated[Any, _IterableNode(prepared(args[0] if args else Any, typevars, inside))]
    new_args = tuple(prepared(arg, typevars, inside) if arg is not ... else arg for arg in args)
    if _is_plain_dataclass(origin):
        node = DataclassNode(origin, inside, dict(zip(origin.__parameters__, new_args, strict=False)))
        return Annotated[Any, node]
    if all(new is old for new, old in zip(new_args, args, strict=True)):
        return annotation
    if origin in (Union, types.UnionType):
        return Union[new_args]  # noqa: UP007 - the arguments are a tuple
    return origin[new_args]


def _prepared_class(annotation: Any, inside: tuple[Any, ...]) -> Any:
    if not isinstance(annotation, type):
        return annotation
    if annotation in _ONCE:
        return _instance_of(annotation)
    if annotation is Iterable:
        return Annotated[Any, _IterableNode(Any)]
    accept = acceptor_of(annotation)
    if accept is not None:
        return Annotated[annotation, accept]
    if issubclass(annotation, np.generic):
        return Annotated[annotation, accept_scalar(annotation)]
    if _is_plain_dataclass(annotation):
        return Annotated[Any, DataclassNode(annotation, inside, {})]
    return annotation


def _is_plain_dataclass(cls: Any) -> bool:
    return (
        isinstance(cls, type)
        and dataclasses.is_dataclass(cls)
        and not is_pydantic_dataclass(cls)
        and not hasattr(cls, "__get_pydantic_core_schema__")
    )


def _dtype_and_ndim(args: tuple[Any, ...]) -> tuple[Any, int | None]:
    """The scalar type and number of axes that ``np.ndarray[shape, np.dtype[scalar]]`` states."""
    shape, dtype = (*args, Any, Any)[:2] if len(args) != 1 else (args[0], Any)
    sizes = get_args(shape)
    ndim = len(sizes) if get_origin(shape) is tuple and ... not in sizes else None
    scalar = (get_args(dtype) or (Any,))[0]
    is_known = isinstance(scalar, type) and issubclass(scalar, np.generic) and scalar is not np.generic
    return (scalar if is_known else None), ndim


def _instance_of(cls: Any) -> Any:
    marked: Any = InstanceOf
    return Annotated[cls, marked()]


class _IterableNode:
    """Annotation metadata: a sequence, or what can be read only once, which is taken as it is."""

    def __init__(self, item: Any) -> None:
        self.item = item

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            lambda value, inner: value if isinstance(value, Iterator) else inner(value),
            handler.generate_schema(Sequence[self.item]),  # type: ignore[name-defined]
        )


class DataclassNode:
    """Annotation metadata: a dataclass, given as an object or as a dict of its fields.

    An object that fits is taken as it is; one with a field that must be converted is
    copied and its ``__post_init__`` is not run again.
    """

    def __init__(self, cls: type, inside: tuple[Any, ...], typevars: Mapping[Any, Any]) -> None:
        self.cls = cls
        self.typevars = typevars
        self.inside = inside
        fields = cls.__dataclass_fields__.values()  # type: ignore[attr-defined]
        kinds = {field.name: field._field_type.name for field in fields}
        self.stored = [name for name, kind in kinds.items() if kind == "_FIELD"]
        self.given = {f.name: f for f in fields if f.init and kinds[f.name] != "_FIELD_CLASSVAR"}
        self.names = [name for name, kind in kinds.items() if kind != "_FIELD_CLASSVAR"]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        if self.cls in self.inside:
            return core_schema.any_schema(metadata={INNER: self.cls})
        try:
            hints = typing.get_type_hints(self.cls, include_extras=True)
        except NameError as error:
            raise SignatureError(
                f"The fields of dataclass {self.cls.__qualname__} cannot be typed.",
                f"an annotation names {error.name!r}, which is not defined in {self.cls.__module__}",
                "import the name at run time, and define the class at the top of its module",
            ) from error
        fields = {}
        for name in self.names:
            hint = hints[name].type if isinstance(hints[name], dataclasses.InitVar) else hints[name]
            annotation = prepared(hint, self.typevars, (*self.inside, self.cls))
            fields[name] = core_schema.typed_dict_field(handler.generate_schema(annotation), required=False)
        inner = core_schema.typed_dict_schema(fields, extra_behavior="forbid")
        return core_schema.no_info_wrap_validator_function(self._validate, inner)

    def _validate(self, value: Any, handler: Any) -> Any:
        if isinstance(value, self.cls):
            old = {name: getattr(value, name) for name in self.stored if hasattr(value, name)}
            new = handler(old)
            if all(new[name] is old[name] for name in old):
                return value
            converted = copy.copy(value)
            for name in old:
                object.__setattr__(converted, name, new[name])
            return converted
        if not isinstance(value, Mapping):
            raise PydanticCustomError(
                "dataclass", "expected a {name} or a dict of its fields", {"name": self.cls.__qualname__}
            )
        new = handler(dict(value))
        missing = [name for name, field in self.given.items() if name not in new and _is_required(field)]
        if missing:
            raise PydanticCustomError(
                "dataclass",
                "expected the fields of a {name}; missing: {missing}",
                {"name": self.cls.__qualname__, "missing": ", ".join(missing)},
            )
        try:
            return self.cls(**new)
        except (TypeError, ValueError) as error:
            raise PydanticCustomError(
                "dataclass",
                "expected fields that {name} takes: {error}",
                {"name": self.cls.__qualname__, "error": error},
            ) from error


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
