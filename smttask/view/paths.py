"""The inputs of records as names to complete: paths of a view, values of a record."""

from __future__ import annotations

import difflib
import keyword
from abc import ABCMeta
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar, overload

from smttask.errors import (
    DescriptionError,
    InputError,
    UnknownParameterWarning,
    UnknownTaskWarning,
    short_repr,
    warn,
)
from smttask.records.parameters import Step, task_reference
from smttask.records.query import Selection
from smttask.view.parameters import Parameters

if TYPE_CHECKING:
    from smttask.view.sequence import RecordSequence

__all__ = [
    "AskedPath",
    "AskedTask",
    "KnownPaths",
    "ParameterPath",
    "ParameterPaths",
    "ParameterValues",
    "computed",
    "listed",
    "paths_of",
    "suggestion",
    "tell_unknown_paths",
    "tell_unknown_task",
    "value_of",
]

T = TypeVar("T")
JSON = Any
Tree = dict[str, "Tree"]

N_SEARCHED = 200  # newest records of a view in which names are looked for
N_NAMED = 20  # paths in a message
DEEPEST = 6  # names in the longest path that is offered
SURELY_NEAR = 0.8
BRANCHES = {"$dataclass", "$model", "$dict"}  # tags of what has named parts


class AskedPath(NamedTuple):
    """An input by which records were filtered, and the records that were."""

    selection: Selection
    path: str


class AskedTask(NamedTuple):
    """A name of a task by which records were filtered, and the records that were."""

    selection: Selection
    name: str


class computed(Generic[T]):
    """A property into which completion in IPython looks: it never looks into those of type `property`."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | Self:
        return self if instance is None else self._make(instance)


class ParameterPath(str):
    """The dotted path of an input, a text like any other; its parts are attributes.

    It may stand wherever a path may: in ``params(eq={…})``, `dframe`, `get_param`, `plot`.
    """

    def __new__(cls, path: str, below: Tree) -> Self:
        """Make the path, and those of the parts in `below`."""
        self = super().__new__(cls, path)
        self.__dict__.update({name: cls(f"{path}.{name}", parts) for name, parts in below.items()})
        return self

    def __dir__(self) -> list[str]:
        return _attributes(vars(self))

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


class ParameterPaths:
    """The paths of the inputs that the newest records of a view have, as attributes and by name.

    What has no name that Python knows is found by its path: ``view.params["x[0]"]``.

    Examples
    --------
    >>> RSView().params.model.sigma  # doctest: +SKIP
    'model.sigma'
    """

    def __init__(self, known: KnownPaths) -> None:
        self.__known = known
        self.__dict__.update({name: ParameterPath(name, below) for name, below in known.tree.items()})

    def __getitem__(self, path: str) -> ParameterPath:
        """The path itself, if a record has it; `InputError` with the nearest one if none has."""
        if (sentences := self.__known.missing(path)) is not None:
            raise InputError(*sentences, place=path)
        below = self.__known.tree
        for step in path.split("."):
            below = below.get(step, {})
        return ParameterPath(path, below)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__known.paths())

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self.__known.has(path)

    def __dir__(self) -> list[str]:
        return _attributes(self.__known.tree)

    def _ipython_key_completions_(self) -> list[str]:
        return self.__known.paths()

    def __repr__(self) -> str:
        return f"<inputs: {', '.join(self)}>" if list(self) else "<no inputs>"


class ParameterValues(Mapping[str, Any]):
    """The inputs of a record, or the parts of one, as attributes and by name; each is read when asked for.

    Dataclasses, models, dicts and tasks stand as mappings like this one, so that they
    need no module; `RecordView.get_param` gives them as they were.

    Examples
    --------
    >>> RSView().latest.params.model.sigma  # doctest: +SKIP
    0.25
    """

    def __new__(cls, forms: Parameters, steps: Sequence[Step] = ()) -> Self:
        """A mapping of a class of its own, which has the names as attributes."""
        names = [name for name in forms.parts(steps) if isinstance(name, str) and not hasattr(cls, name)]
        own: Any = ABCMeta(cls.__name__, (cls,), {name: computed(itemgetter(name)) for name in names})
        values: Self = object.__new__(own)
        return values

    def __init__(self, forms: Parameters, steps: Sequence[Step] = ()) -> None:
        self.__forms = forms
        self.__steps = tuple(steps)
        self.__parts = {str(key): form for key, form in forms.parts(steps).items()}

    def __getitem__(self, path: str) -> Any:
        """The value at `path`; `KeyError` if there is none."""
        if path in self.__parts:
            form = self.__parts[path]
            steps = (*self.__steps, path)
            is_mapping = _is_branch(form) and self.__forms.parts(steps)
            return ParameterValues(self.__forms, steps) if is_mapping else value_of(self.__forms, steps, form)
        first, dot, rest = path.partition(".")
        below = self[first] if dot and first in self.__parts else None
        if isinstance(below, ParameterValues):
            return below[rest]
        near = suggestion(path, list(self.__parts))
        raise KeyError(f"{path!r}; {near}inputs: {', '.join(self.__parts)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.__parts)

    def __len__(self) -> int:
        return len(self.__parts)

    def __dir__(self) -> list[str]:
        return _attributes(self.__parts)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.__parts)

    def __repr__(self) -> str:
        lines = [f"{name}: {self.__forms.text(form)}" for name, form in self.__parts.items()]
        return "\n".join(lines) or "<no inputs>"


def value_of(forms: Parameters, steps: Sequence[Step], form: JSON) -> Any:
    """The value of the `form` at `steps`; where its class is gone a mapping of its parts, or an enum's name.

    Raises
    ------
    DescriptionError
        If neither will do.
    """
    try:
        return forms.value(form)
    except DescriptionError:
        if _is_branch(form) and forms.parts(steps):
            return ParameterValues(forms, steps)
        if isinstance(form, dict) and "$enum" in form:
            return form.get("name", form.get("value"))
        raise


class KnownPaths:
    """The paths of the inputs that the newest records of a view have; functions that filter do not count."""

    def __init__(self, view: RecordSequence, selection: Selection) -> None:
        newest = selection.sliced(0, N_SEARCHED)
        rows = view.store.columns(newest, ["parameters", "digest"])
        self._records = [Parameters(view.project, view.store, *row) for row in rows]
        self._is_all = len(rows) < N_SEARCHED

    def has(self, path: str) -> bool:
        """Whether one of the records has something there."""
        return any(record.find(str(path))[0] for record in self._records)

    @cached_property
    def tree(self) -> Tree:
        """The names, and below each the names of its parts."""
        kinds = {
            frozenset((name, _kind(form)) for name, form in record.inputs().items()): record
            for record in self._records
        }
        tree: Tree = {}
        for record in kinds.values():
            _grow(tree, record, [], DEEPEST)
        return tree

    def paths(self) -> list[str]:
        """Every dotted path, sorted."""
        return sorted(_iter_paths(self.tree))

    def missing(self, path: str) -> tuple[str, str, str] | None:
        """What to say of a path that no record has; None if one has it, or there are no records."""
        if not self._records or self.has(path):
            return None
        which = "No record of the view" if self._is_all else f"None of the newest {N_SEARCHED} records"
        paths = self.paths()
        return (
            f"{which} has an input {short_repr(str(path))}.",
            f"inputs: {listed(paths)}",
            f"{suggestion(path, paths)}view.params completes the names",
        )


def tell_unknown_paths(view: RecordSequence, asked: Sequence[AskedPath]) -> None:
    """Warn of each path that no record has: a view may be empty because a name is misspelt."""
    for selection, path in dict.fromkeys(asked):
        sentences = KnownPaths(view, selection).missing(path)
        if sentences is not None:
            warn("\n  ".join(sentences), UnknownParameterWarning)


def tell_unknown_task(view: RecordSequence, asked: AskedTask) -> None:
    """Warn of a task that no record is of, if a name is near: one that has not run is no mistake."""
    if view.store.columns(asked.selection.with_task(asked.name).sliced(0, 1), ["id"]):
        return
    newest = asked.selection.sliced(0, N_SEARCHED)
    names = sorted({name for (name,) in view.store.columns(newest, ["task"]) if name})
    near = difflib.get_close_matches(asked.name.rpartition(".")[2], names, n=1, cutoff=SURELY_NEAR)
    if near:
        warn(
            f"No record of the view is of a task {short_repr(asked.name)}.\n"
            f"  tasks: {listed(names)}\n  did you mean {near[0]!r}?",
            UnknownTaskWarning,
        )


def paths_of(record: Parameters) -> list[str]:
    """Every dotted path of the inputs of one record, sorted."""
    tree: Tree = {}
    _grow(tree, record, [], DEEPEST)
    return sorted(_iter_paths(tree))


def listed(paths: Sequence[str]) -> str:
    """The first of `paths`, for a message."""
    return (", ".join(paths[:N_NAMED]) or "none") + (", …" if len(paths) > N_NAMED else "")


def suggestion(path: str, paths: Sequence[str]) -> str:
    """``"did you mean 'model.sigma'? "``, or nothing where none is near."""
    last = path.rpartition(".")[2]
    near = [known for known in paths if known.rpartition(".")[2] == last]
    near = near or difflib.get_close_matches(path, paths, n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def _grow(tree: Tree, record: Parameters, steps: Sequence[Step], depth: int) -> None:
    for name, form in record.parts(steps).items():
        if isinstance(name, str) and "." not in name:
            below = tree.setdefault(name, {})
            if depth > 1 and _is_branch(form):
                _grow(below, record, [*steps, name], depth - 1)


def _iter_paths(tree: Tree, before: str = "") -> Iterator[str]:
    for name, below in tree.items():
        yield before + name
        yield from _iter_paths(below, f"{before}{name}.")


def _is_branch(form: JSON) -> bool:
    """Whether the parts of a JSON form have names of their own."""
    if not isinstance(form, dict):
        return False
    tags = [key for key in form if key.startswith("$")]
    return not tags or task_reference(form) is not None or not BRANCHES.isdisjoint(tags)


def _kind(form: JSON) -> str | None:
    """What tells which parts there may be: a class, or that it is a task."""
    if not _is_branch(form):
        return None
    return next((f"{tag} {form[tag]}" for tag in form if tag in BRANCHES - {"$dict"}), "parts")


def _attributes(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.isidentifier() and not keyword.iskeyword(name))
