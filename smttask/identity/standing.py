"""The defaults that a value stands at: what its digest leaves out, and what may change under it.

A digest leaves out inputs and fields at their default, so it stays as it is when a
default changes. What stood at which default is therefore kept beside each result, by
task or class and not by value, so that the table of a wide or deep graph is short.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from smttask.identity.canonical import canonical_bytes, canonical_forms
from smttask.identity.defaults import usual_bytes
from smttask.identity.digest import digest
from smttask.protocols import Runnable
from smttask.typing.places import class_name, stored_fields

__all__ = ["Standing", "merged", "standing_defaults", "still_stand"]

#: Name of a task or class -> its inputs or fields at their default -> digest of that default.
Standing = dict[str, dict[str, str]]


def standing_defaults(value: Any, *, root: Path | None = None) -> Standing:
    """The fields of dataclasses and models in `value` that stand at their default.

    Tasks in `value` are passed over; each has a table of its own.

    Parameters
    ----------
    root
        Folder of the project, for paths.

    Examples
    --------
    >>> standing_defaults([1.5, "text"])
    {}
    """
    found: Standing = {}
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Runnable):
            continue
        if isinstance(item, (list, tuple, set, frozenset)):
            waiting.extend(part for part in item if _may_have_fields(part, root))
        elif isinstance(item, dict):
            waiting.extend(part for pair in item.items() for part in pair if _may_have_fields(part, root))
        elif isinstance(item, BaseModel) or (is_dataclass(item) and not isinstance(item, type)):
            fields = _fields(item)
            usual = usual_bytes(type(item), root, _short_bytes)
            standing = {
                name: digest(canonical_bytes(part, full=True, root=root))
                for name, part in fields.items()
                if _short_bytes(part, root) in usual.get(name, ())
            }
            found = merged([found, {class_name(type(item)): standing} if standing else {}])
            waiting.extend(fields.values())
    return found


def merged(tables: Iterable[Mapping[str, Mapping[str, str]]]) -> Standing:
    """All of `tables` in one; where two differ, as after a reload, both digests stand.

    Examples
    --------
    >>> merged([{"lab:f": {"n": "3f"}}, {"lab:f": {"n": "3f", "k": "77"}}])
    {'lab:f': {'n': '3f', 'k': '77'}}
    """
    result: Standing = {}
    for table in tables:
        for name, fields in table.items():
            known = result.setdefault(name, {})
            for field, default in fields.items():
                both = {*known.get(field, default).split(","), *default.split(",")}
                known[field] = ",".join(sorted(both))
    return result


def still_stand(old: Any, new: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether all that stood at its default in `old` stands at the same default in `new`.

    Parameters
    ----------
    old
        As read from a manifest, where anything may stand.
    new
        The table of today; what is new in it is no difference.

    Examples
    --------
    >>> old = {"lab:f": {"n": "3f"}}
    >>> still_stand(old, {"lab:f": {"n": "3f", "k": "77"}}), still_stand(old, {"lab:f": {"n": "00"}})
    (True, False)
    """
    return all(
        isinstance(fields, dict) and all(new.get(name, {}).get(f) == default for f, default in fields.items())
        for name, fields in old.items()
    )


def _may_have_fields(value: Any, root: Path | None) -> bool:
    forms = canonical_forms(value, root=root)
    return forms.short is not forms.full


def _fields(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        names = [name for name in type(value).model_fields if name in value.__dict__]
        return {**{name: value.__dict__[name] for name in names}, **(value.__pydantic_extra__ or {})}
    return {name: getattr(value, name) for name in stored_fields(type(value)) if hasattr(value, name)}


def _short_bytes(value: Any, root: Path | None) -> bytes:
    return canonical_bytes(value, root=root)
