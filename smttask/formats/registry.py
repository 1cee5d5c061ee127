"""Which format a value is saved by, and which name in a manifest means which format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from smttask.errors import OutputError, StorageError, short_repr
from smttask.formats.figures import FigureFormat
from smttask.formats.file import FileFormat
from smttask.formats.json import JsonFormat
from smttask.formats.npz import NpzFormat
from smttask.formats.numpy import NpyFormat, is_plain_array
from smttask.formats.pickle import PickleFormat
from smttask.formats.rooted import rooted
from smttask.formats.text import BytesFormat, TextFormat
from smttask.protocols import Format
from smttask.typing.jsonform import from_json, to_json

__all__ = [
    "INLINE_BYTES",
    "Choice",
    "choose",
    "format_for",
    "get_format",
    "iter_formats",
    "load_inline",
    "longest_suffix",
    "register_format",
]

# Longer JSON text, strings and bytes become files of their own.
INLINE_BYTES = 16_384

_JSON, _NPY, _NPZ, _TEXT, _BYTES = JsonFormat(), NpyFormat(), NpzFormat(), TextFormat(), BytesFormat()
_FIGURE = FigureFormat()
_OWN: tuple[Format, ...] = (_JSON, _NPY, _NPZ, _TEXT, _BYTES, _FIGURE, FileFormat(), PickleFormat())
_by_name: dict[str, Format] = {format.name: format for format in _OWN}
# Library -> the formats for its types, imported when a value of it or a file of theirs is first met.
_LIBRARIES = {"pandas": "smttask.formats.tables", "xarray": "smttask.formats.xarray"}
_LIBRARY_OF = {"parquet": "pandas", "hdf5": "pandas", "netcdf": "xarray"}
_registered: list[Format] = []

_SCALARS = frozenset({int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Choice:
    """The format that fits a value, with what was found out on the way.

    Parameters
    ----------
    is_inline
        Whether the value is small and plain, so that `tree` can stand in a manifest.
    tree
        The JSON form, if the format is JSON.
    text
        What the file would hold, if the format is JSON and the value is not small.
    """

    format: Format
    is_inline: bool = False
    tree: Any = None
    text: str | None = None


def choose(value: object, root: Path | None = None) -> Choice:
    """The format for `value`, and its JSON form where that was made to know.

    Registered formats come first, the latest before others; then ``.npy`` for
    arrays, those for figures, tables and xarray's objects, text and bytes for
    long strings and bytes, ``.npz`` for what holds large arrays, JSON for all else.

    Parameters
    ----------
    root
        Folder of the project: paths inside are written relative to it.

    Raises
    ------
    OutputError
        If no format takes the value.
    """
    kind = type(value)
    if kind in _SCALARS:
        return Choice(_JSON, True, to_json(value))
    for format in reversed(_registered):
        if format.accepts(value):
            return Choice(rooted(format, root))
    if is_plain_array(value):
        return Choice(_NPY)
    if _FIGURE.accepts(value):
        return Choice(_FIGURE)
    for format in _library_formats(kind.__module__.partition(".")[0]):
        if format.accepts(value):
            return Choice(rooted(format, root))
    if kind is bytes and len(value) > INLINE_BYTES:  # type: ignore[arg-type]
        return Choice(_BYTES)
    if kind is str and len(value) > INLINE_BYTES and _TEXT.accepts(value):  # type: ignore[arg-type]
        return Choice(_TEXT)
    has_large = False

    def note(array: object) -> str | None:
        nonlocal has_large
        has_large = has_large or is_plain_array(array)
        return "x" if is_plain_array(array) else None

    try:
        tree = to_json(value, on_large=note, root=root)
        if has_large:
            return Choice(rooted(_NPZ, root))
        text = _JSON.text(tree)
    except (TypeError, ValueError, RecursionError) as error:
        raise OutputError(
            f"A value of type {kind.__module__}.{kind.__qualname__} cannot be stored.",
            f"{short_repr(value)}\n{error}",
            "return plain values, arrays or dataclasses; or register the type with "
            "smttask.register_type or a file format with smttask.register_format",
        ) from error
    if len(text) <= INLINE_BYTES:
        return Choice(_JSON, True, tree)
    return Choice(rooted(_JSON, root), False, tree, text)


def format_for(value: object) -> Format:
    """The format that `value` is saved by; see `choose`. Never pickle.

    Raises
    ------
    OutputError
        If no format takes the value.

    Examples
    --------
    >>> format_for(3.5).name, format_for(b"x" * 100_000).name
    ('json', 'bytes')
    """
    return choose(value).format


def load_inline(name: str, tree: Any, root: Path | None = None) -> Any:
    """The value whose JSON form `tree` stands in a manifest of the project in the folder `root`.

    Raises
    ------
    ValueError
        If `name` is not the JSON format, or `tree` is no JSON form; or it holds a path inside a project
        and no `root` is given.
    """
    if name != _JSON.name:
        raise ValueError(f"values of the format {name!r} do not stand in manifests")
    return from_json(tree, root=root) if isinstance(tree, (dict, list)) else tree


def _library_formats(library: str) -> Sequence[Format]:
    """The formats for the types of a library, the best first."""
    if library not in _LIBRARIES:
        return ()
    formats: Sequence[Format] = import_module(_LIBRARIES[library]).FORMATS
    for format in formats:
        _by_name.setdefault(format.name, format)
    return formats


def get_format(name: str) -> Format:
    """The format called `name` in manifests.

    Raises
    ------
    StorageError
        If there is none.
    """
    if name not in _by_name:
        _library_formats(_LIBRARY_OF.get(name, ""))
    try:
        return _by_name[name]
    except KeyError:
        raise StorageError(
            f"Unknown file format {name!r}.",
            f"known are {sorted(_by_name)}",
            "import the module that registers it with smttask.register_format",
        ) from None


def iter_formats() -> Iterator[Format]:
    """All formats, registered ones first; not those for the types of libraries."""
    yield from reversed(_registered)
    yield from _OWN


@cache
def longest_suffix() -> str:
    """The longest ending of a file that `iter_formats` know, with its dot."""
    return max((format.suffix for format in iter_formats()), key=len)


def register_format(format: Format) -> None:
    """Let values that `format` accepts be saved by it, before the formats of smttask.

    Its name stands in manifests, so it and what `load` reads must stay for ever.

    Raises
    ------
    ValueError
        If another kind of format has the name, or a name or suffix is malformed.
    """
    known = _by_name.get(format.name)
    if known is not None and type(known) is not type(format):
        raise ValueError(f"The format name {format.name!r} belongs to {type(known).__qualname__}.")
    if not format.name or not format.suffix.startswith(".") or "/" in format.suffix:
        raise ValueError(f"A format needs a name and a suffix like '.txt', not {format.suffix!r}.")
    if known in _registered:
        _registered.remove(known)
    _by_name[format.name] = format
    _registered.append(format)
    longest_suffix.cache_clear()
