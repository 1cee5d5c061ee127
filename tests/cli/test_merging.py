"""`smttask store merge` as a user and a script meet it."""

import json

import pytest
from click.testing import CliRunner

from smttask import RSView
from smttask.cli import main
from smttask.testing import scratch_project


def store(*args, status=0):
    """What `smttask store ARGS` prints: output and errors; its exit status is as expected."""
    done = CliRunner().invoke(main, ["store", *args])
    assert done.exit_code == status, (done.stdout, done.stderr, done.exception)
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def home(laboratory, tmp_path):
    """The folder of a project with two runs, while another, with one, is current."""
    for x in (2.0, 3.0):
        laboratory.load("tasks").Square(x).run()
    text = (laboratory.root / "tasks.py").read_text()
    laboratory.forget_modules()
    with scratch_project(tmp_path / "new", {"tasks.py": text}) as new:
        new.load("tasks").Square(9.0).run()
        yield laboratory.root


def test_merge_tells_what_it_did(home):
    """The counts, and where the store as it was is kept; a second call has nothing to do."""
    assert store("merge", str(home), "--dry-run")[0].endswith(
        "would merge 2 new records, 0 updated, 0 equal\n"
    )
    assert len(RSView()) == 1
    told = store("merge", str(home), "--data")[0].splitlines()
    assert told[0] == f"{home}: 2 new records, 0 updated, 0 equal, 2 results"
    assert told[1].startswith("before: ")
    assert len(RSView()) == 3
    facts = json.loads(store("merge", str(home), "--json")[0])
    assert (facts["added"], facts["n_equal"], facts["backup"]) == ([], 2, "")
    assert store("verify")[0].endswith("3 records: no problem\n")


def test_records_whose_results_stayed_behind_are_told_by_verify(home):
    """They are no problem, and the folder that has the results is named."""
    store("merge", str(home))
    told = store("verify")[0].splitlines()
    assert told[0] == f"not looked at: 2 records whose results are kept in {home}/data/run_dump"
    assert told[1].endswith(", 1 record: no problem")


def test_one_backup_is_kept_of_all_sources(home, tmp_path):
    """That of the store before the first of them."""
    store("merge", str(home), str(home / ".smt" / "records"))
    assert len(list((tmp_path / "new" / ".smt").glob("*.backup"))) == 1


def test_what_cannot_be_merged_is_one_message(home):
    """With exit status 1."""
    assert "There is no record store at nowhere." in store("merge", "nowhere", status=1)[1]
