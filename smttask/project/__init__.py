"""A project: the folder whose results and records belong together.

A project is a folder with ``.smt/project``, the file of Sumatra. What that file
says in absolute paths is made anew when the folder was moved; what the user
chooses stands with relative paths in the settings (see `smttask.settings`).

Each root has one `Project` per process, and a root is always its real path, so
two links to one folder are one project.

`config` stands here too: in this room it knows the settings of the current project.
"""

from smttask.project.creation import create_project
from smttask.project.project import JOURNAL_DIR, Project, get_project
from smttask.project.search import (
    current_project,
    find_project,
    get_current_project,
    project_root,
    use_project,
)
from smttask.project.sumatra import is_project
from smttask.settings import config

__all__ = [
    "JOURNAL_DIR",
    "Project",
    "config",
    "create_project",
    "current_project",
    "find_project",
    "get_current_project",
    "get_project",
    "is_project",
    "project_root",
    "use_project",
]
