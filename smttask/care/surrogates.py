"""Records for results that have none: of tasks whose files are at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from smttask.care.home import require_home
from smttask.care.rebuild import record_from_manifest
from smttask.errors import ResultNotFoundError
from smttask.project import Project, use_project
from smttask.storage.manifest import Head, read_rest
from smttask.tasks import Task
from smttask.tasks.evaluation import RunOptions, Session
from smttask.tasks.recorded import Recorded
from smttask.tasks.stored import StoredUnit

__all__ = ["SURROGATE", "Surrogate", "create_surrogates"]

SURROGATE = "surrogate"  # the tag


@dataclass(frozen=True, slots=True)
class Surrogate:
    """The record of a result.

    Parameters
    ----------
    task, digest
        Name, and digest with suffix.
    is_new
        False if the result had a record.
    """

    label: str
    task: str
    digest: str
    is_new: bool


def create_surrogates(project: Project, path: Path | str, *, dry_run: bool = False) -> list[Surrogate]:
    """Records, tagged ``surrogate``, of the stored result of the task in a description file.

    They are made from the manifests, for the task itself and for those that it depends on, as far as
    they are recorded ones. A result that stands in another store, to which only a link leads, counts too;
    its files are then named by where they are. Nothing is computed.

    Parameters
    ----------
    path
        As `Task.save` wrote it.
    dry_run
        Only tell.

    Raises
    ------
    DescriptionError
        If the file cannot be read, or its task is gone.
    ResultNotFoundError
        If the task has no stored result.
    DamagedResultError
        If the manifest is not as it was written.
    RecordStoreError
        If the record store cannot be written.
    """
    with use_project(project):
        task = Task.from_desc(Path(path))
        found = list(_stored_results(project, task))
    if not found or found[-1][0] is not task:
        raise ResultNotFoundError(
            f"No stored result for task {task.name!r} ({task.description_key}).",
            f"searched: {project.data.input_dir}",
            f"to compute it: smttask run {path}",
        )
    return [_record(project, upstream, head, dry_run=dry_run) for upstream, head in found]


def _stored_results(project: Project, task: Task[object]) -> Iterator[tuple[Task[object], Head]]:
    """The recorded tasks behind `task` that have results, it comes last."""
    data = project.data.only_looking()
    seen: set[str] = set()
    stack = [(task, False)]
    with Session.current() as session:
        while stack:
            current, has_upstream = stack.pop()
            if not has_upstream:
                if current.description_key in seen:
                    continue
                seen.add(current.description_key)
                stack.append((current, True))
                stack.extend((upstream, False) for upstream in current.upstream)
            elif isinstance(current, Recorded) and not current.has_late_digest:
                unit = StoredUnit(current, session, RunOptions())
                head = data.find(unit.key, session.expected_code(current), unit.is_same)
                if head is not None:
                    yield current, head


def _record(project: Project, task: Task[object], head: Head, *, dry_run: bool) -> Surrogate:
    known = project.records.is_made() and project.records.has(head.label)
    if not known and not dry_run:
        require_home(project, "made")
        own = project.data.output_dir / head.path.parent.name / head.path.name
        is_own = os.path.realpath(own) == str(head.path)
        head = replace(head, file=str(own if is_own else head.path))  # without the detour of the link
        record = record_from_manifest(project, head, read_rest(head))
        manifest = record.manifest if is_own else head.file
        tagged = replace(record, manifest=manifest, tags=record.tags | {SURROGATE})
        project.records.open_record(tagged)
    return Surrogate(head.label, task.name, head.digest, not known)
