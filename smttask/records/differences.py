"""How the parameters of two runs differ: by dotted place, through the tasks among the inputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from blake3 import blake3

from smttask.records.parameters import form_text, task_reference

__all__ = [
    "MISSING",
    "Described",
    "InputDifference",
    "differing_inputs",
    "differing_places",
    "find_differences",
]

JSON = Any
#: Gives the description, and the digest in it, of the task that a reference ``{"$task": …}`` names.
GetTask = Callable[[Mapping[str, JSON]], "tuple[JSON, str] | None"]

MAX_DEPTH = 20  # tasks inside tasks, below which a difference is told by their digests alone
MAX_LISTED = 5  # differing items of one list, above which the lists are told whole
MAX_FOUND = 50


class _Missing:
    def __repr__(self) -> str:
        return "none"


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Described:
    """Parameters of a run: the task `digest` in the description `tree`; see `smttask.tasks.description`.

    Upstream tasks that `tree` leaves out are found by `get_task`.
    """

    tree: JSON
    digest: str
    get_task: GetTask

    @property
    def entry(self) -> Mapping[str, JSON] | None:
        """The description of the task itself; None if there is none."""
        try:
            found = self.tree["tasks"][self.digest]
        except (LookupError, TypeError):
            return None
        return found if isinstance(found, dict) and isinstance(found.get("inputs"), dict) else None

    def upstream(self, reference: Mapping[str, JSON]) -> Described | None:
        """The parameters of an upstream task; None if they are not known."""
        inner = Described(self.tree, reference["$task"], self.get_task)
        if inner.entry is not None:
            return inner
        found = self.get_task(reference)
        inner = Described(*found, self.get_task) if found is not None else inner
        return inner if inner.entry is not None else None


@dataclass(frozen=True, slots=True)
class InputDifference:
    """An input, or a part of one, that differs; JSON forms, or `MISSING`.

    `is_default` says that both stood at the default of their time.
    """

    place: str
    old: JSON
    new: JSON
    is_default: bool = False

    @property
    def texts(self) -> tuple[str, str]:
        """Old and new value as people read them; what looks the same is told apart by its content."""
        old, new = _text(self.old), _text(self.new)
        return (old, new) if old != new else (f"{old} ({_name(self.old)})", f"{new} ({_name(self.new)})")


def differing_inputs(old: Described, new: Described) -> list[str]:
    """Names of the inputs that differ; quick, nothing is looked up.

    Examples
    --------
    >>> old, new = ({"tasks": {"3f": {"inputs": {"x": x, "y": 1}}}} for x in (2, 3))
    >>> differing_inputs(Described(old, "3f", lambda task: None), Described(new, "3f", lambda task: None))
    ['x']
    """
    before, now = old.entry, new.entry
    if before is None or now is None:
        return []
    return [
        name
        for name, left, right in _pairs(before["inputs"], now["inputs"])
        if not _is_same(left, right) and not _is_added_default(name, left, now)
    ]


def find_differences(old: Described, new: Described, *, through_equal: bool = False) -> list[InputDifference]:
    """Every difference between the inputs of two runs of a task, through the tasks among them.

    Parameters
    ----------
    through_equal
        Look into upstream tasks of equal digests too: what stands at a default does not enter these.

    Examples
    --------
    >>> old, new = ({"tasks": {"3f": {"inputs": {"x": [1, y]}}}} for y in (2, 3))
    >>> find_differences(Described(old, "3f", lambda task: None), Described(new, "3f", lambda task: None))
    [InputDifference(place='x[1]', old=2, new=3, is_default=False)]
    """
    walk = _Walk(through_equal)
    found: list[InputDifference] = []
    for difference in walk.tasks("", old, new, 0):
        found.append(difference)
        if len(found) == MAX_FOUND:
            break
    return found


def differing_places(descriptions: Sequence[Described]) -> dict[str, list[JSON]]:
    """The inputs and parts of inputs that are not the same in all runs: by dotted place, a form for each run.

    Tasks, dataclasses, models and dicts are gone through where they are of one kind; lists are told whole.
    `MISSING` stands for what a run does not have.

    Examples
    --------
    >>> trees = [{"tasks": {"3f": {"inputs": {"x": x, "y": 1}}}} for x in (2, 3, 3)]
    >>> differing_places([Described(tree, "3f", lambda task: None) for tree in trees])
    {'x': [2, 3, 3]}
    """
    found: dict[str, list[JSON]] = {}
    _add_inputs(found, "", descriptions, 0)
    return found


def _add_inputs(
    found: dict[str, list[JSON]], place: str, descriptions: Sequence[Described], depth: int
) -> None:
    inputs = [(described.entry or {}).get("inputs", {}) for described in descriptions]
    _add_parts(found, place, descriptions, inputs, depth)


def _add_parts(
    found: dict[str, list[JSON]],
    place: str,
    descriptions: Sequence[Described],
    containers: Sequence[Mapping[str, JSON]],
    depth: int,
) -> None:
    for name in dict.fromkeys(name for container in containers for name in container):
        forms = [container.get(name, MISSING) for container in containers]
        if all(_is_same(forms[0], form) for form in forms[1:]):
            continue
        inner = f"{place}.{name}" if place else str(name)
        if depth < MAX_DEPTH and MISSING not in forms:
            if all(task_reference(form) is not None for form in forms):
                upstream = [
                    each
                    for one, form in zip(descriptions, forms, strict=True)
                    if (each := one.upstream(form))
                ]
                if len(upstream) == len(forms) and all(_kind(one) == _kind(upstream[0]) for one in upstream):
                    _add_inputs(found, inner, upstream, depth + 1)
                    continue
            items = [_items(form) for form in forms]
            is_alike = all(_container(form) == _container(forms[0]) for form in forms)
            if is_alike and all(isinstance(item, dict) and "$task" not in item for item in items):
                _add_parts(found, inner, descriptions, items, depth + 1)
                continue
        found[inner] = forms


class _Walk:
    """Goes through two descriptions side by side; each pair of tasks once."""

    def __init__(self, through_equal: bool) -> None:
        self.through_equal = through_equal
        self.seen: set[tuple[str, str]] = set()

    def tasks(self, place: str, old: Described, new: Described, depth: int) -> Iterator[InputDifference]:
        before, now = old.entry, new.entry
        if before is None or now is None or (old.digest, new.digest) in self.seen:
            return
        self.seen.add((old.digest, new.digest))
        defaults = set(before.get("defaults", ())) & set(now.get("defaults", ()))
        for name, left, right in _pairs(before["inputs"], now["inputs"]):
            if _is_added_default(name, left, now):
                continue
            inner = f"{place}.{name}" if place else name
            for found in self.forms(inner, left, right, old, new, depth):
                yield InputDifference(found.place, found.old, found.new, found.is_default or name in defaults)

    def forms(
        self, place: str, left: JSON, right: JSON, old: Described, new: Described, depth: int
    ) -> Iterator[InputDifference]:
        if _is_same(left, right) and not (self.through_equal and _holds_task(right)):
            return
        if task_reference(left) is not None and task_reference(right) is not None:
            yield from self.references(place, left, right, old, new, depth)
            return
        parts = _parts(left, right)
        if parts is not None:
            n_differing = sum(not _is_same(one, other) for _, one, other in parts)
            if n_differing <= MAX_LISTED or _holds_task([left, right]) or not isinstance(_items(left), list):
                for name, one, other in parts:
                    yield from self.forms(place + name, one, other, old, new, depth)
                return
        yield InputDifference(place, _told(left, old), _told(right, new))

    def references(
        self, place: str, left: JSON, right: JSON, old: Described, new: Described, depth: int
    ) -> Iterator[InputDifference]:
        before, now = old.upstream(left), new.upstream(right)
        is_same = left["$task"] == right["$task"]
        if before is None or now is None or depth >= MAX_DEPTH or _kind(before) != _kind(now):
            if not is_same:
                yield InputDifference(place, _named(left, before), _named(right, now))
            return
        yield from self.tasks(place, before, now, depth + 1)


def _pairs(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> list[tuple[str, JSON, JSON]]:
    return [(name, old.get(name, MISSING), new.get(name, MISSING)) for name in {**new, **old}]


def _is_added_default(name: str, old: JSON, now: Mapping[str, JSON]) -> bool:
    """Whether an argument is new since and stands at its default, which is no difference."""
    return old is MISSING and name in now.get("defaults", ())


def _is_same(old: JSON, new: JSON) -> bool:
    """Whether two forms are of one value; a task is its digest, whatever run stands beside it."""
    if isinstance(old, dict) and isinstance(new, dict):
        if "$task" in old and "$task" in new:
            return bool(old["$task"] == new["$task"])
        return old == new or (
            _holds_task(new) and old.keys() == new.keys() and all(_is_same(old[key], new[key]) for key in old)
        )
    if isinstance(old, list) and isinstance(new, list):
        return old == new or (_holds_task(new) and len(old) == len(new) and all(map(_is_same, old, new)))
    return type(old) is type(new) and repr(old) == repr(new)  # 0.0 is not -0.0, True is not 1


def _holds_task(form: JSON) -> bool:
    if isinstance(form, dict):
        return "$task" in form or any(map(_holds_task, form.values()))
    return isinstance(form, list) and any(map(_holds_task, form))


def _items(form: JSON) -> JSON:
    """The list or dict in which the parts of a container stand, its tag taken away; None for other forms."""
    if isinstance(form, list):
        return form
    if not isinstance(form, dict):
        return None
    tag = next((key for key in form if key.startswith("$")), None)
    if tag is None:
        return form
    if tag in ("$tuple", "$namedtuple"):
        return form.get("items", form[tag])
    if tag in ("$dataclass", "$model"):
        return form.get("fields")
    if tag == "$dict" and all(isinstance(key, str | int | float) for key, _ in form[tag]):
        return dict(form[tag])
    return None


def _parts(old: JSON, new: JSON) -> list[tuple[str, JSON, JSON]] | None:
    """The parts of two containers of one kind side by side, each with how it is reached; None for others."""
    if _container(old) != _container(new):
        return None
    before, now = _items(old), _items(new)
    if isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now) and not _holds_task([before, now]):
            return None
        pairs = enumerate(zip_longest(before, now, fillvalue=MISSING))
        return [(f"[{index}]", left, right) for index, (left, right) in pairs]
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            (f".{name}" if str(name).isidentifier() else f"[{name!r}]", left, right)
            for name, left, right in _pairs(before, now)
        ]
    return None


def _container(form: JSON) -> tuple[str, JSON]:
    if not isinstance(form, dict):
        return type(form).__name__, None
    tag = next((key for key in form if key.startswith("$")), "")
    return tag, form[tag] if tag in ("$dataclass", "$model", "$namedtuple") else None


def _kind(described: Described) -> tuple[JSON, ...]:
    entry = described.entry or {}
    return entry.get("identity") or (entry.get("module"), entry.get("name"))


def _told(form: JSON, described: Described) -> JSON:
    """What a difference says of a form: a task by its name too."""
    return form if task_reference(form) is None else _named(form, described.upstream(form))


def _named(reference: JSON, described: Described | None) -> JSON:
    """A reference with the name of the task it is to, for people."""
    if described is None or described.entry is None:
        return reference
    return {"summary": f"{described.entry.get('name')} ({described.digest})"}


def _text(form: JSON) -> str:
    return repr(form) if form is MISSING else form_text(form)


def _name(form: JSON) -> str:
    return str(blake3(json.dumps(form, sort_keys=True, default=repr).encode()).hexdigest())[:8]
