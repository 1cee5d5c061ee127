"""Files and folders as they are now."""

import os
import shutil
import time

import pytest

from smttask import hashing
from smttask.errors import StorageError
from smttask.tasker import looking
from smttask.tasker.looking import Look
from smttask.typing import InputDir, InputFile

OLD = (1_700_000_000_123_456_789,) * 2


def old_file(path, text="1,2"):
    path.write_text(text)
    os.utime(path, ns=OLD)
    return str(path)


@pytest.fixture
def hashed(monkeypatch):
    """Paths of the files that are hashed; nothing is remembered but what states hold."""
    paths = []

    def digest(path):
        paths.append(os.path.basename(path))
        hashing._known.clear()
        return hashing.file_digest(path)

    monkeypatch.setattr(looking, "file_digest", digest)
    return paths


def test_a_file_that_looks_the_same_is_not_hashed(tmp_path, hashed):
    """Size, time and inode as known: the known state itself comes back, and the file is not opened."""
    path = old_file(tmp_path / "x.csv")
    known = Look().now(path, None)
    assert known[:3] == (3, OLD[0], os.stat(path).st_ino)
    assert known.blake3 == InputFile(path).digest
    assert Look().now(path, known) is known
    assert hashed == ["x.csv"]


def test_a_touched_file_is_hashed_once(tmp_path, hashed):
    """Touched but unchanged: the same digest with the new time, which is then known."""
    path = old_file(tmp_path / "x.csv")
    known = Look().now(path, None)
    os.utime(path, ns=(OLD[0], OLD[0] + 1))
    touched = Look().now(path, known)
    assert touched == known._replace(mtime_ns=OLD[0] + 1)
    assert Look().now(path, touched) is touched
    assert hashed == ["x.csv", "x.csv"]


def test_a_file_is_looked_at_once(tmp_path, hashed):
    """Within one bringing up to date each file is looked at once, until a task may have changed it."""
    path = old_file(tmp_path / "x.csv")
    look = Look()
    first = look.now(path, None)
    old_file(tmp_path / "x.csv", "3,4")
    assert look.now(path, None) is first
    look.forget([path])
    assert look.now(path, None).blake3 != first.blake3


def test_another_version_put_in_place_is_noticed(tmp_path):
    """`cp -p` of another version and `mv` of an older file change what is seen."""
    path = old_file(tmp_path / "x.csv", "1,2")
    known = Look().now(path, None)
    other = old_file(tmp_path / "y.csv", "3,4")
    os.utime(other, ns=(OLD[0] - 10**10, OLD[0] - 10**10))
    shutil.copy2(other, path)
    assert Look().now(path, known).blake3 != known.blake3
    other = old_file(tmp_path / "y.csv", "5,6")  # same size and time, another file
    os.replace(other, path)
    assert Look().now(path, known).blake3 == InputFile(path).digest != known.blake3


def test_a_young_file_is_hashed_again(tmp_path):
    """A file edited right after it was looked at, within one tick of the clock, is noticed."""
    path = tmp_path / "x.csv"
    path.write_text("1,2")
    os.utime(path, ns=(time.time_ns(),) * 2)
    known = Look().now(str(path), None)
    assert known.mtime_ns == -1
    stat = path.stat()
    path.write_text("3,4")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert Look().now(str(path), known).blake3 != known.blake3
    os.utime(path, ns=(0, (time.time_ns() // 10**9 - 1) * 10**9))  # as a file system of whole seconds has it
    assert Look().now(str(path), None).mtime_ns == -1


def test_a_file_of_the_far_future_is_no_young_one(tmp_path):
    """A wrong clock makes a file known once and for all, not hashed each time."""
    path = old_file(tmp_path / "x.csv")
    os.utime(path, ns=(0, time.time_ns() + 10**18))
    known = Look().now(path, None)
    assert Look().now(path, known) is known


def test_outputs_are_known_without_being_read_again(tmp_path, hashed):
    """What a format wrote with its digest is not hashed; a file that the task wrote itself is."""
    path = str(tmp_path / "x.csv")
    look = Look()
    assert look.made(path) is None
    (tmp_path / "x.csv").write_text("1,2")
    made = look.made(path, "ab" * 32)
    assert (made.size, made.mtime_ns, made.blake3) == (3, os.stat(path).st_mtime_ns, "ab" * 32)
    assert hashed == []
    made = look.made(path)
    assert look.now(path, None) is made
    assert made.blake3 == InputFile(path).digest


def test_times_are_told_without_hashing(tmp_path, hashed):
    """Where only times count nothing is hashed, be it a file or a folder."""
    path = old_file(tmp_path / "x.csv")
    assert Look().stat(path)[:4] == (3, OLD[0], os.stat(path).st_ino, "")
    assert Look().stat(str(tmp_path)).mtime_ns == OLD[0]
    assert Look().stat(str(tmp_path / "nix")) is None
    assert hashed == []


def test_what_is_not_there_is_none(tmp_path):
    """No file, a link that leads nowhere, a file where a folder should be: nothing is there."""
    os.symlink("nowhere", tmp_path / "link")
    path = old_file(tmp_path / "x.csv")
    known = Look().now(path, None)
    for name in ("nix", "link", "x.csv/deeper"):
        assert Look().now(str(tmp_path / name), known) is None


def test_a_link_is_the_file_it_leads_to(tmp_path):
    """A link that leads elsewhere now is noticed."""
    one, two = old_file(tmp_path / "1", "a"), old_file(tmp_path / "2", "b")
    link = tmp_path / "link"
    os.symlink(one, link)
    known = Look().now(str(link), None)
    link.unlink()
    os.symlink(two, link)
    assert Look().now(str(link), known).blake3 == InputFile(two).digest != known.blake3


def test_a_folder_is_its_files(tmp_path, hashed):
    """A folder is hashed as an `InputDir`, again only when some file in it looks different."""
    (tmp_path / "raw/deep").mkdir(parents=True)
    for name in ("a", "deep/b"):
        old_file(tmp_path / "raw" / name)
    path = str(tmp_path / "raw")
    known = Look().now(path, None)
    assert known.blake3 == InputDir(path).digest
    assert (known.size, known.mtime_ns) == (6, OLD[0])
    assert Look().now(path, known) is known
    os.utime(tmp_path / "raw/deep/b", ns=(OLD[0], OLD[0] - 1))
    touched = Look().now(path, known)
    assert touched.blake3 == known.blake3
    assert Look().now(path, touched) is touched
    old_file(tmp_path / "raw/deep/b", "3,4,5")
    assert Look().now(path, known).blake3 == InputDir(path).digest != known.blake3
    assert Look().made(path).blake3 == InputDir(path).digest
    assert sorted(set(hashed)) == ["a", "b"]


def test_files_added_and_removed_change_a_folder(tmp_path):
    """Names count: a file added, removed or renamed is another folder, empty folders are none."""
    (tmp_path / "raw").mkdir()
    old_file(tmp_path / "raw/a")
    path = str(tmp_path / "raw")
    known = Look().now(path, None)
    os.rename(tmp_path / "raw/a", tmp_path / "raw/b")
    assert Look().now(path, known).blake3 != known.blake3
    os.rename(tmp_path / "raw/b", tmp_path / "raw/a")
    (tmp_path / "raw/empty").mkdir()
    assert Look().now(path, known) is known


def test_states_of_taskers_do_not_count_in_folders(tmp_path):
    """A folder that has a Tasker of its own does not change when its tasks write their states."""
    (tmp_path / "movie/.tasker").mkdir(parents=True)
    old_file(tmp_path / "movie/a.txt")
    known = Look().now(str(tmp_path / "movie"), None)
    (tmp_path / "movie/.tasker/f.json").write_text("{}")
    assert Look().now(str(tmp_path / "movie"), known) is known


def test_what_tasks_store_in_a_folder_does_not_count_there(tmp_path):
    """Results beside data are no change of the data, nor half-written ones; a stored folder counts whole."""
    folder = tmp_path / "movie"
    (folder / "out").mkdir(parents=True)
    old_file(folder / "a.txt")
    stored = {str(folder / "sum.json"), str(folder / "out")}
    known = Look(lambda: stored).now(str(folder), None)
    for name in ("sum.json", ".sum.json.12-3-abcdef.part", "out/b.txt"):
        (folder / name).write_text("{}")
    assert Look(lambda: stored).now(str(folder), known) is known
    assert Look(lambda: stored).stat(str(folder)).size == 3
    (folder / "sum.json.txt").write_text("{}")
    assert Look(lambda: stored).now(str(folder), known).blake3 != known.blake3
    assert Look(lambda: {str(folder), *stored}).now(str(folder), None).blake3 == InputDir(folder).digest


def test_a_file_becomes_a_folder(tmp_path):
    """A folder in place of a file, and the other way round, is another content."""
    path = str(tmp_path / "x")
    os.mkdir(path)
    folder = Look().now(path, None)
    os.rmdir(path)
    old_file(tmp_path / "x", "1")
    file = Look().now(path, folder)
    assert file.blake3 != folder.blake3
    os.unlink(path)
    os.mkdir(path)
    assert Look().now(path, file).blake3 == folder.blake3


def test_pipes_are_refused(tmp_path):
    """A pipe, which would be read for ever, is an error that says so."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="(?s)cannot be read.*a pipe or a device.*files and folders"):
        Look().now(str(tmp_path / "pipe"), None)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    """A link that leads to itself is told as such, not taken for a missing file."""
    os.symlink("loop", tmp_path / "loop")
    with pytest.raises(StorageError, match="(?s)input or output of a task, cannot be read.*Too many.*link"):
        Look().now(str(tmp_path / "loop"), None)
    (tmp_path / "raw").mkdir()
    os.symlink("nowhere", tmp_path / "raw/link")
    with pytest.raises(StorageError, match="a link that leads nowhere"):
        Look().now(str(tmp_path / "raw"), None)
    with pytest.raises(StorageError, match="cannot be read"):
        Look().stat(str(tmp_path / "raw"))


def test_files_that_come_and_go_in_a_folder_are_no_end(tmp_path, monkeypatch):
    """A folder whose files vanish while it is looked at is looked at again."""
    (tmp_path / "raw").mkdir()
    for name in ("a", "b"):
        old_file(tmp_path / "raw" / name)

    def digest(path):
        (tmp_path / "raw/b").unlink(missing_ok=True)
        return hashing.file_digest(path)

    monkeypatch.setattr(looking, "file_digest", digest)
    seen = Look().now(str(tmp_path / "raw"), None)
    assert seen.blake3 == InputDir(tmp_path / "raw").digest
    assert seen.size == 3


def test_a_file_that_vanishes_while_it_is_looked_at_is_not_there(tmp_path, monkeypatch):
    """Between looking and hashing a file may go away: then it is missing."""
    path = old_file(tmp_path / "x.csv")

    def digest(path):
        os.unlink(path)
        return hashing.file_digest(path)

    monkeypatch.setattr(looking, "file_digest", digest)
    assert Look().now(path, None) is None


def test_names_in_any_encoding(tmp_path):
    """A file whose name is no UTF-8 is looked at like any other, also in a folder."""
    name = os.fsdecode(b"\xe9t\xe9.txt")
    path = old_file(tmp_path / name)
    assert Look().now(path, None).size == 3
    assert Look().now(str(tmp_path), None).size == 3
