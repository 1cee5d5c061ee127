"""Many records at once: like a few real ones, each with its own label, digest, inputs and files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from smttask.records.process import this_process
from smttask.records.record import Dependency, Record
from smttask.records.rows import RecordRows
from smttask.records.stores import SQLRecordStore

__all__ = ["Model", "fill", "made_up_dependencies"]

#: Length of the digests of tasks.
DIGITS = 20
#: Records in one transaction.
BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Model:
    """What records are made like.

    Parameters
    ----------
    record
        A finished one.
    inputs
        The inputs in which the record of this number differs, in their JSON forms.
    """

    record: Record
    inputs: Callable[[int], Mapping[str, Any]]


def fill(store: SQLRecordStore, models: Sequence[Model], n_records: int) -> None:
    """Add records until `store`, which nobody else uses, holds `n_records`.

    They are written by what writes the record of a run, thousands in a transaction.

    Parameters
    ----------
    models
        Serve in turns.
    """
    process = this_process()
    owner = (process.host, process.pid, process.start)
    n_added = n_records - store.count()
    records = _records(models, n_added)

    def add(connection: Any) -> bool:
        for _ in range(BATCH):
            if (record := next(records, None)) is None:
                return False
            store._writer.add(connection, RecordRows(record, owner))
        return True

    while store._database.write(add):
        pass
    store.survey(n_added)
    store.close()


def _records(models: Sequence[Model], n_records: int) -> Iterator[Record]:
    trees = [json.loads(model.record.parameters) for model in models]
    for number in range(1, n_records + 1):
        turn = number % len(models)
        old, tree = models[turn].record, trees[turn]
        digest = f"{number:0{DIGITS}x}"[::-1]
        timestamp = old.timestamp + timedelta(seconds=number)
        label = f"{timestamp:%Y%m%d-%H%M%S-%f}_{digest[:6]}"
        entry = tree["tasks"][old.digest]
        inputs = {**entry["inputs"], **models[turn].inputs(number)}
        parameters = {**tree, "task": digest, "tasks": {digest: {**entry, "inputs": inputs}}}
        manifest = f"{old.task}/{label}.json"
        yield replace(
            old,
            label=label,
            timestamp=timestamp,
            digest=digest,
            full_digest=digest,
            manifest=manifest,
            parameters=json.dumps(parameters, separators=(",", ":")),
            output_data=tuple([replace(key, path=manifest) for key in old.output_data]),
            tags=old.tags | ({"kept"} if number % 100 == 0 else set()),
        )


def made_up_dependencies(n_dependencies: int) -> tuple[Dependency, ...]:
    """As many imported distributions."""
    folder = "/home/somebody/envs/lab/lib/python3.11/site-packages"
    return tuple(
        Dependency(f"distribution-{number}", f"{folder}/distribution_{number}", f"1.{number}.0")
        for number in range(n_dependencies)
    )
