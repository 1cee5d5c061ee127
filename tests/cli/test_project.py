"""`smttask project` as a user meets it, in processes of its own."""

import json
import os
import pty
import subprocess
import sys

import pytest

from smttask.testing import git, scratch_project


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
    """And all the rest of the project's state."""
    with scratch_project(tmp_path / "s") as scratch:
        (scratch.root / ".smt" / "records").write_text("no database " * 100)
        shown = scratch.smttask("project", "status").stdout
        facts = json.loads(scratch.smttask("project", "status", "--json").stdout)
    assert shown.endswith("records       The record store records is damaged.\n")
    assert facts["records"] == {"problem": "The record store records is damaged."}


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


def test_status_without_a_project_says_where_it_searched(tmp_path):
    """One message on stderr and exit status 1."""
    done = smttask(tmp_path, "project", "status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: No project found.\n")
    assert f"searched: {tmp_path}" in done.stderr
