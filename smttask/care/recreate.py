"""Description files written again from records, so that the tasks can be run anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from smttask.errors import SmttaskError
from smttask.project import Project, use_project
from smttask.view import RecordView

__all__ = ["Recreated", "recreate"]


@dataclass(frozen=True, slots=True)
class Recreated:
    """What became of one record.

    Parameters
    ----------
    path
        The description file; None if none could be written.
    error
        Why not.
    """

    label: str
    path: Path | None
    error: SmttaskError | None = None


def recreate(project: Project, records: Iterable[RecordView], folder: Path | str) -> Iterator[Recreated]:
    """Write the description file of each record's task, and yield what became of it.

    Records of one task share a file. One whose module is gone keeps nobody from the others.

    Parameters
    ----------
    records
        Of `project`.
    folder
        Is made if it is not there; relative to the current directory.

    Examples
    --------
    >>> view = RSView().filter.tags("again")  # doctest: +SKIP
    >>> [done.path.name for done in recreate(view.project, view, "tasks") if done.path]  # doctest: +SKIP
    ['Analyze__3f9c1b77d02e11aa04cd.taskdesc.json']
    """
    for record in records:
        yield _recreate(project, record, folder)


def _recreate(project: Project, record: RecordView, folder: Path | str) -> Recreated:
    try:
        with use_project(project):
            return Recreated(record.label, record.task.save(folder))
    except SmttaskError as error:
        return Recreated(record.label, None, error)
