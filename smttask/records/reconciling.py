"""Two accounts of one run, in two stores, made one: tags, comments, reasons and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from smttask.records.database import IDS, Transaction
from smttask.records.editing import Noted
from smttask.records.merging import LINK_OUTPUT, RecordCopier
from smttask.records.originals import BATCH, batches
from smttask.records.reading import split_status
from smttask.records.record import fit
from smttask.records.stores import CLOSE_RUN, SQLRecordStore

__all__ = ["Account", "Reconciliation", "accounts", "joined_text", "reconcile", "reconciliation"]

ACCOUNTS = f"SELECT db_id, tags, reason, outcome FROM django_store_record WHERE db_id IN {IDS}"
ENDING = "SELECT duration, stdout_stderr FROM django_store_record WHERE db_id = ?"
END = "UPDATE django_store_record SET duration = ?, stdout_stderr = ?, tags = ? WHERE db_id = ?"
SET_TEXTS = "UPDATE django_store_record SET reason = ?, outcome = ? WHERE db_id = ?"
DEPENDENCIES = "SELECT dependency_id FROM django_store_record_dependencies WHERE record_id = ?"
OUTPUTS = "SELECT path, digest, creation, metadata FROM django_store_datakey WHERE output_from_record_id = ?"

NOT_ENDED = ("", "initialized", "running")


@dataclass(frozen=True, slots=True)
class Account:
    """What a record says that users edit, and how the run ended."""

    id: int
    status: str
    tags: frozenset[str]
    reason: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a record of the target gets from one of the source, about the same run.

    Parameters
    ----------
    id, source_id
        Keys of the two records.
    status
        Empty where the target's stays.
    """

    label: str
    id: int
    source_id: int
    tags: frozenset[str]
    reason: str
    outcome: str
    status: str


def accounts(store: SQLRecordStore, ids: Iterable[int]) -> dict[int, Account]:
    """The accounts of records by their keys."""
    found = {}
    for rows in batches(store._database, ACCOUNTS, ids):
        for record_id, tags, reason, outcome in rows:
            found[record_id] = Account(record_id, *split_status(tags), reason, outcome)
    return found


def joined_text(ours: str, theirs: str) -> str:
    r"""Our text with the lines of theirs that it lacks; the same again when joined again.

    Examples
    --------
    >>> joined_text("first look", "looks right"), joined_text("a\nb", "b")
    ('first look\nlooks right', 'a\nb')
    """
    known = ours.splitlines()
    return "\n".join(
        [*([ours] if ours else []), *(line for line in theirs.splitlines() if line not in known)]
    )


def reconciliation(label: str, ours: Account, theirs: Account) -> Reconciliation | None:
    """What our record of a run gets from theirs; None if it has all of it."""
    ends = theirs.status not in NOT_ENDED and (
        ours.status in NOT_ENDED
        # ours was closed because its process was gone, and no result was here
        or (ours.status == "killed" and theirs.status == "finished")
    )
    wanted = Reconciliation(
        label,
        ours.id,
        theirs.id,
        theirs.tags - ours.tags,
        fit(joined_text(ours.reason, theirs.reason)),
        fit(joined_text(ours.outcome, theirs.outcome)),
        theirs.status if ends else "",
    )
    is_nothing = not (wanted.tags or wanted.status)
    return None if is_nothing and (wanted.reason, wanted.outcome) == (ours.reason, ours.outcome) else wanted


def reconcile(
    copier: RecordCopier,
    source: SQLRecordStore,
    target: SQLRecordStore,
    found: Sequence[Reconciliation],
    note: Callable[[Noted], None],
) -> list[str]:
    """Give records of `target` what those of `source` add; the labels of those that changed.

    Parameters
    ----------
    copier
        From `source` to `target`.
    note
        Called with each edit, to be made again when the records are rebuilt, before it is committed.

    Raises
    ------
    InputError
        If a record would get more tags than it can hold; the batches before it stay.
    RecordStoreError
        If one of the stores cannot be read or written.
    """
    for start in range(0, len(found), BATCH):
        batch = sorted(found[start : start + BATCH], key=lambda item: item.label)
        ends = {item.id: _Ending(source, item.source_id) for item in batch if item.status}

        def change(
            transaction: Transaction,
            batch: Sequence[Reconciliation] = batch,
            ends: Mapping[int, _Ending] = ends,
        ) -> None:
            copier.forget()
            for item in batch:
                transaction.exclude(f"record {target.project_name}/{item.label}")
                transaction.execute(SET_TEXTS, (item.reason, item.outcome, item.id))
            for item in batch:
                if item.status:
                    _end(copier, transaction, item, ends[item.id])
            for tags in {item.tags for item in batch if item.tags}:
                chosen = {item.id: item.label for item in batch if item.tags == tags}
                copier.change_tags(transaction, chosen, sorted(tags), ())
                note({"column": "tags", "labels": [*chosen.values()], "added": sorted(tags), "removed": []})
            for column in ("reason", "outcome"):
                note({"column": column, "texts": {item.label: getattr(item, column) for item in batch}})

        target._database.write(change)
    target._forget()
    return [item.label for item in found]


class _Ending:
    """How a run ended, as the source has it."""

    def __init__(self, source: SQLRecordStore, record_id: int) -> None:
        database = source._database
        self.duration_s, self.stdout_stderr = database.query(ENDING, (record_id,))[0]
        self.dependencies = [row[0] for row in database.query(DEPENDENCIES, (record_id,))]
        self.outputs = [tuple(row) for row in database.query(OUTPUTS, (record_id,))]


def _end(copier: RecordCopier, transaction: Transaction, item: Reconciliation, ending: _Ending) -> None:
    tags = copier.set_status(transaction, item.id, item.status)
    transaction.execute(END, (ending.duration_s, ending.stdout_stderr, tags, item.id))
    copier.link_known(transaction, item.id, copier.share_dependencies(transaction, ending.dependencies))
    keys = copier.share_keys(transaction, ending.outputs)
    transaction.executemany(LINK_OUTPUT, [(item.id, key) for key in keys.values()])
    transaction.execute(CLOSE_RUN, (item.id,))
