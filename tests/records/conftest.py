from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smttask.project.sumatra import write_sumatra_project
from smttask.records import provenance
from smttask.records.record import DataKey, Record, RepositoryAddress
from smttask.records.schema import make_store
from smttask.records.shared import PostgresRecordStore
from smttask.records.sqlite import SQLiteRecordStore
from smttask.settings.address import parse_url
from smttask.testing import PostgresServer, postgres_server
from smttask.testing.contract import example_record

START = datetime(2026, 11, 22, 10, 15, 0, 123456, tzinfo=UTC)
PROJECT = "scratch"


def run_git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A Tester", "-c", "user.email=tester@localhost", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as Sumatra's migrations make it; making one takes half a second, copying it none."""
    path = tmp_path_factory.mktemp("store") / "records"
    make_store(path)
    return path


@pytest.fixture
def store_path(tmp_path: Path, empty_store: Path) -> Path:
    (tmp_path / ".smt").mkdir()
    return Path(shutil.copy(empty_store, tmp_path / ".smt" / "records"))


@pytest.fixture
def open_store(store_path: Path) -> Iterator[Callable[..., SQLiteRecordStore]]:
    """Open the scratch store once more, as another process of the project would."""
    opened = []

    def open_it(path: Path = store_path, name: str = PROJECT, **options: Any) -> SQLiteRecordStore:
        roots = {"input_root": path.parent.parent, "output_root": path.parent.parent / "data"}
        opened.append(SQLiteRecordStore(path, name, **{**roots, **options}))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., SQLiteRecordStore]) -> SQLiteRecordStore:
    return open_store()


@pytest.fixture
def other(
    tmp_path: Path, empty_store: Path, open_store: Callable[..., SQLiteRecordStore]
) -> SQLiteRecordStore:
    """The record store of another working copy of the project."""
    path = tmp_path / "other" / ".smt" / "records"
    path.parent.mkdir(parents=True)
    return open_store(Path(shutil.copy(empty_store, path)))


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server; one for each process that runs tests."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    """A database with the tables of an empty record store."""
    made = server.new_database()
    yield made
    server.sql(f"DROP DATABASE IF EXISTS {made.rpartition('/')[2]} WITH (FORCE)")


@pytest.fixture
def open_postgres(url: str) -> Iterator[Callable[..., PostgresRecordStore]]:
    """Open the store in the database once more, as another process of the project would."""
    opened = []

    def open_it(at: str = url, name: str = PROJECT, **options: Any) -> PostgresRecordStore:
        roots = {"input_root": "/p", "output_root": "/p/data"}
        opened.append(PostgresRecordStore(parse_url(at), name, **{**roots, **options}))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def make_record(tmp_path: Path) -> Callable[..., Record]:
    """Records as the runner makes them, numbered, one second apart."""

    def make(number: int = 0, **fields: Any) -> Record:
        own = {
            "working_directory": str(tmp_path),
            "repository": RepositoryAddress(str(tmp_path)),
            "dependencies": provenance.distributions(),
        }
        return example_record(number, **{**own, **fields})

    return make


@pytest.fixture
def make_key(tmp_path: Path) -> Callable[..., DataKey]:
    """Write a file into the output store and describe it."""

    def make(name: str, content: bytes = b"4711\n") -> DataKey:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return DataKey.of_file(path, tmp_path / "data", size=len(content), blake3="ab" * 32, created=START)

    return make


@pytest.fixture
def sumatra_project(tmp_path: Path, store_path: Path) -> Path:
    """A git repository with one commit, and Sumatra's project file in it."""
    run_git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text(".smt\ndata\n")
    (tmp_path / "tasks.py").write_text("x = 1\n")
    run_git(tmp_path, "add", "-A")
    run_git(tmp_path, "commit", "-qm", "Begin")
    write_sumatra_project(
        tmp_path, PROJECT, working_copy=tmp_path, input_dir=tmp_path, output_dir=tmp_path / "data"
    )
    return tmp_path


@pytest.fixture
def smt(sumatra_project: Path) -> Callable[..., str]:
    """Call Sumatra's own command in the project, several in one process if given as lists."""

    def call(*arguments: str | list[str]) -> str:
        commands = [argument for argument in arguments if isinstance(argument, list)] or [list(arguments)]
        code = (
            "import json, sys\n"
            "from sumatra.cli.smt import smt\n"
            "for command in json.loads(sys.argv[1]):\n"
            "    sys.argv = ['smt', *command]\n"
            "    smt()\n"
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, json.dumps(commands)],
            cwd=sumatra_project,
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": str(sumatra_project)},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call
