"""The project of a run, and its records once the workers are gone."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from typing import Any, Literal

from smttask.errors import SmttaskError
from smttask.executors.files import SUFFIX
from smttask.executors.messages import Instructions
from smttask.executors.progress import Display
from smttask.executors.work import Work
from smttask.project import Project, current_project, find_project, get_project
from smttask.settings import config

__all__ = ["chosen_settings", "find_end", "project_of", "settle_records"]

# As `Task.save` names it
FILE = re.compile(rf".*__([0-9a-f]{{20}}(?:__\w+_\d+)?){re.escape(SUFFIX)}")


def project_of(instructions: Instructions) -> Project | None:
    """The project that a run belongs to: the one in use here, else the one around its start, if any."""
    return current_project() or (find_project(instructions.start) if instructions.start else None)


def chosen_settings(instructions: Instructions) -> dict[str, Any]:
    """For `config.use`: what was chosen for the run, the record store among it.

    Examples
    --------
    >>> chosen_settings(Instructions(record_store="/p/.smt/records", settings=(("verify", "full"),)))
    {'verify': 'full', 'record_store': '/p/.smt/records'}
    """
    chosen = dict(instructions.settings)
    if instructions.record_store is not None:
        chosen["record_store"] = instructions.record_store
    return chosen


def settle_records(
    project: Project | str | None, instructions: Instructions, told: Display, *, has_journals: bool = False
) -> None:
    """Close the records that workers which died, or were stopped while they opened one, left open.

    What keeps that from being done is told. Nothing is done without a project, or if nothing is recorded.

    Parameters
    ----------
    project
        Or its folder.
    has_journals
        Workers may run on other hosts and keep journals; wait for what they wrote to be taken in, too.
    """
    record = instructions.record
    if project is None or record is False:
        return
    try:
        project = get_project(project) if isinstance(project, str) else project
        with config.use(**chosen_settings(instructions)):
            if record is None and not project.setting("record"):
                return
            # brings numpy, which who starts worker processes needs only here
            from smttask.runner import settle_open_runs, take_in_journals

            if has_journals:
                take_in_journals(project, wait=True)
            settle_open_runs(project)
    except SmttaskError as error:
        told.tell(str(error))


def find_end(
    root: str, instructions: Instructions, work: Work, begun: datetime
) -> Literal["computed", "found", ""]:
    """How `work`, whose worker died before it told, had ended; empty unless result and record are safe.

    Parameters
    ----------
    root
        Folder of the project; empty if there is none.
    begun
        When the worker got it, aware.
    """
    removes = bool(work.path) and not work.part and not instructions.keep
    if not root or work.call or (removes and os.path.lexists(work.path)):
        return ""
    try:
        digest = _digest_of_removed(work.path) if removes else work.part or _described_digest(work)
        with config.use(**chosen_settings(instructions)):
            project = get_project(root)
            if not digest or project.run_records is not project.records or not project.records.is_made():
                return ""
            run = project.records.find_latest_run(digest)
    except (SmttaskError, OSError, ValueError, LookupError, TypeError):
        return ""
    if run is None or run.status != "finished":
        return ""
    is_new = run.label >= f"{begun.astimezone(UTC):%Y%m%d-%H%M%S-%f}"
    return "computed" if is_new else "found" if removes else ""


def _digest_of_removed(path: str) -> str:
    match = FILE.fullmatch(os.path.basename(path))
    return match[1] if match else ""


def _described_digest(work: Work) -> str:
    if not work.path:
        return str(json.loads(work.description)["task"])
    with open(work.path, encoding="utf-8") as file:
        return str(json.load(file)["task"])
