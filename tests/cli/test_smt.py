"""`smttask smt` as a user meets it."""

import json
import os
import subprocess
import sys

import pytest

from smttask.testing import postgres_server, scratch_project

TASKS = """
from smttask import RecordedTask


@RecordedTask
def Square(x: float) -> float:
    return x**2
"""


@pytest.fixture
def lab(tmp_path):
    with scratch_project(tmp_path, {"tasks.py": TASKS, "inner/notes.txt": "x"}) as scratch:
        yield scratch


def smt(folder, *args, given="", **environment):
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SMTTASK_")}
    return subprocess.run(
        [sys.executable, "-m", "smttask", "smt", *args],
        cwd=folder,
        env={**plain, **environment},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_is_passed_on_to_sumatra(lab):
    """Options, output and exit status are Sumatra's; from a folder below too."""
    task = lab.load("tasks").Square(1.0)
    task.run()
    label = task.record.label
    for folder in (lab.root, lab.root / "inner"):
        assert smt(folder, "list").stdout.split() == [label]
    assert f"Label            : {label}" in smt(lab.root, "list", "--long").stdout
    assert "usage: smt list" in smt(lab.root, "list", "--help").stdout
    unknown = smt(lab.root, "no-such-command")
    assert (unknown.returncode, "Usage: smt" in unknown.stdout) == (1, True)
    assert smt(lab.root, "list", "--nonsense").returncode == 2


def test_edits_made_by_sumatra_show(lab):
    """Tags, comments and deleted records."""
    first, second = lab.load("tasks").Square(1.0), lab.load("tasks").Square(2.0)
    for task in (first, second):
        task.run()
    label = first.record.label
    assert smt(lab.root, "tag", "good", label).returncode == 0
    assert smt(lab.root, "comment", label, "as hoped").returncode == 0
    assert (first.record.tags, first.record.outcome) == (frozenset({"good"}), "as hoped")
    assert smt(lab.root, "delete", second.record.label).returncode == 0
    assert lab.project.records.labels() == [label]


def test_what_is_typed_reaches_sumatra(lab):
    """Its input and its terminal are ours."""
    task = lab.load("tasks").Square(1.0)
    task.run()
    # the program that Sumatra runs reads the line
    (lab.root / "ask.py").write_text("print('read', input())\n")
    lab.commit()
    done = smt(lab.root, "run", "-e", sys.executable, "-m", "ask.py", given="typed\n")
    assert "read typed" in done.stdout, done.stderr


def test_the_record_store_in_use_is_the_one_that_sumatra_opens(lab, tmp_path):
    """Where a setting names another than Sumatra's own file."""
    store = {"SMTTASK_RECORD_STORE": str(lab.root / "other.sqlite")}
    lab.run("import tasks; tasks.Square(1.0).run()", **store)
    assert smt(lab.root, "list").stdout.split() == []
    assert len(smt(lab.root, "list", **store).stdout.split()) == 1


def test_without_a_project_one_message(tmp_path):
    """On stderr, with what to do."""
    done = smt(tmp_path, "list")
    assert done.returncode == 1
    assert "No project found." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_store_in_postgresql_is_opened_and_completed_from(lab):
    """As RSView does; the password in the setting is no part of a command line."""
    with postgres_server() as server:
        url = server.new_database().replace("@", ":unasked@")
        store = {"SMTTASK_RECORD_STORE": url}
        lab.run("import tasks; tasks.Square(1.0).run()", **store)
        (label,) = smt(lab.root, "list", **store).stdout.split()
        assert smt(lab.root, "tag", "good", label, **store).returncode == 0
        shown = lab.smttask("store", "list", "--tag", "good", "--columns", "label", **store).stdout
        assert shown.splitlines() == ["label", label, "1 record"]
        status = json.loads(lab.smttask("project", "status", "--json", **store).stdout)
        assert status["record_store"] == url.replace(":unasked", "")
        assert status["records"] == {"total": 1, "by_status": {"finished": 1}}
        line = {"COMP_WORDS": "smttask store show 2", "COMP_CWORD": "3", "_SMTTASK_COMPLETE": "bash_complete"}
        completed = lab.run("from smttask.cli import main; main(prog_name='smttask')", **line, **store)
        assert completed.stdout == f"plain,{label}\n"
    assert lab.project.records.labels() == []
