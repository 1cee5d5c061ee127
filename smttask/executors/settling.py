"""The project of a run, and its records once the workers are gone."""

from __future__ import annotations

from typing import Any

from smttask.errors import SmttaskError
from smttask.executors.messages import Instructions
from smttask.executors.progress import Display
from smttask.project import Project, current_project, find_project, get_project
from smttask.settings import config

__all__ = ["chosen_settings", "project_of", "settle_records"]


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
