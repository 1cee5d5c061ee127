"""Plain JSON, laid out for people, that any program reads; without tags, so tuples come back as lists."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["PlainJsonFormat"]

INDENT = "  "
_ONE_LINE = frozenset({int, float, str, bool, type(None)})


class PlainJsonFormat:
    r"""Numbers, texts, lists and dicts as JSON in UTF-8; a list of numbers or texts on one line.

    Tuples become lists, arrays lists of numbers, numpy's scalars numbers; names in dicts become texts,
    as for Python's `json`. NaN and infinities are written as Python, and not every other reader, knows them.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> PlainJsonFormat().save({"x": (1, 2), "unit": "µm"}, file)
    >>> print(file.getvalue().decode(), end="")
    {
      "x": [1, 2],
      "unit": "µm"
    }
    """

    name = "plain-json"
    suffix = ".json"

    def accepts(self, value: object) -> bool:
        """Whether JSON has a form for all of `value`, be it another one."""
        try:
            _text(value, "value", "\n")
        except (TypeError, ValueError, RecursionError):
            return False
        return True

    def save(self, value: Any, file: BinaryIO) -> None:
        """Write `value`.

        Raises
        ------
        TypeError
            If JSON has no form for something in it; the message says for what, and where.
        """
        text = _text(value, "value", "\n")
        try:
            content = text.encode()
        except UnicodeEncodeError:  # a text that is none, such as the name of a file in another encoding
            content = json.dumps(json.loads(text), indent=2).encode()
        file.write(content + b"\n")

    def load(self, path: Path, *, mmap: bool = False) -> Any:
        """Read the value, with or without a mark at its beginning; `mmap` makes no difference."""
        return json.loads(Path(path).read_bytes().decode("utf-8-sig"))


def _text(value: Any, place: str, newline: str) -> str:
    """JSON of `value`, whose lines begin with `newline`."""
    if isinstance(value, str | int | float) or value is None:
        return _encode(value)
    if isinstance(value, Mapping):
        return _object(value, place, newline)
    if isinstance(value, list | tuple):
        if _ONE_LINE.issuperset(map(type, value)):
            return _encode(value)
        inner = newline + INDENT
        items = [_text(item, f"{place}[{n}]", inner) for n, item in enumerate(value)]
        return f"[{inner}{f',{inner}'.join(items)}{newline}]"
    if _is_numpy(value):
        return _text(value.tolist(), place, newline)
    raise TypeError(f"{place} is of type {type(value).__qualname__}")


def _object(value: Mapping[Any, Any], place: str, newline: str) -> str:
    inner = newline + INDENT
    members: dict[str, str] = {}
    for key, item in value.items():
        known = key.tolist() if _is_numpy(key) else key
        if not isinstance(known, str | int | float) and known is not None:
            raise TypeError(f"{place} has a name of type {type(key).__qualname__}")
        name = known if isinstance(known, str) else _encode(known)
        if name in members:
            raise TypeError(f"{place} has the name {name!r} twice, as a text and as a number")
        members[name] = _text(item, f"{place}[{key!r}]", inner)
    if not members:
        return "{}"
    lines = [f"{_encode(name)}: {text}" for name, text in members.items()]
    return f"{{{inner}{f',{inner}'.join(lines)}{newline}}}"


def _is_numpy(value: object) -> bool:
    numpy = sys.modules.get("numpy")  # whoever has such a value has imported it
    return numpy is not None and isinstance(value, numpy.ndarray | numpy.generic)


_encode = json.JSONEncoder(ensure_ascii=False).encode
