"""Data files as inputs."""

import os
import pickle
import shutil
import time

import pytest

from smttask import hashing
from smttask.errors import InputError
from smttask.identity import canonical_bytes
from smttask.typing import InputDir, InputFile
from smttask.typing.jsonform import from_json, to_json
from smttask.typing.validation import Validator


def test_a_file_is_its_name_and_content(tmp_path):
    """An input file counts by name without folder and content, wherever it lies."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text("1,2")
    one, two = InputFile(tmp_path / "a/x.csv"), InputFile(tmp_path / "b/x.csv")
    assert one != two
    assert canonical_bytes(one) == canonical_bytes(two)
    (tmp_path / "b/x.csv").write_text("1,3")
    assert canonical_bytes(one) != canonical_bytes(InputFile(tmp_path / "b/x.csv"))


def test_a_change_is_noticed_by_content(tmp_path):
    """A touched file is unchanged, an edited or deleted one is not; the digest stays fixed."""
    path = tmp_path / "x.csv"
    path.write_text("1,2")
    file = InputFile(path)
    os.utime(path, (1, 1))
    assert not file.changed()
    path.write_text("1,3")
    assert file.changed()
    path.unlink()
    assert file.changed()


def test_an_old_file_is_read_once(tmp_path):
    """A file that looks the same is not hashed again; one edited within a tick of the clock is."""
    path = tmp_path / "x.csv"
    path.write_text("1,2")
    InputFile(path)
    stat = path.stat()
    path.write_text("9,9")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert InputFile(path).digest != InputFile(path, "0" * 64).digest
    old_ns = time.time_ns() - 10**10
    os.utime(path, ns=(old_ns, old_ns))
    digest = InputFile(path).digest
    path.write_text("8,8")
    os.utime(path, ns=(old_ns, old_ns))
    assert InputFile(path).digest == digest


def test_what_is_remembered_of_files_is_bounded(tmp_path, monkeypatch):
    """A long session over many files does not grow without end."""
    monkeypatch.setattr(hashing, "_MAX_KNOWN", 3)
    for n in range(8):
        path = tmp_path / str(n)
        path.write_text("1,2")
        os.utime(path, (1, 1))
        assert not InputFile(path).changed()
    assert 0 < len(hashing._known) <= 3


def test_input_files_are_paths(tmp_path, monkeypatch):
    """An input file opens like a path, is made absolute, pickles, and cannot be changed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("1,2")
    file = Validator(InputFile)("x.csv")
    assert file.path == tmp_path / "x.csv"
    with open(file) as opened:
        assert opened.read() == "1,2"
    assert pickle.loads(pickle.dumps(file)) == file
    assert len({file, InputFile("x.csv")}) == 1
    assert str(file) in repr(file)
    with pytest.raises(AttributeError, match="fixed"):
        file.path = "y"


def test_a_missing_file_is_named(tmp_path):
    """A file that is not there is an error with its path, also deep in the data."""
    with pytest.raises(InputError, match="cannot be read"):
        InputFile(tmp_path / "nope")
    with pytest.raises(InputError, match="No such file") as caught:
        Validator(list[InputFile], place="files")([tmp_path / "nope"])
    assert caught.value.place == "files[0]"
    with pytest.raises(InputError, match="not a int"):
        Validator(InputFile)(3)


def test_a_pipe_or_a_device_is_no_input_file(tmp_path):
    """What can be read for ever, or not at all, is refused at once."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(InputError, match="a pipe or a device, no file"):
            InputFile(path)


@pytest.fixture
def folder(tmp_path):
    """A folder with files at two levels."""
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "a.csv").write_text("1,2")
    (tmp_path / "data" / "raw" / "b.csv").write_text("3,4")
    return tmp_path / "data"


def test_a_folder_is_the_names_and_contents_below_it(folder):
    """An input folder counts by what is in it, not by its own name, empty folders or file managers."""
    digest = canonical_bytes(InputDir(folder))
    twin = folder.rename(folder.with_name("elsewhere"))
    (twin / "empty").mkdir()
    (twin / ".DS_Store").write_text("x")
    assert canonical_bytes(InputDir(twin)) == digest
    (twin / "a.csv").rename(twin / "c.csv")
    assert canonical_bytes(InputDir(twin)) != digest
    (twin / "c.csv").rename(twin / "raw" / "a.csv")
    assert canonical_bytes(InputDir(twin)) != digest


def test_changes_in_a_folder_are_noticed(folder):
    """An edited, added, renamed or deleted file is a change; a touched one is not."""
    given = InputDir(folder)
    os.utime(folder / "a.csv", (1, 1))
    assert not given.changed()
    (folder / "raw" / "b.csv").write_text("5")
    assert given.changed()
    assert InputDir(folder).digest != given.digest
    (folder / "raw" / "b.csv").write_text("3,4")
    assert not given.changed()
    (folder / "new.csv").write_text("")
    assert given.changed()
    shutil.rmtree(folder)
    assert given.changed()


def test_input_folders_are_paths_and_values(folder, monkeypatch):
    """A folder is made absolute, lists its files, goes through JSON and pickles, and cannot be changed."""
    monkeypatch.chdir(folder.parent)
    given = Validator(InputDir)("data")
    assert given.path == folder
    assert [path.name for path, _ in given.files] == ["a.csv", "b.csv"]
    assert from_json(to_json(given)) == pickle.loads(pickle.dumps(given)) == given
    form = to_json(given, root=folder.parent)
    assert form["$inputdir"]["path"] == {"project": "data"}
    assert from_json(form, root=folder.parent) == given
    assert given != InputFile(folder / "a.csv")
    with pytest.raises(AttributeError, match="InputDir is fixed"):
        given.digest = ""


def test_links_in_a_folder_are_followed(folder):
    """What a link leads to counts as if it lay there; a loop and a dead link are errors."""
    digest = InputDir(folder).digest
    (folder / "raw").rename(folder.parent / "raw")
    (folder / "raw").symlink_to(folder.parent / "raw")
    assert InputDir(folder).digest == digest
    (folder / "raw" / "up").symlink_to(folder)
    with pytest.raises(InputError, match="contains itself by a link"):
        InputDir(folder)
    (folder / "raw" / "up").unlink()
    (folder / "dead").symlink_to("nowhere")
    with pytest.raises(InputError, match="a link that leads nowhere"):
        InputDir(folder)


def test_what_is_no_folder_of_files_is_named(tmp_path):
    """A missing folder, a file, and a pipe in a folder are errors with their path."""
    with pytest.raises(InputError, match="Input folder .* cannot be read"):
        InputDir(tmp_path / "nope")
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(InputError, match="Not a directory"):
        Validator(list[InputDir], place="folders")([tmp_path / "x.csv"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        InputDir(tmp_path)
