"""Collections of parameters, some of which stand for many values, and what they expand to."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from math import inf
from typing import Any, Self
from weakref import WeakKeyDictionary

from pydantic_core import core_schema

from smttask.errors import ArgumentError, InputError, SignatureError, SmttaskError, short_repr
from smttask.typing.validation import Validator, annotation_name
from smttask.workflows.expandable import Expandable, ExpandableSequence, is_distribution
from smttask.workflows.expansion import (
    Leaf,
    Path,
    Place,
    indices,
    inner_len,
    inner_places,
    outer_len,
    outer_places,
    slice_of,
)

__all__ = ["ParamColl"]


@dataclass(frozen=True)
class ParamColl(Mapping[str, Any]):
    """A set of parameters, some of which may stand for many values.

    A subclass is a frozen dataclass with a field for each parameter. A parameter
    wrapped in `expand` stands for many values: `outer` gives a collection for each
    combination of them, `inner` goes through all of them in step. A collection is a
    mapping of its parameters, so ``Task(**params)`` takes it as arguments; it may
    also be one input of a task.

    Plain values are checked and converted by the annotations, those inside `expand`
    too. A task, a distribution or a nested collection may stand for any value.
    Collections and dataclasses nested in fields expand with the outermost one. Names
    that begin with an underscore are no parameters.

    Parameters
    ----------
    paramseed
        Decides what is drawn from distributions: the same seed, the same draws. Each
        parameter has draws of its own, also where the seeds of nested collections
        are the same. Expanded collections have none.

    Raises
    ------
    SignatureError
        If the class is no frozen dataclass, or a parameter has a reserved name.
    ArgumentError
        If a parameter is drawn from a distribution and there is no `paramseed`.
    InputError
        If a value does not fit.

    Examples
    --------
    >>> from smttask.workflows import expand
    >>> @dataclass(frozen=True)
    ... class Model(ParamColl):
    ...     rate: float
    ...     degree: int = 1
    >>> models = Model(rate=expand([0.5, 1.0]), degree=expand([1, 2]))
    >>> models.outer_len, models.inner_len
    (4, 2)
    >>> list(models.inner())
    [Model(rate=0.5, degree=1), Model(rate=1.0, degree=2)]
    """

    _: KW_ONLY
    paramseed: int | str | tuple[int | str, ...] | None = dataclasses.field(default=None, repr=False)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse classes that cannot be collections before Python complains of their arguments."""
        _form(cls)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        form = _form(type(self))
        for name, validate in form.validators.items():
            old = getattr(self, name)
            _require_whole(old, name, form.cls_name)
            new = _checked(old, validate, name, form.cls_name)
            if new is not old:
                object.__setattr__(self, name, new)
        if self.paramseed is None:
            for name in form.names:
                _require_seed(getattr(self, name), (name,), form.cls_name)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._from_value,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda params: params),
        )

    @classmethod
    def _from_value(cls, value: Any) -> Self:
        """`value` as a collection; one with tasks is checked once more when their results have come."""
        if isinstance(value, cls):
            changes = {}
            for name, validate in _form(type(value)).validators.items():
                old = getattr(value, name)
                new = _placed(old, validate, name)
                if new is not old:
                    changes[name] = new
            return dataclasses.replace(value, **changes) if changes else value
        if isinstance(value, Mapping):
            for name, validate in _form(cls).validators.items():
                if name in value:
                    _placed(value[name], validate, name)
            try:
                return cls(**value)
            except TypeError as error:
                raise ValueError(f"parameters of {cls.__qualname__}: {error}") from error
        raise ValueError(f"a {cls.__qualname__} or a mapping of its parameters")

    # -- mapping

    def __getitem__(self, name: str) -> Any:
        if name not in _form(type(self)).names:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(_form(type(self)).names)

    def __len__(self) -> int:
        return len(_form(type(self)).names)

    # -- expansion

    @property
    def outer_len(self) -> int | None:
        """How many collections `outer` gives; None if all that is expanded are distributions."""
        return outer_len(self._leaves())

    @property
    def inner_len(self) -> float | None:
        """How many collections `inner` gives; None if lengths differ.

        `math.inf` if all that is expanded are distributions.
        """
        return inner_len(self._leaves())

    def outer(
        self,
        *bounds: int | None,
        start: int | None = None,
        stop: int | None = None,
        step: int | None = None,
    ) -> Iterator[Self]:
        """A collection for each combination of the expanded values; the last parameter changes fastest.

        Distributions make no combinations of their own; each collection has another draw.

        Parameters
        ----------
        *bounds, start, stop, step
            Which of the collections to give, as for `range`: one number alone is `stop`,
            two are `start` and `stop`. Each may be named, and None stands for no bound.

        Raises
        ------
        InputError
            If all that is expanded are distributions, which have no end.
        """
        wanted = slice_of(bounds, start=start, stop=stop, step=step)
        leaves = self._leaves()
        length = outer_len(leaves)
        if length is not None:
            return self._expanded(leaves, outer_places(leaves), indices(length, wanted))
        raise InputError(
            f"Collection {type(self).__qualname__!r} has no outer product.",
            f"found: only distributions are expanded: {', '.join(leaf.place for leaf in leaves)}",
            "use inner(n), which gives n draws",
        )

    def inner(
        self,
        *bounds: int | None,
        start: int | None = None,
        stop: int | None = None,
        step: int | None = None,
    ) -> Iterator[Self]:
        """A collection for each place in the expanded values, which all have the same length.

        One value stands for as many as the others have. If all that is expanded are
        distributions, there is no end. Bounds are those of `outer`.

        Raises
        ------
        InputError
            If lengths differ.
        """
        wanted = slice_of(bounds, start=start, stop=stop, step=step)
        leaves = self._leaves()
        length = inner_len(leaves)
        if length is not None:
            return self._expanded(leaves, inner_places(leaves), indices(length, wanted))
        found = ", ".join(f"{leaf.place}: {leaf.length:g}" for leaf in leaves)
        raise InputError(
            f"Collection {type(self).__qualname__!r} has no inner product.",
            f"found: expanded values of different lengths ({found})",
            "give all the same number of values, or use outer()",
        )

    def _leaves(self) -> list[Leaf]:
        return list(_iter_leaves(self, (), ()))

    def _expanded(self, leaves: list[Leaf], places: list[Place], indices: Iterable[int]) -> Iterator[Self]:
        getters = [leaf.getter() for leaf in leaves]
        for index in indices:
            values = {
                leaf.path: get(place(index)) for leaf, get, place in zip(leaves, getters, places, strict=True)
            }
            yield _with_values(self, values, ())


# -- classes of collections


@dataclass(frozen=True)
class _Form:
    """What a class of collections is made of."""

    cls_name: str
    names: tuple[str, ...]
    validators: dict[str, Validator]


_forms: WeakKeyDictionary[type, _Form] = WeakKeyDictionary()


def _form(cls: type[ParamColl]) -> _Form:
    form = _forms.get(cls)
    if form is None:
        form = _forms[cls] = _made_form(cls)
    return form


def _made_form(cls: type[ParamColl]) -> _Form:
    what = f"Collection {cls.__qualname__!r} cannot be used."
    if "__dataclass_fields__" not in cls.__dict__:
        raise SignatureError(
            what,
            "found: a plain class\nexpected: a frozen dataclass",
            "write @dataclass(frozen=True) above it",
        )
    fields = [field.name for field in dataclasses.fields(cls)]
    names = tuple(name for name in fields if not name.startswith("_") and name != "paramseed")
    reserved = [name for name in names if hasattr(ParamColl, name)]
    if reserved:
        raise SignatureError(
            what,
            f"found: a parameter named {reserved[0]!r}, which collections use themselves",
            "give the parameter another name",
            argument=reserved[0],
        )
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise SignatureError(
            what, f"found: {error}", "define or import what the annotations name at the top of the module"
        ) from error
    validators = {name: Validator(hints[name], place=name) for name in (*names, "paramseed")}
    return _Form(cls.__qualname__, names, validators)


def _require_whole(value: Any, name: str, cls_name: str) -> None:
    """Refuse what stands for many values inside a list or dict, where it would stay what it is."""
    items = value.values() if type(value) is dict else value if type(value) in (list, tuple, set) else ()
    if any(isinstance(item, Expandable) for item in items):
        raise InputError(
            f"Collection {cls_name!r}: a part of {name} cannot be expanded.",
            f"found: {short_repr(value)}",
            "expand the whole value, as in expand([[1, 2], [1, 3]]), or make its parts parameters",
            place=name,
        )


def _checked(value: Any, validate: Validator, name: str, cls_name: str) -> Any:
    """`value` converted, or each of the values that it stands for."""
    try:
        if isinstance(value, ExpandableSequence):
            items = tuple(_fitted(item, validate, f"{name}[{i}]") for i, item in enumerate(value.values))
            same = all(new is old for new, old in zip(items, value.values, strict=True))
            return value if same else ExpandableSequence(items)
        return _fitted(value, validate, name)
    except InputError as error:
        if not cls_name:  # the validator around the collection makes the message
            raise
        raise InputError(
            f"Collection {cls_name!r}: {error.what}", error.found, error.remedy, place=error.place
        ) from error


def _placed(value: Any, validate: Validator, name: str) -> Any:
    """The same, for the validator around the collection, which asks for the place in the data."""
    try:
        return _checked(value, validate, name, "")
    except InputError as error:
        faults = tuple(_iter_faults(value, validate, name))
        raise InputError(error.what, error.found, error.remedy, faults=faults) from error


def _iter_faults(value: Any, validate: Validator, name: str) -> Iterator[tuple[str, list[str], Any]]:
    """Each fault in what stands under `name`: its place in the collection, what was expected, what given."""
    items = (
        {f"[{i}]": item for i, item in enumerate(value)}
        if isinstance(value, ExpandableSequence)
        else {"": value}
    )
    for at, item in items.items():
        try:
            _fitted(item, validate, "")
        except InputError as error:
            whole = (("", [annotation_name(validate.annotation)], item),)
            for inner, words, given in getattr(error, "faults", whole):
                yield f".{name}{at}{inner}", words, given


def _fitted(value: Any, validate: Validator, place: str) -> Any:
    if isinstance(value, ParamColl):
        return value._from_value(value)
    if isinstance(value, Expandable) or is_distribution(value) or _has_leaves(value):
        return value
    return validate(value, place=place)


# -- what is expanded


def _iter_leaves(value: Any, path: Path, seeds: tuple[Any, ...]) -> Iterator[Leaf]:
    if isinstance(value, Expandable):
        yield Leaf(value, path, seeds)
    elif isinstance(value, ParamColl):
        inside = seeds if value.paramseed is None else (*seeds, value.paramseed)
        for name, item in value.items():
            yield from _iter_leaves(item, (*path, name), inside)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if field.init:
                yield from _iter_leaves(getattr(value, field.name, None), (*path, field.name), seeds)


def _has_leaves(value: Any) -> bool:
    return next(_iter_leaves(value, (), ()), None) is not None


def _require_seed(value: Any, path: Path, cls_name: str) -> None:
    for leaf in _iter_leaves(value, path, ()):
        if leaf.length == inf and not leaf.seeds:
            raise ArgumentError(
                f"Collection {cls_name!r} draws {leaf.place!r} from a distribution and has no seed.",
                f"found: {leaf.value!r}",
                "give a number as paramseed; it decides the draws",
                argument="paramseed",
            )


def _with_values(owner: Any, values: Mapping[Path, Any], path: Path) -> Any:
    """`owner`, a collection or dataclass, with plain values in place of what is expandable in it."""
    inside: dict[str, dict[Path, Any]] = {}
    for leaf_path, value in values.items():
        inside.setdefault(leaf_path[len(path)], {})[leaf_path] = value
    changes = {
        name: deeper[(*path, name)]
        if (*path, name) in deeper
        else _with_values(getattr(owner, name), deeper, (*path, name))
        for name, deeper in inside.items()
    }
    if isinstance(owner, ParamColl):
        changes["paramseed"] = None
    try:
        return dataclasses.replace(owner, **changes)
    except SmttaskError as error:
        error.add_note(f"while {type(owner).__qualname__} was expanded")
        raise
