"""Comparing runs, tasks and descriptions: inputs, code and packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import escape as escape_pattern
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, cast

from smttask.code.fingerprint import changed_parts
from smttask.errors import DamagedResultError, InputError, ResultNotFoundError, short_repr
from smttask.records.differences import MISSING, Described, differing_places, find_differences
from smttask.records.parameters import form_text, path_steps, task_reference
from smttask.storage.manifest import read_head, read_rest
from smttask.tasks import Task
from smttask.tasks.construction import load_task
from smttask.tasks.explanation import Difference
from smttask.typing.jsonform import to_json
from smttask.view.records import RecordView
from smttask.view.restoring import task_form

if TYPE_CHECKING:
    import pandas as pd
    from rich.text import Text

__all__ = [
    "ParameterComparison",
    "RecordComparison",
    "compare_records",
    "compare_tasks",
    "dfdiff",
    "fold_task_inputs",
    "get_task_param",
]

JSON = Any
Rest = dict[str, JSON]
Source = RecordView | Task[Any] | Mapping[str, Any]
MAX_UPSTREAM = 50  # upstream tasks whose manifests are read
NO_TASK = ""  # digest under which plain mappings are described


@dataclass(frozen=True, repr=False)
class RecordComparison:
    """What differs between two runs; print it.

    Parameters
    ----------
    labels
        Of the two runs.
    differences
        Inputs, code and packages that differ.

    Examples
    --------
    >>> print(RecordComparison(("a", "b"), (Difference("input", "x", "1", "2"),)))
    a -> b
      x: 1 -> 2
    """

    labels: tuple[str, str]
    differences: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        found = [str(difference) for difference in self.differences] or [
            "inputs, code and packages are equal"
        ]
        return "\n  ".join([" -> ".join(self.labels), *found])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def __rich__(self) -> Text:
        from rich.text import Text

        return Text(str(self))

    def dframe(self) -> pd.DataFrame:
        """A row for each difference: its kind and name, and a column for each run."""
        from smttask.view.tables import difference_frame

        return difference_frame(self.labels, self.differences)


def compare_records(old: RecordView, new: RecordView) -> RecordComparison:
    """Inputs, code and packages that differ between two runs.

    Inputs are looked for through the tasks among them. Code is told function by function, that of
    upstream tasks too; where a result was deleted, by the commit alone.
    """
    inputs = [
        Difference("input", each.place, *each.texts)
        for each in find_differences(_described(old), _described(new))
    ]
    differences = (*inputs, *_code_differences(old, new), *_package_differences(old, new))
    return RecordComparison((old.label, new.label), differences)


def _code_differences(old: RecordView, new: RecordView) -> list[Difference]:
    before, now = _rest(old), _rest(new)
    if before is None or now is None:
        if (old.version, old.diff) == (new.version, new.diff):
            return []
        versions = [record.version[:12] + "+" * bool(record.diff) for record in (old, new)]
        return [Difference("code", "commit", *versions)]
    own = _changed_code(before, now)
    return own + _upstream_differences(before, now, new.head.path.parent.parent)


def _changed_code(before: Rest, now: Rest, within: str = "") -> list[Difference]:
    parts = before["functions"], now["functions"]
    names = [words.rpartition(" ")[0] for words in changed_parts(*parts)]
    kind: Literal["code", "upstream"] = "upstream" if within else "code"
    return [Difference(kind, name, parts[0].get(name, ""), parts[1].get(name, ""), within) for name in names]


def _upstream_differences(before: Rest, now: Rest, results: Path) -> list[Difference]:
    """How the code of upstream tasks differs, function by function where they have results of their own.

    Tasks with other inputs are told too, where one of each run goes by the same name.
    """
    found: dict[tuple[str, str, str], Difference] = {}  # many tasks share a function: it is told once
    waiting, seen = [(before, now)], set[str]()
    while waiting and len(seen) < MAX_UPSTREAM:
        before, now = waiting.pop()
        for digest, used in now["upstream"].items():
            past = _counterpart(before["upstream"], digest, used["name"])
            if past is None or past["code"] == used["code"] or digest in seen:
                continue
            seen.add(digest)
            name = f"{used['name']} {digest}"
            rests = [_upstream_rest(results, each["label"]) for each in (past, used)]
            if rests[0] is None or rests[1] is None:
                told = [Difference("upstream", f"upstream task {name}", past["code"][:12], used["code"][:12])]
            else:
                told = _changed_code(rests[0], rests[1], within=name)
                waiting.append((rests[0], rests[1]))
            for each in told:
                found.setdefault((each.name, each.old, each.new), each)
    return list(found.values())


def _counterpart(upstream: Mapping[str, JSON], digest: str, name: str) -> Mapping[str, JSON] | None:
    """The same task in another run, else the only one of its name."""
    if digest in upstream:
        return cast("Mapping[str, JSON]", upstream[digest])
    alike = [each for each in upstream.values() if each["name"] == name]
    return alike[0] if alike and all(each["code"] == alike[0]["code"] for each in alike) else None


def _upstream_rest(results: Path, label: str) -> Rest | None:
    path = next(results.glob(f"*/{escape_pattern(label)}.json"), None) if label else None
    try:
        return None if path is None else read_rest(read_head(path))
    except (DamagedResultError, OSError):
        return None


def _rest(record: RecordView) -> Rest | None:
    try:
        return read_rest(record.head)
    except (ResultNotFoundError, DamagedResultError, OSError):
        return None


def _package_differences(old: RecordView, new: RecordView) -> list[Difference]:
    before, now = ({each.name: each.version for each in record.dependencies} for record in (old, new))
    names = sorted(before.keys() | now.keys(), key=str.lower)
    absent = "not imported"
    return [
        Difference("package", name, before.get(name, absent), now.get(name, absent))
        for name in names
        if before.get(name) != now.get(name)
    ]


class ParameterComparison:
    """The inputs that are not the same in all of several runs, tasks or descriptions.

    Parameters
    ----------
    sources
        Records (a view will do), tasks, descriptions, or plain mappings of inputs.
    labels
        A name for each; by default labels of records, and name and digest of tasks.

    Raises
    ------
    InputError
        If a source is none of these, or there is not a label for each.

    Examples
    --------
    >>> print(ParameterComparison([{"x": 1, "y": 2}, {"x": 3, "y": 2}], ["a", "b"]))
    x: a 1, b 3
    """

    def __init__(self, sources: Sequence[Source], labels: Sequence[str] | None = None) -> None:
        given = list(sources)
        self.labels = list(labels) if labels is not None else [_name(*each) for each in enumerate(given)]
        if len(self.labels) != len(given):
            raise InputError(
                "There must be a label for each of the runs that are compared.",
                f"found: {len(self.labels)} labels\nexpected: {len(given)}",
                "leave them out, or give as many",
            )
        self.differences = differing_places([_described(source) for source in given])

    def dframe(self) -> pd.DataFrame:
        """A row for each input that differs, by dotted path, and a column for each run."""
        from smttask.view.tables import comparison_frame

        return comparison_frame(self.labels, self.differences)

    def __str__(self) -> str:
        lines = [
            f"{place}: "
            + ", ".join(f"{name} {_shown(form)}" for name, form in zip(self.labels, forms, strict=True))
            for place, forms in self.differences.items()
        ]
        return "\n".join(lines) or "all inputs are equal"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return str(self.dframe().to_html()) if self.differences else f"<pre>{escape(str(self))}</pre>"

    def __rich__(self) -> Text:
        from rich.text import Text

        return Text(str(self))


def compare_tasks(*tasks: Source, labels: Sequence[str] | None = None) -> pd.DataFrame:
    """The inputs that differ between tasks, records or descriptions; see `ParameterComparison`."""
    return ParameterComparison(tasks, labels).dframe()


def dfdiff(
    first: Source, second: Source, name1: str = "first", name2: str = "second", ignore: Sequence[str] = ()
) -> pd.DataFrame:
    """The inputs that differ between two tasks, records or mappings, as a table with two columns.

    Parameters
    ----------
    name1, name2
        Titles of the columns.
    ignore
        Names that are left out, wherever in a path they stand.
    """
    table = ParameterComparison([first, second], [name1, name2]).dframe()
    return table[[not set(place.split(".")) & set(ignore) for place in table.index]]


def get_task_param(source: Source, path: str, default: Any = None) -> Any:
    """The value of an input, or of a part of it, of a record, task, description or mapping.

    Parameters
    ----------
    path
        Dotted, through dataclasses and tasks; see `RecordView.get_param`.

    Raises
    ------
    InputError
        If `path` is none, or `source` is none of these.

    Examples
    --------
    >>> get_task_param({"model": {"sigma": 0.5}}, "model.sigma")
    0.5
    """
    if isinstance(source, RecordView):
        return source.get_param(path, default)
    value: Any = load_task(source) if _is_description(source) else source
    for step in path_steps(str(path)):
        value = _part(value, step)
        if value is MISSING:
            return default
    return value


def _part(value: Any, step: str | int) -> Any:
    try:
        if isinstance(value, Task):
            return value.taskinputs[str(step)]
        if isinstance(step, int) or isinstance(value, Mapping):
            return value[step]
        return getattr(value, step)
    except (LookupError, TypeError, AttributeError):
        return MISSING


def fold_task_inputs(source: Source) -> dict[str, Any]:
    """Inputs by name, those of tasks among them as mappings in place of the tasks; values in JSON form.

    Examples
    --------
    >>> fold_task_inputs({"x": 1, "model": {"sigma": 0.5}})
    {'x': 1, 'model': {'sigma': 0.5}}
    """
    described = _described(source)
    return _folded(described)


def _folded(described: Described) -> dict[str, Any]:
    inputs = (described.entry or {}).get("inputs", {})
    return {name: _unfolded(form, described) for name, form in inputs.items()}


def _unfolded(form: JSON, described: Described) -> JSON:
    if task_reference(form) is not None:
        upstream = described.upstream(form)
        return form if upstream is None else _folded(upstream)
    if isinstance(form, dict):
        return {key: _unfolded(part, described) for key, part in form.items()}
    return [_unfolded(part, described) for part in form] if isinstance(form, list) else form


def _described(source: Source) -> Described:
    """What is compared of `source`: the JSON forms of its inputs, and the way to those of upstream runs."""
    if isinstance(source, RecordView):
        forms = source.forms
        return Described(
            source.parameters, source.digest, lambda task: forms.find_upstream(task.get("label", ""))
        )
    if isinstance(source, Task):
        source = source.desc
    if _is_description(source):
        return Described(source, source["task"], lambda task: None)
    if isinstance(source, Mapping):
        inputs = {str(name): to_json(value, on_task=task_form) for name, value in source.items()}
        return Described({"tasks": {NO_TASK: {"inputs": inputs}}}, NO_TASK, lambda task: None)
    raise InputError(
        f"{short_repr(source)} has no inputs to compare.",
        f"found: {type(source).__name__}\nexpected: a record, a task, a description or a mapping",
        "give one of these; a record by its label is RSView()[label]",
    )


def _is_description(source: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(source, Mapping) and "task" in source and isinstance(source.get("tasks"), Mapping)


def _name(position: int, source: Source) -> str:
    if isinstance(source, RecordView):
        return source.label
    return f"{source.name} {source.description_key}" if isinstance(source, Task) else str(position)


def _shown(form: JSON) -> str:
    return repr(form) if form is MISSING else form_text(form)
