"""A project whose records are on a PostgreSQL server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from smttask.errors import ProjectError, RecordStoreError
from smttask.project import create_project
from smttask.project.sumatra import name_record_store
from smttask.testing import PostgresServer, ScratchProject, git, postgres_server, scratch_project

TASKS = """
import os, signal
from pathlib import Path
from smttask import RecordedTask

@RecordedTask
def Square(x: float) -> float:
    return x**2

@RecordedTask
def StopServer(pid: int) -> str:
    os.kill(pid, signal.SIGQUIT)
    # its parent, the test, waits for its end later: until then it stays as a zombie
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        pass
    return "stopped"
"""
MakeProject = Callable[[str], ScratchProject]


@pytest.fixture
def project_at(tmp_path: Path) -> Iterator[MakeProject]:
    """Make a project whose settings name the record store at a URL."""
    opened: list[AbstractContextManager[ScratchProject]] = []

    def make(url: str) -> ScratchProject:
        files = {"pyproject.toml": f'[tool.smttask]\nrecord_store = "{url}"\n', "tasks.py": TASKS}
        opened.append(scratch_project(tmp_path / "p", files, record_store=False))
        return opened[-1].__enter__()

    yield make
    for context in opened:
        context.__exit__(None, None, None)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    with postgres_server() as server:
        yield server


def test_runs_are_recorded_on_the_server_and_found_by_views_commands_and_sumatra(
    url: str, project_at: MakeProject
) -> None:
    lab = project_at(url)
    lab.run("import tasks; tasks.Square(3).run(reason='first'); tasks.Square(4).run()")
    shown = lab.run("from smttask import RSView; print(len(RSView().filter.params(eq={'x': 3})))").stdout
    assert shown == "1\n"
    assert json.loads(lab.smttask("project", "status", "--json").stdout)["record_store"] == url
    assert "no problem" in lab.smttask("store", "verify").stdout
    labels = lab.project.records.labels()
    assert lab.smttask("smt", "list").stdout.split() == labels
    lab.smttask("smt", "tag", "paper", labels[0])
    assert lab.project.records.get(labels[0]).tags == {"paper"}
    assert not (lab.root / ".smt" / "records").exists()
    lab.project.records.close()


def test_a_new_project_may_keep_its_records_on_a_server(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tables are made at once; where the environment tells the password, that serves, and stays there."""
    git(tmp_path, "init", "--quiet")
    project = create_project(tmp_path / "lab", record_store=url)
    assert project.records.is_made()
    assert json.loads((tmp_path / "lab/.smt/smttask.json").read_text()) == {"record_store": url}
    assert json.loads((tmp_path / "lab/.smt/project").read_text())["record_store"]["db_file"] == url
    guarded = url.replace("smttask@", "guarded@")
    with pytest.raises(RecordStoreError, match="password"):
        create_project(tmp_path / "other", record_store=guarded)
    assert not (tmp_path / "other").exists()
    monkeypatch.setenv("SMTTASK_RECORD_STORE", url.replace("smttask@", "guarded:pass%20word%401@"))
    create_project(tmp_path / "other", record_store=guarded).records.close()
    written = [path.read_text() for path in (tmp_path / "other").rglob("*") if path.is_file()]
    assert not [text for text in written if "word%401" in text]
    assert json.loads((tmp_path / "other/.smt/smttask.json").read_text()) == {"record_store": guarded}


def test_sumatras_own_entry_is_enough_to_name_the_server(url: str, tmp_path: Path) -> None:
    with scratch_project(tmp_path / "p", {"tasks.py": TASKS}, record_store=False) as lab:
        name_record_store(lab.root, url)
        lab.run("import tasks; tasks.Square(3).run()")
        assert lab.run("from smttask import RSView; print(len(RSView()))").stdout == "1\n"


def test_a_password_in_sumatras_entry_is_warned_of(url: str, tmp_path: Path) -> None:
    with scratch_project(tmp_path / "p", {"tasks.py": TASKS}, record_store=False) as lab:
        name_record_store(lab.root, url.replace("smttask@", "guarded:pass%20word%401@"))
        told = lab.run("import tasks; print(tasks.Square(3).run())")
        assert told.stdout == "9.0\n"
        assert "it belongs in ~/.pgpass" in told.stderr
        assert "word%401" not in told.stderr


def test_an_entry_of_sumatra_that_names_no_database_is_an_error(tmp_path: Path) -> None:
    with scratch_project(tmp_path / "p", {"tasks.py": TASKS}, record_store=False) as lab:
        name_record_store(lab.root, "postgresql://me:secret@host")
        with pytest.raises(ProjectError, match="cannot use that record store") as caught:
            _ = lab.project.records
        assert "names no database" in str(caught.value)
        assert "`db_file`" in str(caught.value)
        assert "secret" not in str(caught.value)


def test_without_the_server_results_are_stored_and_their_records_come_back(
    own_server: PostgresServer, project_at: MakeProject
) -> None:
    lab = project_at(own_server.new_database())
    own_server.stop()
    told = lab.run("import tasks; print(tasks.Square(3).run())")
    assert told.stdout == "9.0\n"
    assert told.stderr.count("RecordStoreWarning") == 1
    assert "smttask store rebuild" in told.stderr
    own_server.start()
    lab.smttask("store", "rebuild")
    (record,) = lab.project.records.records()
    assert (record.task, record.status) == ("Square", "finished")
    lab.project.records.close()


def test_a_run_whose_server_goes_away_keeps_its_result_and_warns_once(
    own_server: PostgresServer, project_at: MakeProject
) -> None:
    lab = project_at(own_server.new_database())
    pid = int((own_server.folder / "data" / "postmaster.pid").read_text().split()[0])
    told = lab.run(f"import tasks; print(tasks.StopServer({pid}).run())")
    assert told.stdout == "stopped\n"
    assert told.stderr.count("RecordStoreWarning") == 1
    own_server.stop()
    own_server.start()
    lab.smttask("store", "rebuild")
    (record,) = lab.project.records.records()
    assert (record.task, record.status) == ("StopServer", "finished")
    lab.project.records.close()


def test_no_file_holds_the_password_of_the_environments_url(server: PostgresServer, tmp_path: Path) -> None:
    url = server.new_database(empty=True).replace("smttask@", "guarded:pass%20word%401@")
    with scratch_project(tmp_path / "p", {"tasks.py": TASKS}, record_store=False) as lab:
        lab.run("import tasks; tasks.Square(3).save('tasks')", SMTTASK_RECORD_STORE=url)
        told = lab.smttask("run", "-n2", "tasks", SMTTASK_RECORD_STORE=url)
        shown = lab.smttask("project", "status", SMTTASK_RECORD_STORE=url).stdout
        assert "1 finished" in shown
        for path in lab.root.rglob("*"):
            if path.is_file():
                assert b"word%401" not in path.read_bytes(), path
        assert "word" not in told.stdout + told.stderr + shown.replace("passwords", "")
