"""Results are found by their inputs and code, and come back as they were."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest

from smttask.errors import DamagedResultError, ResultNotFoundError, StorageError
from smttask.formats.pickle import PickleFormat
from smttask.storage.datastore import DataStore
from smttask.storage.layout import Key

LATER = timedelta(seconds=1)
CODE_A, CODE_B, CODE_C = "a" * 40, "b" * 40, "c" * 40


def test_a_stored_result_is_found_and_loaded(scratch):
    """What was committed is found by its key and comes back the same."""
    assert scratch.find() is None
    head = scratch.put((1.0, "x"))
    assert scratch.find() == head
    assert scratch.value() == (1.0, "x")
    assert head.label == "20261122-101500-123456_3f9c1b"
    assert scratch.store.read_rest(head) == {}


def test_golden_tree_of_files(scratch, a_key, started):
    """The files of a result have the names that the documentation shows."""
    with scratch.store.start(a_key(), started) as run:
        run.save_output("mean", 1.5)
        run.save_output("field", np.zeros(100))
        run.save_output("note", "x" * 20_000)
        run.commit(task="lab.Analyze", code=CODE_A, rest={})
    scratch.put(code=CODE_B, started=started + LATER)
    link = "Analyze/3f9c1b00112233445566.json"
    older = "Analyze/.older/3f9c1b00112233445566.257d414fad94.json"
    assert scratch.files() == [
        older,
        link,
        "run_dump/Analyze/20261122-101500-123456_3f9c1b.json",
        "run_dump/Analyze/20261122-101500-123456_3f9c1b_field.npy",
        "run_dump/Analyze/20261122-101500-123456_3f9c1b_note.txt",
        "run_dump/Analyze/20261122-101501-123456_3f9c1b.json",
    ]
    data = scratch.store.input_dir
    assert os.readlink(data / link) == "../run_dump/Analyze/20261122-101501-123456_3f9c1b.json"
    assert os.readlink(data / older) == "../../run_dump/Analyze/20261122-101500-123456_3f9c1b.json"


def test_the_result_by_the_same_code_is_preferred(scratch, started):
    """Results of several versions are kept, and going back to old code finds the old result."""
    for n, code in enumerate((CODE_A, CODE_B)):
        scratch.put(n, code=code, started=started + n * LATER)
    assert scratch.value(code=CODE_A) == 0
    assert scratch.value(code=CODE_B) == 1
    head = scratch.find(code=CODE_C)
    assert (head.code, scratch.store.load_output(head)) == (CODE_B, 1)


def test_recomputing_replaces_what_is_found_but_keeps_the_run(scratch, started):
    """A second run of the same inputs and code is the one found; the first stays in the output store."""
    for n, code in enumerate((CODE_A, CODE_B, CODE_A)):
        scratch.put(n, code=code, started=started + n * LATER)
    assert scratch.value(code=CODE_A) == 2
    assert scratch.value(code=CODE_B) == 1
    assert len([name for name in scratch.files() if name.startswith("run_dump")]) == 3
    assert len([name for name in scratch.files() if ".older" in name]) == 1


def test_other_full_inputs_are_a_hit_only_if_they_are_the_same_all_the_same(scratch, a_key, started):
    """A result by another default is found only when its manifest says that nothing differs."""
    scratch.put("old", a_key(full="1" * 40), inputs={"x": 1})
    new = a_key(full="2" * 40)
    assert scratch.find(new) is None
    asked = []
    assert scratch.value(new, is_same=lambda rest: asked.append(rest) or True) == "old"
    assert asked == [{"inputs": {"x": 1}}]
    scratch.put("new", new, started=started + LATER)
    assert scratch.value(new) == "new"
    assert scratch.value(a_key(full="1" * 40)) == "old"


def test_same_code_wins_over_newer(scratch, a_key, started):
    """Where the latest result has other inputs, one by the same code comes before a newer one."""
    scratch.put("same code", a_key(full="1" * 40), code=CODE_A, same=True)
    scratch.put("newer", code=CODE_B, started=started + LATER)
    scratch.put("another default", a_key(full="2" * 40), code=CODE_A, started=started + 2 * LATER, same=False)
    assert scratch.value(code=CODE_A, is_same=lambda rest: rest["same"]) == "same code"
    assert scratch.value(code=CODE_A) == "newer"
    assert scratch.value(a_key(full="3" * 40), code=CODE_A) is None


def test_suffixes_and_folders_do_not_meet(scratch, a_key):
    """Results of other folders and suffixes are other results."""
    scratch.put(1)
    scratch.put(2, a_key(suffix="__n_5"))
    scratch.put(3, a_key(folder="Other"))
    assert [scratch.value(), scratch.value(a_key(suffix="__n_5")), scratch.value(a_key(folder="Other"))] == [
        1,
        2,
        3,
    ]


def test_the_iterations_of_a_task_are_listed(scratch, a_key, started):
    """Those stored for a digest are found by one listing, and older results of one stay apart."""
    assert list(scratch.store.iterations(a_key(), "n").below(99)) == []
    assert scratch.store.iterations(a_key(), "n").stamp() == 0
    for i, n in enumerate([10, 5, 7]):
        scratch.put(n, a_key(suffix=f"__n_{n}"), started=started + i * LATER)
    scratch.put(70, a_key(suffix="__n_7"), code=CODE_B, started=started + 4 * LATER)
    scratch.put(1, a_key(digest="77" * 10, suffix="__n_1"))
    assert list(scratch.store.iterations(a_key(), "n").below(99)) == [10, 7, 5]
    assert list(scratch.store.iterations(a_key(), "n").below(10)) == [7, 5]
    stamp = scratch.store.iterations(a_key(), "n").stamp()
    assert scratch.value(a_key(suffix="__n_7"), code=CODE_B) == 70
    assert scratch.value(a_key(suffix="__n_7")) == 7
    assert scratch.store.invalidate(a_key(suffix="__n_7"))
    assert list(scratch.store.iterations(a_key(), "n").below(11)) == [10, 5]
    assert scratch.store.iterations(a_key(), "n").stamp() >= stamp > 0


def test_iterations_that_cannot_be_listed_are_no_miss(scratch, a_key):
    """A file where the folder should be is an error that names it."""
    (scratch.store.input_dir / "Analyze").mkdir(parents=True)
    (scratch.store.input_dir / "Analyze" / a_key().digest).write_text("in the way")
    with pytest.raises(StorageError, match="Cannot look for iterations of Analyze 3f9c1b"):
        scratch.store.iterations(a_key(), "n").below(5)


def test_invalidating_unlinks_every_version_and_keeps_the_runs(scratch, key, started):
    """After `invalidate` nothing is found, by any code; the runs are still in the output store."""
    scratch.put(1, code=CODE_A)
    scratch.put(2, code=CODE_B, started=started + LATER)
    assert scratch.store.invalidate(key)
    assert not scratch.store.invalidate(key)
    assert scratch.find(code=CODE_A) is None
    assert len(scratch.files()) == 2


@pytest.mark.parametrize("deleted", ["Analyze/*.json", "run_dump/Analyze/*.json", "run_dump/Analyze/*.npy"])
def test_deleted_files_are_an_ordinary_miss(deleted, scratch):
    """Whatever the user deletes, the result is computed anew and nothing is reported."""
    scratch.put(np.arange(3))
    next(scratch.store.input_dir.glob(deleted)).unlink()
    assert scratch.find() is None
    assert scratch.told == []
    scratch.put(np.arange(4))
    assert scratch.value().tolist() == [0, 1, 2, 3]


def test_a_file_deleted_between_look_up_and_load_is_not_found(scratch):
    """The error of loading says that the file was deleted."""
    head = scratch.put(np.arange(3))
    head.output_path("").unlink()
    with pytest.raises(ResultNotFoundError, match=r"(?s)is gone.*was deleted.*run the task again"):
        scratch.store.load_output(head)
    with pytest.raises(ResultNotFoundError, match=r"(?s)has no output 'y'.*\[''\]"):
        scratch.store.load_output(head, "y")


def test_loaded_arrays_cannot_be_changed(scratch):
    """No holder of a stored array can spoil it for another, mapped or not."""
    head = scratch.put(np.arange(3.0))
    for options in ({}, {"mmap": True}, {"verify": "size"}):
        array = scratch.store.load_output(head, **options)
        assert not array.flags.writeable
        assert array.tolist() == [0, 1, 2]


def test_a_pickle_is_loaded_only_if_declared(scratch, key, started):
    """A pickle that a manifest names is not opened unless the task's own code asked for one."""
    with scratch.store.start(key, started) as run:
        run.save_output("", {1, 2}, format=PickleFormat())
        head = run.commit(task="t", code=CODE_A, rest={})
    with pytest.raises(DamagedResultError, match="a pickle, which its task does not declare"):
        scratch.store.load_output(head)
    assert scratch.store.load_output(head, allow_pickle=True) == {1, 2}


@dataclass
class Point:
    x: float


def test_a_whole_result_whose_class_is_gone_is_not_damaged(scratch, monkeypatch):
    """A renamed class makes a result unloadable for now; it is not set aside, and found again later."""
    head = scratch.put(Point(1.5))
    assert scratch.value() == Point(1.5)
    monkeypatch.delitem(globals(), "Point")
    with pytest.raises(
        StorageError, match=r"(?s)whole but cannot be loaded as json.*Point.*go back to the code"
    ):
        scratch.store.load_output(head)
    many = [1.5] * 10_000
    head = scratch.put(many)
    monkeypatch.setattr("smttask.formats.json.from_json", lambda tree: int("x"))
    with pytest.raises(StorageError, match="whole but cannot be loaded"):
        scratch.store.load_output(head)


def test_a_read_only_store_still_serves_hits(scratch, read_only):
    """Results on a read-only disk are found and loaded; only storing fails, and says why."""
    scratch.put(np.arange(3))
    read_only(scratch.store.input_dir)
    assert scratch.value().tolist() == [0, 1, 2]
    with pytest.raises(
        StorageError, match=r"(?s)Cannot start a run.*Read-only file system.*mount it writable"
    ):
        scratch.put()
    with pytest.raises(StorageError, match="Cannot invalidate"):
        scratch.store.invalidate(Key("Analyze", "3f9c1b00112233445566"))


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path, scratch, started, key):
    """A store that cannot be read or made says what stands in its way."""
    (tmp_path / "file").write_text("x")
    store = DataStore(tmp_path / "file", tmp_path / "out")
    assert store.find(key, CODE_A, bool) is None
    with (
        pytest.raises(StorageError, match=r"(?s)Cannot store the result.*move it away"),
        store.start(key, started) as run,
    ):
        run.save_output("", 1)
        run.commit(task="t", code=CODE_A, rest={})
    store = DataStore(tmp_path / "in", tmp_path / "file")
    with pytest.raises(StorageError, match="Cannot start a run of Analyze"):
        store.start(key, started)


def test_a_store_that_cannot_be_read_is_no_miss(scratch):
    """A result that may be there and cannot be looked at is an error, not computed anew without a word."""
    scratch.put().path.chmod(0)
    child = os.fork()
    if not child:
        status = 1
        try:
            if os.geteuid() == 0:  # to whom every file is readable
                os.setuid(65534)
            scratch.find()
        except StorageError as error:
            status = 0 if "Cannot look for Analyze 3f9c" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_stores_may_be_links_to_other_disks(tmp_path, scratch, key):
    """The output store may be a symbolic link; the links of results lead through it."""
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "run_dump").symlink_to(tmp_path / "far" / "away")
    head = scratch.put(np.arange(3))
    assert scratch.value().tolist() == [0, 1, 2]
    assert head.path.parent == tmp_path / "far" / "away" / "Analyze"


def test_paths_with_spaces_and_other_letters_work(tmp_path, key, started):
    """Stores may lie in folders of any name."""
    store = DataStore(tmp_path / "my d\u00e4ta \u6f22", tmp_path / "my d\u00e4ta \u6f22" / "runs x")
    with store.start(key, started) as run:
        run.save_output("", np.arange(3))
        run.commit(task="t", code=CODE_A, rest={})
    assert store.load_output(store.find(key, CODE_A, bool)).tolist() == [0, 1, 2]
