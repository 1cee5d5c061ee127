"""For the tests of smttask and of projects that use it: real projects, real servers, contracts.

`scratch_project` makes a project in a temporary folder; `postgres_server` starts a
PostgreSQL server; `RecordStoreContract` says what every record store must do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from smttask.testing.projects import IDENTITY, ScratchProject, count_call, git, scratch_project

if TYPE_CHECKING:
    from smttask.testing.contract import RecordStoreContract
    from smttask.testing.postgres import PostgresServer, postgres_server

__all__ = [
    "IDENTITY",
    "PostgresServer",
    "RecordStoreContract",
    "ScratchProject",
    "count_call",
    "git",
    "postgres_server",
    "scratch_project",
]

#: What needs libraries that a scratch project does not: psycopg, pytest.
_PARTS = {
    "PostgresServer": "smttask.testing.postgres",
    "RecordStoreContract": "smttask.testing.contract",
    "postgres_server": "smttask.testing.postgres",
}


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return getattr(import_module(_PARTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
