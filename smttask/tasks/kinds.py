"""Whether some value that one annotation promises can be what another wants; no only if it is certain.

Both annotations become sets of kinds: classes, and marks for what is not imported to be asked about.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum, Flag, ReprEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from pydantic import BaseModel, RootModel
from pydantic.dataclasses import is_pydantic_dataclass

from smttask.errors import InputError
from smttask.tasks.outputs import TaskOutput
from smttask.typing.arrays import Array
from smttask.typing.registry import acceptor_of
from smttask.typing.validation import Validator

__all__ = ["UNIONS", "can_fit", "fixed_items", "plain"]

Kinds = frozenset[type]


class _Table:
    """Stands for pandas' DataFrame."""


class _Series:
    """Stands for pandas' Series."""


class _Pairs:
    """Stands for what pydantic's models can be read as: pairs of name and value."""


class _Member:
    """Stands for what the members of any enumeration can be read as: a number or a text."""


UNIONS = (typing.Union, types.UnionType)
_NUMBERS = frozenset({int, float, str, bytes})
_TEXTS = frozenset({str, bytes})
_EQUAL_NUMBERS = frozenset({bool, int, float, complex})
_GROUPS = frozenset({list, tuple, set, frozenset})
_ITEMS = _GROUPS | {_Table, _Series, _Pairs}  # of a table the names of its columns
_FORMS = frozenset({dict, list, tuple})  # as which registered types are written
# What a value of one of these types is converted from, as `tests/tasks/test_kinds.py` finds out; from
# nothing else. Types that are not here may take anything.
_TAKEN: Mapping[Any, Kinds] = {
    type(None): frozenset({type(None)}),
    bool: _NUMBERS | {bool},
    int: _NUMBERS | {_Member},
    float: _NUMBERS,
    complex: frozenset({complex, float, int, str}),
    str: _TEXTS | {_Member},
    bytes: _TEXTS,
    list: _ITEMS,
    tuple: _ITEMS,
    set: _ITEMS,
    frozenset: _ITEMS,
    dict: frozenset({dict}),
    Mapping: frozenset({dict}),
    Sequence: frozenset({list, tuple}),
    Iterable: frozenset({list, tuple, Iterator}),
    Iterator: frozenset({Iterator}),
    Path: frozenset({Path, str}),
    date: _NUMBERS | {date},
    datetime: _NUMBERS | {date},
    time: _NUMBERS | {time},
    timedelta: _NUMBERS | {timedelta, bool},
}
# What a task may return that promises one of these: a result in memory is checked by `isinstance` only.
_GIVEN: Mapping[Any, Kinds] = {
    **{kind: frozenset({kind}) for kind in (type(None), bool, complex, str, bytes, dict, *_GROUPS)},
    int: frozenset({int, bool}),
    float: frozenset({float, int}),
    Iterator: frozenset({Iterator}),
    Generator: frozenset({Iterator}),
    **{kind: frozenset({kind}) for kind in (Path, date, time, timedelta)},
    datetime: frozenset({date}),
}
_OWN = frozenset().union(*_GIVEN.values()) | {_Table, _Series, _Pairs, _Member}
_PANDAS = {"DataFrame": _Table, "Series": _Series}
_ARRAYS = frozenset({bool, int, float, complex, str, bytes, list, tuple, Iterator, _Table, _Series})
# By these an object can become a number, a list, a path or an array; or hides what it can become.
_CONVERSIONS = frozenset(
    {
        "__float__", "__int__", "__index__", "__complex__", "__trunc__", "__iter__", "__next__",
        "__getitem__", "__len__", "__fspath__", "__array__", "__array_interface__",
        "__array_struct__", "__buffer__", "__dlpack__", "__class__", "__getattr__", "__getattribute__",
        "keys",
    }
)  # fmt: skip


def can_fit(returned: Any, wanted: Any) -> bool:
    """Whether some value of the annotation `returned` is or is converted to one of `wanted`.

    Of two classes that are not final some class could inherit, so they fit; a class that
    promises no conversion is taken at its word.

    Examples
    --------
    >>> can_fit(list[float], float), can_fit(str, float), can_fit(int | None, float)
    (False, True, True)
    """
    try:
        # What does not fit is looked at anew: a class may have got subclasses.
        return _can_fit(returned, wanted) or _can_fit.__wrapped__(returned, wanted)
    except TypeError:  # an annotation that cannot be hashed
        return True


@lru_cache(maxsize=1024)
def _can_fit(returned: Any, wanted: Any) -> bool:
    given, taken = _given(returned), _taken(wanted)
    if given is None or taken is None:
        return True
    if not any(_meet(one, other) for one in given for other in taken):
        return False
    return _lengths_fit(returned, wanted)


def _meet(given: type, taken: type) -> bool:
    """Whether an object can be of both kinds."""
    if given is taken or (given in _OWN and taken in _OWN):
        return given is taken
    if issubclass(given, taken) or issubclass(taken, given):
        return True
    if (given.__module__, given.__qualname__) == (taken.__module__, taken.__qualname__):  # defined anew
        return True
    return not (given in _OWN or taken in _OWN or _is_final(given) or _is_final(taken))


def _is_final(cls: type) -> bool:
    return bool(vars(cls).get("__final__")) or issubclass(cls, Enum)


def _given(annotation: Any) -> Kinds | None:
    """Of which kinds a value may be that a task promises; None: any."""
    annotation = plain(annotation)
    origin = _origin(annotation)
    if origin in UNIONS:
        return _all(map(_given, typing.get_args(annotation)))
    if origin is typing.Literal:
        return _all(_given(type(value)) for value in typing.get_args(annotation))
    if not isinstance(origin, type) or origin in _GIVEN:
        return _GIVEN.get(origin)
    if issubclass(origin, TaskOutput):
        return _GIVEN[tuple]
    if issubclass(origin, Enum):
        values = _values(origin)
        return None if values is None else values | {origin, _Member}
    if dataclasses.is_dataclass(origin) or issubclass(origin, BaseModel):
        if any(_is_convertible(cls) for cls in _with_subclasses(origin)):
            return None
        return frozenset({origin, _Pairs} if issubclass(origin, BaseModel) else {origin})
    return None if (mark := _pandas_mark(origin)) is None else frozenset({mark})


def _taken(annotation: Any) -> Kinds | None:
    """Of which kinds a value must be to become what is wanted; None: any."""
    if _is_array(annotation):
        return None if _takes_objects(annotation) else _ARRAYS
    annotation = plain(annotation)
    origin = _origin(annotation)
    args = typing.get_args(annotation)
    if origin in UNIONS:
        return _all(map(_taken, args))
    if origin is typing.Literal:
        return _all(map(_taken_by_literal, args))
    if origin in (Sequence, Iterable) and (not args or Any in args):
        return _TAKEN[origin] | _TEXTS
    if not isinstance(origin, type) or origin in _TAKEN:
        return _TAKEN.get(origin)
    if (mark := _pandas_mark(origin)) is not None:
        return _FORMS | {mark}
    if issubclass(origin, TaskOutput) or acceptor_of(origin) is not None:
        return None
    if issubclass(origin, Enum):
        return _taken_by_enum(origin)
    if _is_plain_dataclass(origin) or (issubclass(origin, BaseModel) and _is_plain_model(origin)):
        return frozenset({origin, dict})
    return None


def _origin(annotation: Any) -> Any:
    return type(None) if annotation is None else typing.get_origin(annotation) or annotation


def _all(options: Iterable[Kinds | None]) -> Kinds | None:
    found = [*options]
    return None if None in found else frozenset().union(*cast("list[Kinds]", found))


def _values(cls: type[Enum]) -> Kinds | None:
    """The kinds of the values of an enumeration, as which its members pass; None if others may be."""
    mixed = [base for base in cls.__mro__ if base not in (object, Enum, ReprEnum)]
    if not len(cls) or issubclass(cls, Flag) or any(not issubclass(base, Enum) for base in mixed):
        return None
    if any(_CONVERSIONS & vars(base).keys() for base in mixed):
        return None
    return _all(_GIVEN.get(type(member.value)) for member in cls)


def _taken_by_enum(cls: type[Enum]) -> Kinds | None:
    values = _values(cls)
    if values is None or cast("Any", cls._missing_).__func__ is not cast("Any", Enum._missing_).__func__:
        return None
    return frozenset({cls}).union(*(_taken_by_literal(member.value) or () for member in cls), values)


def _taken_by_literal(value: Any) -> Kinds | None:
    """What may be equal to a value, or its text."""
    for kinds in (_EQUAL_NUMBERS, _TEXTS, frozenset({type(None)})):
        if type(value) in kinds:
            return kinds
    return None


def _is_convertible(cls: type) -> bool:
    """Whether objects of a class may pass as something else."""
    own = [base for base in cls.__mro__ if base not in (object, BaseModel, typing.Generic)]
    return any(_CONVERSIONS & vars(base).keys() for base in own)


def _with_subclasses(cls: type) -> Iterable[type]:
    yield cls
    for subclass in cast("list[type]", cls.__subclasses__()):
        yield from _with_subclasses(subclass)


def _is_plain_dataclass(cls: Any) -> bool:
    """Whether a dataclass is made of its objects and of dicts only."""
    return (
        dataclasses.is_dataclass(cls)
        and type(cls) is type  # no other decides what its instances are
        and not is_pydantic_dataclass(cls)
        and not hasattr(cls, "__get_pydantic_core_schema__")
    )


def _is_plain_model(cls: type[BaseModel]) -> bool:
    """Whether a model is made of its objects and of dicts only."""
    decorators = cls.__pydantic_decorators__
    own_schema = cast("Any", cls.__get_pydantic_core_schema__).__func__
    return (
        not issubclass(cls, RootModel)
        and not cls.model_config.get("from_attributes")
        and not decorators.root_validators
        and all(validator.info.mode == "after" for validator in decorators.model_validators.values())
        and own_schema is cast("Any", BaseModel.__get_pydantic_core_schema__).__func__
        and not hasattr(cls, "__get_validators__")
    )


def _pandas_mark(cls: type) -> type | None:
    return _PANDAS.get(cls.__name__) if cls.__module__.partition(".")[0] == "pandas" else None


def _is_array(annotation: Any) -> bool:
    """Whether an array is wanted, with nothing but our own marks about its dtype and dimensions."""
    if typing.get_origin(annotation) is typing.Annotated:
        own = all(type(mark).__module__.startswith("smttask.") for mark in annotation.__metadata__)
        return own and annotation.__origin__ is np.ndarray
    return (typing.get_origin(annotation) or annotation) in (np.ndarray, Array)


def _takes_objects(annotation: Any) -> bool:
    """Whether the array may hold objects or times, so that others than numbers become one."""
    validate = Validator(annotation)
    for value in (Path("x"), datetime(2000, 1, 1), timedelta(1)):
        try:
            validate(value)
        except InputError:
            continue
        return True
    return False


def plain(annotation: Any) -> Any:
    """``Annotated[X, …]`` as X, where what is added only narrows it; else something that is not known."""
    if typing.get_origin(annotation) is not typing.Annotated:
        return annotation
    if any(hasattr(mark, "__get_pydantic_core_schema__") for mark in annotation.__metadata__):
        return Any
    return plain(annotation.__origin__)


def _lengths_fit(returned: Any, wanted: Any) -> bool:
    """Whether tuples of fixed length, where both are, have as many and fitting items."""
    items, places = fixed_items(plain(returned)), fixed_items(plain(wanted))
    if items is None or places is None:
        return True
    return len(items) == len(places) and all(map(can_fit, items, places))


def fixed_items(annotation: Any) -> tuple[Any, ...] | None:
    """The annotations of the items of a tuple of fixed length; None for others."""
    if isinstance(annotation, type) and issubclass(annotation, TaskOutput):
        return (Any,) * len(annotation._fields)
    args = typing.get_args(annotation)
    return args if typing.get_origin(annotation) is tuple and ... not in args else None
