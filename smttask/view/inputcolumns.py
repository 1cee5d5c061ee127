"""The inputs of many records as columns of cells, a column at a time."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Sequence
from typing import Any

from smttask.errors import SmttaskError
from smttask.project import Project
from smttask.records.parameters import find_parameter, form_text, path_steps, read_json, task_reference
from smttask.records.query import Selection
from smttask.records.stores import SQLRecordStore
from smttask.view.parameters import Parameters
from smttask.view.progress import watched

__all__ = ["InputColumns"]

JSON = Any

BATCH = 500  # records whose parameters are in memory at once
N_KEPT = 10_000  # cells remembered, as most inputs of a study stand at few values
PLAIN = frozenset({str, int, float, bool, type(None)})
NAMES_CLASS = {"$dataclass", "$model", "$enum"}  # shown as text: it sorts, groups, and needs no import


class InputColumns:
    """Cells of inputs by name: for each a list as long as the table, None where a record lacks it.

    Parameters
    ----------
    ids
        Keys of the records, in the order of the table.
    paths
        Dotted paths of the inputs to show; None shows all.

    Raises
    ------
    InputError
        If a path is none.
    """

    def __init__(
        self, project: Project, store: SQLRecordStore, ids: Sequence[int], paths: Sequence[str] | None
    ) -> None:
        self._project = project
        self._store = store
        self._n_records = len(ids)
        self._cells: dict[bytes, Any] = {}
        self._texts: dict[str, str] = {}
        self._steps = None if paths is None else {path: path_steps(path) for path in paths}
        self.columns: dict[str, list[Any]] = {path: [None] * len(ids) for path in paths or ()}
        starts = range(0, len(ids), BATCH)
        for start in watched(starts, len(starts), "batches of records"):
            self._fill(start, ids[start : start + BATCH])

    def _fill(self, start: int, ids: Sequence[int]) -> None:
        """Read the parameters of these records, which stand at `start` and after."""
        selection = Selection().with_ids(ids)
        rows = {row[0]: row[1:] for row in self._store.columns(selection, ["id", "parameters", "digest"])}
        # Records with the same names of inputs are turned into columns together
        positions: dict[tuple[str, ...], list[int]] = {}
        sources: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        values: dict[tuple[str, ...], list[Iterable[JSON]]] = {}
        for position, record_id in enumerate(ids, start):
            source = content, digest = rows.get(record_id, ("", ""))  # it was removed meanwhile
            forms = self._forms(read_json(content), digest)
            names = tuple(forms)
            positions.setdefault(names, []).append(position)
            sources.setdefault(names, []).append(source)
            values.setdefault(names, []).append(forms.values())
        for names, places in positions.items():
            for name, found in zip(names, zip(*values[names], strict=True), strict=names != ()):
                column = self.columns.setdefault(name, [None] * self._n_records)
                for position, cell in zip(places, self._shown(found, sources[names]), strict=True):
                    column[position] = cell

    def _forms(self, tree: JSON, digest: str) -> dict[str, JSON]:
        """The JSON forms of the inputs of one record that are shown; none if it describes no task."""
        find_upstream = self._store.find_parameters
        if self._steps is None:
            found, forms = find_parameter(tree, digest, [], find_upstream)
            return forms if found and isinstance(forms, dict) else {}
        answers = {
            path: find_parameter(tree, digest, steps, find_upstream) for path, steps in self._steps.items()
        }
        return {path: form for path, (found, form) in answers.items() if found}

    def _shown(self, forms: Sequence[JSON], sources: Sequence[tuple[str, str]]) -> Sequence[Any]:
        """A column of cells: values, digests of tasks, texts for what is large or of a class.

        Parameters
        ----------
        sources
            The parameters and the digest of the record that each form is from.
        """
        kinds = set(map(type, forms))
        if str in kinds and len(self._texts) < N_KEPT:  # equal texts need be in memory once
            forms = [self._texts.setdefault(form, form) if type(form) is str else form for form in forms]
        if kinds <= PLAIN:
            return forms
        return [
            form if type(form) in PLAIN else self._cell(form, *source)
            for form, source in zip(forms, sources, strict=True)
        ]

    def _cell(self, form: JSON, content: str, digest: str) -> Any:
        key = marshal.dumps(form, 2)  # tells 1 from 1.0 and True, and later versions also what is shared
        cell = self._cells.get(key)
        if cell is None:
            cell = self._made_cell(form, content, digest)
            is_frozen = type(cell) in PLAIN or (type(cell) is tuple and PLAIN.issuperset(map(type, cell)))
            if is_frozen and len(self._cells) < N_KEPT:
                self._cells[key] = cell
        return cell

    def _made_cell(self, form: JSON, content: str, digest: str) -> Any:
        if (reference := task_reference(form)) is not None:
            return reference
        if isinstance(form, dict) and (
            isinstance(form.get("$array"), dict) or not NAMES_CLASS.isdisjoint(form)
        ):
            return form_text(form)
        try:
            return Parameters(self._project, self._store, content, digest).value(form)
        except SmttaskError:
            return form
