"""How a user makes a foreign class known: one call, whose round trip is checked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from smttask.errors import DescriptionError, RegistrationError, SmttaskError, short_repr
from smttask.typing.accept import accept_instances
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.registry import (
    TypeEntry,
    entry_named,
    entry_of,
    forget_entry,
    register_acceptor,
    register_entry,
)

__all__ = ["register_type"]

T = TypeVar("T")

# What is lost may depend on the value. A check takes 50 us; after a large value there are no more.
N_CHECKED = 1000
MAX_CHECKED_CHARS = 10_000

_NONE: Any = object()
_PLAIN = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, np.ndarray)
_registered: dict[str, type] = {}
"""What users registered, by name; a reloaded module may do so again."""


def register_type(
    cls: type[T],
    to_plain: Callable[[T], Any],
    from_plain: Callable[[Any], T],
    *,
    name: str | None = None,
    example: T = _NONE,
    is_same: Callable[[T, T], bool] | None = None,
    convert: Callable[[Any], T] | None = None,
    mutable: bool = True,
    subclasses: bool = False,
) -> None:
    """Make values of a foreign class inputs and outputs of tasks, without touching that class.

    Digest, JSON form, files and copies follow from the two functions. Call it where the
    modules of your tasks import it, so that workers know the class too.

    Parameters
    ----------
    cls
        The class.
    to_plain
        The value as plain values: numbers, text, containers, arrays, or values of other known
        types; all that makes it what it is, in a form that is the same on every machine.
    from_plain
        The exact inverse. What it is given may come from a file: it must run nothing that a
        text could choose.
    name
        Stands in files and digests, so it must stay for ever. None: module and qualified name of
        the class; give one where the class may move.
    example
        A value whose round trip is checked now. The first 1000 values that come are checked too, as long
        as they are small.
    is_same
        Whether two values are the same. None: ``==`` for classes that define it, else what
        `to_plain` and the objects' attributes say.
    convert
        Makes a value of the class from something else that stands where one is annotated;
        raises ValueError for what it does not take. None: only values of the class are taken.
    mutable
        Whether a value can be changed by who holds it, so that each task gets a copy.
    subclasses
        Whether values of subclasses are taken apart in the same way; they come back as what
        `from_plain` makes.

    Raises
    ------
    RegistrationError
        If the round trip is not exact, the class is known already, or the name is taken.

    Examples
    --------
    >>> from fractions import Fraction
    >>> class Angle:
    ...     def __init__(self, degrees):
    ...         self.degrees = degrees
    >>> register_type(
    ...     Angle, lambda angle: angle.degrees, Angle, name="survey.Angle", example=Angle(Fraction(1, 3))
    ... )
    >>> to_json(Angle(90))
    {'$survey.Angle': 90}
    """
    known_as = name or f"{getattr(cls, '__module__', '')}.{getattr(cls, '__qualname__', '')}"
    _check_name(cls, known_as)
    check = _RoundTrip(cls, known_as, to_plain, from_plain, is_same)
    if example is not _NONE:
        check(example)
    register_entry(
        TypeEntry(
            known_as, cls, check.first_checked, from_plain, is_mutable=mutable, covers_subclasses=subclasses
        )
    )
    _registered[known_as] = cls
    if convert is not None or not hasattr(cls, "__get_pydantic_core_schema__"):
        register_acceptor(cls, accept_instances(cls, _refusing(convert), f"a {cls.__qualname__}"))


def _refusing(convert: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    """`convert` with TypeError, which pydantic lets pass, as ValueError."""
    if convert is None:
        return None

    def converted(value: Any) -> Any:
        try:
            return convert(value)
        except TypeError as error:
            raise ValueError(str(error)) from error

    return converted


def _check_name(cls: Any, name: str) -> None:
    problem = ""
    if not isinstance(cls, type):
        problem = f"{short_repr(cls)} is no class"
    elif cls in _PLAIN or getattr(entry_of(cls), "name", None) not in (None, *_registered):
        problem = "smttask knows the class itself"
    elif "<locals>" in name:
        problem = "the class is defined inside a function, where no later session finds it; give a name"
    elif not re.fullmatch(r"[\w\-]+(\.[\w\-]+)+", name):
        problem = f"the name {name!r} is not of the form 'package.Name'"
    if not problem:
        before = entry_named(name)
        if before is not None and not _is_reloaded(before.cls, cls):
            problem = f"the name {name!r} belongs to {before.cls!r}"
        elif before is not None:
            forget_entry(before)
    if problem:
        raise RegistrationError(
            f"The type {getattr(cls, '__qualname__', cls)!r} cannot be registered.",
            f"found: {problem}",
            "give a class that smttask does not know, and a name of its own such as name='lab.Quantity'",
        )


def _is_reloaded(old: type, new: type) -> bool:
    return old is new or (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)


class _RoundTrip:
    """Whether a value comes back the same from its plain values written as JSON."""

    def __init__(self, cls: type, name: str, to_plain: Any, from_plain: Any, is_same: Any) -> None:
        self.cls = cls
        self.name = name
        self.to_plain = to_plain
        self.from_plain = from_plain
        self.is_same = is_same
        self.n_left = N_CHECKED

    def first_checked(self, value: Any) -> Any:
        """What `to_plain` gives; for the first values after their round trip."""
        if self.n_left:
            self(value)
        return self.to_plain(value)

    def __call__(self, value: Any) -> None:
        if not isinstance(value, self.cls):
            raise self._error(value, f"it is no {self.cls.__qualname__}")
        try:
            tree = to_json(self.to_plain(value))
        except DescriptionError as error:
            raise self._error(value, f"to_plain gives what is not plain: {error.what}") from error
        except Exception as error:  # to_plain may raise anything
            raise self._error(value, f"to_plain raised {error!r}") from error
        text = json.dumps(tree, sort_keys=True)
        try:
            again = self.from_plain(from_json(json.loads(text)))
        except Exception as error:  # from_plain may raise anything
            raise self._error(value, f"from_plain raised {error!r} for {short_repr(text)}") from error
        if not isinstance(again, self.cls):
            raise self._error(value, f"from_plain gave a {type(again).__name__}")
        back = json.dumps(to_json(self.to_plain(again)), sort_keys=True)
        if back != text:
            raise self._error(
                value, f"its plain values were {short_repr(text)}\nand came back as {short_repr(back)}"
            )
        difference = self._difference(value, again)
        if difference:
            raise self._error(value, difference)
        self.n_left = self.n_left - 1 if len(text) <= MAX_CHECKED_CHARS else 0

    def _difference(self, value: Any, again: Any) -> str:
        """In words, what `to_plain` did not tell; empty if both are the same as far as one can see."""
        if self.is_same is not None:
            # What is not the same as itself, as what holds NaN, says nothing by it.
            is_told = self.is_same(value, again) or not self.is_same(value, value)
            return "" if is_told else f"is_same is false for it and {short_repr(again)}"
        mine, other = _attributes(value), _attributes(again)
        changed = [n for n in {**mine, **other} if not _equal(mine.get(n, _NONE), other.get(n, _NONE))]
        if not changed and mine:
            return ""
        if any("__eq__" in vars(base) for base in self.cls.__mro__ if base is not object):
            # What does not equal itself, as what holds NaN, says nothing by its ==.
            if _is_true(value, value) and not _is_true(value, again):
                return f"it does not equal what came back: {short_repr(again)}"
            return ""
        return "".join(
            f"its attribute {name!r} came back as {short_repr(other.get(name, 'nothing'))}"
            for name in changed[:1]
        )

    def _error(self, value: Any, found: str) -> RegistrationError:
        return RegistrationError(
            f"Values of the registered type {self.name!r} do not come back the same.",
            f"for {short_repr(value)}: {found}",
            "let to_plain give all that makes the value what it is, and from_plain be its inverse; "
            "or give is_same to say what counts",
        )


def _equal(left: Any, right: Any) -> bool:
    try:
        return bool(to_json(left) == to_json(right))
    except SmttaskError:  # not of known types
        pass
    return _is_true(left, right)


def _is_true(left: Any, right: Any) -> bool:
    """What the class itself says of ``left == right``."""
    try:
        return bool(np.all(left == right))
    except Exception:  # noqa: BLE001 - a foreign __eq__ may raise anything
        return False


def _attributes(value: Any) -> dict[str, Any]:
    """What the object holds in its ``__dict__`` and slots."""
    slots = [name for base in type(value).__mro__ for name in _slots(base)]
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return {**found, **getattr(value, "__dict__", {})}


def _slots(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)
