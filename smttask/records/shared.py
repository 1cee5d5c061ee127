"""The record store in PostgreSQL, which many projects and people share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smttask.records.conditions import ParameterTest
from smttask.records.database import IDS
from smttask.records.narrowing import Query
from smttask.records.parameters import has_parameter
from smttask.records.postgres import PostgresDatabase
from smttask.records.query import Expand, Selection
from smttask.records.stores import SQLRecordStore
from smttask.settings.address import StoreURL

__all__ = ["PostgresRecordStore"]

BATCH = 1000  # records whose parameters are read at once
# Servers do it by themselves, within minutes; until then what is asked after a merge may take seconds. VACUUM
# notes which pages everybody may see, so that records are counted by an index alone
SURVEY = "VACUUM (ANALYZE, SKIP_LOCKED) " + ", ".join(
    [f"django_store_{name}" for name in ("record", "parameterset", "datakey", "taggeditem", "dependency")]
    + [f"django_store_record_{name}" for name in ("dependencies", "platforms", "input_data")]
    + ["smttask_run", "smttask_place", "smttask_parameter"]
)
MANY = 1000  # records; fewer change no plan


class PostgresRecordStore(SQLRecordStore):
    """Records of one project in a PostgreSQL database, which many projects and people may share.

    Parameters
    ----------
    url
        The database; it must exist, its tables are made at first use.
    project_name
        As in ``.smt/project``.
    input_root, output_root
        Folders that the paths of input and output data keys are relative to, absolute.
    timeout_s
        How long to wait for others who write the same record.
    durable
        Whether records survive a power cut at the server, which costs an fsync each.

    Examples
    --------
    >>> url = StoreURL("postgresql://db.lab/records")
    >>> PostgresRecordStore(url, "test", input_root="/", output_root="/data").address
    'postgresql://db.lab/records'
    """

    def __init__(
        self,
        url: StoreURL,
        project_name: str,
        *,
        input_root: Path | str,
        output_root: Path | str,
        timeout_s: float = 30.0,
        durable: bool = False,
    ) -> None:
        self.url = url
        super().__init__(
            lambda on_open, _: PostgresDatabase(url, on_open=on_open, timeout_s=timeout_s, durable=durable),
            project_name,
            input_root=input_root,
            output_root=output_root,
            durable=durable,
        )

    def survey(self, n_added: int) -> None:
        """After `n_added` records were added at once: let the server see what it holds, to plan by it."""
        if n_added >= MANY:
            self._database.query(SURVEY)

    def _narrowed(self, selection: Selection, query: Query) -> Selection:
        """The same records; where they are tested for parameters, by the keys of those that pass."""
        selection = super()._narrowed(selection, query)
        if selection.has_inner_tests or not selection.tests:
            return selection
        questions = [test.question for test in selection.tests]
        return selection.only(self._meeting(selection.without_tests(), questions))

    def _expander(self, selection: Selection) -> Expand:
        """Tests within larger conditions are done here, with the parameters of all records."""

        def expand(test: ParameterTest) -> tuple[str, Sequence[Any]]:
            return f"r.db_id IN {IDS}", (json.dumps(self._meeting(Selection(), [test.question])),)

        return expand

    def _meeting(self, selection: Selection, questions: Sequence[str]) -> list[int]:
        """Keys of the selected records whose parameters answer all of `questions` with yes."""
        may_meet = selection.where("p.type = 'JSONParameterSet' AND s.digest <> ''")
        ids = [row[0] for row in self._database.query(*may_meet.statement("r.db_id", self.project_name))]
        found: list[int] = []
        for start in range(0, len(ids), BATCH):
            these = Selection().with_ids(ids[start : start + BATCH])
            rows = self._database.query(*these.statement("r.db_id, p.content, s.digest", self.project_name))
            found += [
                record_id
                for record_id, content, digest in rows
                if all(has_parameter(content, digest, asked, self.find_parameters) for asked in questions)
            ]
        return found
