"""Data files as inputs."""

import os
import pickle
import time

import pytest

from smttask.errors import InputError
from smttask.identity import canonical_bytes
from smttask.typing import InputFile
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
