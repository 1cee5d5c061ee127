"""Sumatra's own tools read and edit what smttask wrote."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from socket import socket
from urllib.request import urlopen

import pytest

from smttask.project.sumatra import name_record_store
from smttask.records.record import DataKey, Record
from smttask.records.stores import SQLRecordStore

Smt = Callable[..., str]


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SQLRecordStore:
    """A store in a file and one on a server."""
    if request.param == "SQLite":
        made: SQLRecordStore = request.getfixturevalue("open_store")()
    else:
        made = request.getfixturevalue("open_postgres")(input_root=tmp_path, output_root=tmp_path / "data")
    return made


@pytest.fixture
def sumatra_project(sumatra_project: Path, store: SQLRecordStore) -> Path:
    """A project whose record store is `store`."""
    if store.path is None:
        name_record_store(sumatra_project, store.address)
    return sumatra_project


@pytest.fixture
def two_runs(
    store: SQLRecordStore, make_record: Callable[..., Record], make_key: Callable[..., DataKey]
) -> tuple[Record, Record]:
    """The second run read what the first one wrote."""
    first, second = make_record(1), make_record(2, input_data=(make_key("Analyze/1.txt"),))
    for number, record in enumerate((first, second), start=1):
        store.open_record(record)
        store.close_record(
            record.label,
            status="finished",
            duration_s=1.5,
            output_data=[make_key(f"Analyze/{number}.txt")],
            stdout_stderr="it works\n",
        )
    return first, second


def test_smt_list_shows_the_labels_newest_first(smt: Smt, two_runs: tuple[Record, Record]) -> None:
    assert smt("list").split() == [two_runs[1].label, two_runs[0].label]


def test_smt_list_long_shows_every_field(smt: Smt, two_runs: tuple[Record, Record]) -> None:
    shown = smt("list", "-l")
    for part in (two_runs[0].label, "first look", "_finished_", "tasks.py", "Analyze/1.txt", '"x": 2', "1.5"):
        assert part in shown


def test_smt_list_shows_tables_of_parameters_and_outputs(smt: Smt, two_runs: tuple[Record, Record]) -> None:
    shown = smt(["list", "-T"], ["list", "-P"], ["list", "-O"])
    for part in (two_runs[0].label[:10], "4b825dc642cb6", "2.txt"):
        assert part in shown


def test_smt_list_finds_records_by_status(
    smt: Smt, two_runs: tuple[Record, Record], store: SQLRecordStore, make_record: Callable[..., Record]
) -> None:
    crashed = make_record(3)
    store.open_record(crashed)
    store.close_record(crashed.label, status="crashed", outcome="ValueError: no")
    labels = [crashed.label, two_runs[1].label, two_runs[0].label]
    assert smt(["list", "_crashed_"], ["list", "_finished_"]).split() == labels


def test_smt_comment_and_tag_are_read_by_us(
    smt: Smt, two_runs: tuple[Record, Record], store: SQLRecordStore
) -> None:
    label = two_runs[0].label
    smt(["comment", label, "a fine result"], ["tag", "paper figure", label])
    record = store.get(two_runs[0].label)
    assert (record.outcome, record.tags, record.status) == ("a fine result", {"paper figure"}, "finished")
    smt("tag", "-r", "paper figure", two_runs[0].label)
    assert store.get(two_runs[0].label).tags == frozenset()


def test_edits_by_sumatra_leave_the_rest_of_a_record_as_it_was(
    smt: Smt, two_runs: tuple[Record, Record], store: SQLRecordStore
) -> None:
    before = [store.get(record.label) for record in two_runs]
    smt(*(["comment", record.label, text] for record in two_runs for text in ("once", "twice")))
    for old, record in zip(before, two_runs, strict=True):
        new = store.get(record.label)
        assert new.outcome == "once\ntwice"
        assert json.loads(new.parameters) == json.loads(old.parameters)
        for name in Record.__dataclass_fields__.keys() - {"outcome", "parameters"}:
            assert getattr(new, name) == getattr(old, name), name


def test_runs_are_recorded_on_after_an_edit_by_sumatra(
    smt: Smt, two_runs: tuple[Record, Record], store: SQLRecordStore, make_record: Callable[..., Record]
) -> None:
    third = make_record(3)
    store.open_record(third)
    smt(["tag", "_running_", third.label], ["comment", third.label, "while it runs"])
    store.close_record(third.label, status="finished", outcome="done", duration_s=1)
    record = store.get(third.label)
    assert (record.status, record.outcome) == ("finished", "while it runs\ndone")


def test_smt_delete_removes_record_and_data(
    smt: Smt, two_runs: tuple[Record, Record], store: SQLRecordStore, sumatra_project: Path
) -> None:
    smt("delete", "--data", two_runs[0].label)
    assert store.labels() == [two_runs[1].label]
    assert not (sumatra_project / "data/Analyze/1.txt").exists()
    assert (sumatra_project / "data/Analyze/2.txt").exists()
    assert store.open_runs() == []


def test_smt_export_writes_all_records(
    smt: Smt, two_runs: tuple[Record, Record], sumatra_project: Path
) -> None:
    smt("export")
    exported = json.loads((sumatra_project / ".smt/records_export.json").read_text())
    assert [record["label"] for record in exported] == [two_runs[1].label, two_runs[0].label]
    assert {item["name"] for item in exported[0]["dependencies"]} >= {"blake3", "pytest"}


def test_smt_diff_and_view_compare_records(smt: Smt, two_runs: tuple[Record, Record]) -> None:
    labels = [record.label for record in two_runs]
    shown = smt(["diff", *labels], ["view", labels[0]])
    assert "Parameters differ       : yes" in shown
    assert "first look" in shown


def test_a_script_reads_and_edits_records_with_load_project(
    sumatra_project: Path, two_runs: tuple[Record, Record], store: SQLRecordStore
) -> None:
    script = (
        "from sumatra.projects import load_project\n"
        "project = load_project()\n"
        "record = project.most_recent()\n"
        "print(record.label, record.duration, record.platforms[0].ip_addr, record.input_data[0].path)\n"
        "project.add_tag(record.label, 'seen')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=sumatra_project, capture_output=True, text=True)
    assert done.stdout == f"{two_runs[1].label} 1.5 127.0.0.1 Analyze/1.txt\n", done.stderr
    assert store.get(two_runs[1].label).tags == {"seen"}


def test_smtweb_shows_the_project_and_its_records(
    sumatra_project: Path,
    two_runs: tuple[Record, Record],
    store: SQLRecordStore,
    make_record: Callable[..., Record],
) -> None:
    store.open_record(make_record(3))
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"from sumatra.cli.smtweb import main; main(['-n', '-p', '{port}'])"
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=sumatra_project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        pages = {}
        for page in ("", *(f"{store.labels()[number]}/" for number in (0, 1, 2)), "data/", "about/"):
            pages[page] = _fetch(f"http://127.0.0.1:{port}/scratch/{page}", server)
    finally:
        server.kill()
        server.wait()
    assert two_runs[0].label in pages[""]
    assert "it works" in pages[f"{two_runs[0].label}/"]
    assert "2.txt" in pages["data/"]


def _fetch(url: str, server: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urlopen(url) as answer:
                return str(answer.read().decode())
        except ConnectionRefusedError:
            raise
        except OSError as error:
            refused = "refused" in str(error)
            if not refused or time.monotonic() > deadline or server.poll() is not None:
                raise
            time.sleep(0.05)
