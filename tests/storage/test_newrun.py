"""A run claims its label, writes its files, and leaves nothing half there."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pytest

from smttask.errors import OutputError, StorageError
from smttask.formats.pickle import PickleFormat
from smttask.storage.datastore import DataStore

CODE = "c" * 40


def test_labels_are_unique(scratch, key, started):
    """Runs that start in the same microsecond get labels of their own."""
    with scratch.store.start(key, started) as first, scratch.store.start(key, started) as second:
        assert first.label == "20261122-101500-123456_3f9c1b"
        assert second.label == "20261122-101500-123457_3f9c1b"
    committed = scratch.put()
    with scratch.store.start(key, started) as third:
        assert (committed.label, third.label) == (first.label, second.label)


def test_leaving_without_commit_removes_what_was_written(scratch, key, started):
    """A run whose function fails leaves no file, claimed or written."""
    with pytest.raises(RuntimeError), scratch.store.start(key, started) as run:
        run.save_output("", np.zeros(10))
        raise RuntimeError
    assert scratch.files() == []


def test_outputs_that_cannot_be_stored_leave_nothing(scratch, key, started):
    """An output that no format takes, or that its format refuses, is an error and leaves no file."""
    with scratch.store.start(key, started) as run:
        with pytest.raises(OutputError):
            run.save_output("", object())
        with pytest.raises((pickle.PicklingError, AttributeError)):
            run.save_output("", lambda: 0, format=PickleFormat())
        assert [name for name in scratch.files() if "pickle" in name] == []


def test_output_names_that_differ_by_case_get_two_files(scratch, key, started):
    """Outputs `x` and `X` do not overwrite each other on a Mac."""
    with scratch.store.start(key, started) as run:
        names = {run.save_output(name, np.zeros(3)).file.casefold() for name in ("x", "X", "a/b", "a:b")}
    assert len(names) == 4


@pytest.mark.parametrize(
    ("value", "ending", "content"),
    [({1: 2}, ".pickle", None), ((lambda: 0), ".txt", b"<function"), ("Bad()", ".txt", b"its repr raises")],
)
def test_a_value_that_does_not_fit_is_kept_although_the_run_failed(
    value, ending, content, scratch, key, started
):
    """The value stays as a pickle, else as text, where the error can name it."""

    class Bad:
        def __repr__(self):
            raise RuntimeError("no")

    with scratch.store.start(key, started) as run:
        path = run.keep_unfit(Bad() if value == "Bad()" else value)
    assert path.name == f"20261122-101500-123456_3f9c1b_unfit{ending}"
    if content is None:
        assert pickle.loads(path.read_bytes()) == value
    else:
        assert content in path.read_bytes()
    assert scratch.find() is None


@pytest.mark.parametrize("value", [1.5, np.arange(3.0)])
def test_a_store_deleted_during_a_run_is_made_anew(value, scratch, key, started):
    """Whoever empties the data folder while a long run computes does not lose its result."""
    with scratch.store.start(key, started) as run:
        shutil.rmtree(scratch.store.input_dir)
        run.save_output("", value)
        run.commit(task="t", code=CODE, rest={})
    np.testing.assert_equal(scratch.value(), value)


def test_durable_results_are_stored_the_same(scratch, key, started):
    """With `durability="power"` the same files are written, and flushed to the disk."""
    with scratch.store.start(key, started) as run:
        run.save_output("", np.arange(3))
        run.commit(task="t", code=CODE, rest={}, durability="power")
    assert scratch.value().tolist() == [0, 1, 2]


def test_pointer_files_serve_where_links_do_not_work(scratch, started, monkeypatch):
    """On a disk without symbolic links results of several versions are stored and found all the same."""

    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", no_links)
    scratch.put("a", code="a" * 40)
    scratch.put("b", code="b" * 40, started=started + timedelta(seconds=1))
    assert [scratch.value(code=code * 40) for code in "ab"] == ["a", "b"]
    assert not any(path.is_symlink() for path in scratch.store.input_dir.rglob("*"))


@contextmanager
def file_size_limit(n_bytes):
    """The system refuses to let files grow beyond `n_bytes`: EFBIG, much like a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    "value", [np.zeros(100_000), {"x": np.zeros(100_000)}, "x" * 800_000, list(range(100_000))]
)
def test_an_output_that_does_not_fit_on_the_disk_leaves_nothing(value, scratch, key, started):
    """When a file cannot grow, the error says so and nothing half-written is left, of any kind of file."""
    with file_size_limit(100_000):
        with pytest.raises(StorageError, match=r"(?s)Cannot store output ''.*File too large.*ulimit"):
            scratch.put(value)
        with pytest.raises(StorageError, match="Cannot keep the value"):
            scratch.store.put_value(value)
        with (
            pytest.raises(StorageError, match="Cannot keep the unfit"),
            scratch.store.start(key, started) as run,
        ):
            run.keep_unfit(value)
    assert scratch.files() == []


def test_a_manifest_that_does_not_fit_on_the_disk_leaves_the_old_result(scratch, started):
    """When the manifest cannot be written, the outputs of this run go too, and the old result stays."""
    scratch.put(1)
    files = scratch.files()
    with (
        file_size_limit(100_000),
        pytest.raises(StorageError, match=r"(?s)Cannot store the result.*too large"),
    ):
        scratch.put(np.zeros(10), started=started + timedelta(1), text="x" * 200_000)
    assert scratch.files() == files
    assert scratch.value() == 1


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path, key, started):
    """On a disk that is really full the error says to make room, and no rubbish takes what is left."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", tmp_path], check=False).returncode:
        return  # only root can mount; the limit on file sizes above tests the same path
    try:
        store = DataStore(tmp_path / "data", tmp_path / "data" / "run_dump")
        run = store.start(key, started)
        with pytest.raises(StorageError, match=r"(?s)No space left.*make room") as caught, run:
            run.save_output("", np.zeros(100_000))
        assert caught.value.errno == errno.ENOSPC
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_link_that_cannot_be_made_takes_the_result_back(scratch, key, started):
    """If the result could not be found later it is not kept: the error comes now."""
    (scratch.store.input_dir).mkdir()
    (scratch.store.input_dir / "Analyze").write_text("in the way")
    with pytest.raises(StorageError, match=r"(?s)Cannot store the result 20261122.*move it away"):
        scratch.put(np.zeros(3))
    assert scratch.files() == ["Analyze"]


def test_a_forked_child_that_leaves_does_not_remove_its_parents_files(scratch, key, started):
    """A function that forks, and whose child exits normally, still stores its result."""
    with scratch.store.start(key, started) as run:
        run.save_output("", np.arange(3))
        child = os.fork()
        if not child:
            try:
                run.__exit__(None, None, None)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        run.commit(task="t", code=CODE, rest={})
    assert scratch.value().tolist() == [0, 1, 2]


def test_threads_store_results_at_the_same_time(scratch, a_key, started):
    """Many threads commit results of one task and of one key, and all are found."""
    failures = []

    def work(n):
        try:
            for i in range(20):
                scratch.put(np.full(3, i), a_key(f"{i:020x}"), code=f"{n:040x}", started=started)
        except BaseException as failure:  # noqa: BLE001 - looked at below, in the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for i in range(20):
        for n in range(4):
            assert scratch.value(a_key(f"{i:020x}"), code=f"{n:040x}").tolist() == [i] * 3
            assert scratch.find(a_key(f"{i:020x}"), code=f"{n:040x}").code == f"{n:040x}"
