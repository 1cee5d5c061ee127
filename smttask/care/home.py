"""Whether this host may write the record store, or another one does."""

from __future__ import annotations

from smttask.errors import RecordStoreError
from smttask.project import Project
from smttask.settings import JOURNAL

__all__ = ["require_home"]


def require_home(project: Project, done: str, *, else_: str = "") -> None:
    """Refuse what would write the record store of another host.

    Parameters
    ----------
    done
        What is not done here, as in ``"records are not rebuilt here"``.
    else_
        A further line: what can be done all the same.

    Raises
    ------
    RecordStoreError
        If another host writes the record store, or runs of this process are kept in a journal.
    """
    if project.run_records is project.records:
        return
    home = project.home.host()
    raise RecordStoreError(
        f"The records of {project.root} are not {done} here.",
        "the setting record_store is 'journal'"
        if project.setting("record_store") == JOURNAL or home is None
        else f"the record store is written by {home.name}",
        "do it there, or make this host the one that writes it: smttask store rebuild --here"
        + (f"\n{else_}" if else_ else ""),
    )
