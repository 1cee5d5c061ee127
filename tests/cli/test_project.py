"""`smttask project` as a user meets it, in processes of its own."""

import json
import os
import platform
import pty
import subprocess
import sys

import pytest

from smttask.testing import git, scratch_project

TASKS = """
from smttask import RecordedTask


@RecordedTask
def Square(x: float) -> float:
    return x**2
"""


def smttask(folder, *args):
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SMTTASK_")}
    return subprocess.run(
        [sys.executable, "-m", "smttask", *args],
        cwd=folder,
        env=plain,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "my lab"
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


def test_init_makes_a_project_in_an_empty_repository(repository):
    """One command, no questions without a terminal, and what it added is said."""
    done = smttask(repository, "project", "init")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"Made a project: {repository} (name: my lab)",
        "  added: .gitignore, run.py, tasks.py",
        'next: git add .gitignore run.py tasks.py && git commit -m "Begin a smttask project"',
    ]
    assert (repository / ".smt" / "project").is_file()
    assert (repository / "tasks.py").read_text().startswith('"""Tasks of this project')


def test_init_again_changes_nothing(repository):
    """A second call, even with other answers, says what stays."""
    smttask(repository, "project", "init", "--name", "first")
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    done = smttask(repository, "project", "init", "--name", "second")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"Already a project: {repository} (name: first)",
        "  kept: name first (not second)",
        "  nothing to add",
    ]
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


def test_init_never_overwrites_files_of_the_user(repository):
    """The starter files are copied only where none of them is there."""
    (repository / "tasks.py").write_text("mine = True\n")
    smttask(repository, "project", "init")
    assert (repository / "tasks.py").read_text() == "mine = True\n"
    assert not (repository / "run.py").exists()


def test_init_takes_a_folder_and_an_answer_for_every_question(repository):
    """Every prompt has an option, and the folder need not be the current one."""
    options = ["--name", "Deep", "--input-store", "links", "--output-store", "results", "--no-template"]
    done = smttask(repository, "project", "init", "sub", *options)
    assert done.returncode == 0, done.stderr
    assert f"next: cd '{repository / 'sub'}' && git add .gitignore" in done.stdout
    status = json.loads(smttask(repository / "sub", "project", "status", "--json").stdout)
    assert status["name"] == "Deep"
    assert status["input_store"] == str(repository / "sub" / "links")
    assert status["output_store"] == str(repository / "sub" / "results")
    assert not (repository / "sub" / "tasks.py").exists()


def test_init_makes_the_record_store_where_it_is_asked_for(repository):
    """A file of one's own choice, for us and for Sumatra, that git ignores."""
    done = smttask(repository, "project", "init", "--no-template", "--record-store", "shared/runs.sqlite")
    assert done.returncode == 0, done.stderr
    store = repository / "shared" / "runs.sqlite"
    assert store.read_bytes().startswith(b"SQLite format 3")
    assert json.loads((repository / ".smt" / "smttask.json").read_text()) == {
        "record_store": "shared/runs.sqlite"
    }
    assert json.loads((repository / ".smt" / "project").read_text())["record_store"]["db_file"] == str(store)
    assert "/shared/runs.sqlite*\n" in (repository / ".gitignore").read_text()
    again = smttask(repository, "project", "init", "--record-store", "other")
    assert f"  kept: record store {store} (not {repository / 'other'})\n" in again.stdout


@pytest.mark.parametrize(
    ("given", "what", "found"),
    [
        (
            "postgresql://anna:secret@db.lab/records",
            "Setting 'record_store' does not take 'postgresql://anna:…@db.lab/records'.",
            "a URL without a password; it belongs in ~/.pgpass",
        ),
        ("journal", "A new project needs a record store; journals are brought to one.", "'journal'"),
        ("tasks.txt", "The record store tasks.txt is damaged.", "tasks.txt"),
        ("postgresql://127.0.0.1:1/records", "The record store records cannot be reached.", "127.0.0.1"),
    ],
)
def test_init_with_a_record_store_that_cannot_be_makes_no_project(repository, given, what, found):
    """One message tells why, and nothing is left behind; a password is never shown."""
    (repository / "tasks.txt").write_text("no database " * 100)
    done = smttask(repository, "project", "init", "--record-store", given)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {what}\n")
    assert found in done.stderr
    assert "secret" not in done.stderr
    assert sorted(path.name for path in repository.iterdir()) == [".git", "tasks.txt"]


def test_init_asks_in_a_terminal_and_offers_defaults(repository):
    """At a terminal each open question is asked; Enter takes what is offered."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "smttask", "project", "init", "--name", "given"]
    with subprocess.Popen(
        command, cwd=repository, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        os.write(ours, b"\nall results\n")
        shown = process.communicate(timeout=30)[0]
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, shown
    assert "Name of the project" not in shown
    assert "Folder for links to the latest results [data]:" in shown
    assert "Folder for all results [data/run_dump]:" in shown
    status = json.loads(smttask(repository, "project", "status", "--json").stdout)
    assert status["output_store"] == str(repository / "all results")


def test_init_outside_git_says_what_is_missing(tmp_path):
    """One message on stderr, exit status 1, and nothing is made."""
    done = smttask(tmp_path, "project", "init")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {tmp_path} cannot become a project: it is in no git repository.\n")
    assert f"git init {tmp_path}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_status_shows_stores_git_and_records(tmp_path):
    """The state of a project at a glance, and the same as JSON."""
    with scratch_project(tmp_path / "s", {"code.py": "x = 1\n"}) as scratch:
        scratch.write({"code.py": "x = 2\n", "new.py": ""}, commit=False)
        shown = scratch.smttask("project", "status").stdout
        facts = json.loads(scratch.smttask("project", "status", "--json").stdout)
    assert "project       scratch\n" in shown
    assert "  changed     code.py\n" in shown
    assert "records       0\n" in shown
    assert facts["git"] == {
        "commit": git(scratch.root, "rev-parse", "HEAD"),
        "branch": git(scratch.root, "branch", "--show-current"),
        "clean": False,
        "changed": ["code.py"],
    }
    assert facts["records"] == {"total": 0, "by_status": {}}


def test_status_tells_that_records_cannot_be_read(tmp_path):
    """Why and what to do, and all the rest of the project's state."""
    with scratch_project(tmp_path / "s") as scratch:
        (scratch.root / ".smt" / "records").write_text("no database " * 100)
        shown = scratch.smttask("project", "status").stdout
        facts = json.loads(scratch.smttask("project", "status", "--json").stdout)
    told = shown[shown.index("records       The record store records is damaged.\n") :].splitlines()
    assert facts["records"] == {"problem": told[0][14:], "details": [line[14:] for line in told[1:]]}
    assert told[1].endswith(f"file: {scratch.root}/.smt/records")


def test_status_works_before_the_first_commit(repository):
    """An empty repository is said to have no commit yet; the rest is shown."""
    smttask(repository, "project", "init")
    done = smttask(repository, "project", "status")
    assert done.returncode == 0, done.stderr
    assert "commit" in done.stdout


def test_status_makes_no_record_store(repository):
    """Looking leaves the project as it is."""
    smttask(repository, "project", "init")
    smttask(repository, "project", "status")
    assert not (repository / ".smt" / "records").exists()


def test_status_shows_the_home_host_and_the_journals_that_wait(tmp_path):
    """Whoever shares a project with other computers sees who writes the records, and what is to come."""
    with scratch_project(tmp_path / "s", {"tasks.py": TASKS}) as scratch:
        assert json.loads(scratch.smttask("project", "status", "--json").stdout)["journals"] == []
        scratch.project.home.claim()
        run = "import tasks; [tasks.Square(float(n)).run() for n in range(2)]"
        scratch.run(run, SMTTASK_RECORD_STORE="journal")
        shown = scratch.smttask("project", "status").stdout
        facts = json.loads(scratch.smttask("project", "status", "--json").stdout)
    assert f"home          {platform.node()}, this computer\n" in shown
    assert (
        "journals      1 with 2 new runs, for the next run on the home host or: smttask store rebuild"
        in shown
    )
    assert facts["home"] == {"host": platform.node(), "is_here": True}
    assert [journal["runs"] for journal in facts["journals"]] == [2]
    assert facts["journals"][0]["path"].startswith(".smt/journal/")


def test_status_without_a_project_says_where_it_searched(tmp_path):
    """One message on stderr and exit status 1."""
    done = smttask(tmp_path, "project", "status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: No project found.\n")
    assert f"searched: {tmp_path}" in done.stderr
