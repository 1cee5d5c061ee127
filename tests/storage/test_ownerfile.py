"""The lock for disks without locks: a file that names its owner and beats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from smttask.errors import StorageError
from smttask.storage import ownerfile
from smttask.storage.ownerfile import HOST, OwnerFile, process_start


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "x.owner")


def write(path, **owner):
    with open(path, "w") as file:
        json.dump({"pid": os.getpid(), "host": HOST, "start": process_start(os.getpid()), **owner}, file)


def test_one_owner_at_a_time(path):
    """The second is refused until the first has released, and then gets it."""
    first, second = OwnerFile(path), OwnerFile(path)
    assert first.take()
    assert not second.take()
    assert second.holder() == f"process {os.getpid()} on {HOST}"
    first.release()
    assert second.take()
    second.release()
    assert os.listdir(os.path.dirname(path)) == []
    assert second.holder() == "a process that has just ended"


def test_a_dead_process_of_this_host_is_no_owner(path):
    """An owner that was killed is passed over at once."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    write(path, pid=process.pid)
    claim = OwnerFile(path)
    assert claim.take()
    claim.release()


def test_another_process_of_the_same_number_is_no_owner(path):
    """A number used again by the system does not keep the lock of a dead process."""
    write(path, start="1")
    claim = OwnerFile(path)
    assert claim.take() == (process_start(os.getpid()) is not None)
    claim.release()


@pytest.mark.parametrize("content", [{"host": "elsewhere"}, None])
def test_an_owner_elsewhere_is_dead_when_it_is_silent(content, path):
    """On another host, or with an unreadable file, what counts is the last beat."""
    if content is None:
        with open(path, "w") as file:
            file.write("torn")
    else:
        write(path, **content)
    assert not OwnerFile(path).take()
    os.utime(path, (time.time() - 61, time.time() - 61))
    claim = OwnerFile(path)
    assert claim.take()
    claim.release()


def test_the_owner_beats(path, monkeypatch):
    """While it is held the file is touched again and again."""
    monkeypatch.setattr(ownerfile, "BEAT_S", 0.01)
    claim = OwnerFile(path)
    assert claim.take()
    os.utime(path, (0, 0))
    deadline = time.monotonic() + 10
    while os.stat(path).st_mtime == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert os.stat(path).st_mtime > 0
    claim.release()


def test_release_leaves_the_file_of_another(path):
    """Who lost the lock, by being silent too long, does not take it from the new owner."""
    claim = OwnerFile(path)
    assert claim.take()
    write(path, pid=1)
    claim.release()
    assert os.path.exists(path)


def test_a_file_that_cannot_be_made_says_why(tmp_path):
    """What the system refuses is an error that names the lock, with the way out."""
    with pytest.raises(StorageError, match=r"Cannot lock x\.owner\.") as caught:
        OwnerFile(str(tmp_path / "gone" / "x.owner")).take()
    assert isinstance(caught.value.__cause__, FileNotFoundError)
