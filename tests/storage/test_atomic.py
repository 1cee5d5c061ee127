"""Files and links appear whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from smttask.hashing import hash_file
from smttask.storage import atomic
from smttask.storage.atomic import (
    create_link,
    is_unfinished,
    read_link,
    reading_error,
    remove_unfinished,
    replace_link,
    storage_error,
    unlink_if_there,
    write_folder_whole,
    write_whole,
)


def test_a_file_is_replaced_at_once(tmp_path):
    """A writer that fails leaves the old file and nothing beside it."""
    path = tmp_path / "x"
    write_whole(str(path), lambda file: file.write(b"old"))

    def fails(file):
        file.write(b"ne")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_whole(str(path), fails)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_what_a_killed_writer_left_is_known_and_removed(tmp_path):
    """Files and folders begun for a path go; the path itself, and what was begun for others, stay."""
    path = tmp_path / "x.npy"
    program = (
        "import os, sys\nfrom smttask.storage.atomic import write_folder_whole, write_whole\n"
        "def dies(place):\n    isinstance(place, str) and os.mkdir(place)\n    os._exit(0)\n"
        "(write_whole if sys.argv[2] == 'file' else write_folder_whole)(sys.argv[1], dies)"
    )
    for name, kind in [("x.npy", "file"), ("x.npy", "folder"), ("y", "file")]:
        subprocess.run([sys.executable, "-c", program, tmp_path / name, kind], check=True)
    path.write_text("")
    left = set(os.listdir(tmp_path)) - {"x.npy"}
    assert len(left) == 3
    assert all(map(is_unfinished, left))
    assert not any(map(is_unfinished, ["x.npy", ".x.part", "x.1-2-abcdef.part"]))
    remove_unfinished([str(path), str(tmp_path / "none" / "z")])
    (other,) = set(os.listdir(tmp_path)) - {"x.npy"}
    assert other.startswith(".y.")


def test_a_file_is_hashed_while_it_is_written(tmp_path):
    """Whoever writes a file need not read it to know its content digest."""
    path = str(tmp_path / "x")
    assert write_whole(path, lambda file: file.write(b"abc")) == hash_file(path)


def test_a_folder_is_replaced_whole(tmp_path):
    """A writer that fails leaves the old folder; one that does not leaves nothing of it."""
    path = tmp_path / "x"

    def saves(*names, fails=False):
        def save(folder):
            os.mkdir(folder)
            for name in names:
                (path.parent / folder / name).write_text("")
            if fails:
                raise RuntimeError

        return save

    write_folder_whole(str(path), saves("a"))
    with pytest.raises(RuntimeError):
        write_folder_whole(str(path), saves("b", fails=True))
    assert os.listdir(path) == ["a"]
    write_folder_whole(str(path), saves("c"))
    assert os.listdir(path) == ["c"]
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOENT, "see whether the name is right"),
        (errno.EACCES, "make it readable"),
        (errno.EISDIR, "name a file"),
        (errno.ELOOP, "take the link away"),
        (errno.EINVAL, "files and folders only"),
        (errno.EIO, "the disk is mounted and works"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(number, remedy):
    """The error names the file that the system refused, and keeps the system's number."""
    error = reading_error("It cannot be read.", "/lab/x", OSError(number, "refused", "/lab/x/y"))
    assert str(error).startswith("It cannot be read.\n  /lab/x/y: refused\n")
    assert remedy in str(error)
    assert error.errno == number


def test_links_are_made_once_and_replaced(tmp_path):
    """A link is made with its folder, only if nothing is there, and moved at once."""
    path = str(tmp_path / "deep" / "link")
    assert read_link(path) is None
    assert create_link("../a", path)
    assert not create_link("../b", path)
    replace_link("../b", path)
    assert (read_link(path), os.listdir(tmp_path / "deep")) == ("../b", ["link"])


def test_a_pointer_file_serves_where_links_do_not_work(tmp_path, monkeypatch):
    """On a disk without links a small file says where the result is."""

    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", no_links)
    path = tmp_path / "link"
    assert not create_link("../a", str(path))
    replace_link("../a", str(path))
    replace_link("../b", str(path))
    assert path.read_text() == '{"manifest": "../b"}\n'
    assert read_link(str(path)) == "../b"


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"manifest": 3}', "{}"])
def test_a_strange_file_is_no_link(content, tmp_path):
    """A file that is neither link nor pointer is an error, not a result."""
    (tmp_path / "link").write_text(content)
    with pytest.raises(ValueError, match="."):
        read_link(str(tmp_path / "link"))
    with pytest.raises(ValueError, match="no pointer file"):
        read_link(str(tmp_path))


def test_errors_of_the_system_say_what_to_do():
    """A full disk, a missing permission and the rest each get their remedy, and keep their number."""
    error = storage_error("Cannot store x.", "/data/x", OSError(errno.ENOSPC, "No space left on device"))
    assert str(error) == (
        "Cannot store x.\n  /data/x: No space left on device\n"
        "  make room on this disk, then run again; nothing half-written was left"
    )
    assert error.errno == errno.ENOSPC
    assert "permission" in str(storage_error("x", "p", OSError(errno.EACCES, "y")))
    assert "mounted" in str(storage_error("x", "p", OSError(errno.EIO, "y")))


def test_unlinking_what_is_gone_is_no_error(tmp_path):
    """Whoever comes second finds nothing to remove."""
    (tmp_path / "x").touch()
    assert unlink_if_there(str(tmp_path / "x"))
    assert not unlink_if_there(str(tmp_path / "x"))
    atomic.sync(str(tmp_path))
