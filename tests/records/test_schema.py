from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smttask.errors import RecordStoreError
from smttask.records.schema import check_schema, journal_mode_for, make_store

MAKE = (
    "import sys; from pathlib import Path; from smttask.records.schema import make_store; "
    "make_store(Path(sys.argv[1]))"
)
MOUNTS = (
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "40 27 0:52 / /home rw shared:2 - nfs4 server:/home rw\n"
    "41 40 0:53 / /home/local\\040disk rw - xfs /dev/vdb rw\n"
    "42 27 0:54 / /media/share rw - fuse.sshfs me@there: rw\n"
)


def test_a_new_store_has_sumatras_migrations_and_nothing_else_beside_it(tmp_path: Path) -> None:
    make_store(tmp_path / "records")
    connection = sqlite3.connect(tmp_path / "records")
    check_schema(tmp_path / "records", connection)
    connection.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["records", "records.lock"]


def test_neither_django_nor_sumatra_is_imported_by_using_a_store(tmp_path: Path) -> None:
    code = f"{MAKE}; assert not {{'django', 'sumatra'}} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "records")], check=True)


def test_modules_of_the_user_do_not_stand_in_for_those_sumatra_imports(tmp_path: Path) -> None:
    for name in ("parameters.py", "django.py", "sumatra.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "DJANGO_SETTINGS_MODULE": "mine"}
    subprocess.run([sys.executable, "-c", MAKE, "records"], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "records").stat().st_size > 0


def test_threads_that_make_one_store_together_find_one_whole_store(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make_store, [tmp_path / "records"] * 4))
    check_schema(tmp_path / "records", sqlite3.connect(tmp_path / "records"))


@pytest.mark.slow
def test_processes_that_make_one_store_together_survive_the_death_of_one(tmp_path: Path) -> None:
    path = tmp_path / "records"
    makers = [subprocess.Popen([sys.executable, "-c", MAKE, str(path)]) for _ in range(5)]
    while not list(tmp_path.glob("records.new-*")):
        time.sleep(0.001)
    os.kill(_holder(path, [maker.pid for maker in makers]), signal.SIGKILL)
    codes = sorted(maker.wait() for maker in makers)
    assert codes == [-signal.SIGKILL, 0, 0, 0, 0]
    check_schema(path, sqlite3.connect(path))
    assert not list(tmp_path.glob("records.new-*"))


def _holder(path: Path, numbers: list[int]) -> int:
    """The process that holds the lock file, as the system tells."""
    inode = path.with_name("records.lock").stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "POSIX" and fields[5].endswith(f":{inode}") and int(fields[4]) in numbers:
            return int(fields[4])
    return numbers[0]


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "records").touch()
    make_store(tmp_path / "records")
    check_schema(tmp_path / "records", sqlite3.connect(tmp_path / "records"))


def test_a_missing_folder_is_an_error_that_says_how_to_make_a_project(tmp_path: Path) -> None:
    with pytest.raises(RecordStoreError, match="smttask project init") as caught:
        make_store(tmp_path / "no" / "records")
    assert str(tmp_path / "no" / "records") in str(caught.value)


def test_migrations_that_fail_are_an_error_with_their_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_python = tmp_path / "python"
    other_python.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named django' >&2\nexit 1\n")
    other_python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(other_python))
    with pytest.raises(RecordStoreError, match="No module named django") as caught:
        make_store(tmp_path / "records")
    assert "Sumatra 0.8 and Django are installed" in str(caught.value)
    assert not (tmp_path / "records").exists()


def test_a_store_of_other_migrations_is_refused(store_path: Path) -> None:
    connection = sqlite3.connect(store_path)
    connection.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('django_store', '0003_x', '')"
    )
    with pytest.raises(RecordStoreError, match="another schema") as caught:
        check_schema(store_path, connection)
    assert "0003_x" in str(caught.value)
    assert "a newer Sumatra changed it: update smttask" in str(caught.value)


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "records")
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(RecordStoreError, match=r"(?s)migrations found: none.*if an older Sumatra made it"):
        check_schema(tmp_path / "records", connection)


def test_a_store_that_sumatra_made_is_taken_as_it_is(tmp_path: Path, store_path: Path) -> None:
    connection = sqlite3.connect(store_path, isolation_level=None)
    connection.execute("DROP TABLE smttask_run")
    connection.execute("DROP TABLE smttask_parameter")
    check_schema(store_path, connection)
    assert connection.execute("SELECT count(*) FROM smttask_run").fetchone() == (0,)


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("/data/p/.smt/records", "wal"),
        ("/home/me/p/.smt/records", "delete"),
        ("/homework/records", "wal"),
        ("/home/local disk/records", "wal"),
        ("/media/share/records", "delete"),
    ],
)
def test_the_log_that_needs_one_host_is_not_used_on_network_file_systems(path: str, mode: str) -> None:
    assert journal_mode_for(Path(path), MOUNTS) == mode
