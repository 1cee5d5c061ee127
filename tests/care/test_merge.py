"""`merge` takes the records of other stores into that of the project, each once and whole."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from smttask import RSView
from smttask.care.merge import merge
from smttask.care.rebuild import rebuild
from smttask.care.verify import verify
from smttask.errors import InputError, RecordStoreError, StorageError
from smttask.project import use_project
from smttask.records.query import Selection
from smttask.records.sqlite import SQLiteRecordStore
from smttask.testing import git, scratch_project

SHARED = ("dependency", "platforminformation", "executable", "repository", "launchmode", "tag", "datakey")


@pytest.fixture
def other(lab, tmp_path):
    """A clone of the lab that has run something else since."""
    root = tmp_path / "other"
    lab.project.records.close()  # closing a file that SQLite has open takes its locks away
    shutil.copytree(lab.root, root, symlinks=True)
    with scratch_project(root, record_store=False) as scratch, use_project(scratch.project):
        scratch.load("tasks").Square(5.0, reason="there").run()
    return scratch


def records(project):
    """All records by label."""
    return {record.label: record for record in project.records.records()}


def doubled(project):
    """Shared tables that have two equal rows, on which Sumatra would fail for ever."""
    found = []
    with closing(sqlite3.connect(project.records.path)) as connection:
        for table in SHARED:
            rows = connection.execute(f"SELECT * FROM django_store_{table}").fetchall()
            plain = [row[1:5] if table == "datakey" else row[1:] for row in rows]
            found += [table] if len(set(plain)) < len(plain) else []
    return found


def smt(project, *args):
    """What Sumatra's own command prints."""
    command = [Path(sys.executable).with_name("smt"), *args]
    return subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=True).stdout


def test_records_of_a_clone_come_home(lab, other):
    """Those in common stay single, the new one comes whole, and Sumatra reads the store."""
    before = records(lab.project)
    done = merge(lab.project, other.root)
    (new,) = done.added
    assert (done.n_equal, done.updated, done.collisions, done.renamed) == (3, [], [], {})
    assert records(lab.project) == {**before, new: records(other.project)[new]}
    assert doubled(lab.project) == []
    assert len(smt(lab.project, "list").split()) == 4
    smt(lab.project, "comment", new, "seen by Sumatra")
    assert RSView(lab.project)[new].outcome == "seen by Sumatra"
    assert RSView(lab.project)[new].task.digest == RSView(other.project)[new].digest


def test_a_second_merge_changes_nothing(lab, other):
    """No record, no row, and no other backup."""
    assert merge(lab.project, other.root).backup
    before = records(lab.project)
    done = merge(lab.project, other.root / ".smt" / "records")
    assert (done.added, done.updated, done.n_equal, done.backup) == ([], [], 4, "")
    assert records(lab.project) == before


def test_a_dry_run_only_tells(lab, other):
    """What it tells is what is done."""
    before = records(lab.project)
    told = merge(lab.project, other.root, dry_run=True)
    assert records(lab.project) == before
    assert list((lab.root / ".smt").glob("*.backup")) == []
    assert replace(merge(lab.project, other.root), backup="") == told


def test_the_backup_is_the_store_as_it_was(lab, other):
    """Moved into its place, it is the record store again."""
    before = records(lab.project)
    backup = Path(merge(lab.project, other.root).backup)
    assert backup.parent == lab.root / ".smt"
    lab.project.records.close()
    for path in (lab.root / ".smt").glob("records*"):
        if path != backup:
            path.unlink()
    backup.rename(lab.root / ".smt" / "records")
    assert records(lab.project) == before


def test_the_source_is_only_read(lab, other):
    """Not a byte of it changes, read-only or not."""
    other.project.records.close()
    path = other.root / ".smt" / "records"
    before = path.read_bytes()
    merge(lab.project, path)
    assert path.read_bytes() == before


def test_tags_comments_and_reasons_of_both_are_kept(lab, other):
    """And come back with the records when the store is lost; edits are done once."""
    label = lab.four.record.label
    for project, word in ((lab.project, "ours"), (other.project, "theirs")):
        view = RSView(project).filter.label(label)
        view.add_tag(word)
        view.add_comment(f"{word} says <b>")
        view.update_reason(f"{word} too", mode="append")
    merge(lab.project, other.root)
    ours = lab.project.records.get(label)
    assert ours.tags == {"ours", "theirs"}
    assert ours.outcome == "ours says <b>\ntheirs says <b>"
    assert merge(lab.project, other.root).updated == []
    lab.project.records.close()
    for path in (lab.root / ".smt").glob("records*"):
        path.unlink()
    rebuild(lab.project)
    again = lab.project.records.get(label)
    assert (again.tags, again.outcome, again.reason) == (ours.tags, ours.outcome, ours.reason)


@pytest.fixture
def collision(lab, other):
    """One label that stands for two runs."""
    label = lab.four.record.label
    with closing(sqlite3.connect(other.root / ".smt" / "records")) as connection, connection:
        connection.execute(
            "UPDATE django_store_record SET version = 'another', reason = 'theirs' WHERE label = ?", (label,)
        )
    return label


def test_a_label_that_is_taken_stops_the_merge(lab, other, collision):
    """Nothing is changed; the message lists the labels and both ways on."""
    before = records(lab.project)
    with pytest.raises(RecordStoreError, match="1 record of .* cannot be merged") as caught:
        merge(lab.project, other.root)
    assert caught.value.labels == (collision,)
    assert f"another run: {collision}" in str(caught.value)
    assert "--collisions rename" in str(caught.value)
    assert records(lab.project) == before


def test_records_whose_label_is_taken_are_left_out(lab, other, collision):
    """Ours stay as they are, all others come."""
    before = records(lab.project)
    done = merge(lab.project, other.root, collisions="ours")
    assert done.collisions == [collision]
    assert len(done.added) == 1
    assert records(lab.project)[collision] == before[collision]


def test_records_whose_label_is_taken_get_another(lab, other, collision):
    """Nothing is lost, they never show our result for theirs, and a second merge knows them again."""
    done = merge(lab.project, other.root, collisions="rename")
    new = done.renamed[collision]
    assert new.startswith(f"{collision}~")
    assert (records(lab.project)[new].version, records(lab.project)[new].reason) == ("another", "theirs")
    assert records(lab.project)[new].manifest == ""
    again = merge(lab.project, other.root)
    assert (again.added, again.renamed, again.collisions, again.n_equal) == ([], {}, [], 4)


def test_results_come_with_the_records(lab, other):
    """They are hits here, their links are made, and all is whole."""
    done = merge(lab.project, other.root, data=True)
    assert done.results == done.added
    assert lab.tasks.Square(5.0).has_run
    assert verify(lab.project).problems == []
    shutil.rmtree(other.root)
    assert lab.tasks.Square(5.0).load() == 25.0
    with closing(sqlite3.connect(lab.project.records.path)) as connection:
        (roots,) = connection.execute("SELECT count(*) FROM django_store_datastore").fetchall()
    assert roots == (2,)


@pytest.mark.parametrize(("folder", "what"), [("Square", "result Square/"), (".values", "value kept.npy")])
def test_results_that_cannot_be_copied_are_told_before_a_record_changes(lab, other, folder, what):
    """A file stands where a folder must be; the merge is completed when it is moved away."""
    (other.root / "data" / "run_dump" / ".values").mkdir(exist_ok=True)
    (other.root / "data" / "run_dump" / ".values" / "kept.npy").write_bytes(b"x")
    place = lab.root / "data" / "run_dump" / folder
    shutil.rmtree(place, ignore_errors=True)
    place.write_text("a file")
    with pytest.raises(StorageError, match=f"Cannot copy the {what}"):
        merge(lab.project, other.root, data=True)
    assert len(RSView(lab.project)) == 3
    place.unlink()
    assert len(merge(lab.project, other.root, data=True).added) == 1


def test_results_that_are_copied_by_hand_are_linked_by_rebuild(lab, other):
    """The way for those who have only the files."""
    results = other.root / "data" / "run_dump" / "Square"
    shutil.copytree(results, lab.root / "data" / "run_dump" / "Square", dirs_exist_ok=True)
    merge(lab.project, other.root / ".smt" / "records")
    rebuild(lab.project)
    assert lab.tasks.Square(5.0).load() == 25.0
    assert verify(lab.project).problems == []


def test_a_run_that_may_go_on_is_left_out(lab, other):
    """It comes with a later merge; one that ended there ends here too."""
    store = other.project.records
    running = replace(records(other.project)[lab.ramp.record.label], label="later", status="running")
    store.open_record(replace(running, output_data=()))
    assert merge(lab.project, other.root).running == ["later"]
    lab.project.records.open_record(replace(running, output_data=()))
    store.close_record("later", status="finished", duration_s=2.5, stdout_stderr="done")
    done = merge(lab.project, other.root)
    assert (done.running, done.updated) == ([], ["later"])
    ours = lab.project.records.get("later")
    assert (ours.status, ours.duration_s, ours.stdout_stderr) == ("finished", 2.5, "done")
    assert lab.project.records.open_runs() == []


def test_records_of_sumatra_come_as_they_are(lab, tmp_path):
    """Parameters, launch mode, data files and digests of its own; Sumatra shows the same for them."""
    root = tmp_path / "plain"
    root.mkdir()
    (root / "main.py").write_text("import sys\nopen('out.txt', 'w').write(open(sys.argv[1]).read())\n")
    (root / "run.param").write_text("sigma = 0.25\nname = 'first'\n")
    (root / ".gitignore").write_text(".smt\nout.txt\nData\n")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "Begin")
    project = SimpleNamespace(root=root)
    smt(project, "init", "plain")
    smt(project, "run", "-e", sys.executable, "-m", "main.py", "-l", "first", "-r", "why", "run.param")
    done = merge(lab.project, root)
    assert done.added == ["first"]
    ours, theirs = (smt(place, "list", "-l").splitlines() for place in (lab.project, project))
    assert "sigma" in "".join(theirs)
    assert [line for line in theirs if line not in ours] == []
    record = RSView(lab.project)["first"]
    assert (record.reason, record.status) == ("why", "finished")
    assert merge(lab.project, root).n_equal == 1


def test_records_of_several_projects_in_one_store_are_told_apart(lab, tmp_path):
    """Whose are meant must be said; a name that is not there is told with those that are."""
    path = tmp_path / "shared"
    for name, x in (("first", "a"), ("second", "b")):
        store = SQLiteRecordStore(path, name, input_root="/", output_root="/")
        record = lab.project.records.get(lab.ramp.record.label)
        store.open_record(replace(record, label=x, timestamp=datetime(2026, 1, 1, tzinfo=UTC)))
        store.close()
    with pytest.raises(InputError, match="has the records of 2 projects") as caught:
        merge(lab.project, path)
    assert "'first', 'second'" in str(caught.value)
    with pytest.raises(InputError, match="no records of a project 'third'"):
        merge(lab.project, path, source_project="third")
    assert merge(lab.project, path, source_project="second").added == ["b"]
    assert lab.project.records.has("b")


def test_a_source_that_is_none_is_refused(lab, tmp_path):
    """So is the store itself, a file of something else, and --data without results."""
    with pytest.raises(InputError, match="There is no record store at"):
        merge(lab.project, tmp_path / "nothing")
    for itself in (lab.root, lab.root / ".smt" / "records"):
        with pytest.raises(InputError, match="is the record store of this project"):
            merge(lab.project, itself)
    (tmp_path / "text").write_text("no database " * 100)
    with pytest.raises(RecordStoreError, match="is damaged"):
        merge(lab.project, tmp_path / "text")
    with closing(sqlite3.connect(tmp_path / "foreign")) as connection, connection:
        connection.execute("CREATE TABLE x (y)")
    with pytest.raises(RecordStoreError, match="another schema than Sumatra 0.8"):
        merge(lab.project, tmp_path / "foreign")
    lab.project.records.close()
    shutil.copyfile(lab.root / ".smt" / "records", tmp_path / "copy")
    with pytest.raises(InputError, match="has records alone, no results"):
        merge(lab.project, tmp_path / "copy", data=True)


def test_a_project_without_records_takes_all(lab, tmp_path):
    """Its record store is made; there is nothing to keep a copy of."""
    with scratch_project(tmp_path / "empty", record_store=False) as empty:
        done = merge(empty.project, lab.root)
        assert (len(done.added), done.backup) == (3, "")
        assert records(empty.project).keys() == records(lab.project).keys()
        assert len(lab.project.records.labels(Selection())) == 3


def test_a_record_that_sumatra_edited_is_the_same_run(lab, other):
    """It writes the parameters anew, in its own words."""
    label = lab.ramp.record.label
    smt(other.project, "comment", label, "good")
    smt(other.project, "tag", "best", label)
    done = merge(lab.project, other.root)
    assert (done.updated, done.collisions) == ([label], [])
    ours = lab.project.records.get(label)
    assert (ours.outcome, ours.tags) == ("good", {"best"})
    assert doubled(lab.project) == []


def test_a_merge_with_results_that_is_killed_is_completed(lab, other):
    """What was copied has its outputs; the rest comes with the next."""
    results = other.root / "data" / "run_dump" / "Ramp"
    with use_project(other.project):
        for n in range(20):
            other.load("tasks").Ramp(float(n)).run()
    other.forget_modules()
    code = (
        "import os, sys; from smttask.care import transfer; from smttask.care.merge import merge\n"
        "from smttask.project import get_project\n"
        "copy, left = transfer._copy, [25]\n"
        "def dying(*paths):\n"
        "    copy(*paths); left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), 9)\n"
        "transfer._copy = dying\n"
        "merge(get_project(sys.argv[1]), sys.argv[2], data=True)"
    )
    killed = subprocess.run([sys.executable, "-c", code, lab.root, other.root], check=False)
    assert killed.returncode == -9
    n_left = 22 - len(list((lab.root / "data" / "run_dump").glob("*/*.json")))
    assert n_left > 0
    merge(lab.project, other.root, data=True)
    here = lab.root / "data" / "run_dump" / "Ramp"
    assert sorted(path.name for path in here.iterdir()) == sorted(path.name for path in results.iterdir())
    assert verify(lab.project).problems == []
