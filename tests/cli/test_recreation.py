"""`smttask store recreate` and `create-surrogates` as a user and a script meet them."""

import json

import pytest
from click.testing import CliRunner

from smttask.cli import main
from smttask.records.deletion import delete_records
from smttask.records.query import Selection


@pytest.fixture
def lab(laboratory, tmp_path, monkeypatch):
    """A project with two finished runs and a crashed one."""
    monkeypatch.chdir(tmp_path)
    tasks = laboratory.load("tasks")
    tasks.Square(2.0).run()
    tasks.Square(3.0).run()
    with pytest.raises(ValueError, match="negative"):
        tasks.Square(-1.0).run()
    return laboratory


def store(*args, status=0):
    """What `smttask store ARGS` prints: output and errors; its exit status is as expected."""
    done = CliRunner().invoke(main, ["store", *args])
    assert done.exit_code == status, (done.stdout, done.stderr, done.exception)
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_crashed_runs_are_written_as_files_to_run_anew(lab, tmp_path):
    """Filters choose; the files go where -o says."""
    told, _ = store("recreate", "--status", "crashed", "-o", "again")
    (file,) = (tmp_path / "again").iterdir()
    label = lab.project.records.labels(Selection().with_tags("_crashed_"))[0]
    assert told == f"{label}  again/{file.name}\n1 file\n"
    assert lab.smttask("run", "--dry-run", str(file)).returncode == 0


def test_labels_may_be_cut_short_and_one_that_is_wrong_keeps_nobody_from_the_others(lab, tmp_path):
    """It is told on stderr, and the exit status says so."""
    labels = lab.project.records.labels(Selection())
    told, wrong = store("recreate", labels[1][:-2], "no such/label*", labels[2], "--json", status=1)
    lines = [json.loads(line) for line in told.splitlines()]
    assert [line["label"] for line in lines] == [labels[1], "no such/label*", labels[2]]
    assert [line["path"] is None for line in lines] == [False, True, False]
    assert wrong.startswith("no such/label*: There is no record 'no such/label*'.")
    assert len(list(tmp_path.glob("*.taskdesc.json"))) == 2


def test_something_must_be_chosen(lab):
    """All records by mistake would be many files."""
    assert "No records are chosen" in store("recreate", status=1)[1]


def test_results_without_records_get_surrogates(lab, tmp_path):
    """Once; what has no result is told, and the others are done."""
    tasks = lab.load("tasks")
    delete_records(lab.project.records, lab.project.records.labels(Selection()))
    for x in (2.0, 3.0, 99.0):
        tasks.Square(x).save(tmp_path / "files")
    assert store("create-surrogates", "files", "--dry-run", status=1)[0].endswith("would make 2 records\n")
    told, wrong = store("create-surrogates", "files", status=1)
    assert [line.split()[0] for line in told.splitlines()] == ["surrogate", "surrogate", "made"]
    assert "No stored result for task 'Square'" in wrong
    again = store("create-surrogates", "--json", "files", status=1)[0]
    assert {json.loads(line)["is_new"] for line in again.splitlines()} == {False}
    listed = store("list", "--json", "--tag", "surrogate")[0]
    assert len(listed.splitlines()) == 2


def test_a_file_that_is_not_there_is_told(lab):
    """One message."""
    assert (
        "There is no file or folder nowhere.json" in store("create-surrogates", "nowhere.json", status=1)[1]
    )
