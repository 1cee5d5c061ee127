"""Records as a pandas table."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any

import pandas as pd

from smttask.errors import DamagedResultError, SmttaskError, UnknownOutputWarning, short_repr, warn
from smttask.formats.registry import load_inline
from smttask.records.differences import MISSING
from smttask.records.parameters import form_text
from smttask.records.reading import split_status
from smttask.storage.manifest import read_head
from smttask.view.inputcolumns import InputColumns
from smttask.view.paths import listed, suggestion
from smttask.view.progress import watched

if TYPE_CHECKING:
    from smttask.tasks.explanation import Difference
    from smttask.view.store import RecordStoreView

__all__ = [
    "comparison_frame",
    "difference_frame",
    "record_frame",
    "status_frame",
    "summary_frame",
    "tell_unknown_outputs",
]

Wanted = bool | Sequence[str]

BASE = (
    "label",
    "task",
    "timestamp",
    "duration_s",
    "tags",
    "reason",
    "outcome",
    "version",
    "main_file",
    "user",
)
TEXTS = ("reason", "outcome", "version", "main_file", "user")
UNNAMED_OUTPUT = "result"
N_SEARCHED = 200  # newest records of a view in which names of outputs are looked for


def record_frame(
    view: RecordStoreView, *, parameters: Wanted = False, outputs: Wanted = False
) -> pd.DataFrame:
    """The records of `view`, a row each; see `RecordStoreView.dframe`."""
    names = [*BASE]
    if parameters is not False:
        names += ["id"]
    if outputs is not False:
        names += ["manifest"]
    rows = view.rows(names)
    read = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    del rows
    columns = _base_columns(read)
    if parameters is not False:
        paths = None if isinstance(parameters, bool) else parameters
        inputs = InputColumns(view.project, view.store, read["id"], paths)
        for name in list(inputs.columns):
            _add(columns, name, inputs.columns.pop(name), "inputs")
    if outputs is not False:
        manifests = watched(read["manifest"], len(read["manifest"]), "results")
        found = [_outputs(view, manifest, outputs) for manifest in manifests]
        for name in dict.fromkeys(name for row in found for name in row) if outputs is True else outputs:
            _add(columns, name, [row.get(name) for row in found], "outputs")
    return pd.DataFrame(columns, copy=False)


def summary_frame(view: RecordStoreView) -> pd.DataFrame:
    """One row for the runs of one task that have one reason; see `RecordStoreView.summary`."""
    table = record_frame(view)
    groups = table.groupby(["task", "reason"], sort=False)
    counts = table.groupby(["task", "reason", "status"], sort=False).size()
    texts: dict[Any, list[str]] = {}
    for (task, reason, status), n_runs in counts.items():
        texts.setdefault((task, reason), []).append(f"{n_runs} {status or 'unknown'}")
    found = groups.agg(
        n_runs=("label", "size"),
        first=("timestamp", "min"),
        last=("timestamp", "max"),
        duration=("duration", "sum"),
    ).reset_index()
    keys = zip(found["task"], found["reason"], strict=True)
    found["status"] = _text([", ".join(texts[key]) for key in keys])
    return found


def _base_columns(read: Mapping[str, Sequence[Any]]) -> dict[str, pd.Series]:
    split = {text: split_status(text) for text in set(read["tags"])}
    shown = {text: (status, ", ".join(sorted(tags))) for text, (status, tags) in split.items()}
    moments = pd.to_datetime(
        pd.Series(read["timestamp"], dtype=object), format="ISO8601", utc=True, errors="coerce"
    )
    return {
        "label": _text(read["label"]),
        "task": _text(read["task"]),
        "timestamp": moments.dt.as_unit("us"),
        "duration": _durations(read["duration_s"]),
        "status": _text([shown[text][0] for text in read["tags"]]),
        "tags": _text([shown[text][1] for text in read["tags"]]),
        **{name: _text(read[name]) for name in TEXTS},
    }


def _durations(seconds: Sequence[float | None]) -> pd.Series:
    microseconds = (pd.Series(seconds, dtype="float64") * 1e6).round()
    return pd.to_timedelta(microseconds, unit="us").dt.as_unit("us")


def _text(values: Sequence[str]) -> pd.Series:
    return pd.Series(values, dtype="str")


def _add(columns: dict[str, pd.Series], name: str, values: list[Any], kind: str) -> None:
    """Add a column; where its name is taken, `kind` stands before it."""
    columns[f"{kind}.{name}" if name in columns else name] = _series(values)


def _series(values: list[Any]) -> pd.Series:
    """A column of the type that all values have; of objects where they are more than numbers and text."""
    is_plain = all(issubclass(kind, str | int | float | NoneType) for kind in set(map(type, values)))
    return pd.Series(values) if is_plain else pd.Series(values, dtype=object)


def _outputs(view: RecordStoreView, manifest: str, wanted: Wanted) -> dict[str, Any]:
    """The outputs of one record by name: small ones as values, others as paths; none if it has no result."""
    if not manifest:
        return {}
    try:
        head = read_head(view.project.data.output_dir / manifest)
    except (OSError, DamagedResultError):
        return {}
    found: dict[str, Any] = {}
    for name, entry in head.outputs.items():
        if isinstance(wanted, bool) or (name or UNNAMED_OUTPUT) in wanted:
            try:
                is_inline = entry.file is None
                found[name or UNNAMED_OUTPUT] = (
                    load_inline(entry.format, entry.json, view.project.root)
                    if is_inline
                    else head.output_path(name)
                )
            except (SmttaskError, ValueError, TypeError, LookupError):
                found[name or UNNAMED_OUTPUT] = entry.json
    return found


def tell_unknown_outputs(view: RecordStoreView, table: pd.DataFrame, names: Sequence[str]) -> None:
    """Warn of each of `names` that no result of `view` has; `table` was made with them."""
    absent = [name for name in names if name in table and table[name].isna().all()]
    if not absent:
        return
    found = [_outputs(view, manifest, True) for (manifest,) in view.head(N_SEARCHED).rows(["manifest"])]
    known = list(dict.fromkeys(name for row in found for name in row))
    for name in absent:
        if known and name not in known:
            warn(
                f"None of the newest results has an output {short_repr(name)}.\n"
                f"  outputs: {listed(known)}\n  {suggestion(name, known)}outputs=True gives all",
                UnknownOutputWarning,
            )


def comparison_frame(labels: Sequence[str], differences: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """A row for each place with the JSON form of each label; see `smttask.view.compare`."""
    rows = [
        [
            pd.NA if form is MISSING else form_text(form) if isinstance(form, dict | list) else form
            for form in forms
        ]
        for forms in differences.values()
    ]
    return pd.DataFrame(rows, index=list(differences), columns=list(labels), dtype=object)


def difference_frame(labels: Sequence[str], differences: Sequence[Difference]) -> pd.DataFrame:
    """A row for each difference of two runs; see `smttask.view.compare`."""
    rows = [(each.kind, each.name, each.old, each.new) for each in differences]
    return pd.DataFrame(rows, columns=["kind", "name", *labels])


def status_frame(
    rows: Sequence[object], names: Sequence[str], durations: Container[str], numbers: Container[str]
) -> pd.DataFrame:
    """A row for each of `rows` and a column for each of its attributes `names`; None where one is unknown.

    Parameters
    ----------
    durations, numbers
        Which of the columns are seconds, and which are counts; all others are text.
    """
    columns: dict[str, Any] = {}
    for name in names:
        values = [getattr(row, name) for row in rows]
        if name in durations:
            columns[name] = _durations(values)
        else:
            columns[name] = pd.Series(values, dtype="Int64" if name in numbers else "str")
    return pd.DataFrame(columns)
