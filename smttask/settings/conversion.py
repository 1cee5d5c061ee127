"""How code, the environment (text) and a project's file (JSON types) become the value of a setting."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from smttask.settings.address import StoreURL, is_url, parse_url

__all__ = [
    "JOURNAL",
    "PLACES_OF_PASSWORDS",
    "Unfit",
    "or_none",
    "to_bool",
    "to_count",
    "to_names",
    "to_path",
    "to_store",
    "to_store_with_password",
    "to_types",
    "to_word",
]

JOURNAL = "journal"
"""As a record store: records are kept in a journal, until a process with the record store takes them in."""
PLACES_OF_PASSWORDS = "it belongs in ~/.pgpass, PGPASSWORD or the URL in SMTTASK_RECORD_STORE"

TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")

Value = TypeVar("Value")


class Unfit(Exception):
    """A value that a setting does not take; the argument says what it takes."""


def to_bool(given: object) -> bool:
    """Take a bool, or one of the words for it as text."""
    if isinstance(given, bool):
        return given
    if isinstance(given, str):
        word = given.strip().lower()
        if word in TRUE_WORDS or word in FALSE_WORDS:
            return word in TRUE_WORDS
    raise Unfit(f"true or false (as text: {', '.join((*TRUE_WORDS, *FALSE_WORDS))})")


def to_count(minimum: int, unit: str) -> Callable[[Any], int]:
    """Return what takes a whole number of `unit`, at least `minimum`, also as text."""

    def convert(given: object) -> int:
        try:
            number = int(given) if isinstance(given, str) else given
        except ValueError:
            number = None
        if isinstance(number, int) and not isinstance(number, bool) and number >= minimum:
            return number
        raise Unfit(f"a whole number of {unit}, at least {minimum}")

    return convert


def or_none(convert: Callable[[Any], Value]) -> Callable[[Any], Value | None]:
    """Return what takes None too, besides what `convert` takes."""

    def convert_or_none(given: object) -> Value | None:
        return None if given is None else convert(given)

    return convert_or_none


def to_word(*words: str) -> Callable[[Any], Any]:
    """Return what takes one of `words`."""

    def convert(given: object) -> str:
        if isinstance(given, str) and given in words:
            return given
        raise Unfit(", ".join(map(repr, words)))

    return convert


def to_names(given: object) -> tuple[str, ...]:
    """Take a sequence of names, or text with commas between them."""
    if isinstance(given, str):
        return tuple(name.strip() for name in given.split(",") if name.strip())
    if isinstance(given, Sequence) and all(isinstance(name, str) for name in given):
        return tuple(given)
    raise Unfit("a list of names (as text: separated by commas)")


def to_types(given: object) -> frozenset[type | str]:
    """Take a collection of types and of their names, or text with commas between names."""
    if isinstance(given, str):
        return frozenset(to_names(given))
    if isinstance(given, Iterable) and not isinstance(given, type):
        kinds = frozenset(given)
        if all(isinstance(kind, type) or (isinstance(kind, str) and "." in kind) for kind in kinds):
            return kinds
    raise Unfit("a set of types, or of names like 'package.module.Class' (as text: separated by commas)")


def to_path(what: str, *, is_absolute: bool = False) -> Callable[[Any], Path]:
    """Return what takes the path of `what`, but no URL.

    Either it is made absolute from the working directory at that moment, or it stays
    relative, to the project's root.
    """

    def convert(given: object) -> Path:
        path = os.fspath(given) if isinstance(given, str | os.PathLike) else ""
        if isinstance(path, str) and path and "://" not in path:
            return Path(path).expanduser().absolute() if is_absolute else Path(path).expanduser()
        raise Unfit(
            f"the path of {what}" + ("" if is_absolute else ", absolute or relative to the project's root")
        )

    return convert


def to_store(given: object) -> Path | StoreURL | str:
    """Take the path of an SQLite file, a URL without a password, or the word ``"journal"``.

    A file of that name is ``./journal``. A password would end in files and messages, so
    that it has other places.
    """
    value = to_store_with_password(given)
    if isinstance(value, StoreURL) and value.password is not None:
        raise Unfit(f"a URL without a password; {PLACES_OF_PASSWORDS}")
    return value


def to_store_with_password(given: object) -> Path | StoreURL | str:
    """Take the same, and also a URL with its password: for the environment, which is kept nowhere."""
    if given == JOURNAL:
        return JOURNAL
    path = to_path("an SQLite file")
    try:
        return parse_url(str(given)) if is_url(given) else path(given)
    except ValueError as error:
        raise Unfit(f"postgresql://user@host:port/database; {error}") from None
    except Unfit as unfit:
        raise Unfit(f"{unfit}, postgresql://user@host:port/database, or '{JOURNAL}'") from None
