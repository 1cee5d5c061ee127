"""PostgreSQL: many processes and people, passwords, servers that come and go."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from smttask.errors import MissingExtraError, RecordStoreError
from smttask.extras import require
from smttask.records.editing import TagEdit
from smttask.records.query import Selection
from smttask.records.record import Record
from smttask.records.refusal import refusal
from smttask.records.shared import PostgresRecordStore
from smttask.testing import PostgresServer, postgres_server

MakeRecord = Callable[..., Record]
Opened = Callable[..., PostgresRecordStore]

WORK = """
import sys
from datetime import UTC, datetime
from smttask.records import provenance
from smttask.records.record import DataKey, Record, RepositoryAddress
from smttask.records.shared import PostgresRecordStore
from smttask.settings.address import parse_url
url, name, count = sys.argv[1:]
store = PostgresRecordStore(parse_url(url), "scratch", input_root="/", output_root="/data")
for number in range(int(count)):
    label = f"{name}-{number}"
    store.open_record(Record(
        label=label, timestamp=datetime.now(UTC), executable=provenance.executable(),
        repository=RepositoryAddress("/p"), platform=provenance.platform(),
        dependencies=provenance.distributions(),
        input_data=[DataKey(f"in/{key}.csv") for key in range(number % 7, -1, -1)],
    ))
    store.close_record(label, status="finished", dependencies=provenance.distributions())
print(store.count() > 0)
"""
SHARED = ("executable", "repository", "launchmode", "platforminformation", "project", "dependency", "tag")


def start_worker(url: str, name: str, count: int, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORK, url, name, str(count)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def database(url: str) -> str:
    return url.rpartition("/")[2]


def test_processes_that_start_together_make_one_store_and_double_no_shared_row(
    server: PostgresServer, open_postgres: Opened
) -> None:
    url = server.new_database(empty=True)
    workers = [start_worker(url, f"w{n}", 15) for n in range(4)]
    errors = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0, 0], errors
    store = open_postgres(url)
    assert store.count(Selection().with_tags("_finished_")) == 60
    for table in SHARED:
        columns = ", ".join(
            name
            for (name,) in server.sql(
                "SELECT column_name FROM information_schema.columns"
                f" WHERE table_name = 'django_store_{table}' AND column_name <> 'id'",
                database(url),
            )
        )
        doubled = f"SELECT count(*) FROM django_store_{table} GROUP BY {columns or 'id'} HAVING count(*) > 1"
        assert server.sql(doubled, database(url)) == [], table
    keys = "SELECT path FROM django_store_datakey ORDER BY path"
    assert server.sql(keys, database(url)) == [(f"in/{key}.csv",) for key in range(7)]


@pytest.mark.slow
def test_a_store_outlives_processes_killed_while_they_write(url: str, open_postgres: Opened) -> None:
    store = open_postgres()
    for attempt in range(4):
        worker = start_worker(url, f"k{attempt}", 100_000)
        while not store.count(Selection().with_label(f"k{attempt}-2")):
            time.sleep(0.01)
        worker.kill()
        worker.communicate()
    assert all(run.is_abandoned for run in store.open_runs())
    for run in store.open_runs():
        store.mark_killed(run.label)
    assert {record.status for record in store.records()} <= {"finished", "killed"}


def test_two_projects_in_one_database_do_not_meet(open_postgres: Opened, make_record: MakeRecord) -> None:
    mine, yours = open_postgres(), open_postgres(name="yours")
    mine.open_record(make_record(1))
    yours.open_record(make_record(1, reason="yours"))
    assert mine.count() == yours.count() == 1
    assert yours.get(make_record(1).label).reason == "yours"


def test_one_of_many_who_claim_a_label_gets_it(open_postgres: Opened, make_record: MakeRecord) -> None:
    stores = [open_postgres() for _ in range(8)]

    def claim(store: PostgresRecordStore) -> bool:
        try:
            store.open_record(make_record(1))
        except RecordStoreError as error:
            return "already" not in str(error)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, stores)) == 1
    assert stores[0].count() == 1


def test_one_of_many_marks_a_run_as_killed(open_postgres: Opened, make_record: MakeRecord) -> None:
    stores = [open_postgres() for _ in range(8)]
    stores[0].open_record(make_record(1))
    with ThreadPoolExecutor(8) as pool:
        marked = list(pool.map(lambda store: store.mark_killed(make_record(1).label, outcome="died"), stores))
    assert sum(marked) == 1
    assert stores[0].get(make_record(1).label).outcome == "died"


def test_edits_of_many_at_once_all_hold(
    open_postgres: Opened, make_record: MakeRecord, tmp_path: Path
) -> None:
    stores = [open_postgres() for _ in range(6)]
    stores[0].open_record(make_record(1))

    def edit(number: int) -> int:
        tag = TagEdit((f"tag {number}",))
        return stores[number].edit(Selection(), tag, noted_in=tmp_path / "edits")

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(edit, range(6))) == [1] * 6
    assert stores[0].get(make_record(1).label).tags == {f"tag {number}" for number in range(6)}
    assert len((tmp_path / "edits").read_text().splitlines()) == 6


def test_a_forked_child_and_its_parent_both_write(open_postgres: Opened, make_record: MakeRecord) -> None:
    """The child makes a connection of its own and leaves that of its parent alone, also when it ends."""
    store = open_postgres()
    store.open_record(make_record(0))
    children = []
    for number in range(1, 4):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for step in range(5):
                    store.open_record(make_record(100 * number + step))
                store.close()
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    for step in range(5):
        store.open_record(make_record(1000 + step))
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    store.open_record(make_record(2000))
    assert store.count() == 22


def test_a_child_forked_in_the_middle_of_a_query_goes_on(open_postgres: Opened) -> None:
    store = open_postgres()
    store.count()
    asking = threading.Thread(target=store._database.query, args=("SELECT pg_sleep(0.5)",))
    asking.start()
    time.sleep(0.1)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = store.count()
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    asking.join()
    assert store.count() == 0


def test_a_store_works_inside_a_running_event_loop(open_postgres: Opened, make_record: MakeRecord) -> None:
    async def record() -> int:
        store = open_postgres()
        store.open_record(make_record(1))
        return store.count()

    assert asyncio.run(record()) == 1


def test_a_write_waits_only_so_long_for_others(
    open_postgres: Opened, url: str, make_record: MakeRecord
) -> None:
    store = open_postgres(timeout_s=0.2)
    store.open_record(make_record(1))
    with psycopg.connect(url) as other:
        other.execute("SELECT * FROM django_store_record FOR UPDATE")
        with pytest.raises(RecordStoreError, match="is locked") as caught:
            store.close_record(make_record(1).label, status="finished")
        assert "wait for that program" in str(caught.value)
    store.close_record(make_record(1).label, status="finished")


def test_rows_that_another_program_emptied_are_written_again(
    open_postgres: Opened, server: PostgresServer, url: str, make_record: MakeRecord
) -> None:
    store = open_postgres()
    store.open_record(make_record(1))
    for table in (
        "record_dependencies",
        "record_platforms",
        "taggeditem",
        "record",
        "executable",
        "tag",
        "dependency",
    ):
        server.sql(f"DELETE FROM django_store_{table}", database(url))
    store.open_record(make_record(2))
    record = store.get(make_record(2).label)
    assert record.executable == make_record(2).executable
    assert record.dependencies == make_record(2).dependencies


def test_a_connection_that_the_server_ends_is_made_anew(
    open_postgres: Opened, server: PostgresServer, url: str, make_record: MakeRecord
) -> None:
    store = open_postgres()
    store.open_record(make_record(1))
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database(url)}'"
    server.sql(end)
    store.close_record(make_record(1).label, status="finished")
    server.sql(end)
    assert store.get(make_record(1).label).status == "finished"


@pytest.fixture
def own_server() -> Any:
    """A server that a test may stop."""
    with postgres_server() as server:
        yield server


def test_a_server_that_starts_again_is_found_again(
    own_server: PostgresServer, open_postgres: Opened, make_record: MakeRecord
) -> None:
    store = open_postgres(own_server.new_database())
    store.open_record(make_record(1))
    own_server.stop(signal.SIGKILL)
    with pytest.raises(RecordStoreError, match="cannot be reached") as caught:
        store.close_record(make_record(1).label, status="finished")
    assert "smttask store rebuild" in str(caught.value)
    own_server.start()
    store.open_record(make_record(2))
    assert store.has(make_record(2).label)


def test_a_server_that_does_not_answer_is_told_within_5_s_and_not_asked_again_at_once(
    open_postgres: Opened,
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        store = open_postgres(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/db")
        begun = time.monotonic()
        for _ in range(3):
            with pytest.raises(RecordStoreError, match="cannot be reached"):
                store.count()
        assert time.monotonic() - begun < 5


def test_a_password_comes_from_the_environment_or_pgpass_and_is_nowhere_shown(
    server: PostgresServer, url: str, tmp_path: Path
) -> None:
    guarded = url.replace("//smttask@", "//guarded@")
    secret = "pass word@1"
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"127.0.0.1:*:*:guarded:{secret}\n")
    passfile.chmod(0o600)
    ways = [
        (guarded, {"PGPASSWORD": secret}),
        (guarded, {"PGPASSFILE": str(passfile)}),
        (guarded.replace("guarded@", "guarded:pass%20word%401@"), {}),
    ]
    for number, (address, environment) in enumerate(ways):
        worker = start_worker(address, f"w{number}", 1, **environment)
        assert worker.communicate() == ("True\n", "")
    worker = start_worker(guarded.replace("guarded@", "guarded:wrong%20word@"), "w9", 1)
    told = worker.communicate()[1]
    assert "does not let you in" in told
    assert "~/.pgpass" in told
    assert "wrong" not in told


def test_the_tables_are_made_with_the_password_and_it_is_on_no_command_line(
    server: PostgresServer,
) -> None:
    url = server.new_database(empty=True).replace("//smttask@", "//guarded@")
    worker = start_worker(url.replace("guarded@", "guarded:pass%20word%401@"), "w", 1)
    lines = set()
    while worker.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.add(path.read_bytes())
            except OSError:
                continue
    assert worker.communicate() == ("True\n", "")
    assert [line for line in lines if b"pass word" in line] == []


def test_a_database_that_is_missing_is_told(server: PostgresServer, open_postgres: Opened) -> None:
    with pytest.raises(RecordStoreError, match="has no database of this name") as caught:
        open_postgres(server.url("nowhere")).count()
    assert "createdb" in str(caught.value)


def test_a_store_of_other_migrations_is_refused(
    server: PostgresServer, url: str, open_postgres: Opened
) -> None:
    newer = "INSERT INTO django_migrations (app, name, applied) VALUES ('django_store', '0003_x', now())"
    server.sql(newer, database(url))
    with pytest.raises(RecordStoreError, match="another schema than Sumatra 0.8") as caught:
        open_postgres().count()
    assert "0003_x" in str(caught.value)


def test_who_may_not_write_is_told_so(server: PostgresServer, url: str, open_postgres: Opened) -> None:
    role = f"reader_{database(url)}"
    server.sql(f"CREATE ROLE {role} LOGIN")
    with pytest.raises(RecordStoreError, match="may not be used by you") as caught:
        open_postgres(url.replace("//smttask@", f"//{role}@")).count()
    assert "GRANT" in str(caught.value)


def test_an_encoding_that_cannot_hold_every_text_is_refused(
    server: PostgresServer, open_postgres: Opened
) -> None:
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(RecordStoreError, match="cannot hold every text") as caught:
        open_postgres(server.url("latin")).count()
    assert "LATIN1" in str(caught.value)
    server.sql("DROP DATABASE latin WITH (FORCE)")


def test_asking_whether_a_store_is_made_does_not_make_it(
    server: PostgresServer, open_postgres: Opened
) -> None:
    store = open_postgres(server.new_database(empty=True))
    assert not store.is_made()
    store.count()
    assert store.is_made()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("53100", "make room on the disk"),
        ("25006", "is read-only"),
        ("53300", "no free connection"),
        ("57P03", "cannot be reached"),
        ("XX000", "look at the log of the server"),
    ],
)
def test_what_a_server_refuses_is_said_so_that_it_can_be_helped(code: str, told: str) -> None:
    error = refusal("db", "postgresql://host/db", RuntimeError("x postgresql://a:secret@host/db"), code)
    assert told in str(error)
    assert "secret" not in str(error)


def test_a_library_that_is_missing_is_told_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r'pip install "smttask\[postgres\]"'):
        require("psycopg")


def test_members_of_a_group_make_a_store_together_and_edit_each_others_records(
    server: PostgresServer, open_postgres: Opened, make_record: MakeRecord, tmp_path: Path
) -> None:
    """As the page for groups tells it."""
    name = database(server.new_database(empty=True))
    server.sql(f"CREATE ROLE lab NOLOGIN; ALTER DATABASE {name} OWNER TO lab")
    for user in ("anna", "bert"):
        server.sql(
            f"CREATE ROLE {user} LOGIN IN ROLE lab; ALTER ROLE {user} IN DATABASE {name} SET role = 'lab'"
        )
    anna, bert = (open_postgres(server.url(name, user)) for user in ("anna", "bert"))
    anna.open_record(make_record(1))
    bert.close_record(make_record(1).label, status="finished")
    assert bert.edit(Selection(), TagEdit(("seen",)), noted_in=tmp_path / "edits") == 1
    assert anna.get(make_record(1).label).tags == {"seen"}


def test_the_server_of_libpqs_own_settings_is_used_where_a_url_names_none(
    server: PostgresServer, url: str
) -> None:
    environment = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "smttask"}
    worker = start_worker(f"postgresql:///{database(url)}", "w", 1, **environment)
    assert worker.communicate() == ("True\n", "")
