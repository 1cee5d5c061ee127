"""Checksums while writing."""

from __future__ import annotations

import gc
import io
import os
import zipfile

import numpy as np
import pytest
from blake3 import blake3

from smttask import hashing
from smttask.hashing import FileHashing, HashingFile, hash_file


def is_right(path, file):
    data = path.read_bytes()
    return (file.n_bytes, file.blake3) == (len(data), blake3(data).hexdigest()) and hash_file(
        str(path)
    ) == file.blake3


@pytest.mark.parametrize("n_bytes", [0, 1, 70_000, 5_000_000])
def test_what_was_written_is_hashed(n_bytes, tmp_path):
    """Small and big pieces, bytes and arrays: size and checksum are those of the file."""
    path = tmp_path / "x"
    data = np.arange(n_bytes, dtype="u1")
    with HashingFile(str(path), expected_bytes=n_bytes) as file:
        file.write(b"header")
        file.write(data)
        file.write(np.arange(6.0).reshape(2, 3))
    assert path.read_bytes() == b"header" + data.tobytes() + np.arange(6.0).tobytes()
    assert is_right(path, file)
    with HashingFile(None) as dry:
        dry.write(path.read_bytes())
    assert (dry.n_bytes, dry.blake3) == (file.n_bytes, file.blake3)


def test_a_writer_may_go_back(tmp_path):
    """Formats that seek, truncate or write past us get the right checksum too."""
    path = tmp_path / "x.zip"
    with HashingFile(str(path)) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", b"x" * 1000)
    assert is_right(path, file)
    path = tmp_path / "y"
    with HashingFile(str(path)) as file:
        file.write(b"0123456789")
        file.truncate(5)
        file.seek(2)
        file.write(b"xx")
    assert path.read_bytes() == b"01xx4"
    assert is_right(path, file)
    path = tmp_path / "z"
    with HashingFile(str(path)) as file:
        os.write(file.fileno(), b"abc")
    assert is_right(path, file)


def test_a_file_that_is_not_written_cannot_seek():
    """Without a file there is only a size and a checksum."""
    with HashingFile(None) as file:
        assert (file.readable(), file.writable(), file.seekable(), file.tell()) == (False, True, False, 0)
        for ask in (lambda: file.seek(0), file.truncate, file.fileno):
            with pytest.raises(io.UnsupportedOperation):
                ask()


def test_a_forked_child_hashes_big_files(tmp_path):
    """Several threads hash in a forked child as in its parent; it does not wait for threads it has not."""
    path = str(tmp_path / "x")
    with HashingFile(path, expected_bytes=10**7) as file:
        file.write(b"x" * 10**7)
    assert hash_file(path) == file.blake3
    child = os.fork()
    if not child:
        os._exit(0 if hash_file(path) == file.blake3 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_errors_of_the_hashing_thread_arrive(tmp_path):
    """A file that cannot be hashed beside something else raises where the checksum is asked for."""
    with pytest.raises(FileNotFoundError):
        FileHashing(str(tmp_path / "none")).result()
    assert hashing.N_HASH_THREADS >= 1


def test_a_file_that_cannot_be_made_leaves_nothing_to_close(tmp_path):
    """The error of the system comes through, and nothing is said when the object goes."""
    (tmp_path / "x").touch()
    with pytest.raises(FileExistsError):
        HashingFile(str(tmp_path / "x"))
    gc.collect()
