"""Seeds by key: the same key gives the same seed, in every process and on every machine."""

from __future__ import annotations

import inspect
import typing
from collections import namedtuple
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, cast

import numpy as np

from smttask.errors import DigestError, InputError, SignatureError, short_repr
from smttask.hashing import new_hasher
from smttask.identity.canonical import canonical_bytes

__all__ = ["SeedGenerator", "SeedStream", "stable_words"]

T_co = TypeVar("T_co", covariant=True)

_WORD = 4  # bytes of a seed
_named_tuple: Any = namedtuple  # its names are known at run time only


def stable_words(key: object, n: int) -> list[int]:
    """`n` numbers from 0 to 2**32 - 1 that only `key` decides.

    They are the blake3 of its canonical bytes, read as little-endian words.

    Parameters
    ----------
    key
        What may be an input of a task; numpy's numbers count as Python's.

    Examples
    --------
    >>> stable_words(("noise", 4), 2)
    [1051913633, 548147918]
    """
    data = canonical_bytes(_plain(key), full=True, place="key")
    hasher = new_hasher(len(data))
    hasher.update(data)
    words = hasher.digest(length=_WORD * n)
    return [int.from_bytes(words[at : at + _WORD], "little") for at in range(0, _WORD * n, _WORD)]


def _plain(key: object) -> object:
    if isinstance(key, list | tuple):
        return tuple(map(_plain, key))
    return key.item() if isinstance(key, np.generic) else key


@dataclass(frozen=True, slots=True)
class SeedStream(Generic[T_co]):
    """Seeds of one kind; call it with a key. An attribute of a `SeedGenerator`.

    Parameters
    ----------
    entropy
        What all seeds depend on besides the key.
    name
        Keeps streams with the same entropy apart.
    length
        How many numbers a tuple of seeds has; 0 for a single number that is no tuple.

    Examples
    --------
    >>> stream: SeedStream[int] = SeedStream(1234, "noise")
    >>> stream("tom", 6.4) == stream("tom", 6.4), stream("tom") == stream("tim")
    (True, False)
    """

    entropy: Any
    name: str
    length: int = 0

    def __call__(self, *key: object) -> T_co:
        """The seed for `key`: a number from 0 to 2**32 - 1, or a tuple of them.

        Parameters
        ----------
        *key
            Numbers, text, or anything that may be an input of a task, such as a
            collection of parameters. 4, 4.0 and "4" are three keys.

        Raises
        ------
        InputError
            If there is no key, or it has no canonical form.
        """
        if not key:
            raise InputError(
                f"The seed {self.name!r} was asked for without a key.",
                "expected: numbers or text that say which seed",
                f"give what tells this seed from others, such as {self.name}(i)",
            )
        try:
            words = stable_words((self.entropy, self.name, key), max(self.length, 1))
        except DigestError as error:
            raise InputError(
                f"The seed {self.name!r} has no form for the key {short_repr(key)}.",
                str(error),
                "use numbers, text, or what may be an input of a task",
                place=error.place,
            ) from error
        return cast("T_co", tuple(words) if self.length else words[0])


class _Stream:
    """Makes the stream of an attribute for the generator it is asked from."""

    def __init__(self, name: str, length: int) -> None:
        self.name = name
        self.length = length

    def __get__(self, generator: Any, owner: type) -> Any:
        return self if generator is None else SeedStream(generator.entropy, self.name, self.length)


@dataclass(frozen=True)
class SeedGenerator:
    """Independent streams of seeds, one for each annotated name of a subclass.

    ``int`` makes a stream of numbers, ``tuple[int, int]`` one of pairs; code that a
    type checker reads says ``SeedStream[int]``, ``SeedStream[tuple[int, int]]``. Calling
    the generator gives a named tuple with a seed from each stream. A seed depends on
    entropy, name of the stream and key alone, so streams may be added, removed and
    put in another order.

    Parameters
    ----------
    entropy
        A number, such as ``numpy.random.SeedSequence().entropy`` gave once, text, or a tuple of these.

    Raises
    ------
    SignatureError
        If a name of a subclass is annotated otherwise.
    InputError
        If there is no entropy.

    Examples
    --------
    >>> class Seeds(SeedGenerator):
    ...     data: SeedStream[tuple[int, int]]
    ...     noise: SeedStream[int]
    >>> seeds = Seeds(123456789)
    >>> seeds.noise("tom", 6.4)
    3220547714
    >>> seeds(4)
    SeedValues(data=(3018194059, 836280338), noise=1757354190)
    """

    entropy: Any

    def __post_init__(self) -> None:
        if self.entropy is None:
            raise InputError(
                f"{type(self).__qualname__} has no entropy.",
                "found: None; seeds would differ from run to run",
                "give a number, for instance one that numpy.random.SeedSequence().entropy printed",
            )

    _streams: ClassVar[tuple[str, ...]] = ()
    #: The named tuple that a call returns.
    SeedValues: ClassVar[Any] = _named_tuple("SeedValues", ())

    def __init_subclass__(cls) -> None:
        lengths = _lengths(cls)
        for name, length in lengths.items():
            setattr(cls, name, _Stream(name, length))
        cls._streams = tuple(dict.fromkeys([*cls._streams, *lengths]))
        values = cls.SeedValues = _named_tuple("SeedValues", cls._streams)
        values.__module__, values.__qualname__ = cls.__module__, f"{cls.__qualname__}.SeedValues"

    def __call__(self, *key: object) -> Any:
        """A seed from each stream for `key`, as a named tuple; see `SeedStream`."""
        return self.SeedValues(**{name: getattr(self, name)(*key) for name in self._streams})


def _lengths(cls: type[SeedGenerator]) -> dict[str, int]:
    """The streams that the class itself declares, with their lengths."""
    names = [name for name in inspect.get_annotations(cls) if not name.startswith("_")]
    what = f"Seed generator {cls.__qualname__!r} cannot be used."
    remedy = "annotate with int, tuple[int, int], SeedStream[int] or SeedStream[tuple[int, int]]"
    if reserved := {"entropy", "SeedValues"}.intersection(names):
        raise SignatureError(
            what,
            f"found: the name {sorted(reserved)[0]!r}, which generators use themselves",
            "choose another name",
        )
    try:
        hints = typing.get_type_hints(cls)
    except NameError as error:
        raise SignatureError(what, f"found: {error}", remedy) from error
    lengths = {name: _length(hints[name]) for name in names}
    for name, length in lengths.items():
        if length is None:
            raise SignatureError(what, f"found: {name}: {hints[name]!r}, which is no kind of seed", remedy)
    return typing.cast("dict[str, int]", lengths)


def _length(annotation: Any) -> int | None:
    """How many numbers a tuple of seeds has; 0 for a single number, None for what is no seed."""
    kind = typing.get_args(annotation)[0] if typing.get_origin(annotation) is SeedStream else annotation
    if kind is int:
        return 0
    items = typing.get_args(kind)
    is_pair = typing.get_origin(kind) is tuple and items and set(items) == {int}
    return len(items) if is_pair else None
